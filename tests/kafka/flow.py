"""Watches from outside how far every agent has come on every partition."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from wanglou.agents.app import APP_ID, STAGES
from wanglou.agents.kafka import TopicProblem, new_admin, new_reader, places_of, stop_reader
from wanglou.agents.marks import marks_in
from wanglou.agents.progress import QUIET_SECONDS
from wanglou.agents.settings import BrokerSettings
from wanglou.models.order import BEGINNING, Position

POLL_SECONDS = 0.25
ANSWER_SECONDS = 2.0
"""After this the broker counts as unreachable."""

SILENT_SECONDS = 60.0
"""After this without an answer of the broker a run is given up."""

STUCK_SECONDS = 90.0
"""A partition that stood still for so long is given up: it would not move any more."""

SOURCES = {stage.state_topic.name: stage.source.name for stage in STAGES.values()}
"""What an agent reads, by its state topic."""


class Stuck(RuntimeError):
    """The flow does not go on; the message says where."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The partitions of all agents' sources at one moment (monotonic seconds)."""

    at: float
    done: Mapping[TopicPartition, int]
    """Acknowledged by the group."""
    ends: Mapping[TopicPartition, int]
    """Read after ``done``, so that nothing can hide between two agents."""
    come: Mapping[TopicPartition, Position] = field(default_factory=dict)
    """Up to where everything has had its effect, by the last mark in the agent's state topic."""

    def waits(self, place: TopicPartition) -> bool:
        """Whether a partition has messages that are not acknowledged."""
        return self.ends[place] > self.done[place]

    def moved(self, place: TopicPartition, before: Sample) -> bool:
        """Whether an agent has gone on with a partition.

        Messages are processed in the order of positions, not of offsets: where the first offset
        has a late position the partition moves though nothing can be acknowledged.
        """
        come, before_come = self.come.get(place, BEGINNING), before.come.get(place, BEGINNING)
        return self.done[place] > before.done[place] or come > before_come

    @property
    def lag(self) -> int:
        """Messages not acknowledged, of all partitions."""
        return sum(max(0, end - self.done[place]) for place, end in self.ends.items())


@dataclass(frozen=True, slots=True)
class Standstill:
    """How long a partition with messages waiting did not move."""

    seconds: float = 0.0
    place: str = ""


def standstills(
    samples: Sequence[Sample], outages: Sequence[tuple[float, float]] = ()
) -> Iterator[Standstill]:
    """For each sample the longest standstill that lasts at that moment.

    What lay in an outage (begin, end) does not count: a standstill that began before or in it is
    counted from its end.
    """
    since: dict[TopicPartition, float] = {}
    before: Sample | None = None
    for sample in samples:
        if any(begin <= sample.at <= end for begin, end in outages):
            continue
        over = max((end for _, end in outages if end <= sample.at), default=0.0)
        longest = Standstill()
        for place in sample.ends:
            if before is None or sample.moved(place, before) or not sample.waits(place):
                since[place] = sample.at
            seconds = sample.at - max(since[place], over)
            if seconds > longest.seconds:
                longest = Standstill(seconds, f"{place.topic}/{place.partition}")
        before = sample
        yield longest


def seconds_until_flowing(samples: Sequence[Sample], struck_at: float) -> float:
    """Seconds from a fault until every partition on which messages waited has moved."""
    earlier = [sample for sample in samples if sample.at <= struck_at]
    later = [sample for sample in samples if sample.at > struck_at]
    struck = earlier[-1]
    longest = 0.0
    for place in struck.ends:
        if struck.waits(place):
            moved = (one.at for one in later if one.moved(place, struck))
            longest = max(longest, next(moved, float("inf")) - struck_at)
    return longest


