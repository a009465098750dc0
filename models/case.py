"""A case as the pager sees it: what people were told, who was called, whether anybody has it.

A case is an event. The latest page is what every receiver is to be told; a receiver that was slow
is told the latest only. Nothing here looks at a clock: times come in, and only their differences
count, so that a clock that is set back changes nothing (``models.pager_clock``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wanglou.models.page import Page
from wanglou.schemas.risk import Level, LevelName

NEEDS_SOMEBODY = Level.ORANGE
"""From this level on somebody has to acknowledge."""

MAX_SEEN = 64
"""Alerts of a case whose level is remembered for a late acknowledgement."""

OLD = timedelta(days=1)
"""A case that was over this long ago is not told to those who never heard of it: a pager that
starts for the first time reads a year of alerts."""

FORGOTTEN_AFTER = timedelta(days=7)
"""A resolved case is kept this long after its last change."""


@dataclass(slots=True)
class Acknowledgement:
    """Somebody has it."""

    by: str
    at: datetime


@dataclass(slots=True)
class Delivery:
    """What one receiver is to be told of a case, and what it was told."""

    wanted: str
    """The page it is to be told: the alert's id, and which call it is."""
    waiting_since: datetime
    told: str = ""
    """The page it was told last."""
    given_up: str = ""
    """The page that went to the dead letters."""
    trying: str = ""
    """The page that may have arrived: its sending began, and it is not known how that ended."""
    ever_tried: bool = False
    attempts: int = 0
    try_at: datetime | None = None
    """Not before."""
    told_at: datetime | None = None
    """When it was told last: how much a receiver gets is limited by these."""
    call: int = 0
    """Which call this was for whose receiver it is; 0 for what everybody gets."""

    @property
    def waits(self) -> bool:
        """Whether it is to be told something that it was not."""
        return self.wanted not in (self.told, self.given_up)

    def want(self, page: str, now: datetime) -> None:
        """There is something new to tell."""
        if not self.waits:
            self.waiting_since = now
        self.wanted, self.attempts, self.try_at = page, 0, None


@dataclass(slots=True)
class Case:
    """A case. ``offset`` and ``written_at`` are of the record with its latest page."""

    page: Page
    offset: int
    written_at: datetime
    changed_at: datetime
    """On the pager's clock, which never goes behind it."""
    levels: dict[LevelName, datetime] = field(default_factory=dict)
    """All levels that the case ever had, and since when: some may still be shown somewhere."""
    seen: dict[str, LevelName | None] = field(default_factory=dict)
    """Level of each alert since the case began, by id."""
    acknowledged: LevelName | None = None
    """Up to this level somebody has it."""
    acknowledged_by: str = ""
    unacknowledged_since: datetime | None = None
    escalate_at: datetime | None = None
    calls: int = 0
    """How often somebody was called since the level rose."""
    called: dict[str, int] = field(default_factory=dict)
    """Who was called in this case, and in which call last."""
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    """By receiver."""

    @property
    def is_open(self) -> bool:
        """Whether it is not resolved."""
        return self.page.level is not None

    @property
    def needs_somebody(self) -> bool:
        """Whether it is grave, and nobody has acknowledged that."""
        level = self.page.level
        if level is None or level < NEEDS_SOMEBODY:
            return False
        return self.acknowledged is None or self.acknowledged < level


@dataclass(frozen=True, slots=True)
class Policy:
    """Who is told what: ``least`` is each receiver's least level, ``always`` are told of every
    case, ``persons`` are the receivers of each person."""

    least: Mapping[str, Level]
    always: tuple[str, ...]
    persons: Mapping[str, tuple[str, ...]]
    minutes: Mapping[Level, float]
    """How long an acknowledgement may take before the next person is called."""

    def wait(self, level: Level) -> timedelta:
        """How long an acknowledgement may take at a level."""
        return timedelta(minutes=self.minutes[level])


def take_page(
    case: Case | None,
    page: Page,
    offset: int,
    written_at: datetime,
    on_duty: tuple[str, ...],
    policy: Policy,
    now: datetime,
) -> Case | None:
    """The case after a page, None if the page is no news.

    A repeat, or a step before one that is known, is none: alerts of a case are decided one after
    the other.
    """
    if case is not None and _order(page) <= _order(case.page):
        return None
    before = case.page.level if case is not None else None
    if case is None:
        case = Case(page, offset, written_at, now)
    elif before is None:
        _begin_again(case)
    case.page, case.offset, case.written_at, case.changed_at = page, offset, written_at, now
    case.seen[page.alert_id] = page.level
    while len(case.seen) > MAX_SEEN:
        del case.seen[next(iter(case.seen))]
    if page.level is not None and page.level != before:
        case.levels[page.level] = written_at
    _await_somebody(case, before, on_duty, policy, now)
    _tell(case, policy, now)
    return case


