"""Notice that the worker is stuck: /healthz fails, the stacks are logged, the process ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wanglou.agents.escalation import Escalation, WatchedTime, end_process
from wanglou.agents.loop_watchdog import LoopWatchdog
from wanglou.agents.progress_watch import ProgressWatch, Reading

logger = logging.getLogger(__name__)

Read = Callable[[], Awaitable[Mapping[str, Reading]]]
"""How far the reader of each assigned partition has come."""


class StuckSettings(BaseModel):
    """When a worker that makes no progress is ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after_seconds: Annotated[float, Field(ge=10, le=3600)] = Field(
        120.0,
        description="A partition that stands still for so long, with messages left, is stuck.",
    )
    waiting_seconds: Annotated[float, Field(ge=10, le=86_400)] = Field(
        1800.0, description="The same for a partition that waits for another one."
    )
    exit_seconds: Annotated[float, Field(ge=10, le=3600)] = Field(
        180.0, description="A worker that is stuck for so long ends, with exit code 70."
    )
    poll_seconds: Annotated[float, Field(ge=0.1, le=60)] = Field(
        5.0, description="How often it is looked at."
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.waiting_seconds < self.after_seconds:
            raise ValueError(
                f"waiting_seconds ({self.waiting_seconds:g}) must not be less than "
                f"after_seconds ({self.after_seconds:g})"
            )
        if self.poll_seconds > self.after_seconds / 2:
            raise ValueError(
                f"poll_seconds ({self.poll_seconds:g}) must be at most half of "
                f"after_seconds ({self.after_seconds:g})"
            )
        return self


class StuckDetector:
    """Asks ``read`` every few seconds how far the partitions have come.

    If one is stuck, if the answer does not come, or if the event loop does not run, the worker is
    not ``healthy``, and in the end ``exit`` is called. An answer that fails says nothing about the
    partitions (the broker may be away, and a restart would not help): that time does not count.
    Nor does the time in which the process was paused.
    """

    def __init__(
        self,
        read: Read,
        settings: StuckSettings,
        *,
        on_count: Callable[[int], object] = lambda count: None,
        exit: Callable[[], object] = end_process,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """``on_count`` is told the number of stuck partitions at each look."""
        self._read = read
        self._settings = settings
        self._on_count = on_count
        self._sleep = sleep
        gap = 2 * settings.poll_seconds
        self._time = WatchedTime(clock, gap)
        self._answered_time = WatchedTime(clock, gap)
        self._watch = ProgressWatch(settings.after_seconds, settings.waiting_seconds)
        self._stuck: list[str] = []
        self._answer: asyncio.Future[Mapping[str, Reading]] | None = None
        self._asked_at = 0.0
        self._escalation = Escalation(settings.exit_seconds, exit)
        self._loop_escalation = Escalation(settings.exit_seconds, exit)
        self._watchdog = LoopWatchdog(
            self._loop_escalation,
            clock,
            stuck_seconds=settings.after_seconds,
            exit_seconds=settings.exit_seconds,
            poll_seconds=settings.poll_seconds,
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is wrong now."""
        return self._escalation.reasons + self._loop_escalation.reasons

    @property
    def healthy(self) -> bool:
        """Whether nothing is."""
        return not self.reasons

    async def run(self) -> None:
        """Look until cancelled."""
        self._watchdog.start()
        try:
            while True:
                self._look()
                await self._sleep(self._settings.poll_seconds)
        finally:
            if self._answer is not None:
                self._answer.cancel()
            self._watchdog.stop()

    def _look(self) -> None:
        now = self._time.now()
        reasons: list[str] = []
        if self._answer is not None and not self._answer.done():
            if now - self._asked_at >= self._settings.after_seconds:
                reasons.append(f"offsets: no answer for {now - self._asked_at:.0f} s")
        else:
            if self._answer is not None:
                self._take(self._answer)
            self._answer, self._asked_at = asyncio.ensure_future(self._read()), now
        self._escalation.update(reasons + self._stuck, now)

    def _take(self, answer: asyncio.Future[Mapping[str, Reading]]) -> None:
        try:
            readings = answer.result()
        except (Exception, asyncio.CancelledError) as error:
            logger.warning("cannot tell how far the partitions have come: %r", error)
            return
        stuck = self._watch.observe(readings, self._answered_time.now())
        self._on_count(len(stuck))
        self._stuck = [str(one) for one in stuck]
