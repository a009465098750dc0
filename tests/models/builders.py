"""Small rules, parameters and messages for the tests of models; every text is made up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from wanglou.models.event import EventState
from wanglou.models.intake import IntakeStep
from wanglou.models.opinion import NO_EVENT, Opinion, Passage
from wanglou.models.order import Position
from wanglou.models.playbooks import Playbooks
from wanglou.models.regulator import Regulator
from wanglou.models.risk import Decision, RiskStep
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.rules import Rules
from wanglou.models.state import Entry, KeyedState
from wanglou.models.taxonomy import EVENT_TYPES, Taxonomy
from wanglou.models.watchlist import Watchlist
from wanglou.schemas.mention import (
    DedupedMention,
    Emotion,
    EmotionProbabilities,
    Mention,
    Polarity,
    PolarityProbabilities,
    ScoredMention,
)

V = TypeVar("V")
M = TypeVar("M", bound=Mention)
L = TypeVar("L", bound=str)

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
"""Minute 0 of the tests."""

NOW = START + timedelta(days=1)
"""What the clock of intake says."""

AUTHOR_KEY = b"a key of the tests"

WATCHLIST = Watchlist.model_validate(
    {
        "institutions": [
            {
                "id": "hexing",
                "name": "和兴银行",
                "aliases": ["和兴行", "HXB"],
                "exclusions": ["和兴行动"],
            },
            {"id": "yunting", "name": "云汀银行"},
        ]
    }
)

TAXONOMY = Taxonomy.model_validate(
    {
        "topics": [
            {
                "id": "run",
                "name": "挤兑传言",
                "severity": {"reputation": 1, "trust": 1, "regulator": 1},
                "terms": ["挤兑", "取不出钱"],
                "event_types": ["提现困难", "失联跑路"],
            },
            {
                "id": "outage",
                "name": "系统故障",
                "severity": {"reputation": 0.5, "trust": 0.5, "regulator": 0.5},
                "terms": ["系统故障", "转不出去"],
                "event_types": ["歇业停业"],
            },
            {
                "id": "other",
                "name": "其他",
                "severity": {"reputation": 0, "trust": 0, "regulator": 0},
            },
        ],
        "denial_terms": ["辟谣", "不属实"],
    }
)

PLAYBOOKS = Playbooks.model_validate(
    {
        "common": {
            "blue": {
                "measures": [
                    {
                        "id": "monitor",
                        "kind": "fact-finding",
                        "minutes": 30,
                        "department": "品牌公关部",
                        "text": "汇总说法",
                    }
                ]
            },
            "red": {"measures": [{"id": "monitor", "minutes": 10, "department": "办公室"}]},
        },
        "topics": {
            topic: {
                "blue": {"goal": f"{topic} blue"},
                "yellow": {
                    "goal": f"{topic} yellow",
                    "measures": [
                        {
                            "id": "statement",
                            "kind": "statement",
                            "minutes": 60,
                            "department": "品牌公关部",
                            "text": "发布说明",
                        }
                    ],
                },
                "orange": {
                    "goal": f"{topic} orange",
                    "measures": [{"id": "statement", "minutes": 30}],
                },
                "red": {"goal": f"{topic} red"},
            }
            for topic in ("run", "outage", "other")
        },
    }
)

REGULATOR = Regulator.model_validate(
    {
        "rules": [
            {
                "name": "某办法",
                "issuer": "某局",
                "number": "某发〔2020〕1号",
                "issued_on": "2020-01-02",
                "article": "第三条",
                "asks": "报告",
                "topics": ["run"],
                "from_level": "orange",
                "within_minutes": 120,
                "checked": "虚构",
                "confirmed": False,
            },
            {
                "name": "另一办法",
                "issuer": "某局",
                "issued_on": "2021-03-04",
                "asks": "立即报告",
                "topics": ["run", "outage"],
                "from_level": "yellow",
                "within_minutes": 0,
                "checked": "虚构",
                "confirmed": True,
            },
        ]
    }
)

RISK: Mapping[str, Any] = {
    "lateness_minutes": 10,
    "event_retention_minutes": 1440,
    "tiers": {
        "person": 0.5,
        "verified": 0.6,
        "organisation": 0.7,
        "media": 0.8,
        "government": 1.0,
    },
    "heat": {
        "mention": 1.0,
        "reads": 0.1,
        "likes": 0.2,
        "comments": 0.5,
        "reposts": 1.0,
        "half_life_minutes": 60,
        "half_saturation": 4,
    },
    "burst": {
        "window_minutes": 10,
        "baseline_half_life_minutes": 60,
        "hours_half_life_minutes": 1440,
        "hours_prior_mentions": 24,
        "prior_per_minute": 0.3,
        "half_saturation": 5,
        "storm_cap": 3,
    },
    "negative": {"window_minutes": 60, "prior_share": 0.2, "prior_mentions": 2, "full_share": 1.0},
    "velocity": {"window_minutes": 30, "saturation_doublings": 4},
    "reach": {
        "window_minutes": 60,
        "full_audience": 999_999,
        "full_authors": 999,
        "full_platforms": 4,
        "full_depth": 2,
    },
    "viewpoints": {"half_life_minutes": 60, "similarity": 0.8},
    "severity_weights": {"reputation": 0.3, "trust": 0.4, "regulator": 0.3},
    "sizes": {"systemic": 1.2, "large": 1.1, "medium": 1.0, "small": 0.9},
    "activity_weights": {"heat": 0.4, "burst": 0.4, "velocity": 0.2},
    "impact_weights": {"severity": 0.5, "reach": 0.3, "source": 0.2},
    "levels": {
        "blue": {"enter": 10, "leave": 5},
        "yellow": {"enter": 20, "leave": 15},
        "orange": {"enter": 30, "leave": 25},
        "red": {"enter": 40, "leave": 35},
        "dwell_minutes": 5,
        "calm_minutes": 10,
        "quiet_minutes": 30,
        "rest_minutes": 8,
    },
}
"""Numbers to reckon with by hand."""


def risk_values(**sections: Any) -> dict[str, Any]:
    """``RISK`` with some fields changed; a section is merged into that of ``RISK``."""
    values = dict(RISK)
    for name, value in sections.items():
        values[name] = {**values[name], **value} if isinstance(value, Mapping) else value
    return values


def parameters(**sections: Any) -> RiskParameters:
    """``risk_values`` checked."""
    return RiskParameters.model_validate(risk_values(**sections))


def rules(**sections: Any) -> Rules:
    """The small rules, with some risk parameters changed."""
    return Rules(WATCHLIST, TAXONOMY, parameters(**sections), PLAYBOOKS, REGULATOR)


def at(minute: float) -> datetime:
    """The time ``minute`` minutes after the start of the tests."""
    return START + timedelta(minutes=minute)


def minute_at(minute: int) -> int:
    """Minutes since the Unix epoch, ``minute`` minutes after the start of the tests."""
    return int(START.timestamp()) // 60 + minute


def position_at(minute: float = 0, offset: int = 0) -> Position:
    """A position of raw partition 0, whose clock has come to a minute."""
    return Position(milliseconds_of(at(minute)), 0, offset, 0)


def milliseconds_of(time: datetime) -> int:
    """Milliseconds since the Unix epoch."""
    return int(time.timestamp() * 1000)


class Positions:
    """Positions as raw partition 0 gives them: offsets count, the clock is the latest time."""

    def __init__(self) -> None:
        self.time = 0
        self.offset = -1

    def next(self, time: datetime) -> Position:
        """The position of the next message, whose own time this is."""
        self.time = max(self.time, milliseconds_of(time))
        self.offset += 1
        return Position(self.time, 0, self.offset, 0)


def placed(mentions: Iterable[M]) -> list[tuple[Position, M]]:
    """Mentions with their positions, in the order in which they stand in the raw partition."""
    positions = Positions()
    return [(positions.next(_own_time(one)), one) for one in mentions]


def _own_time(mention: Mention) -> datetime:
    return mention.event_time if isinstance(mention, DedupedMention) else mention.published_at


def raw(**fields: Any) -> dict[str, Any]:
    """A valid raw mention that names 和兴银行, with some fields changed."""
    return {
        "id": "weibo:1",
        "platform": "weibo",
        "text": "和兴银行今天有人挤兑",
        "published_at": "2026-03-02T16:00:00+08:00",
        **fields,
    }


def encode(value: object) -> bytes:
    """JSON as a collector writes it."""
    return json.dumps(value, ensure_ascii=False).encode()


def raw_bytes(**fields: Any) -> bytes:
    """``raw`` as bytes."""
    return encode(raw(**fields))


def intake_step() -> IntakeStep:
    """Intake over an empty state, with the tests' clock."""
    return IntakeStep(WATCHLIST, AUTHOR_KEY, rules().intake_state(), clock=lambda: NOW)


