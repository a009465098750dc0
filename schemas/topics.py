"""Every Kafka topic of Wanglou, defined once.

From here come ``wanglou topics create|check|list``, the check before a worker starts, and the
AsyncAPI document. Names carry the prefix ``wanglou.`` and the version ``.v1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from wanglou.schemas.base import Contract
from wanglou.schemas.control import HEARTBEAT_TYPE, WATERMARK_TYPE, Heartbeat, Watermark
from wanglou.schemas.dead_letter import DeadLetter
from wanglou.schemas.evaluation import Evaluation
from wanglou.schemas.mention import DedupedMention, Mention, RawMention, ScoredMention
from wanglou.schemas.page import PageRecord
from wanglou.schemas.response import Response
from wanglou.schemas.risk import Alert, Event

PREFIX = "wanglou."
VERSION = "v1"

MIN_COMPACTION_LAG = timedelta(hours=1)
"""Longer than any pause of a worker, so that compaction cannot leave only a late writer's value."""

COMPACTED_SEGMENT_BYTES = 64 * 1024 * 1024
COMPACTED_SEGMENT_AGE = timedelta(hours=6)
"""A segment that is being written is never compacted. With Kafka's defaults, 1 GiB and a week,
whoever reads a state back would read all that was written in that time."""

DEFAULT_MAX_MESSAGE_BYTES = 1024 * 1024
DEAD_LETTER_MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""Room for the largest message of another topic in base64, and its reason."""


@dataclass(frozen=True)
class Topic:
    """One topic. ``source`` is set for a state topic: it has the partition count of its source.

    ``control`` is what stands between its messages and tells how far time has come; a consumer
    knows it by its ``ce_type`` and passes over it.
    """

    short_name: str
    message: type[Contract] | None
    key: str
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    description: str
    retention: timedelta | None = None
    compacted: bool = False
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    source: Topic | None = None
    control: type[Contract] | None = None

    @property
    def name(self) -> str:
        """The name in Kafka, e.g. ``wanglou.mentions.raw.v1``."""
        return f"{PREFIX}{self.short_name}.{VERSION}"

    @property
    def event_type(self) -> str:
        """The CloudEvents type of its messages, e.g. ``wanglou.mentions.raw.v1``."""
        return self.name

    @property
    def control_type(self) -> str | None:
        """The CloudEvents type of its control messages."""
        if self.control is None:
            return None
        return HEARTBEAT_TYPE if self.control is Heartbeat else WATERMARK_TYPE

    def configuration(self) -> Mapping[str, str]:
        """The broker's topic settings: names and values as Kafka spells them."""
        settings = {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "max.message.bytes": str(self.max_message_bytes),
        }
        if self.retention is not None:
            settings["retention.ms"] = milliseconds(self.retention)
        if self.compacted:
            settings["segment.bytes"] = str(COMPACTED_SEGMENT_BYTES)
            settings["segment.ms"] = milliseconds(COMPACTED_SEGMENT_AGE)
        if self.source is not None:
            settings["min.compaction.lag.ms"] = milliseconds(MIN_COMPACTION_LAG)
        return settings


def milliseconds(span: timedelta) -> str:
    """A time as Kafka's settings write it.

    >>> milliseconds(timedelta(hours=1))
    '3600000'
    """
    return str(span // timedelta(milliseconds=1))


def _state(agent: str, source: Topic, key: str, description: str) -> Topic:
    return Topic(
        f"state.{agent}", None, key, (agent,), (agent,), description, compacted=True, source=source
    )


RAW = Topic(
    "mentions.raw",
    RawMention,
    "root_id, or id where there is none",
    ("collectors", "wanglou replay", "intake (heartbeats)"),
    ("intake",),
    "One post, article or comment as collected.",
    retention=timedelta(days=7),
    control=Heartbeat,
)
ACCEPTED = Topic(
    "mentions.accepted",
    Mention,
    "institution",
    ("intake",),
    ("dedupe",),
    "A valid, normalised mention of one watched institution.",
    retention=timedelta(days=3),
    control=Watermark,
)
DEDUPED = Topic(
    "mentions.deduped",
    DedupedMention,
    "cluster_id",
    ("dedupe",),
    ("sentiment",),
    "The mention with its near-duplicate cluster.",
    retention=timedelta(days=3),
    control=Watermark,
)
SCORED = Topic(
    "mentions.scored",
    ScoredMention,
    "institution",
    ("sentiment",),
    ("risk", "archive"),
    "The mention with polarity and risk topic.",
    retention=timedelta(days=3),
    control=Watermark,
)
EVENTS = Topic(
    "events",
    Event,
    "id",
    ("risk",),
    ("archive", "anyone"),
    "The latest state of each event: institution × risk topic.",
    compacted=True,
)
ALERTS = Topic(
    "alerts",
    Alert,
    "event_id",
    ("risk",),
    ("pager", "archive", "downstream systems"),
    "The response topic: a step in an event's life.",
    retention=timedelta(days=365),
)
RESPONSES = Topic(
    "responses",
    Response,
    "event_id",
    ("people and systems that act", "wanglou ack", "wanglou case"),
    ("archive", "pager"),
    "An acknowledgement, a measure taken, or other work on a case.",
    retention=timedelta(days=365),
)
EVALUATIONS = Topic(
    "evaluations",
    Evaluation,
    "event_id",
    ("archive",),
    ("anyone",),
    "The trend before and after a measure.",
    retention=timedelta(days=365),
)
PAGES = Topic(
    "pages",
    PageRecord,
    "event_id",
    ("pager",),
    ("archive",),
    "What a receiver was told of a case, or could not be.",
    retention=timedelta(days=365),
)
DEAD_LETTERS = Topic(
    "dead-letters",
    DeadLetter,
    "id",
    ("every agent",),
    ("wanglou dlq",),
    "What could not be processed, with its original bytes and the reason.",
    retention=timedelta(days=30),
    max_message_bytes=DEAD_LETTER_MAX_MESSAGE_BYTES,
)
INTAKE_STATE = _state("intake", RAW, "id of the post", "Which root belongs to which institution.")
DEDUPE_STATE = _state(
    "dedupe", ACCEPTED, "institution/id", "Last counters and cluster of each mention."
)
SENTIMENT_STATE = _state("sentiment", DEDUPED, "empty", "How far each partition has come.")
RISK_STATE = _state("risk", SCORED, "event id", "Buckets, sketches and level of each event.")
PAGER_STATE = _state("pager", ALERTS, "event id", "Who was told what of each case, and who has it.")

TOPICS = (
    RAW,
    ACCEPTED,
    DEDUPED,
    SCORED,
    EVENTS,
    ALERTS,
    RESPONSES,
    EVALUATIONS,
    PAGES,
    DEAD_LETTERS,
    INTAKE_STATE,
    DEDUPE_STATE,
    SENTIMENT_STATE,
    RISK_STATE,
    PAGER_STATE,
)
"""All topics, in the order in which data flows."""
