"""The archived mentions of one event, taken through the risk step again.

What a step decides of an event depends on the event's own mentions and their positions alone, so
each event can be taken by itself, and gives what the pipeline gave.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wanglou.models.order import MILLISECONDS_PER_MINUTE, Position, before
from wanglou.models.risk import Decision, RiskStep
from wanglou.models.risk_parameters import LevelParameters
from wanglou.models.rules import Rules
from wanglou.models.terms import TERMS
from wanglou.models.tuning.reviewed import Changes
from wanglou.schemas.base import minute_of
from wanglou.schemas.mention import ScoredMention
from wanglou.schemas.risk import Alert

NEVER = 97
"""A risk that hardly ever comes."""

Values = NDArray[np.float64]


class Placed(NamedTuple):
    """A scored mention where it stands in the order of everything."""

    position: Position
    mention: ScoredMention


@dataclass(frozen=True, slots=True)
class Course:
    """An event's terms at the close of each minute in which its risk may have mattered."""

    event_id: str
    minutes: NDArray[np.int64]
    """Event minutes of the closes, in order."""
    scores: Values
    """(minutes, terms), each in [0, 1], in the order of `TERMS`: no weight is in them."""


def recording_levels(enter: float) -> LevelParameters:
    """Levels by which an event's course is kept wherever its risk reaches ``enter``."""
    return LevelParameters.model_validate(
        {
            "blue": {"enter": enter, "leave": 0.99 * enter},
            "yellow": {"enter": NEVER, "leave": NEVER - 1},
            "orange": {"enter": NEVER + 1, "leave": NEVER},
            "red": {"enter": NEVER + 2, "leave": NEVER + 1},
            **dict.fromkeys(("dwell_minutes", "calm_minutes", "quiet_minutes", "rest_minutes"), 1),
        }
    )


def course_of(
    event_id: str, mentions: Sequence[Placed], through: datetime, rules: Rules, enter: float
) -> Course:
    """The event's course wherever its risk under the rules reaches ``enter``."""
    risk = rules.risk.model_copy(update={"levels": recording_levels(enter)})
    step = replace(rules, risk=risk).risk_step(takes_snapshots=False)
    assessed = [
        one for decision in _by_minute(step, mentions, through) for one in decision.assessed
    ]
    scores = [[term.score for term in one.assessment.terms] for one in assessed]
    return Course(
        event_id,
        np.array([minute_of(one.assessed_at) for one in assessed], dtype=np.int64),
        np.array(scores, dtype=np.float64).reshape(len(assessed), len(TERMS)),
    )


def alerts_of(mentions: Sequence[Placed], through: datetime, rules: Rules) -> list[Alert]:
    """The alerts of the event under the rules, until a time."""
    step = rules.risk_step(takes_snapshots=False)
    taken = [step.process(one.mention, position=one.position) for one in mentions]
    last = step.close(before(_milliseconds(minute_of(through))))
    return [alert for decision in (*taken, last) for alert in decision.alerts]


def changes_of(alerts: Iterable[Alert]) -> Changes:
    """The changes of level that alerts tell of."""
    return [(alert.decided_at, alert.level) for alert in alerts]


def _by_minute(step: RiskStep, mentions: Sequence[Placed], through: datetime) -> Iterator[Decision]:
    """The decisions at the close of each minute, as a pipeline that keeps up makes them.

    Once an event is closed nothing happens before its next mention.
    """
    minute = 0
    for one in mentions:
        yield from _closes(step, minute, one.position.minute)
        yield step.process(one.mention, position=one.position)
        minute = one.position.minute
    yield from _closes(step, minute, minute_of(through))


def _closes(step: RiskStep, minute: int, end: int) -> Iterator[Decision]:
    """Close the minutes from ``minute`` to before ``end``, as long as the event is open."""
    while minute < end:
        minute += 1
        decision = step.close(before(_milliseconds(minute)))
        yield decision
        if not any(one.level is not None for one in decision.assessed):
            break


def _milliseconds(minute: int) -> int:
    return minute * MILLISECONDS_PER_MINUTE