def mention(minute: float = 0, **fields: Any) -> Mention:
    """An accepted mention of 和兴银行, published and collected at a minute."""
    return Mention.model_validate(
        {
            "id": "weibo:1",
            "institution": "hexing",
            "platform": "weibo",
            "kind": "post",
            "text": "和兴银行今天有人挤兑",
            "published_at": at(minute),
            "collected_at": at(minute),
            "received_at": at(minute),
            "engagement": {},
            **fields,
        }
    )


def scored(minute: float = 0, *, negative: float = 1.0, **fields: Any) -> ScoredMention:
    """A scored original about a run on 和兴银行; negative where ``negative`` is above .5."""
    identity = fields.get("id", "weibo:1")
    engagement = fields.get("engagement", {})
    return ScoredMention.model_validate(
        {
            **dict(mention(minute)),
            "cluster_id": f"hexing/{identity}",
            "dedupe": "original",
            "engagement_change": engagement,
            "polarity": "negative" if negative > 0.5 else "neutral",
            "polarity_probabilities": {
                "negative": negative,
                "neutral": 1 - negative,
                "positive": 0.0,
            },
            "emotion": "neutral",
            "emotion_probabilities": emotions(neutral=1.0),
            "event_type": NO_EVENT,
            "event_type_probabilities": {NO_EVENT: 1.0},
            "risk_topic": "run",
            "risk_topic_probabilities": {"run": 1.0},
            "institution_negative": negative > 0.5,
            "institution_negative_probability": negative,
            **fields,
        }
    )