def _order(page: Page) -> tuple[datetime, int]:
    return page.decided_at, page.sequence


def _begin_again(case: Case) -> None:
    """A resolved event has come back: who was called then is not told again."""
    case.seen.clear()
    case.called.clear()
    case.deliveries = {name: one for name, one in case.deliveries.items() if one.waits}
    case.acknowledged, case.acknowledged_by = None, ""


def _await_somebody(
    case: Case, before: Level | None, on_duty: tuple[str, ...], policy: Policy, now: datetime
) -> None:
    level = case.page.level
    if level is None or not case.needs_somebody:
        _calm(case)
    elif case.escalate_at is None or before is None or level > before:
        case.calls = 0
        if on_duty:
            _call(case, on_duty)
            case.escalate_at = now + policy.wait(level)
        case.unacknowledged_since = case.unacknowledged_since or now


def _calm(case: Case) -> None:
    case.escalate_at = case.unacknowledged_since = None
    case.calls = 0


def _call(case: Case, on_duty: tuple[str, ...]) -> None:
    case.called[on_duty[case.calls % len(on_duty)]] = case.calls + 1
    case.calls += 1


def _tell(case: Case, policy: Policy, now: datetime) -> None:
    """Let every receiver concerned wait for the latest page."""
    for receiver, call in _targets(case, policy).items():
        wanted = case.page.alert_id if call <= 1 else f"{case.page.alert_id}/{call}"
        delivery = case.deliveries.get(receiver)
        if delivery is None:
            delivery = case.deliveries[receiver] = Delivery(wanted, now)
        elif delivery.wanted != wanted:
            delivery.want(wanted, now)
        delivery.call = call


def _targets(case: Case, policy: Policy) -> dict[str, int]:
    """The receivers of the case, and in which call they are told.

    One that was told of a case is told how it goes on, whatever the level.
    """
    level = case.page.level
    found = {
        receiver: 0
        for receiver in policy.always
        if receiver in case.deliveries or (level is not None and level >= policy.least[receiver])
    }
    for person, call in case.called.items():
        for receiver in policy.persons.get(person, ()):
            if receiver not in policy.always:
                found[receiver] = max(call, found.get(receiver, 0))
    return found


def escalate(case: Case, on_duty: tuple[str, ...], policy: Policy, now: datetime) -> bool:
    """Call the next person if it is time; whether it was."""
    level = case.page.level
    if level is None or not on_duty or case.escalate_at is None or now < case.escalate_at:
        return False
    _call(case, on_duty)
    case.escalate_at, case.changed_at = now + policy.wait(level), now
    _tell(case, policy, now)
    return True


def acknowledge(
    case: Case, alert_id: str | None, given: Acknowledgement, now: datetime
) -> timedelta | None:
    """Somebody has it; how long that took, None if nobody was waited for any more.

    It counts for the level of the alert that it names, or for the present one.
    """
    level = case.page.level if alert_id is None else case.seen.get(alert_id)
    if level is None or (case.acknowledged is not None and case.acknowledged >= level):
        return None
    case.acknowledged, case.acknowledged_by, case.changed_at = level, given.by, now
    since = case.unacknowledged_since
    if case.needs_somebody or since is None:
        return None
    _calm(case)
    return now - since


def drop_untold(case: Case, wall: datetime) -> list[str]:
    """Forget what need not be told any more; of which receivers.

    A resolved case's, where it was never told at all: unless it was grave and is not long over.
    """
    peak = max((level for level in case.seen.values() if level is not None), default=Level.BLUE)
    if case.is_open or (peak >= NEEDS_SOMEBODY and wall - case.written_at < OLD):
        return []
    untold = [name for name, one in case.deliveries.items() if one.waits and not one.ever_tried]
    for name in untold:
        del case.deliveries[name]
    return untold


def is_forgotten(case: Case, now: datetime) -> bool:
    """Whether a case is over and told, and has been for long."""
    waits = any(one.waits for one in case.deliveries.values())
    return not case.is_open and not waits and now - case.changed_at > FORGOTTEN_AFTER


def ask_again(case: Case, alert_id: str, now: datetime) -> bool:
    """Tell those that were given up, if an alert is a repeat of the case's latest."""
    if alert_id != case.page.alert_id:
        return False
    given_up = [one for one in case.deliveries.values() if one.given_up == one.wanted != one.told]
    for one in given_up:
        one.given_up, one.waiting_since, one.attempts, one.try_at = "", now, 0, None
    return bool(given_up)


def waiting(cases: Iterable[Case], receiver: str) -> list[Case]:
    """The cases that a receiver is to be told of."""
    return [
        case
        for case in cases
        if (delivery := case.deliveries.get(receiver)) is not None and delivery.waits
    ]
