"""The setting that fits reviewed cases best, read off the courses of their events.

A level is entered once the risk reaches its threshold, so for given weights a case's highest level
follows from its highest risk, and the levels that it misses or exceeds can be counted threshold by
threshold: the all-thresholds loss of ordinal regression (Rennie and Srebro, "Loss functions for
preference levels", IJCAI 2005 workshop). Dwell and rest times are left out here; what they do to a
setting a back-test shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wanglou.models.levels import LEVELS
from wanglou.models.tuning.course import Course, Values
from wanglou.models.tuning.reviewed import Outcome, Reviewed, delay, levels_off
from wanglou.models.tuning.setting import MOST_OF_A_LEVEL, Setting, price_of_enter
from wanglou.models.verdict import GRACE
from wanglou.schemas.base import minute_of
from wanglou.schemas.response import ReviewVerdict
from wanglou.schemas.risk import Level

MINUTES_PER_DAY = 1440
SECONDS_PER_MINUTE = 60

MOST_CUTS = 64
"""Risks between which a threshold of a level is tried."""

EVEN_CUTS = 9
"""Thresholds that are tried wherever the risks lie, for a level that came late."""

LEAST_GAP = 0.5
"""By so much a level is entered above the one below it, at least."""


@dataclass(frozen=True, slots=True)
class _Case:
    """Which minutes of all courses belong to a reviewed life: from ``first`` to before ``last``."""

    first: int
    last: int


class Study:
    """Reviewed lives, and the courses of all events, by id; also of those that nobody reviewed."""

    def __init__(
        self, reviewed: Sequence[Reviewed], courses: Mapping[str, Course], base: Setting
    ) -> None:
        self.reviewed = list(reviewed)
        self.base = base
        kept = [one for one in courses.values() if len(one.minutes)]
        starts = np.cumsum([0, *(len(one.minutes) for one in kept)])
        begins = {one.event_id: int(start) for one, start in zip(kept, starts, strict=False)}
        self._minutes = np.concatenate([one.minutes for one in kept] or [np.zeros(0, np.int64)])
        self._scores = np.concatenate([one.scores for one in kept] or [np.zeros((0, 7))])
        self._cases = [_case(one, courses.get(one.event_id), begins) for one in reviewed]
        events = np.repeat(np.arange(len(kept)), [len(one.minutes) for one in kept])
        self._strays = _strays(self._minutes, events, self._cases)
        now = self.view(base)
        self.in_force = [now.outcome(index, base.enters) for index in range(len(self.reviewed))]

    def view(self, setting: Setting) -> View:
        """All that thresholds can be judged by, for the weights of a setting."""
        risk = setting.risk(self._scores)
        rising = [np.maximum.accumulate(risk[one.first : one.last]) for one in self._cases]
        minutes = [self._minutes[one.first : one.last] for one in self._cases]
        order, begins = self._strays
        strays = np.maximum.reduceat(risk[order], begins) if len(begins) else np.zeros(0)
        return View(self, setting, rising, minutes, np.sort(strays))


class View:
    """The highest risks of a study under some weights."""

    def __init__(
        self,
        study: Study,
        setting: Setting,
        rising: list[Values],
        minutes: list[NDArray[np.int64]],
        strays: Values,
    ) -> None:
        self._study = study
        self._setting = setting
        self._rising = rising
        self._minutes = minutes
        self._strays = strays
        self._peaks = np.array([one[-1] if len(one) else 0.0 for one in rising])

    def outcome(self, index: int, enters: Sequence[float]) -> Outcome:
        """What becomes of a reviewed life, by its index, with these thresholds."""
        one = self._study.reviewed[index]
        reached = [
            level
            for level, enter in zip(LEVELS, enters, strict=True)
            if self._peaks[index] >= enter
        ]
        expected = one.expected
        minutes = None if expected is None else self._until(index, enters[expected - 1])
        return Outcome(max(reached, default=None), minutes)

    def off(self, index: int, enters: Sequence[float]) -> float:
        """How many levels it is off."""
        found = self.outcome(index, enters)
        return levels_off(self._study.reviewed[index], found, self._study.in_force[index])

    def strays(self, enter: float) -> int:
        """Days of an event that nobody reviewed, with a risk from ``enter`` on."""
        return len(self._strays) - int(np.searchsorted(self._strays, enter))

    def fitted(self, indexes: Sequence[int], strays: Mapping[Level, int]) -> tuple[Setting, float]:
        """The best thresholds for reviewed lives, and what they and their change cost in levels.

        A day of an event that nobody reviewed costs a level for each level that it reaches, as far
        as there are more of them than ``strays``, those under the rules in force.
        """
        base = self._study.base
        enters: list[float] = []
        cost = 0.0
        for level in LEVELS:
            cuts = self._cuts(level, indexes, enters[-1] + LEAST_GAP if enters else 0.0)
            costs = self._costs(level, cuts, indexes, strays[level])
            before = base.enters[level - 1]
            best = int(np.argmin(costs + [price_of_enter(before, cut) for cut in cuts]))
            enters.append(float(cuts[best]))
            cost += float(costs[best])
        found = replace(self._setting, enters=tuple(enters))
        return found, cost + found.price(base)

    def _cuts(self, level: Level, indexes: Sequence[int], least: float) -> Values:
        """Thresholds to try: the present one, those midway between risks that it may part, and
        where the level came late, some evenly spread over what is allowed."""
        present = self._study.base.enters[level - 1]
        low, high = max(present / MOST_OF_A_LEVEL, least), present * MOST_OF_A_LEVEL
        risks = np.concatenate([self._peaks[list(indexes)], self._strays])
        inside = np.unique(risks[(risks > low) & (risks < high)])
        if len(inside) > MOST_CUTS:
            inside = inside[np.linspace(0, len(inside) - 1, MOST_CUTS).astype(int)]
        ends = np.array([low, *inside, max(low, high)])
        cuts = [max(present, low), *(ends[:-1] + ends[1:]) / 2]
        reviewed = [self._study.reviewed[index] for index in indexes]
        if any(one.verdict is ReviewVerdict.LATE and one.expected == level for one in reviewed):
            cuts += list(np.geomspace(low, max(low, high), EVEN_CUTS))
        return np.unique(np.round(cuts, 1))

    def _costs(self, level: Level, cuts: Values, indexes: Sequence[int], strays: int) -> Values:
        """What each threshold of a level costs, in levels."""
        reviewed, in_force = self._study.reviewed, self._study.in_force
        wanted = np.array([(reviewed[index].expected or 0) >= level for index in indexes])
        reached = self._peaks[list(indexes)] >= cuts[:, None]
        costs: Values = (reached != wanted).sum(axis=1).astype(np.float64)
        for index in indexes:
            if reviewed[index].expected == level:
                costs += [
                    delay(reviewed[index].verdict, self._until(index, cut), in_force[index].minutes)
                    for cut in cuts
                ]
        costs += [max(0, self.strays(cut) - strays) for cut in cuts]
        return costs

    def _until(self, index: int, enter: float) -> float | None:
        """Minutes from the start of a reviewed life until its risk reaches ``enter``."""
        rising = self._rising[index]
        place = int(np.searchsorted(rising, enter))
        if place == len(rising):
            return None
        start = self._study.reviewed[index].start.timestamp() / SECONDS_PER_MINUTE
        return max(0.0, float(self._minutes[index][place]) - start)


def _case(one: Reviewed, course: Course | None, begins: Mapping[str, int]) -> _Case:
    if course is None or one.event_id not in begins:
        return _Case(0, 0)
    begin = begins[one.event_id]
    first = np.searchsorted(course.minutes, minute_of(one.start))
    last = np.searchsorted(course.minutes, minute_of(one.end + GRACE), side="right")
    return _Case(begin + int(first), begin + int(last))


def _strays(
    minutes: NDArray[np.int64], events: NDArray[np.int64], cases: Iterable[_Case]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The minutes that nobody reviewed, by index, and where among these each day of an event
    begins (UTC)."""
    free = np.ones(len(minutes), dtype=bool)
    for one in cases:
        free[one.first : one.last] = False
    order = np.flatnonzero(free)
    days = np.stack([events[order], minutes[order] // MINUTES_PER_DAY])
    new = np.any(days[:, 1:] != days[:, :-1], axis=0)
    begins = np.flatnonzero(np.concatenate([[True], new])) if len(order) else order
    return order, begins
