"""The usual rules on the number of mentions an hour, to compare with; each at its best setting.

They see mentions of an institution, whatever they say, and know no topics. Both are told more than
in life: the setting is chosen on the very stream that is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from wanglou.models.incidents import Incidents
from wanglou.models.verdict import Step, Verdict, judge
from wanglou.schemas.base import time_of
from wanglou.schemas.risk import Level

HOUR, DAY = 60, 1440

THRESHOLDS = tuple(int(10 * 1.25**step) for step in range(28))
"""Mentions an hour."""

DEVIATIONS = tuple(round(1.15**step, 1) for step in range(36))
"""k of mean plus k standard deviations."""

LEAST_MENTIONS = 10
"""Below this many mentions an hour the deviations rule says nothing."""

ALLOWED_A_DAY = 0.2
"""False alarms a day that a good setting may have."""

Counts = Mapping[str, Mapping[int, int]]
"""Mentions of each institution by event minute."""

_Minutes = NDArray[np.float64]
_Rule = Callable[[_Minutes, float], NDArray[np.bool_]]


def _above_threshold(hourly: _Minutes, threshold: float) -> NDArray[np.bool_]:
    """At least so many mentions in an hour."""
    above: NDArray[np.bool_] = hourly >= threshold
    return above


def _above_deviations(hourly: _Minutes, k: float) -> NDArray[np.bool_]:
    """More than mean + k standard deviations of the 24 hours before this hour."""
    sums = np.concatenate(([0.0], np.cumsum(hourly)))
    squares = np.concatenate(([0.0], np.cumsum(hourly**2)))
    ends = np.maximum(np.arange(len(hourly)) - HOUR, 0)
    starts = np.maximum(ends - DAY, 0)
    length = np.maximum(ends - starts, 1)
    mean = (sums[ends] - sums[starts]) / length
    deviation = np.sqrt(np.maximum((squares[ends] - squares[starts]) / length - mean**2, 0))
    knows_a_day = ends - starts >= DAY
    above = hourly > mean + k * deviation
    held: NDArray[np.bool_] = above & knows_a_day & (hourly >= LEAST_MENTIONS)
    return held


RULES: Mapping[str, tuple[_Rule, Sequence[float]]] = {
    "mentions an hour ≥ {:g}": (_above_threshold, THRESHOLDS),
    "mean + {:g} deviations": (_above_deviations, DEVIATIONS),
}
"""How a rule with its setting is called, what it is, and the settings that are tried."""


def baselines(
    counts: Counts, incidents: Incidents, first: datetime, last: datetime
) -> list[Verdict]:
    """The verdict of each rule at its best setting.

    Best has few enough false alarms (`ALLOWED_A_DAY`) if any setting has; of those it finds the
    most incidents, then is the quickest to alert.
    """
    hourly = {name: _hourly(minutes) for name, minutes in counts.items() if minutes}
    return [
        max(
            (
                judge(name.format(one), _steps(hourly, rule, one), incidents, first, last)
                for one in settings
            ),
            key=_goodness,
        )
        for name, (rule, settings) in RULES.items()
    ]


def _goodness(verdict: Verdict) -> tuple[bool, float, float, float]:
    few = verdict.false_alarms_a_day <= ALLOWED_A_DAY
    quick = -verdict.median_minutes_to_orange
    return few, verdict.found if few else 0.0, quick, -verdict.false_alarms_a_day


def _hourly(minutes: Mapping[int, int]) -> tuple[int, _Minutes]:
    """The first minute, and from it on mentions in the hour up to each minute's end."""
    first, last = min(minutes), max(minutes)
    counts = np.zeros(last - first + 1)
    for minute, count in minutes.items():
        counts[minute - first] = count
    sums = np.concatenate(([0.0], np.cumsum(counts)))
    ends = np.arange(1, len(sums))
    return first, sums[ends] - sums[np.maximum(ends - HOUR, 0)]


def _steps(hourly: Mapping[str, tuple[int, _Minutes]], rule: _Rule, setting: float) -> list[Step]:
    """An alert when the rule begins to hold, its end when it has not held for an hour."""
    steps: list[Step] = []
    for institution, (first, values) in hourly.items():
        for start, end in _episodes(np.flatnonzero(rule(values, setting))):
            steps += (
                Step(institution, None, time_of(first + start + 1), Level.ORANGE, rises=True),
                Step(institution, None, time_of(first + end + HOUR + 1), None, rises=False),
            )
    return sorted(steps, key=lambda step: step.at)


def _episodes(minutes: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    if not len(minutes):
        return
    breaks = np.flatnonzero(np.diff(minutes) > HOUR)
    starts = minutes[np.concatenate(([0], breaks + 1))]
    ends = minutes[np.concatenate((breaks, [len(minutes) - 1]))]
    yield from zip(starts.tolist(), ends.tolist(), strict=True)
