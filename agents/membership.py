"""Whether this worker still is the one that has its partitions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TICKS_PER_GAP = 4
POLL_SECONDS = 0.05


class Membership:
    """What a worker knows of its place in the group.

    ``assigned`` tells the generation in which its partitions were assigned, ``joined`` the one that
    the group coordinator confirmed last: another one as soon as the group has said that it is none
    of it any more. A process that did nothing for ``longest_gap`` seconds (SIGSTOP, a machine that
    slept, a memory that was swapped out) may have lost its session. It learns so from the answer to
    its next heartbeat, for which ``settle_seconds`` must be enough; until then it is unsure.

    >>> now = 100.0
    >>> member = Membership(lambda: 7, lambda: 7, 5, 2, lambda: now)
    >>> now = 104.0; member.unsure_seconds()
    0.0
    >>> now = 110.0; member.unsure_seconds()
    2.0
    >>> now = 111.5; member.unsure_seconds()
    0.5
    """

    def __init__(
        self,
        assigned: Callable[[], int],
        joined: Callable[[], int],
        longest_gap: float,
        settle_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._assigned = assigned
        self._joined = joined
        self._longest_gap = longest_gap
        self._settle_seconds = settle_seconds
        self._clock = clock
        self._last = self._sure_at = clock()

    @property
    def generation(self) -> int:
        """The one in which the partitions were assigned."""
        return self._assigned()

    def unsure_seconds(self) -> float:
        """Seconds until it is sure."""
        now = self._clock()
        if now - self._last > self._longest_gap:
            self._sure_at = now + self._settle_seconds
        self._last = now
        return max(0.0, self._sure_at - now)

    async def run(self) -> None:
        """Look again and again, so that only a pause makes a gap; until cancelled."""
        while True:
            self.unsure_seconds()
            await asyncio.sleep(self._longest_gap / TICKS_PER_GAP)

    async def is_current(self, generation: int) -> bool:
        """Whether the partitions of a generation are still this worker's; waits until it is sure.

        After a pause it is not enough to look once: the process may be paused in the look.
        """
        seconds = self.unsure_seconds()
        while seconds > 0 and self._joined() == generation:
            await asyncio.sleep(min(seconds, POLL_SECONDS))
            seconds = self.unsure_seconds()
        return self._joined() == generation

    async def settled(self) -> None:
        """Wait until the partitions are this worker's."""
        current = await self.is_current(self.generation)
        while not current:
            await asyncio.sleep(POLL_SECONDS)
            current = await self.is_current(self.generation)
