"""The pager's clock: it goes on whatever happens to the clock on the wall."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta


class PagerClock:
    """Time that never goes back: not while the process runs, nor behind what it has recorded.

    Deadlines are recorded in it, so that a wall clock that is set back neither pages again nor
    stops an escalation, and one that is set forward escalates nothing early. ``wall`` tells the
    time, ``monotonic`` seconds that only go on. For hours of the day ask the wall.

    >>> from datetime import UTC
    >>> wall, seconds = datetime(2026, 3, 2, 9, tzinfo=UTC), 100.0
    >>> clock = PagerClock(lambda: wall, lambda: seconds)
    >>> wall, seconds = wall - timedelta(hours=1), seconds + 60  # set back, a minute later
    >>> clock.now().isoformat()
    '2026-03-02T09:01:00+00:00'
    >>> clock.observe(datetime(2026, 3, 2, 9, 30, tzinfo=UTC))  # recorded by another process
    >>> clock.now().isoformat()
    '2026-03-02T09:30:00+00:00'
    """

    def __init__(self, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self.wall = wall
        self._monotonic = monotonic
        self._begin, self._began = wall(), monotonic()

    def now(self) -> datetime:
        """The time."""
        return self._begin + timedelta(seconds=self._monotonic() - self._began)

    def observe(self, recorded: datetime) -> None:
        """It is not earlier than this."""
        self._begin += max(timedelta(0), recorded - self.now())