class Flow:
    """Takes a sample every quarter of a second while its block runs."""

    def __init__(self, broker: BrokerSettings) -> None:
        self.samples: list[Sample] = []
        self.outages: list[tuple[float, float]] = []
        self._broker = broker.model_copy(update={"request_timeout_seconds": ANSWER_SECONDS})
        self._fresh = asyncio.Condition()
        self._error: Exception | None = None
        self._come: dict[TopicPartition, Position] = {}

    async def __aenter__(self) -> Flow:
        self._watching = asyncio.create_task(self._watch())
        await self._next()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watching

    async def reached(self, agent: str, messages: int) -> None:
        """Wait until an agent has acknowledged so many since the first sample. Raises ``Stuck``."""
        while self._done(agent, self.samples[-1]) < messages + self._done(agent, self.samples[0]):
            await self.go_on()

    async def flowing(self) -> None:
        """Wait until every partition on which messages wait has moved. Raises ``Stuck``."""
        since = self.samples[-1].at
        while seconds_until_flowing(self.samples, since) == float("inf"):
            await self.go_on()

    async def drained(self) -> None:
        """Wait until every agent has acknowledged all there is, and nothing new came for a while.

        Raises ``Stuck``.
        """
        quiet_since, ends = time.monotonic(), self.samples[-1].ends
        while time.monotonic() < quiet_since + QUIET_SECONDS:
            await self.go_on()
            now = self.samples[-1]
            if now.lag or now.ends != ends:
                quiet_since, ends = now.at, now.ends

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """What stands still in this block, stands still because nothing could move it."""
        begin = time.monotonic()
        yield
        self.outages.append((begin, time.monotonic()))

    def longest_standstill(self, since: float) -> Standstill:
        """The longest of all, counted from ``since`` on."""
        later = [sample for sample in self.samples if sample.at >= since]
        return max(standstills(later, self.outages), key=lambda one: one.seconds)

    @property
    def waiting(self) -> bool:
        """Whether any agent has messages to acknowledge."""
        return self.samples[-1].lag > 0

    async def go_on(self) -> None:
        """Wait for the next sample. Raises ``Stuck``."""
        await self._next()
        *_, now = standstills(self.samples, self.outages)
        if now.seconds > STUCK_SECONDS:
            raise Stuck(f"{now.place} stands still, lag {self.samples[-1].lag}")

    @staticmethod
    def _done(agent: str, sample: Sample) -> int:
        topic = STAGES[agent].source.name
        return sum(offset for place, offset in sample.done.items() if place.topic == topic)

    async def _next(self) -> None:
        try:
            async with asyncio.timeout(SILENT_SECONDS), self._fresh:
                await self._fresh.wait()
        except TimeoutError:
            if self._watching.done():
                await self._watching  # raises what ended it
            raise Stuck(f"nothing seen for {SILENT_SECONDS:.0f} s: {self._error!r}") from None

    async def _watch(self) -> None:
        while True:
            admin, reader = new_admin(self._broker), new_reader(self._broker)
            try:
                async with asyncio.timeout(2 * ANSWER_SECONDS):
                    await admin.start()
                    await reader.start()
                    topics = [stage.source.name for stage in STAGES.values()]
                    places = await places_of(self._broker, topics)
                    reader.assign(await places_of(self._broker, list(SOURCES)))
                    await reader.seek_to_end()
                while True:
                    await self._take(admin, reader, places)
                    await asyncio.sleep(POLL_SECONDS)
            except (KafkaError, OSError, TimeoutError, TopicProblem) as error:
                self._error = error
                await asyncio.sleep(POLL_SECONDS)  # it is down, frozen, or not ready: connect anew
            finally:
                await stop_reader(reader)
                await admin.close()

    async def _take(
        self,
        admin: AIOKafkaAdminClient,
        reader: AIOKafkaConsumer,
        places: list[TopicPartition],
    ) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            committed = await admin.list_consumer_group_offsets(APP_ID, partitions=places)
            ends = await reader.end_offsets(places)
        for place, mark in marks_in(await reader.getmany()):
            source = TopicPartition(SOURCES[place.topic], place.partition)
            self._come[source] = max(mark.frontier, self._come.get(source, BEGINNING))
        done = {
            place: max(0, committed[place].offset) if place in committed else 0 for place in places
        }
        async with self._fresh:
            self.samples.append(Sample(time.monotonic(), done, dict(ends), dict(self._come)))
            self._fresh.notify_all()
