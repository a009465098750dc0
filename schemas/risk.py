"""An event (institution × risk topic), its level, and the alerts of its life."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from wanglou.schemas.base import Contract, Count, Identifier, Share, Timestamp
from wanglou.schemas.mention import Author, Emotion, Kind, PlatformName, Polarity
from wanglou.schemas.playbook import PlannedMeasure, RegulatorReport


class Level(IntEnum):
    """The four national levels of an incident; a higher number is graver."""

    BLUE = 1  # 蓝色 一般
    YELLOW = 2  # 黄色 较大
    ORANGE = 3  # 橙色 重大
    RED = 4  # 红色 特别重大

    @property
    def label(self) -> str:
        """The word on the wire and in settings: ``blue`` … ``red``."""
        return self.name.lower()

    @property
    def chinese(self) -> str:
        """The operators' word, e.g. ``橙色·重大``."""
        return ("蓝色·一般", "黄色·较大", "橙色·重大", "红色·特别重大")[self - 1]


def _parse_level(value: object) -> object:
    if isinstance(value, str):
        try:
            return Level[value.upper()]
        except KeyError:
            raise ValueError(f"{value!r} is no level; one of blue, yellow, orange, red") from None
    return value


LevelName = Annotated[
    Level,
    BeforeValidator(_parse_level),
    PlainSerializer(lambda level: level.label, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "enum": [level.label for level in Level],
            "description": "蓝 一般, 黄 较大, 橙 重大, 红 特别重大",
        }
    ),
]
"""A level, written as its English colour."""


class AlertKind(StrEnum):
    """A step in an event's life."""

    RAISED = "raised"
    ESCALATED = "escalated"
    DE_ESCALATED = "de-escalated"
    RESOLVED = "resolved"


class Factor(StrEnum):
    """The three factors of a risk; likelihood is negativity × activity."""

    NEGATIVITY = "negativity"
    ACTIVITY = "activity"
    IMPACT = "impact"


class Term(Contract):
    """One term of the risk formula; a reader can recompute the risk from all of them."""

    name: Identifier = Field(description="Name of the term.", examples=["burst"])
    factor: Factor = Field(description="Factor that it is part of.")
    value: float = Field(description="What was measured.", examples=[7.2])
    unit: str = Field(description="Unit of the value.", examples=["deviations"])
    score: Share = Field(description="The value mapped to [0, 1].", examples=[0.59])
    weight: Share = Field(description="Its weight in its factor.", examples=[0.4])
    contribution: Share = Field(description="What it adds to its factor.", examples=[0.21])
    inputs: dict[str, float] = Field(
        {},
        description="What the value and the score are computed from; models/README.md says how.",
        examples=[{"mentions": 11, "mean": 0.3, "variance": 0.3}],
    )


class Assessment(Contract):
    """Risk at the close of a minute: 100 × negativity × activity × impact."""

    risk: float = Field(ge=0, le=100, description="Risk 风险值, 0 to 100.", examples=[61.4])
    likelihood: Share = Field(description="Negativity × activity.")
    impact: Share = Field(description="Sum of the impact terms' contributions.")
    terms: tuple[Term, ...] = Field(description="Every term of both factors.")


class Viewpoint(Contract):
    """What many of an event's mentions say in their own words (主要观点)."""

    text: str = Field(description="The text nearest to the middle of them, cut.")
    mention_id: Identifier = Field(description="Id of the mention that has this text.")
    share: Share = Field(
        description="Its share of the mentions that say enough, older ones weighing less."
    )
    mentions: Count = Field(description="Mentions of it since it came up, whatever their age.")
    polarities: dict[str, Share] = Field(
        description="Share of each polarity, older mentions weighing less.",
        examples=[{"negative": 0.9, "neutral": 0.1, "positive": 0.0}],
    )
    first_at: Timestamp = Field(description="Event time of its first mention.")
    last_at: Timestamp = Field(description="Latest event time of a mention of it.")


class Slot(Contract):
    """A stretch of time and what came in it; all slots of an event are equally long."""

    begins_at: Timestamp = Field(description="When it begins.")
    minutes: Count = Field(description="How long it is.", examples=[60])
    mentions: Count = Field(description="Originals and duplicates.")
    platforms: dict[str, Count] = Field(description="Mentions per platform.")
    emotions: dict[str, Count] = Field(description="Mentions per emotion 情绪.")


class Source(Contract):
    """Who said it, where, when, and after whom; of authors only the keyed hash."""

    id: Identifier = Field(description="Id of the mention.")
    platform: PlatformName = Field(description="Where it was published.")
    kind: Kind = Field(description="What sort of publication it is.")
    published_at: Timestamp = Field(description="When it was published.")
    author: Author | None = Field(None, description="Who published it; null where unknown.")
    url: str | None = Field(None, description="Where it can be read.")
    path: tuple[Identifier, ...] = Field(
        (),
        description="Ids of mentions from the root of its thread to what it answers, as far as is "
        "known; of a long path without the middle. None for a post of its own.",
    )


class Spreader(Source):
    """An author who brought the event to many: the mention of theirs that reached most."""

    reached: Count = Field(
        description="The larger of the author's followers and the mention's reads."
    )


