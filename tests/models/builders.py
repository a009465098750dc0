"""Small rules, parameters and messages for the tests of models; every text is made up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from wanglou.models.event import EventState
from wanglou.models.intake import IntakeStep
from wanglou.models.risk import Decision, RiskStep
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.rules import Rules
from wanglou.models.state import Entry, KeyedState
from wanglou.models.taxonomy import Taxonomy
from wanglou.models.watchlist import Watchlist
from wanglou.schemas.mention import (
    DedupedMention,
    Mention,
    Polarity,
    PolarityProbabilities,
    ScoredMention,
)

V = TypeVar("V")

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
            },
            {
                "id": "outage",
                "name": "系统故障",
                "severity": {"reputation": 0.5, "trust": 0.5, "regulator": 0.5},
                "terms": ["系统故障", "转不出去"],
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
        "prior_per_minute": 0.3,
        "half_saturation": 5,
        "storm_cap": 3,
    },
    "negative": {"window_minutes": 60, "prior_share": 0.2, "prior_mentions": 2},
    "velocity": {"window_minutes": 30, "saturation_doublings": 4},
    "reach": {
        "full_audience": 999_999,
        "full_authors": 999,
        "full_platforms": 4,
        "full_depth": 2,
    },
    "severity_weights": {"reputation": 0.3, "trust": 0.4, "regulator": 0.3},
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
    return Rules(WATCHLIST, TAXONOMY, parameters(**sections))


def at(minute: float) -> datetime:
    """The time ``minute`` minutes after the start of the tests."""
    return START + timedelta(minutes=minute)


def minute_at(minute: int) -> int:
    """Minutes since the Unix epoch, ``minute`` minutes after the start of the tests."""
    return int(START.timestamp()) // 60 + minute


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
            "risk_topic": "run",
            **fields,
        }
    )


class AllNegative:
    """A model that calls every text negative."""

    def probabilities(self, texts: Sequence[str]) -> list[PolarityProbabilities]:
        """Certain of it."""
        return [PolarityProbabilities(negative=1.0, neutral=0.0, positive=0.0)] * len(texts)


class ByWord:
    """A model that goes by a word each, so that a test decides by its texts."""

    WORDS: Mapping[str, Polarity] = {"坏": Polarity.NEGATIVE, "好": Polarity.POSITIVE}

    def __init__(self) -> None:
        self.asked: list[str] = []

    def probabilities(self, texts: Sequence[str]) -> list[PolarityProbabilities]:
        """.8 for the polarity of the word in the text, neutral where none stands."""
        self.asked.extend(texts)
        return [self._row(text) for text in texts]

    def _row(self, text: str) -> PolarityProbabilities:
        likely = next((self.WORDS[word] for word in self.WORDS if word in text), Polarity.NEUTRAL)
        return PolarityProbabilities(**{one: 0.8 if one is likely else 0.1 for one in Polarity})


class StateTopic(Generic[V]):
    """A compacted topic in memory: the last value of each key, as JSON without nulls."""

    def __init__(self, value_type: type[V]) -> None:
        self._codec = TypeAdapter(value_type)
        self._values: dict[str, tuple[int, int, bytes]] = {}

    def store(self, state: KeyedState[V]) -> None:
        """Write what has changed since the last time."""
        for key, entry in state.changes():
            self._values.pop(key, None)
            if entry is not None:
                value = self._codec.dump_json(entry.value, exclude_none=True)
                self._values[key] = (entry.offset, entry.minute, value)

    def restore(self, empty: KeyedState[V]) -> KeyedState[V]:
        """Read everything into an empty state."""
        for key, (offset, minute, value) in self._values.items():
            empty.load(key, Entry(offset, minute, self._codec.validate_json(value)))
        return empty


def feed(step: RiskStep, mentions: Iterable[ScoredMention], first_offset: int = 0) -> Decision:
    """All decisions over mentions, as one."""
    decisions = [
        step.process(one, offset=offset) for offset, one in enumerate(mentions, first_offset)
    ]
    return Decision(
        tuple(alert for one in decisions for alert in one.alerts),
        tuple(event for one in decisions for event in one.events),
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
