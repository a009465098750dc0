"""Heartbeats for silent raw partitions, so that nobody waits for what will not come.

What is read from several partitions comes in the order of their clocks, and a partition that is
silent would hold up the others. So the worker that has a partition writes a heartbeat into it when
nothing came there for a while: the latest clock of any raw partition. As it stands in the
partition itself, every reader of it draws the same conclusion, now or after a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaProducer

from wanglou.agents.kafka import Message, send_all
from wanglou.agents.marks import MarkFollower
from wanglou.agents.metrics import Metrics
from wanglou.agents.record import time_at
from wanglou.agents.settings import BrokerSettings
from wanglou.models.order import LAST, Position
from wanglou.schemas.cloudevents import cloudevents_headers
from wanglou.schemas.control import HEARTBEAT_TYPE, Heartbeat
from wanglou.schemas.topics import INTAKE_STATE, RAW

TICKS_PER_IDLE = 2
"""How often a partition is looked at within the time after which it counts as silent."""


@dataclass(order=True, frozen=True, slots=True)
class Told:
    """A raw partition's clock; after a heartbeat all that follows is later."""

    milliseconds: int = -1
    is_heartbeat: bool = False

    @classmethod
    def by(cls, frontier: Position) -> Told:
        """What intake's frontier of a partition tells."""
        return cls(frontier.time, frontier.offset == LAST)


@dataclass(slots=True)
class Clock:
    """What a raw partition tells, where it ends, and when one of these last changed."""

    told: Told = Told()
    changed: float = 0.0
    end: int = -1


class Clocks:
    """What is known of the raw partitions, and which of them lack a heartbeat. No Kafka."""

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._clocks: dict[int, Clock] = {}
        self._settled = Told()

    def saw(self, partition: int, told: Told, now: float) -> None:
        """Something came in a partition at ``now`` (seconds of any clock that only goes on)."""
        clock = self._clocks.setdefault(partition, Clock())
        clock.changed = now
        clock.told = max(clock.told, told)

    def ends(self, partition: int, offset: int, now: float) -> None:
        """A partition ends here: it is not silent while something comes, read or not."""
        clock = self._clocks.setdefault(partition, Clock())
        if offset != clock.end:
            clock.end, clock.changed = offset, now

    def due(self, owned: Collection[int], now: float) -> dict[int, int]:
        """The heartbeats to write: partition and milliseconds.

        What was seen since the last call does not count yet: a message of the same sender, on its
        way to the silent partition, should come first.

        >>> clocks = Clocks(idle_seconds=1)
        >>> clocks.saw(0, Told(5_000), now=0); clocks.saw(1, Told(7_000), now=0.9)
        >>> clocks.due({0, 1}, now=1), clocks.due({0, 1}, now=1.5)
        ({}, {0: 7000})
        """
        settled, self._settled = self._settled, self._latest()
        if settled == Told():
            return {}
        heartbeat = replace(settled, is_heartbeat=True)
        silent = (one for one in owned if self._is_silent(one, now))
        return {one: heartbeat.milliseconds for one in silent if self._told(one) < heartbeat}

    def _latest(self) -> Told:
        return max((clock.told for clock in self._clocks.values()), default=Told())

    def _told(self, partition: int) -> Told:
        return self._clocks[partition].told if partition in self._clocks else Told()

    def _is_silent(self, partition: int, now: float) -> bool:
        clock = self._clocks.get(partition)
        return clock is None or now - clock.changed >= self._idle_seconds


class Pacemaker:
    """Follows the clocks of all raw partitions, which stand in the marks of intake's state topic,
    and writes heartbeats into this worker's silent partitions."""

    def __init__(
        self,
        broker: BrokerSettings,
        producer: AIOKafkaProducer,
        owned: Callable[[], Collection[int]],
        idle_seconds: float,
        metrics: Metrics,
    ) -> None:
        self._broker = broker
        self._producer = producer
        self._owned = owned
        self._clocks = Clocks(idle_seconds)
        self._tick = idle_seconds / TICKS_PER_IDLE
        self._metrics = metrics

    async def run(self) -> None:
        """Beat until cancelled."""
        async with MarkFollower(self._broker, INTAKE_STATE) as follower:
            while True:
                async for partition, mark in follower.marks(self._tick):
                    self._clocks.saw(partition, Told.by(mark.frontier), time.monotonic())
                await self._beat(follower)

    async def _beat(self, follower: MarkFollower) -> None:
        owned = set(self._owned())
        for partition, offset in (await follower.ends_of(RAW, owned)).items():
            self._clocks.ends(partition, offset, time.monotonic())
        due = self._clocks.due(owned, time.monotonic())
        await send_all(self._producer, [heartbeat(*one) for one in due.items()])
        self._metrics.heartbeats.inc(len(due))


def heartbeat(partition: int, milliseconds: int) -> Message:
    """The message that moves a raw partition's clock."""
    when = time_at(milliseconds)
    headers = cloudevents_headers(
        id=f"{partition}/{milliseconds}",
        type=HEARTBEAT_TYPE,
        source="/wanglou/intake",
        time=when,
    )
    return Message(RAW.name, None, Heartbeat(time=when).to_json(), headers, partition)
