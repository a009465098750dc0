"""What a receiver is told next: the gravest first, at its rate, a summary where it is too much."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wanglou.models.case import Case, Delivery
from wanglou.models.duty import Hours
from wanglou.schemas.risk import Level

QUIET_BELOW = Level.ORANGE
"""Below this level a page waits for the end of the quiet hours."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``pages`` messages to a receiver in any ``seconds``."""

    pages: int
    seconds: float

    def __post_init__(self) -> None:
        if self.pages < 1 or self.seconds <= 0:
            raise ValueError("must be at least one page, in more than 0 seconds")

    @property
    def span(self) -> timedelta:
        """The time in which they are counted."""
        return timedelta(seconds=self.seconds)


@dataclass(slots=True)
class Plan:
    """What to tell now: pages one by one, then one summary of the others."""

    pages: list[Case] = field(default_factory=list)
    summary: list[Case] = field(default_factory=list)


def plan(
    receiver: str,
    waiting: Sequence[Case],
    sent_at: Iterable[datetime],
    rate: Rate | None,
    quiet: Hours | None,
    now: datetime,
    wall: datetime,
    updates_at_once: bool = False,
) -> Plan:
    """What a receiver is told now of the cases that wait for it; ``sent_at``: its last messages.

    With ``updates_at_once`` it is told at any hour how a case goes on that it knows. ``now`` is the
    pager's clock, ``wall`` the one by which people sleep.
    """
    due = [case for case in waiting if _due(case.deliveries[receiver], now)]
    if quiet is not None:
        due = [
            case
            for case in due
            if not (is_quiet(case) and quiet.end_after(wall))
            or (updates_at_once and case.deliveries[receiver].told)
        ]
    due.sort(key=lambda case: (-gravity(case), case.deliveries[receiver].waiting_since))
    held, fresh = _held_overnight(receiver, due, quiet)
    if len(held) <= 1:
        held, fresh = [], due
    room = _room(rate, sent_at, now, len(due)) - (1 if held else 0)
    if room < 0:
        return Plan()
    if len(fresh) <= room:
        return Plan(fresh, held)
    if not held:
        room -= 1  # the summary is one, too
    if room < 0:
        return Plan()
    return Plan(fresh[:room], fresh[room:] + held)


def _due(delivery: Delivery, now: datetime) -> bool:
    return delivery.try_at is None or delivery.try_at <= now


def _held_overnight(
    receiver: str, due: list[Case], quiet: Hours | None
) -> tuple[list[Case], list[Case]]:
    """The pages that waited for the end of the quiet hours, and the others."""
    if quiet is None:
        return [], due
    held = [
        case
        for case in due
        if is_quiet(case) and quiet.end_after(case.deliveries[receiver].waiting_since)
    ]
    return held, [case for case in due if case not in held]


def _room(rate: Rate | None, sent_at: Iterable[datetime], now: datetime, most: int) -> int:
    if rate is None:
        return most + 1
    return rate.pages - sum(now - one < rate.span for one in sent_at)


def gravity(case: Case) -> int:
    """The level that a page is about; of a resolved case the one that it had."""
    return case.page.level or case.page.previous_level or Level.BLUE


def is_quiet(case: Case) -> bool:
    """Whether a page may wait for the end of the quiet hours."""
    return gravity(case) < QUIET_BELOW


def give_up_at(
    case: Case, receiver: str, after: timedelta, quiet: Hours | None, now: datetime
) -> datetime:
    """When a page has waited too long; the quiet hours do not count."""
    since = case.deliveries[receiver].waiting_since
    if quiet is not None and is_quiet(case):
        since = quiet.end_after(since) or since
    return since + after


FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=5)


def backoff(attempts: int, retry_after: timedelta | None, random: Callable[[], float]) -> timedelta:
    """How long to wait after so many failed attempts: exponential, with full jitter.

    At least what the receiver asked for, though at most an hour. ``random`` is uniform in [0, 1).
    "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.

    >>> [backoff(one, None, lambda: 1.0).total_seconds() for one in (1, 2, 3, 30)]
    [1.0, 2.0, 4.0, 300.0]
    >>> backoff(1, timedelta(seconds=30), lambda: 0.5).total_seconds()
    30.5
    """
    ceiling = min(LONGEST_WAIT, FIRST_WAIT * (1 << min(attempts - 1, 16)))
    asked = min(retry_after or timedelta(0), timedelta(hours=1))
    return asked + ceiling * random()
