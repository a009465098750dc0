"""What can be measured of a case: times from one thing to the next, deadlines, effects.

A case that was re-opened has several lives 次, each measured by itself.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from wanglou.models.response.case_file import CaseFile, CaseStatus, Raised, Review, Taken, Task
from wanglou.models.response.dossier import Dossier
from wanglou.schemas.base import minute_of, time_of
from wanglou.schemas.evaluation import EffectVerdict, Evaluation
from wanglou.schemas.response import EVALUATED, Act
from wanglou.schemas.risk import Level

PEAK_WINDOW = timedelta(minutes=10)
"""The stretch of time in which the most mentions are the peak."""

NOTICEABLE, NOTICED_IN = 10, 60
"""An event can be noticed once so many mentions came in so many minutes."""

UNSETTLED = (None, EffectVerdict.TOO_EARLY)
"""What an evaluation says that may still become something else."""


@dataclass(frozen=True, slots=True)
class Life:
    """A life of a case: from where it was opened to where it was opened again."""

    number: int
    begin: datetime
    end: datetime | None = None

    def has(self, at: datetime) -> bool:
        """Whether a time is in it."""
        return self.begin <= at and (self.end is None or at < self.end)


def lives_of(case: CaseFile) -> list[Life]:
    """The lives of a case, the first first."""
    openings = [step.at for step in case.steps if step.after is CaseStatus.OPEN]
    ends = [*openings[1:], None]
    pairs = zip(openings, ends, strict=True)
    return [Life(number, begin, end) for number, (begin, end) in enumerate(pairs, 1)]


class Kept(StrEnum):
    """What became of a deadline."""

    KEPT = "kept"
    LATE = "late"
    MISSED = "missed"
    DROPPED = "dropped"
    PENDING = "pending"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            Kept.KEPT: "按时完成",
            Kept.LATE: "逾期完成",
            Kept.MISSED: "逾期未完成",
            Kept.DROPPED: "结案时未完成",
            Kept.PENDING: "未到期",
        }[self]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A task, and what became of its deadline."""

    task: Task
    kept: Kept

    @property
    def is_judged(self) -> bool:
        """Whether it counts among those that were kept or not."""
        return self.kept in (Kept.KEPT, Kept.LATE, Kept.MISSED)


