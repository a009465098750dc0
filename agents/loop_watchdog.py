"""A thread that notices when the event loop is blocked."""

from __future__ import annotations

import asyncio
import faulthandler
import threading
from collections.abc import Callable

from wanglou.agents.escalation import Escalation, WatchedTime

STDERR = 2
"""File descriptor to which the last resort writes: there may be no time for the log."""

LAST_RESORT_SECONDS = 60.0
"""How much later than the thread the last resort acts."""


def arm_last_resort(seconds: float) -> None:
    """Unless armed again within ``seconds``: write all threads' stacks to stderr and exit (1).

    It needs no Python code to run. A regular expression that never ends, say, lets no other thread
    run, so a thread could not notice. A process that was paused for so long ends when it wakes.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=STDERR)


def disarm_last_resort() -> None:
    """Take it back."""
    faulthandler.cancel_dump_traceback_later()


class LoopWatchdog:
    """Expects a tick of the event loop every ``poll_seconds``.

    After ``stuck_seconds`` without one the loop is stuck, and the escalation begins.
    """

    def __init__(
        self,
        escalation: Escalation,
        clock: Callable[[], float],
        *,
        stuck_seconds: float,
        exit_seconds: float,
        poll_seconds: float,
        arm: Callable[[float], None] = arm_last_resort,
        disarm: Callable[[], None] = disarm_last_resort,
    ) -> None:
        self._escalation = escalation
        self._time = WatchedTime(clock, longest_gap=2 * poll_seconds)
        self._stuck_seconds = stuck_seconds
        self._poll_seconds = poll_seconds
        self._arm = arm
        self._disarm = disarm
        self._last_resort_seconds = stuck_seconds + exit_seconds + LAST_RESORT_SECONDS
        self._ticks = 0
        self._seen = -1
        self._seen_at = 0.0
        self._next: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loop watchdog", daemon=True)

    def start(self) -> None:
        """Watch the running event loop."""
        self.tick()
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; of the last resort nothing remains."""
        if self._next is not None:
            self._next.cancel()
        self._stopped.set()
        self._thread.join()
        self._disarm()

    def tick(self) -> None:
        """Show that the loop runs, and again after ``poll_seconds``."""
        self._ticks += 1
        self._next = asyncio.get_running_loop().call_later(self._poll_seconds, self.tick)

    def look(self) -> None:
        """See whether the loop has ticked."""
        now = self._time.now()
        if self._ticks != self._seen:
            self._seen, self._seen_at = self._ticks, now
        silent = now - self._seen_at
        stuck = silent >= self._stuck_seconds
        self._escalation.update([f"event loop: blocked for {silent:.0f} s"] if stuck else [], now)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._arm(self._last_resort_seconds)
            self.look()
            self._stopped.wait(self._poll_seconds)
