"""A mention on its way: raw, accepted, deduped, scored."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from wanglou.schemas.base import Contract, Count, Identifier, PairOfIdentifiers, Share, Timestamp

MAX_RAW_BYTES = 64 * 1024
"""A raw mention is at most this many bytes; a longer text belongs in an article store."""

PlatformName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", examples=["weibo"])]


RegionName = Annotated[
    str, Field(min_length=1, max_length=32, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["浙江"])
]


class Kind(StrEnum):
    """What sort of publication a mention is."""

    POST = "post"
    REPOST = "repost"
    COMMENT = "comment"
    ARTICLE = "article"
    VIDEO = "video"
    SEARCH = "search"  # an entry of a hot-search list 热搜


class Tier(StrEnum):
    """Who speaks (信源级别)."""

    PERSON = "person"
    VERIFIED = "verified"
    ORGANISATION = "organisation"
    MEDIA = "media"
    GOVERNMENT = "government"


class Polarity(StrEnum):
    """What a text feels (情感极性)."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class Emotion(StrEnum):
    """How the writer of a text feels (情绪)."""

    HAPPY = "happy"
    ANGRY = "angry"
    SAD = "sad"
    FEAR = "fear"
    SURPRISE = "surprise"
    NEUTRAL = "neutral"

    @property
    def chinese(self) -> str:
        """The operators' word, e.g. ``恐惧``."""
        return {
            "happy": "喜悦",
            "angry": "愤怒",
            "sad": "悲伤",
            "fear": "恐惧",
            "surprise": "惊讶",
            "neutral": "无情绪",
        }[self.value]


class DedupeKind(StrEnum):
    """What dedupe found a mention to be."""

    ORIGINAL = "original"  # first of its cluster
    DUPLICATE = "duplicate"  # another id with nearly the text of an original
    UPDATE = "update"  # the same id with newer counters


class Engagement(Contract):
    """Totals at ``collected_at``; null where the platform does not tell."""

    reads: Count | None = Field(None, description="Reads or views.", examples=[51200])
    likes: Count | None = Field(None, description="Likes.", examples=[9])
    comments: Count | None = Field(None, description="Comments.", examples=[0])
    reposts: Count | None = Field(None, description="Reposts or shares.", examples=[3])


class RawAuthor(Contract):
    """Who published, as the platform names them."""

    id: Identifier = Field(description="Id on the platform.", examples=["5704656177"])
    name: str | None = Field(None, max_length=256, description="Display name; dropped by intake.")
    followers: Count | None = Field(None, description="Followers 粉丝数.", examples=[34842])
    tier: Tier = Field(Tier.PERSON, description="Who speaks 信源级别.", examples=["media"])


class RawMention(Contract):
    """One post, article or comment as collected (topic ``mentions.raw``)."""

    id: Identifier = Field(
        description="Unique over platforms; the same id again with newer counters is an update.",
        examples=["weibo:4464336942156713"],
    )
    platform: PlatformName = Field(description="Where it was published: a lower-case slug.")
    kind: Kind = Field(Kind.POST, description="What sort of publication it is.")
    text: str = Field(
        min_length=1,
        description="The text as published.",
        examples=["和兴银行的手机银行又崩了,转账失败"],
    )
    title: str | None = Field(None, max_length=1024, description="Headline of an article.")
    url: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")] | None = Field(
        None, max_length=2048, description="Where it can be read; no control characters."
    )
    author: RawAuthor | None = Field(None, description="Who published it; null where unknown.")
    published_at: Timestamp = Field(
        description="When it was published, with an offset.",
        examples=["2020-01-25T13:06:44+08:00"],
    )
    collected_at: Timestamp | None = Field(
        None,
        description="When the collector read the counters; published_at where null.",
        examples=["2020-01-25T13:07:02+08:00"],
    )
    engagement: Engagement = Field(default=Engagement(), description="Counters at collected_at.")
    parent_id: Identifier | None = Field(
        None, description="Id of the mention that this one answers or reposts."
    )
    root_id: Identifier | None = Field(
        None, description="Id of the post at the root of the thread; the key of the raw topic."
    )
    region: RegionName | None = Field(
        None,
        description="Where it was written, as the platform tells: a province, or an ISO 3166 code.",
    )


class Author(Contract):
    """Who published, as a keyed hash from intake on."""

    id: Identifier = Field(description="Keyed hash of platform and author id.")
    followers: Count = Field(0, description="Followers 粉丝数, 0 where unknown.")
    tier: Tier = Field(Tier.PERSON, description="Who speaks 信源级别.")


