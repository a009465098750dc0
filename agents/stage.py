"""What every agent has in common: records in, emissions out, dead letters for what fails.

A stage knows no Faust. ``agents.loop`` gives it records and carries out, in this order: emit, wait
for the broker, write state, wait for the broker, acknowledge the source.
"""

from __future__ import annotations

import logging
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heapreplace
from typing import ClassVar, Generic, TypeVar

from pydantic import ValidationError

from wanglou.agents.assignment import NO_GENERATION
from wanglou.agents.changelog import Changelog, Restored, TakenOver
from wanglou.agents.dead_letter_limit import DeadLetterLimit, DeadLetterLimits
from wanglou.agents.kafka import Message
from wanglou.agents.metrics import Metrics
from wanglou.agents.reading import MergeReader, RawReader, Reader
from wanglou.agents.record import Emission, Record, Rejected, about, order_header, time_at
from wanglou.agents.window import Window
from wanglou.models.order import BEGINNING, Mark, Position
from wanglou.models.state import KeyedState
from wanglou.schemas.base import Contract
from wanglou.schemas.cloudevents import cloudevents_headers
from wanglou.schemas.control import AGAIN_HEADER, WATERMARK_TYPE, Watermark
from wanglou.schemas.dead_letter import (
    MAX_ERROR_CHARACTERS,
    MAX_ORIGINAL_BYTES,
    DeadLetter,
    Reason,
)
from wanglou.schemas.problems import describe
from wanglou.schemas.topics import DEAD_LETTERS, Topic

logger = logging.getLogger(__name__)

S = TypeVar("S")
V = TypeVar("V")

Act = Callable[[], list[Emission]]

COMMON_OUTCOMES = ("read-before", "dead-letter")
"""What may become of a record at every agent."""


@dataclass(slots=True)
class Partition(Generic[S, V]):
    """What a stage holds of a partition: where it reads, its state, and the step over it."""

    restored: Restored
    state: KeyedState[V]
    reader: Reader
    step: S
    generation: int = NO_GENERATION
    """The group's, in which it was last read."""
    announced: Position = BEGINNING
    """The watermark that the readers of the output were last told."""
    written: Mark | None = None
    """The mark that was last written to the state topic."""


