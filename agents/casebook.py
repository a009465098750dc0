"""The cases of the partitions that this pager has; a change is recorded before it has effects."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from wanglou.agents.changelog import TakenOver
from wanglou.agents.pager_ledger import Ledger
from wanglou.agents.settings import BrokerSettings
from wanglou.models.case import Case
from wanglou.models.pager_clock import PagerClock

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Desk:
    """A partition. It is ready once the alerts and responses that stood there have been read, so
    that nobody is told what was over long ago."""

    ledger: Ledger
    cases: dict[str, Case]
    ready: bool = False


class Casebook:
    """All desks of a pager."""

    def __init__(
        self,
        broker: BrokerSettings,
        producer: Callable[[], AIOKafkaProducer],
        clock: PagerClock,
    ) -> None:
        self.desks: dict[int, Desk] = {}
        self.news = asyncio.Event()
        """Set, and replaced, when there may be something to tell."""
        self._broker = broker
        self._producer = producer
        self._clock = clock

    async def open(self, partition: int) -> Desk:
        """Claim a partition; the caller puts its desk into ``desks``. Raises ``StateError``."""
        ledger = Ledger(self._broker, self._producer(), partition)
        cases = await ledger.open()
        for case in cases.values():
            self._clock.observe(case.changed_at)
        return Desk(ledger, cases)

    def wake(self) -> None:
        """There may be something to tell."""
        news, self.news = self.news, asyncio.Event()
        news.set()

    def close(self) -> None:
        """Give all partitions back."""
        self.desks.clear()

    def ready_cases(self) -> Iterator[Case]:
        """The cases of all desks that are ready."""
        for desk in self.desks.values():
            if desk.ready:
                yield from desk.cases.values()

    def desk_of(self, case: Case) -> int | None:
        """The partition on whose desk a case is, None once it was given back."""
        return next(
            (
                partition
                for partition, desk in self.desks.items()
                if desk.cases.get(case.page.event_id) is case
            ),
            None,
        )

    async def record(self, cases: Iterable[Case]) -> bool:
        """Record cases; False if one of them is no longer ours, and then nothing may follow."""
        by_desk: defaultdict[int, dict[str, Case | None]] = defaultdict(dict)
        for case in cases:
            partition = self.desk_of(case)
            if partition is None:
                return False
            by_desk[partition][case.page.event_id] = case
        for partition, changes in by_desk.items():
            if not await self.write(partition, changes):
                return False
        return True

    async def write(self, partition: int, changes: dict[str, Case | None]) -> bool:
        """Record changes of a desk; False if it is no longer ours."""
        desk = self.desks.get(partition)
        if desk is None:
            return False
        try:
            await desk.ledger.write(changes)
        except TakenOver as error:
            self.drop(partition, desk, error)
        return self.desks.get(partition) is desk

    async def patrol(self) -> None:
        """Look whether another pager has written to a desk."""
        for partition, desk in list(self.desks.items()):
            try:
                await desk.ledger.patrol()
            except TakenOver as error:
                self.drop(partition, desk, error)

    def drop(self, partition: int, desk: Desk, error: TakenOver) -> None:
        """Go on without a desk that another pager has taken over."""
        logger.warning("%s: nothing more is told of its cases here", error)
        if self.desks.get(partition) is desk:
            del self.desks[partition]