class Situation(Contract):
    """What is known of an event (态势)."""

    mentions: Count = Field(description="Originals and duplicates since the event began.")
    updates: Count = Field(description="Counter updates since the event began.")
    late: Count = Field(description="Mentions that came after the stated lateness.")
    negative: Count = Field(description="Mentions that speak ill of the institution.")
    clusters: Count = Field(description="Originals: texts that are not near-duplicates.")
    heat: float = Field(ge=0, description="Heat 热度: decayed, log-damped engagement; no unit.")
    authors: float = Field(ge=0, description="Estimated distinct authors, lately.")
    audience: float = Field(ge=0, description="Estimated followers of these authors, each once.")
    platforms: dict[str, Count] = Field(
        description="Mentions per platform; `other` for all after the first of them."
    )
    emotions: dict[str, Count] = Field(
        description="Mentions per emotion 情绪.", examples=[{"fear": 31, "angry": 12}]
    )
    depth: Count = Field(
        description="Deepest step from a root: 0 posts, 1 answers, 2 answers to them."
    )
    first_at: Timestamp = Field(description="Event time of the first mention.")
    last_at: Timestamp = Field(description="Latest event time of a mention.")
    viewpoints: tuple[Viewpoint, ...] = Field(
        (), description="What is mainly said 主要观点, the largest share first; at most eight."
    )
    regions: dict[str, Count] = Field(
        {},
        description="Mentions per region that was given; `other` for all but the commonest.",
        examples=[{"浙江": 31, "other": 4}],
    )
    first_source: Source | None = Field(
        None, description="The mention that was published first; in events and alerts."
    )
    spreaders: tuple[Spreader, ...] = Field(
        (), description="Authors who reached most, at most five; in events only."
    )
    timeline: tuple[Slot, ...] = Field(
        (),
        description="Platforms and emotions over time, at most 24 slots; in events only. Mentions "
        "that came after the stated lateness are left out.",
    )


class Evidence(Contract):
    """A mention that shows what is said."""

    id: Identifier = Field(description="Id of the mention.")
    platform: str = Field(description="Where it was published.")
    kind: Kind = Field(description="What sort of publication it is.")
    published_at: Timestamp = Field(description="When it was published.")
    polarity: Polarity = Field(description="Its polarity.")
    emotion: Emotion = Field(description="Its emotion.")
    heat: float = Field(ge=0, description="Heat that it brought.")
    text: str = Field(description="Its text, cut.")
    url: str | None = Field(None, description="Where it can be read.")


class Subject(Contract):
    """An institution or risk topic: id, and the name that operators read."""

    id: Identifier = Field(description="Id in the watch list or taxonomy.", examples=["run"])
    name: str = Field(description="Chinese name.", examples=["挤兑传言"])


class Event(Contract):
    """Latest state of one open event (compacted topic ``events``, keyed by ``id``)."""

    id: Identifier = Field(
        description="institution.topic: a re-opened event keeps it.", examples=["hexing-bank.run"]
    )
    institution: Subject = Field(description="Whom it is about.")
    topic: Subject = Field(description="Which risk.")
    level: LevelName | None = Field(None, description="Level in force; null once resolved.")
    since: Timestamp = Field(description="When this level was entered.")
    assessed_at: Timestamp = Field(description="Close of the minute that was assessed.")
    assessment: Assessment = Field(description="Risk and its terms.")
    situation: Situation = Field(description="Totals of the event.")
    evidence: tuple[Evidence, ...] = Field(description="Hottest mentions, at most three.")


class Alert(Contract):
    """A step in an event's life (topic ``alerts``, the response topic)."""

    id: Identifier = Field(
        description="Derived from the event and its transition: drop repeats by it."
    )
    kind: AlertKind = Field(description="What happened.")
    sequence: Count = Field(description="Number of the transition in the event's life, from 1.")
    event_id: Identifier = Field(description="The event.", examples=["hexing-bank.run"])
    institution: Subject = Field(description="Whom it is about.")
    topic: Subject = Field(description="Which risk.")
    level: LevelName | None = Field(None, description="Level from now on; null when resolved.")
    previous_level: LevelName | None = Field(None, description="Level before; null when raised.")
    decided_at: Timestamp = Field(description="Close of the minute that decided (event time).")
    title: str = Field(description="One line for operators, in Chinese.")
    assessment: Assessment = Field(description="Risk and its terms at that minute.")
    situation: Situation = Field(description="Totals of the event at that minute.")
    evidence: tuple[Evidence, ...] = Field(description="Hottest mentions, at most three.")
    received_at: Timestamp = Field(
        description="When the broker took the latest raw mention that it counts."
    )
    goal: str | None = Field(
        None, description="What the playbook wants to reach at this level; null when resolved."
    )
    measures: tuple[PlannedMeasure, ...] = Field(
        (), description="The playbook's measures for topic and level, the earliest deadline first."
    )
    reports: tuple[RegulatorReport, ...] = Field(
        (),
        description="First reports to a regulator whose clock this step starts; those that an "
        "earlier step started go on.",
    )
    rules_version: Identifier | None = Field(
        None,
        description="Fingerprint of the rules in force: watch list, taxonomy, risk parameters, "
        "playbooks and regulator.",
        examples=["3f2a91c07be4"],
    )
