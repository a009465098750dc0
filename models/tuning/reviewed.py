"""What reviews say that alerts should have been, and how far what they were is from it.

The unit is a level: an orange case that should have been blue is two levels off, and so is a blue
one that should have been orange.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from wanglou.models.response.case_file import CaseFile
from wanglou.models.response.figures import Life, lives_of
from wanglou.models.verdict import GRACE, MINUTE
from wanglou.schemas.response import ReviewVerdict
from wanglou.schemas.risk import Level

WORSE_BY_A_LEVEL = 60.0
"""Minutes by which a level that came in time may come later, before that is as bad as a level."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One life of a case that was reviewed."""

    event_id: str
    life: int
    start: datetime
    """When the incident began, as the review tells it, else the first alert."""
    end: datetime
    """The last alert."""
    verdict: ReviewVerdict
    expected: Level | None
    """The highest level that it should have had; None if it should have raised nothing."""
    recorded: Level
    """The highest level that it had."""

    def has(self, at: datetime) -> bool:
        """Whether a time belongs to it; an hour after its end still does."""
        return self.start <= at <= self.end + GRACE


def reviewed_lives(case: CaseFile) -> list[Reviewed]:
    """The lives of a case that were reviewed; of several reviews of one the last counts."""
    return [one for life in lives_of(case) for one in [_reviewed(case, life)] if one is not None]


def _reviewed(case: CaseFile, life: Life) -> Reviewed | None:
    reviews = [one for one in case.reviews if life.has(one.at)]
    alerts = [one for one in case.alerts if life.has(one.at)]
    levels = [one.level for one in alerts if one.level is not None]
    if not reviews or not levels:
        return None
    review, recorded = reviews[-1], max(levels)
    expected = review.expected_level or _expected(review.verdict, recorded)
    start = min(life.begin, review.missed_from or life.begin)
    end = max(one.at for one in alerts)
    return Reviewed(case.id, life.number, start, end, review.verdict, expected, recorded)


def _expected(verdict: ReviewVerdict, recorded: Level) -> Level | None:
    """What a verdict says of the level where the review names none: missed is one level more."""
    if verdict is ReviewVerdict.FALSE_ALARM:
        return None
    if verdict is ReviewVerdict.MISSED:
        return Level(min(recorded + 1, Level.RED))
    return recorded


Changes = Sequence[tuple[datetime, Level | None]]
"""The changes of an event's level, in order of time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a reviewed life under some rules."""

    highest: Level | None = None
    minutes: float | None = None
    """From its start to the level that was expected, or a higher one; None for never."""


def outcome(one: Reviewed, changes: Changes) -> Outcome:
    """What became of it; a level that was in force when it began counts from its start on.

    >>> from datetime import timedelta; from wanglou.schemas.base import CHINA
    >>> start, hour = datetime(2020, 1, 25, 13, tzinfo=CHINA), timedelta(hours=1)
    >>> orange, late = Level.ORANGE, ReviewVerdict.LATE
    >>> one = Reviewed("a.run", 1, start, start + 5 * hour, late, orange, orange)
    >>> outcome(one, [(start - hour, Level.BLUE), (start + hour, Level.RED)])
    Outcome(highest=<Level.RED: 4>, minutes=60.0)
    """
    before = [(one.start, level) for at, level in changes if at <= one.start][-1:]
    during = [(at, level) for at, level in changes if one.start < at <= one.end + GRACE]
    reached = [(at, level) for at, level in before + during if level is not None]
    enough = (at for at, level in reached if one.expected and level >= one.expected)
    first = next(enough, None)
    return Outcome(
        max((level for _, level in reached), default=None),
        None if first is None else (first - one.start) / MINUTE,
    )


def levels_off(one: Reviewed, found: Outcome, in_force: Outcome) -> float:
    """How far an outcome is from what the review expects, in levels.

    The distance of the highest level from the expected one; and for a case that came late the
    share of its delay under the rules in force that is left (at most one level), for one that
    came in time an hour's more delay.

    >>> from wanglou.schemas.base import CHINA
    >>> start = datetime(2020, 1, 25, 13, tzinfo=CHINA)
    >>> orange, late = Level.ORANGE, ReviewVerdict.LATE
    >>> one = Reviewed("a.run", 1, start, start, late, orange, orange)
    >>> levels_off(one, Outcome(Level.ORANGE, 30.0), in_force=Outcome(Level.ORANGE, 120.0))
    0.25
    >>> levels_off(one, Outcome(Level.BLUE), in_force=Outcome(Level.ORANGE, 120.0))
    3.0
    """
    distance = abs((found.highest or 0) - (one.expected or 0))
    return distance + delay(one.verdict, found.minutes, in_force.minutes)


def delay(verdict: ReviewVerdict, minutes: float | None, in_force: float | None) -> float:
    """What its minutes to the expected level cost, in levels, and those under the rules in force.

    >>> delay(ReviewVerdict.LATE, 30, 120), delay(ReviewVerdict.RIGHT, 30, 15)
    (0.25, 0.25)
    """
    if verdict is ReviewVerdict.LATE:
        if minutes is None:
            return 1.0
        return min(1.0, minutes / in_force) if in_force else 0.0
    if verdict is ReviewVerdict.RIGHT and minutes is not None and in_force is not None:
        return min(1.0, max(0.0, minutes - in_force) / WORSE_BY_A_LEVEL)
    return 0.0