class Stage(ABC, Generic[S, V]):
    """One agent: reads ``source``, and makes emissions of what it reads with its step.

    ``counts`` are the partitions of all topics, by name; ``batch_messages`` is the most that it
    processes at once, ``window_messages`` the most of a raw partition that are on their way.
    """

    name: ClassVar[str]
    upstream: ClassVar[Topic | None]
    """What the writer of the source reads; None for the raw topic, which no agent writes."""
    source: ClassVar[Topic]
    output: ClassVar[Topic | None]
    """Where mentions go on, each partition of which is told the watermarks."""
    writes: ClassVar[tuple[Topic, ...]]
    state_topic: ClassVar[Topic]
    follows: ClassVar[tuple[Topic, ...]] = ()
    """State topics of other agents whose marks it reads."""
    outcomes: ClassVar[tuple[str, ...]] = ()
    """What may become of a record or mention, beside what may at every agent."""

    def __init__(
        self,
        metrics: Metrics,
        changelog: Changelog[V],
        counts: Mapping[str, int],
        limits: DeadLetterLimits,
        batch_messages: int,
        window_messages: int = 0,
    ) -> None:
        self.metrics = metrics
        self.batch_messages = batch_messages
        self.window_messages = window_messages
        self.done = BEGINNING
        """Up to where the last agent has done everything, if anybody tells."""
        self.limit = DeadLetterLimit(
            self.name, self.source.name, limits, from_outside=self.upstream is None
        )
        self._changelog = changelog
        self._counts = counts
        self._partitions: dict[int, Partition[S, V]] = {}
        self._restoring: set[int] = set()
        topics = [topic.name for topic in self.writes if topic is not self.source]
        metrics.begin(self.name, (*self.outcomes, *COMMON_OUTCOMES), topics)

    @abstractmethod
    def new_state(self) -> KeyedState[V]:
        """Empty state for a partition."""

    @abstractmethod
    def new_step(self, state: KeyedState[V]) -> S:
        """The step over a partition's state."""

    @abstractmethod
    async def process(self, records: Sequence[Record]) -> list[Emission]:
        """What the records bring, in order. Raises nothing for a bad record."""

    def close(self, step: S, record: Record, frontier: Position) -> list[Emission]:
        """What follows from nothing earlier than ``frontier`` coming any more.

        ``record`` is the last that was read.
        """
        return []

    def steps(self, assigned: Collection[int]) -> Iterable[S]:
        """The steps of the partitions held that are among those assigned."""
        return [one.step for number, one in self._partitions.items() if number in assigned]

    def step_of(self, record: Record) -> S:
        """The step over the state of a record's partition."""
        return self._partitions[record.partition].step

    async def prepare(self, number: int, generation: int) -> bool:
        """Restore a partition when its first record of a new generation of the group arrives.

        Reading begins at the committed offset again. If nobody has gone on with the partition in
        the meantime, what is in memory still holds: what it waits for is only acknowledged when it
        is read again. True if the generation is new.
        """
        held = self._partitions.get(number)
        if held is not None and held.generation == generation:
            return False
        self._restoring.add(number)
        if held is None or not await self._still_holds(number, held):
            await self._restore(number)
        self._restoring.discard(number)
        self._partitions[number].generation = generation
        return True

    async def _still_holds(self, number: int, held: Partition[S, V]) -> bool:
        try:
            await self._look(number, held)
        except TakenOver:
            return False
        return True

    async def _look(self, number: int, held: Partition[S, V]) -> None:
        """Look for what others have written to a partition's state. Raises ``TakenOver``."""
        mark = held.written or held.restored.mark
        held.restored.position = await self._changelog.patrol(
            number, held.state, mark, held.restored.position
        )

    async def _restore(self, number: int) -> None:
        state = self.new_state()
        restored = await self._changelog.restore(number, state)
        self._partitions[number] = Partition(
            restored, state, self._new_reader(number, restored.mark), self.new_step(state)
        )
        self.limit.begin(number, restored.history)
        self.metrics.restores.labels(self.name).inc()

    async def patrol(self) -> None:
        """Write state again that another worker, asleep while it lost its partition, set back.

        Raises ``TakenOver``.
        """
        for number, partition in self._partitions.items():
            await self._look(number, partition)

    def _new_reader(self, number: int, mark: Mark) -> Reader:
        if self.upstream is None:
            return RawReader(number, mark, Window(self.window_messages, lambda: self.done))
        return MergeReader(self._counts[self.upstream.name], mark)

    def take(self, record: Record) -> list[Emission]:
        """Take in a record that was read; a dead letter if it has no place in the order."""
        return self.guard(record, partial(self._take, record))

    def _take(self, record: Record) -> list[Emission]:
        if not self._partitions[record.partition].reader.take(record):
            self.count("read-before")
        return []

    def release(self, limit: int) -> list[Record]:
        """The records whose turn has come, at most ``limit`` of them.

        The earliest of all partitions first: their readers wait for the slowest of them. Those that
        had no turn have come up to what is next of them.
        """
        readers = {number: one.reader for number, one in self._partitions.items()}
        ready = [(at, number) for number, one in readers.items() if (at := one.ready())]
        heapify(ready)
        released: list[Record] = []
        while ready and len(released) < limit:
            _, number = ready[0]
            released.append(readers[number].pop())
            following = readers[number].ready()
            if following is None:
                heappop(ready)
            else:
                heapreplace(ready, (following, number))
        for reader in readers.values():
            reader.settle()
        return released

    def waits(self, partition: int, offset: int) -> bool:
        """Whether a record that was taken in has not been released."""
        return self._partitions[partition].reader.waits(offset)

    def close_partition(self, record: Record) -> list[Emission]:
        """What follows for a record's partition from how far it has come."""
        partition = self._partitions[record.partition]
        act = partial(self.close, partition.step, record, partition.reader.frontier)
        return self.guard(record, act)

    def watermarks(self) -> list[Message]:
        """Tell every partition of the output how far this worker's partitions have come."""
        come = {
            number: partition.reader.frontier
            for number, partition in self._partitions.items()
            if partition.reader.frontier > partition.announced
        }
        if not come or self.output is None:
            return []
        for number, frontier in come.items():
            self._partitions[number].announced = frontier
        slowest = min(come.values())
        headers = cloudevents_headers(
            id="/".join(map(str, (self.name, *max(come.values())))),
            type=WATERMARK_TYPE,
            source=f"/wanglou/{self.name}",
            time=time_at(slowest.time),
        )
        value = Watermark(positions=come).to_json()
        return [
            Message(self.output.name, None, value, headers, number)
            for number in range(self._counts[self.output.name])
        ]

    def changes(self) -> list[Message]:
        """Changed state, to be written once the emissions are acknowledged."""
        return [
            message
            for number, partition in self._partitions.items()
            if partition.reader.mark() != partition.written
            for message in self._changelog.changes(number, partition.state)
        ]

    def marks(self) -> list[Message]:
        """How far each partition has come, to be written once the changes are acknowledged."""
        messages: list[Message] = []
        for number, partition in self._partitions.items():
            mark = partition.reader.mark()
            if mark != partition.written:
                messages.append(self._changelog.mark(number, mark, self.limit.history(number)))
                partition.written = mark
        return messages

    def measure(self, assigned: Collection[int]) -> None:
        """Tell the metrics how the partitions stand; ``assigned`` are those of this worker."""
        for number, partition in self._partitions.items():
            if number not in assigned:  # given away, and no batch came since
                continue
            labels = (self.name, str(number))
            self.metrics.state_entries.labels(*labels).set(len(partition.state))
            self.metrics.waiting.labels(*labels).set(partition.reader.waiting())
            if (frontier := partition.reader.frontier) > BEGINNING:
                self.metrics.watermark.labels(*labels).set(frontier.time / 1000)

    def acknowledged(self) -> None:
        """Called when the effects of what was processed have been acknowledged."""

    def discard(self) -> None:
        """Forget all state in memory: an effect of it may not have reached the broker."""
        self._partitions.clear()

    def keep(self, partitions: Iterable[int]) -> None:
        """Forget the partitions that are not among those assigned."""
        kept = set(partitions)
        for number in [one for one in self._partitions if one not in kept]:
            del self._partitions[number]

    def held(self) -> set[int]:
        """The partitions of which nothing more should be read for now."""
        return {number for number, one in self._partitions.items() if one.reader.is_held()}

    def why_waiting(self) -> dict[int, str]:
        """Of each partition that holds records back, why."""
        found = dict.fromkeys(self._restoring, "restores its state")
        for number, partition in self._partitions.items():
            if partition.reader.is_shut():
                found[number] = f"waits for the last agent, {self.window_messages} messages behind"
            slowest = partition.reader.slowest()
            if slowest is not None and self.upstream is not None:
                found[number] = f"waits for partition {slowest} of {self.upstream.name}"
        return found

    def emit_mention(
        self, record: Record, key: str, mention: Contract, *, part: int | None = None
    ) -> Emission:
        """A mention on its way, with its position; ``part`` if the record brings several.

        Its CloudEvents id derives from the raw message, so a repeat has the same id and bytes.
        """
        topic = self.output
        assert topic is not None
        position = record.position if part is None else record.position._replace(part=part)
        headers = cloudevents_headers(
            id="/".join(map(str, position[1:])),
            type=topic.event_type,
            source=f"/wanglou/{self.name}",
            time=time_at(position.time),
        )
        headers = (*headers, order_header(record.partition, position))
        if (again := record.header(AGAIN_HEADER)) is not None:
            headers = (*headers, (AGAIN_HEADER, again))
        return Emission(record, Message(topic.name, key.encode(), mention.to_json(), headers))

    def dead_letter(self, record: Record, rejected: Rejected) -> Emission:
        """An emission that puts a record aside, with its original bytes.

        An original that a compressed batch made longer than any dead letter is left out.
        """
        length = len(record.key or b"") + len(record.value or b"")
        fits = length <= MAX_ORIGINAL_BYTES
        raw = record.position if self.upstream and record.position > BEGINNING else None
        self.metrics.dead_letters.labels(self.name, rejected.reason.value).inc()
        self.count("dead-letter")
        letter = DeadLetter.model_construct(
            id=record.id,
            agent=self.name,
            reason=rejected.reason,
            error=str(rejected)[:MAX_ERROR_CHARACTERS],
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=record.timestamp,
            raw_partition=raw.partition if raw else None,
            raw_offset=raw.offset if raw else None,
            key=record.key if fits else None,
            value=record.value if fits else None,
            omitted_bytes=None if fits else length,
        )
        headers = cloudevents_headers(
            id=record.id,
            type=DEAD_LETTERS.event_type,
            source=f"/wanglou/{self.name}",
            time=record.timestamp,
        )
        message = Message(DEAD_LETTERS.name, record.id.encode(), letter.to_json(), headers)
        return Emission(record, message, rejected=rejected)

    def count(self, outcome: str) -> None:
        """Count what became of a record or mention."""
        self.metrics.outcomes.labels(self.name, outcome).inc()

    def guard(self, record: Record, act: Act) -> list[Emission]:
        """What ``act`` makes of a record, or a dead letter if it fails: its neighbours go on."""
        try:
            return act()
        except Rejected as rejected:
            return [self.dead_letter(record, rejected)]
        except ValidationError as error:
            return [self.dead_letter(record, Rejected(Reason.of(error), describe(error)))]
        except Exception as error:
            stack = "".join(traceback.format_tb(error.__traceback__))  # its message may quote one
            logger.error("%s\n%s", type(error).__name__, stack, extra=about(self.name, record))
            failed = Rejected(Reason.FAILED, f"{type(error).__name__}: {error}")
            return [self.dead_letter(record, failed)]


class RecordStage(Stage[S, V]):
    """A stage that takes its records one by one."""

    @abstractmethod
    def handle(self, step: S, record: Record) -> list[Emission]:
        """What one record brings; what it raises becomes a dead letter."""

    async def process(self, records: Sequence[Record]) -> list[Emission]:
        emissions: list[Emission] = []
        for record in records:
            emissions += self.guard(record, partial(self.handle, self.step_of(record), record))
        return emissions