@dataclass(frozen=True, slots=True)
class Effect:
    """A measure, and its evaluations, the shortest span first."""

    measure: Taken
    evaluations: tuple[Evaluation, ...]

    @property
    def settled(self) -> Evaluation | None:
        """The evaluation that counts: of those that say something final, the longest span."""
        settled = [one for one in self.evaluations if one.verdict not in UNSETTLED]
        return settled[-1] if settled else None

    @property
    def verdict(self) -> EffectVerdict:
        """What it says."""
        one = self.settled
        return EffectVerdict.TOO_EARLY if one is None or one.verdict is None else one.verdict


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one life of a case. Times are None for what never came."""

    case: CaseFile
    life: Life
    first_mention_at: datetime | None
    mentions_before_alert: int
    alerted_at: datetime
    orange_at: datetime | None
    noticeable_at: datetime | None
    """Before the alert, when it could be noticed; None where it could not."""
    peak_at: datetime | None
    """When the stretch began that had the most mentions."""
    peak_mentions: int
    acknowledged_at: datetime | None
    acknowledge_due_at: datetime | None
    """None where the levels that it had until then ask for none."""
    stated_at: datetime | None
    alerts: tuple[Raised, ...]
    deadlines: tuple[Deadline, ...]
    effects: tuple[Effect, ...]
    review: Review | None
    """The latest."""

    @property
    def highest(self) -> Level:
        """The highest level of the life."""
        return max((one.level for one in self.alerts if one.level is not None), default=Level.BLUE)

    @property
    def to_alert(self) -> timedelta | None:
        """From the first mention to the first alert."""
        return _between(self.first_mention_at, self.alerted_at)

    @property
    def to_acknowledgement(self) -> timedelta | None:
        """From the first alert to the acknowledgement."""
        return _between(self.alerted_at, self.acknowledged_at)

    @property
    def to_statement(self) -> timedelta | None:
        """From the first alert to the first statement."""
        return _between(self.alerted_at, self.stated_at)


def figures_of(dossier: Dossier, life: Life) -> Figures:
    """Measure one life of a case."""
    case = dossier.case
    alerts = tuple(one for one in case.alerts if life.has(one.at))
    measures = [one for one in case.measures if life.has(one.at)]
    entered = (one.at for one in case.steps if one.after is CaseStatus.ACKNOWLEDGED)
    acknowledged_at = _first(at for at in entered if life.has(at))
    first_mention_at = _first_mention(dossier, life)
    peak_at, peak_mentions = _peak(dossier, first_mention_at or life.begin, life.end)
    reviews = [one for one in case.reviews if life.has(one.at)]
    return Figures(
        case=case,
        life=life,
        first_mention_at=first_mention_at,
        mentions_before_alert=_mentions(dossier, first_mention_at, life.begin),
        alerted_at=life.begin,
        orange_at=_first(one.at for one in alerts if (one.level or 0) >= Level.ORANGE),
        noticeable_at=_noticeable(dossier, first_mention_at, life.begin),
        peak_at=peak_at,
        peak_mentions=peak_mentions,
        acknowledged_at=acknowledged_at,
        acknowledge_due_at=_acknowledge_due(dossier, alerts, acknowledged_at),
        stated_at=_first(one.at for one in measures if one.act is Act.STATEMENT),
        alerts=alerts,
        deadlines=tuple(_deadlines(dossier, life)),
        effects=tuple(_effects(measures, dossier.evaluations)),
        review=reviews[-1] if reviews else None,
    )


def _first_mention(dossier: Dossier, life: Life) -> datetime | None:
    """The first mention of the event as it was when the life began, after the life before."""
    closed = [
        step.at
        for step in dossier.case.steps
        if step.after is CaseStatus.CLOSED and step.at < life.begin
    ]
    known = [one.situation.first_at for one in dossier.course.chapters]
    since = max((at for at in [*known, *closed[-1:]] if at <= life.begin), default=None)
    start = minute_of(since) if since is not None else 0
    minutes = (one for one in dossier.mentions if start <= one < minute_of(life.begin))
    first = min(minutes, default=None)
    return None if first is None else time_of(first)


def _mentions(dossier: Dossier, begin: datetime | None, end: datetime) -> int:
    if begin is None:
        return 0
    span = range(minute_of(begin), minute_of(end))
    return sum(count for minute, count in dossier.mentions.items() if minute in span)


def _noticeable(dossier: Dossier, begin: datetime | None, end: datetime) -> datetime | None:
    if begin is None:
        return None
    recent: deque[tuple[int, int]] = deque()
    for minute in sorted(dossier.mentions):
        if minute_of(begin) <= minute < minute_of(end):
            recent.append((minute, dossier.mentions[minute]))
            while recent[0][0] <= minute - NOTICED_IN:
                recent.popleft()
            if sum(count for _, count in recent) >= NOTICEABLE:
                return time_of(minute)
    return None


def _peak(dossier: Dossier, begin: datetime, end: datetime | None) -> tuple[datetime | None, int]:
    width = int(PEAK_WINDOW / timedelta(minutes=1))
    counts = Counter[int]()
    for minute, count in dossier.mentions.items():
        if minute_of(begin) <= minute and (end is None or minute < minute_of(end)):
            counts[minute // width * width] += count
    if not counts:
        return None, 0
    highest = max(sorted(counts), key=lambda one: counts[one])
    return time_of(highest), counts[highest]


def _acknowledge_due(
    dossier: Dossier, alerts: Iterable[Raised], acknowledged_at: datetime | None
) -> datetime | None:
    within = dossier.acknowledge_within
    dues = [
        one.at + within[one.level]
        for one in alerts
        if one.level is not None
        and one.level in within
        and (acknowledged_at is None or one.at <= acknowledged_at)
    ]
    return min(dues, default=None)


def _deadlines(dossier: Dossier, life: Life) -> Iterable[Deadline]:
    """Tasks of a life; those that were not done when it was closed are not kept for the next."""
    case = dossier.case
    closed = case.status is CaseStatus.CLOSED
    until = case.closed_at if closed and case.closed_at is not None else dossier.as_of
    for task in case.tasks:
        if task.done_at is not None:
            if life.has(task.done_at):
                yield Deadline(task, Kept.KEPT if task.done_at <= task.due_at else Kept.LATE)
        elif life.end is None:
            undone = Kept.DROPPED if closed else Kept.PENDING
            yield Deadline(task, Kept.MISSED if task.is_overdue(until) else undone)


def _effects(measures: Sequence[Taken], evaluations: Sequence[Evaluation]) -> Iterable[Effect]:
    for measure in measures:
        if measure.act in EVALUATED:
            own = (one for one in evaluations if one.response_id == measure.response_id)
            yield Effect(measure, tuple(sorted(own, key=lambda one: one.span_minutes)))


def _first(times: Iterable[datetime]) -> datetime | None:
    return min(times, default=None)


def _between(begin: datetime | None, end: datetime | None) -> timedelta | None:
    return None if begin is None or end is None else end - begin
