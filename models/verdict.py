"""What a back-test found of the labelled incidents, what it missed, and what it made up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from statistics import median

from wanglou.models.incidents import Incident, Incidents, Span
from wanglou.schemas.risk import Alert, AlertKind, Level

GRACE = timedelta(minutes=60)
"""An alert that comes this long after the end of an incident still belongs to it."""

FLAP = timedelta(minutes=60)
"""A level that rises again within this time of its fall has flapped."""

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Step:
    """A change of level; ``topic`` is None where a method tells no topics apart."""

    institution: str
    topic: str | None
    at: datetime
    level: Level | None
    rises: bool

    def concerns(self, span: Span) -> bool:
        """Whether it is about the institution, and the topic, of an incident or harmless span."""
        if self.institution != span.institution:
            return False
        return self.topic is None or not isinstance(span, Incident) or self.topic == span.topic

    def within(self, span: Span) -> bool:
        """Whether it comes while the span lasts, or in the grace after it."""
        return span.start <= self.at <= span.end + GRACE

    @property
    def is_grave(self) -> bool:
        """Whether it rises to orange or red."""
        return self.rises and self.level is not None and self.level >= Level.ORANGE


def steps_of(alerts: Iterable[Alert]) -> list[Step]:
    """The steps that alerts tell of, in order of time."""
    steps = [
        Step(
            alert.institution.id,
            alert.topic.id,
            alert.decided_at,
            alert.level,
            alert.kind in (AlertKind.RAISED, AlertKind.ESCALATED),
        )
        for alert in alerts
    ]
    return sorted(steps, key=lambda step: step.at)


@dataclass(frozen=True, slots=True)
class Case:
    """What came of an incident; minutes from its start, None for never."""

    incident: Incident
    highest: Level | None
    minutes_to_yellow: float | None
    minutes_to_orange: float | None

    @property
    def is_found(self) -> bool:
        """Whether yellow or more was reached in time."""
        return self.minutes_to_yellow is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """All cases of a method, and what it said beside them."""

    method: str
    days: float
    cases: tuple[Case, ...]
    false_alarms: tuple[Step, ...]
    """Rises to orange or red that belong to no incident."""
    flaps: tuple[Step, ...]
    """Rises within `FLAP` of a fall of the same event."""
    harmless: dict[str, int]
    """Harmless spans by kind."""
    alerted: dict[str, int]
    """Of those, the ones during which a level rose, blue included."""

    @property
    def found(self) -> int:
        """Incidents that reached yellow in time."""
        return sum(case.is_found for case in self.cases)

    @property
    def false_alarms_a_day(self) -> float:
        """Over all institutions."""
        return len(self.false_alarms) / self.days

    @property
    def median_minutes_to_yellow(self) -> float:
        """Over all incidents; one that never reached it counts as infinitely late."""
        return _median(case.minutes_to_yellow for case in self.cases)

    @property
    def median_minutes_to_orange(self) -> float:
        """Over the incidents of which orange or more is expected; never is infinitely late."""
        expected = (case for case in self.cases if case.incident.expected >= Level.ORANGE)
        return _median(case.minutes_to_orange for case in expected)


def judge(
    method: str, steps: Sequence[Step], incidents: Incidents, first: datetime, last: datetime
) -> Verdict:
    """Compare steps, in order of time, with the incidents of a stream of ``first`` to ``last``."""
    rises = [step for step in steps if step.rises]
    belongs = [
        any(step.concerns(one) and step.within(one) for one in incidents.incidents)
        for step in rises
    ]
    strays = [step for step, known in zip(rises, belongs, strict=True) if not known]
    spans = incidents.harmless
    hit = [any(step.concerns(one) and step.within(one) for step in strays) for one in spans]
    return Verdict(
        method=method,
        days=(last - first) / DAY,
        cases=tuple(_case(one, steps) for one in incidents.incidents),
        false_alarms=tuple(step for step in strays if step.is_grave),
        flaps=tuple(_flaps(steps)),
        harmless=dict(Counter(one.kind for one in spans)),
        alerted=dict(Counter(one.kind for one, known in zip(spans, hit, strict=True) if known)),
    )


def _case(incident: Incident, steps: Sequence[Step]) -> Case:
    mine = [step for step in steps if step.concerns(incident)]
    before = [step for step in mine if step.at < incident.start]
    during = [step for step in mine if step.within(incident) and step.level is not None]
    if before and before[-1].level is not None:  # what was in force when it began
        during.insert(0, before[-1])

    def minutes_to(level: Level) -> float | None:
        reached = (step.at for step in during if step.level is not None and step.level >= level)
        first = next(reached, None)
        return None if first is None else max(0.0, (first - incident.start) / MINUTE)

    highest = max((step.level for step in during if step.level is not None), default=None)
    return Case(incident, highest, minutes_to(Level.YELLOW), minutes_to(Level.ORANGE))


def _flaps(steps: Sequence[Step]) -> Iterable[Step]:
    fell = defaultdict[tuple[str, str | None], datetime | None](lambda: None)
    for step in steps:
        event = (step.institution, step.topic)
        before = fell[event]
        if not step.rises:
            fell[event] = step.at
        elif before is not None and step.at - before <= FLAP:
            yield step


def _median(minutes: Iterable[float | None]) -> float:
    values = [inf if one is None else one for one in minutes]
    return median(values) if values else inf
