"""One trial: a chapter of the load, a fault in the midst of it, and what came of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from aiokafka.errors import KafkaError
from faults import Fault, Scene
from fleet import SESSION_SECONDS, Fleet, running_fleet
from flow import Flow, Stuck, seconds_until_flowing
from load import Chapter, mixed
from outcome import Expected, Found, difference
from poison import Poison
from real_kafka import Kafka

from wanglou.agents import topic_admin
from wanglou.agents.kafka import new_admin, partition_counts
from wanglou.agents.replay import read_lines, replayed
from wanglou.agents.settings import BrokerSettings, TopicSettings
from wanglou.agents.worker_process import WorkerProcessError
from wanglou.schemas.topics import ALERTS, TOPICS

PARTITIONS = 4
MOST_REPEATS = 500
"""That a disturbance may deliver, among at least ``LEAST_MESSAGES`` on the wire."""

LEAST_MESSAGES = 20_000
STRIKE_AT = 0.25
"""Share of a chapter that the last agent has done when the fault comes: all buffers are full."""

LONGEST_STANDSTILL_SECONDS = SESSION_SECONDS + 5.0
SHOWN = 3
STOOD_STILL = "stood still"
LOGS = Path(".wanglou/faults")
"""Where the workers' logs are kept when something is not as it should be."""


@dataclass(frozen=True)
class Result:
    """What came of a fault."""

    fault: str
    seconds_until_flowing: float
    standstill_seconds: float
    messages: int
    repeats: int
    lost: int
    wrong: int
    problems: tuple[str, ...]
    """Empty if all is as it must be."""

    @property
    def spoiled(self) -> tuple[str, ...]:
        """The problems but for a long standstill: a busy machine makes one too."""
        return tuple(
            one for one in self.problems if STOOD_STILL not in one and LOGS.name not in one
        )


class Cluster:
    """A broker with topics, the workers on it, and what it must have made of what was sent."""

    def __init__(self, kafka: Kafka, fleet: Fleet) -> None:
        self.found = Found()
        self.fleet = fleet
        self._kafka = kafka
        self._broker = BrokerSettings(url=kafka.address)
        self._poison: list[Poison] = []

    async def trial(
        self,
        fault: Fault,
        chapter: Chapter,
        random: Random,
        share: float,
        expected: Expected,
    ) -> Result:
        """Send a chapter, strike when the last agent has ``share`` of it, judge when all is done.

        ``expected`` is what must have come of all chapters so far; poison comes on top of it.
        """
        poison = fault.poison(chapter)
        self._poison.append(poison)
        before = self.found.repeats(), self.found.total()
        alerts_before = self.found.repeats(ALERTS)
        async with Flow(self._broker) as flow:
            scene = Scene(self._kafka, self.fleet, flow, random)
            problems = scene.notes
            struck_at = time.monotonic()
            try:
                self.fleet.fill()
                await self.fleet.ready()
                await self.send(mixed(chapter.lines, [*poison.unreadable, *poison.unscorable]))
                await flow.reached("risk", int(share * len(chapter.lines)))
                struck_at = time.monotonic()
                await fault.strike(scene)
                await flow.drained()
            except (Stuck, WorkerProcessError) as error:
                problems.append(str(error))
            problems += self.fleet.ended()
            flowing = seconds_until_flowing(flow.samples, struck_at)
            standstill = flow.longest_standstill(struck_at)
        await self.found.read_on(self._broker)
        for one in self._poison:
            expected = expected.with_poison(one)
        differs = difference(self.found, expected)
        repeats, messages = self.found.repeats() - before[0], self.found.total() - before[1]
        if standstill.seconds > LONGEST_STANDSTILL_SECONDS:
            problems.append(f"{standstill.place} {STOOD_STILL} for {standstill.seconds:.1f} s")
        if repeats > MOST_REPEATS:
            problems.append(f"{repeats} repeats on the wire")
        alerts = self.found.repeats(ALERTS) - alerts_before
        if fault.is_orderly and alerts:
            problems.append(f"{alerts} alerts were written again")
        problems += [f"lost: {one}" for one in differs.lost[:SHOWN]]
        problems += [f"wrong: {one}" for one in differs.wrong[:SHOWN]]
        if problems:
            logs = LOGS / f"{datetime.now():%Y%m%d-%H%M%S} {fault.name}"
            self.fleet.keep_logs(logs)
            problems.append(f"logs in {logs}")
        return Result(
            fault.name,
            flowing,
            standstill.seconds,
            messages,
            repeats,
            len(differs.lost),
            len(differs.wrong),
            tuple(problems),
        )

    async def send(self, lines: Sequence[bytes]) -> None:
        """Send raw mentions, as a replay does."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / "load.jsonl"
            file.write_bytes(b"\n".join(lines) + b"\n")
            async for step in replayed(self._broker, read_lines(file), None):
                assert not step.refused


class InUse(RuntimeError):
    """The broker has topics of Wanglou already: the tests would delete them."""


@contextlib.asynccontextmanager
async def running_cluster(kafka: Kafka) -> AsyncIterator[Cluster]:
    """New topics and a fleet on a broker; both are gone afterwards. Raises ``InUse``."""
    broker = BrokerSettings(url=kafka.address)
    there = await partition_counts(broker)
    mine = [topic.name for topic in TOPICS if topic.name in there]
    if mine:
        raise InUse(f"{kafka.address} has topics of Wanglou: {', '.join(mine)}")
    await topic_admin.create(broker, TopicSettings(partitions=PARTITIONS))
    try:
        with running_fleet(kafka.address) as fleet:
            yield Cluster(kafka, fleet)
    finally:
        with contextlib.suppress(KafkaError):  # a broker that a fault left broken
            await _delete_topics(broker)


async def _delete_topics(broker: BrokerSettings) -> None:
    admin = new_admin(broker)
    try:
        await admin.start()
        await admin.delete_topics([topic.name for topic in TOPICS])
    finally:
        await admin.close()