class Mention(Contract):
    """A valid mention of one watched institution (topic ``mentions.accepted``)."""

    id: Identifier = Field(
        description="Id of the raw mention.", examples=["weibo:4464336942156713"]
    )
    institution: Identifier = Field(
        description="Id of the institution in the watch list.", examples=["hexing-bank"]
    )
    inherited: bool = Field(
        False, description="Whether the institution was inherited from root or parent."
    )
    platform: PlatformName = Field(description="Where it was published.")
    kind: Kind = Field(description="What sort of publication it is.")
    text: str = Field(
        description="Title and text, normalised (NFKC, simplified, no URLs or names) and masked."
    )
    context: str | None = Field(
        None, description="Text of the root or parent it answers, cut; null for a post of its own."
    )
    url: str | None = Field(None, description="Where it can be read.")
    author: Author | None = Field(None, description="Who published it; null where unknown.")
    published_at: Timestamp = Field(description="When it was published.")
    collected_at: Timestamp = Field(description="When its counters were read.")
    received_at: Timestamp = Field(description="When the broker took the raw mention.")
    engagement: Engagement = Field(description="Counters at collected_at.")
    parent_id: Identifier | None = Field(None, description="What it answers or reposts.")
    root_id: Identifier | None = Field(None, description="Root of its thread.")
    region: RegionName | None = Field(None, description="Where it was written, null if not told.")


class DedupedMention(Mention):
    """A mention with its near-duplicate cluster (topic ``mentions.deduped``)."""

    cluster_id: PairOfIdentifiers = Field(
        description="Near-duplicate cluster, institution/id of its original: key of the topic."
    )
    dedupe: DedupeKind = Field(description="Original, duplicate or update.")
    original_text: str | None = Field(
        None,
        description="Text of the cluster's original where it differs: the text that is scored.",
    )
    original_context: str | None = Field(
        None, description="Context of the cluster's original, where there is an original_text."
    )
    engagement_change: Engagement = Field(
        description="Counters less the last ones of the same id, never negative."
    )

    @property
    def event_time(self) -> datetime:
        """When it counts: an update when its counters were read, all else when published."""
        return self.collected_at if self.dedupe is DedupeKind.UPDATE else self.published_at


ViewpointCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{171}=$")]


class PolarityProbabilities(Contract):
    """Probabilities of the three polarities; they sum to 1."""

    negative: Share = Field(description="Probability of negative.", examples=[0.93])
    neutral: Share = Field(description="Probability of neutral.", examples=[0.05])
    positive: Share = Field(description="Probability of positive.", examples=[0.02])


class EmotionProbabilities(Contract):
    """Probabilities of the six emotions; they sum to 1."""

    happy: Share = Field(description="Probability of happy 喜悦.", examples=[0.01])
    angry: Share = Field(description="Probability of angry 愤怒.", examples=[0.62])
    sad: Share = Field(description="Probability of sad 悲伤.", examples=[0.04])
    fear: Share = Field(description="Probability of fear 恐惧.", examples=[0.25])
    surprise: Share = Field(description="Probability of surprise 惊讶.", examples=[0.03])
    neutral: Share = Field(description="Probability of neutral 无情绪.", examples=[0.05])


class ScoredMention(DedupedMention):
    """A mention with what its cluster's text says (topic ``mentions.scored``)."""

    polarity: Polarity = Field(description="Most probable polarity 情感极性.")
    polarity_probabilities: PolarityProbabilities = Field(description="All three probabilities.")
    emotion: Emotion = Field(description="Most probable emotion 情绪.")
    emotion_probabilities: EmotionProbabilities = Field(description="All six probabilities.")
    event_type: str = Field(
        description="Most probable event type 事件类型, as the training data names it.",
        examples=["提现困难"],
    )
    event_type_probabilities: dict[str, Share] = Field(
        description="Probabilities of event types, from .01 on.", examples=[{"提现困难": 0.87}]
    )
    risk_topic: Identifier = Field(
        description="Id in the taxonomy, `other` where none fits.", examples=["run"]
    )
    risk_topic_probabilities: dict[str, Share] = Field(
        description="Probabilities of risk topics, from .01 on; 1 where a term decided.",
        examples=[{"run": 0.87, "other": 0.13}],
    )
    institution_negative: bool | None = Field(
        None, description="Whether it is negative about this institution; null without a model."
    )
    institution_negative_probability: Share | None = Field(
        None, description="Probability that it is negative about this institution."
    )
    viewpoint: ViewpointCode | None = Field(
        None,
        description="Code of what the text says: 128 signed bytes in base64, near for texts that "
        "say the like; null without a model.",
    )