def polarities(
    negative: float = 0.0, neutral: float = 0.0, positive: float = 0.0
) -> PolarityProbabilities:
    """Probabilities of polarities, 0 where not given."""
    return PolarityProbabilities(negative=negative, neutral=neutral, positive=positive)


def emotions(**probabilities: float) -> EmotionProbabilities:
    """Probabilities of emotions, 0 where not given."""
    return EmotionProbabilities(**{one.value: 0.0 for one in Emotion} | probabilities)


def opinion(**answers: Any) -> Opinion:
    """Neutral, about nothing, about nobody; with some answers changed."""
    neutral: dict[str, Any] = {
        "polarity": polarities(neutral=1.0),
        "emotion": emotions(neutral=1.0),
        "event_type": {NO_EVENT: 1.0},
        "institution_negative": None,
    }
    return Opinion(**neutral | answers)


class Always:
    """A model with one opinion about everything."""

    def __init__(self, **answers: Any) -> None:
        self._opinion = opinion(**answers)

    def read(self, passages: Sequence[Passage]) -> list[Opinion]:
        """That one."""
        return [self._opinion] * len(passages)


class AllNegative(Always):
    """A model that calls every text negative, certain of it."""

    def __init__(self) -> None:
        super().__init__(polarity=polarities(negative=1.0), institution_negative=1.0)


