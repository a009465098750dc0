"""From a trouble that lasts to the end of the process: unhealthy, the stacks logged, then exit."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import NoReturn

from wanglou.agents.stacks import all_stacks

logger = logging.getLogger(__name__)

LOG_SECONDS = 5.0
"""How long a line may take to be logged: what hangs may hold the lock of the log."""


class WatchedTime:
    """A clock of the time in which somebody looked.

    A look that comes later than ``longest_gap`` seconds after the last counts as if it had come
    then: while a process is paused nothing can move, and nothing is stuck.

    >>> seconds = iter([100.0, 105.0, 900.0])
    >>> time = WatchedTime(lambda: next(seconds), longest_gap=10)
    >>> time.now(), time.now()
    (5.0, 15.0)
    """

    def __init__(self, clock: Callable[[], float], longest_gap: float) -> None:
        self._clock = clock
        self._longest_gap = longest_gap
        self._last = clock()
        self._watched = 0.0

    def now(self) -> float:
        """Seconds watched since the beginning."""
        now = self._clock()
        self._watched += min(now - self._last, self._longest_gap)
        self._last = now
        return self._watched


class Escalation:
    """Told again and again what is wrong, it logs all stacks when something begins to be, and
    calls ``exit`` when it was so for ``exit_seconds`` without a break."""

    def __init__(self, exit_seconds: float, exit: Callable[[], object]) -> None:
        self.reasons: tuple[str, ...] = ()
        """What is wrong now."""
        self._exit_seconds = exit_seconds
        self._exit = exit
        self._since: float | None = None

    def update(self, reasons: Sequence[str], now: float) -> None:
        """What is wrong at ``now``, in seconds of any clock that only goes on."""
        self.reasons = tuple(reasons)
        if not reasons:
            if self._since is not None:
                log(logging.WARNING, f"no longer stuck, after {now - self._since:.0f} s")
            self._since = None
        elif self._since is None:
            self._since = now
            log(
                logging.ERROR,
                f"stuck, the process ends in {self._exit_seconds:.0f} s unless that changes: "
                f"{'; '.join(reasons)}\n{all_stacks()}",
            )
        elif now - self._since >= self._exit_seconds:
            log(logging.CRITICAL, f"still stuck, the process ends: {'; '.join(reasons)}")
            self._exit()


def log(level: int, text: str) -> None:
    """Log a text, but do not wait longer than ``LOG_SECONDS`` for it."""
    _within(LOG_SECONDS, lambda: logger.log(level, "%s", text))


def end_process() -> NoReturn:
    """End at once with ``EX_SOFTWARE`` (70), for a supervisor to start anew.

    An orderly shutdown would wait for what is stuck; what was not acknowledged is read again.
    """
    _within(LOG_SECONDS, logging.shutdown)
    os._exit(os.EX_SOFTWARE)


def _within(seconds: float, act: Callable[[], object]) -> None:
    """Wait so long for ``act``, in a thread that the end of the process does not wait for."""
    thread = threading.Thread(target=act, name="escalation", daemon=True)
    thread.start()
    thread.join(seconds)