class ByWord:
    """A model that goes by a word each, so that a test decides by its texts.

    What it finds has .8, the rest the others in equal parts. 坏 also blames the institution, unless
    好 stands right before its name.
    """

    POLARITIES: Mapping[str, Polarity] = {"坏": Polarity.NEGATIVE, "好": Polarity.POSITIVE}
    EMOTIONS: Mapping[str, Emotion] = {"气": Emotion.ANGRY, "怕": Emotion.FEAR}
    EVENT_TYPES: Mapping[str, str] = {"提现": "提现困难", "骗": "涉嫌欺诈"}

    def __init__(self) -> None:
        self.asked: list[Passage] = []

    def read(self, passages: Sequence[Passage]) -> list[Opinion]:
        """By their words; neutral, or of no event, where none stands."""
        self.asked.extend(passages)
        return [self._opinion(passage) for passage in passages]

    def _opinion(self, passage: Passage) -> Opinion:
        polarity = self._by(self.POLARITIES, passage.text, Polarity.NEUTRAL, list(Polarity))
        emotion = self._by(self.EMOTIONS, passage.text, Emotion.NEUTRAL, list(Emotion))
        praised = any(f"好{name}" in passage.text for name in passage.names)
        blamed = "坏" in passage.text and not praised
        return Opinion(
            polarity=PolarityProbabilities(**polarity),
            emotion=EmotionProbabilities(**emotion),
            event_type=self._by(self.EVENT_TYPES, passage.text, NO_EVENT, EVENT_TYPES),
            institution_negative=(0.8 if blamed else 0.1) if passage.names else None,
        )

    @staticmethod
    def _by(
        words: Mapping[str, L], text: str, otherwise: L, labels: Sequence[L]
    ) -> dict[str, float]:
        likely = next((words[word] for word in words if word in text), otherwise)
        rest = round(0.2 / (len(labels) - 1), 4)
        return {str(one): 0.8 if one == likely else rest for one in labels}


class StateTopic(Generic[V]):
    """A compacted topic in memory: the last value of each key, as JSON without nulls."""

    def __init__(self, value_type: type[V]) -> None:
        self._codec = TypeAdapter(value_type)
        self._values: dict[str, tuple[Position, int, bytes]] = {}
        self._minute = 0

    def store(self, state: KeyedState[V], changes: int | None = None) -> None:
        """Write what has changed since the last time, then the clock; or a few changes only."""
        for key, entry in state.changes()[:changes]:
            self._values.pop(key, None)
            if entry.value is not None:
                value = self._codec.dump_json(entry.value, exclude_none=True)
                self._values[key] = (entry.position, entry.minute, value)
        if changes is None:
            self._minute = state.clock

    def restore(self, empty: KeyedState[V]) -> KeyedState[V]:
        """Read everything into an empty state."""
        for key, (position, minute, value) in self._values.items():
            empty.load(key, Entry(position, minute, self._codec.validate_json(value)))
        empty.observe(self._minute)
        return empty


def feed(
    step: RiskStep, mentions: Iterable[ScoredMention], positions: Positions | None = None
) -> Decision:
    """All decisions over mentions, as one; each stands after the one before it."""
    positions = Positions() if positions is None else positions
    decisions = [step.process(one, position=positions.next(one.event_time)) for one in mentions]
    return joined(decisions)


def joined(decisions: Iterable[Decision]) -> Decision:
    """What several decisions brought, as one."""
    decisions = list(decisions)
    return Decision(
        tuple(alert for one in decisions for alert in one.alerts),
        tuple(assessed for one in decisions for assessed in one.assessed),
        tuple(event for one in decisions for event in one.events),
        any(one.late for one in decisions),
    )


def only(state: KeyedState[EventState], key: str = "hexing.run") -> EventState:
    """An event that must be there."""
    event = state.get(key)
    assert event is not None, f"no event {key}"
    return event


def accepted(outcome: object) -> Mention:
    """The one mention that intake must have made."""
    assert isinstance(outcome, tuple), f"rejected: {outcome}"
    assert len(outcome) == 1, f"{len(outcome)} mentions"
    assert isinstance(outcome[0], Mention)
    return outcome[0]


def required(deduped: DedupedMention | None) -> DedupedMention:
    """What dedupe must not have dropped."""
    assert deduped is not None, "dropped as a repeat"
    return deduped
