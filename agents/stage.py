"""What every agent has in common: records in, emissions out, dead letters for what fails.

A stage knows no Faust. ``agents.loop`` gives it micro-batches and carries out, in this order:
emit, wait for the broker, write state, wait for the broker, acknowledge the source.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import ClassVar, Generic, TypeVar

from pydantic import ValidationError

from wanglou.agents.changelog import Changelog
from wanglou.agents.kafka import Message
from wanglou.agents.metrics import Metrics
from wanglou.models.state import KeyedState
from wanglou.schemas.base import Contract
from wanglou.schemas.cloudevents import cloudevents_headers
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
C = TypeVar("C", bound=Contract)


@dataclass(frozen=True, slots=True)
class Record:
    """A message as read from the source topic."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None
    value: bytes | None

    @property
    def id(self) -> str:
        """topic/partition/offset: where it stands."""
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Emission:
    """A message that an agent makes of a record."""

    record: Record
    message: Message
    received_at: datetime | None = None
    """Set on alerts: when the broker took the raw mention that caused it."""


class Rejected(Exception):
    """A record that belongs into the dead letters."""

    def __init__(self, reason: Reason, error: str) -> None:
        super().__init__(error)
        self.reason = reason


class Stage(ABC):
    """One agent: reads ``source`` and makes emissions of micro-batches."""

    name: ClassVar[str]
    source: ClassVar[Topic]
    writes: ClassVar[tuple[Topic, ...]]
    state_topic: ClassVar[Topic | None] = None

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    @abstractmethod
    async def process(self, records: Sequence[Record]) -> list[Emission]:
        """What the records bring, in order. Raises nothing for a bad record."""

    async def prepare(self, partition: int, generation: int) -> None:
        """Called before the first record of a partition in a new generation of the group."""

    def changes(self) -> list[Message]:
        """Changed state, to be written once the emissions are acknowledged."""
        return []

    def discard(self) -> None:
        """Forget all state in memory: an effect of it may not have reached the broker."""

    def keep(self, partitions: Iterable[int]) -> None:
        """Forget the partitions that are not among those assigned."""

    def emit(
        self,
        record: Record,
        topic: Topic,
        key: str,
        contract: Contract,
        *,
        part: str = "",
        received_at: datetime | None = None,
    ) -> Emission:
        """An emission; ``part`` tells several of one record to one topic apart.

        Its CloudEvents id derives from the record's place, so a repeat has the same bytes.
        """
        headers = cloudevents_headers(
            id=f"{record.id}/{part}" if part else record.id,
            type=topic.event_type,
            source=f"/wanglou/{self.name}",
            time=record.timestamp,
        )
        message = Message(topic.name, key.encode(), contract.to_json(), headers)
        return Emission(record, message, received_at)

    def dead_letter(self, record: Record, reason: Reason, error: str) -> Emission:
        """An emission that puts a record aside, with its original bytes.

        An original that a compressed batch made longer than any dead letter is left out.
        """
        length = len(record.key or b"") + len(record.value or b"")
        fits = length <= MAX_ORIGINAL_BYTES
        self.metrics.dead_letters.labels(self.name, reason.value).inc()
        self.count("dead-letter")
        letter = DeadLetter.model_construct(
            id=record.id,
            agent=self.name,
            reason=reason,
            error=error[:MAX_ERROR_CHARACTERS],
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=record.timestamp,
            key=record.key if fits else None,
            value=record.value if fits else None,
            omitted_bytes=None if fits else length,
        )
        return self.emit(record, DEAD_LETTERS, record.id, letter)

    def count(self, outcome: str) -> None:
        """Count what became of a record or mention."""
        self.metrics.outcomes.labels(self.name, outcome).inc()

    def guard(self, record: Record, act: Callable[[], list[Emission]]) -> list[Emission]:
        """What ``act`` makes of a record, or a dead letter if it fails: its neighbours go on."""
        try:
            return act()
        except Rejected as rejected:
            return [self.dead_letter(record, rejected.reason, str(rejected))]
        except ValidationError as error:
            return [self.dead_letter(record, Reason.of(error), describe(error))]
        except Exception as error:
            logger.exception("agent %s failed on %s", self.name, record.id)
            return [self.dead_letter(record, Reason.FAILED, f"{type(error).__name__}: {error}")]


def decode(record: Record, contract: type[C]) -> C:
    """The contract in a record. Raises ``Rejected`` or ``ValidationError``."""
    if record.value is None:
        raise Rejected(Reason.NO_VALUE, "message has no value")
    return contract.model_validate_json(record.value)


@dataclass(slots=True)
class _Partition(Generic[S, V]):
    """A partition's state and the step over it."""

    generation: int
    position: int
    state: KeyedState[V]
    step: S


class StatefulStage(Stage, Generic[S, V]):
    """A stage whose step keeps state per source partition."""

    def __init__(self, metrics: Metrics, changelog: Changelog[V]) -> None:
        super().__init__(metrics)
        self._changelog = changelog
        self._partitions: dict[int, _Partition[S, V]] = {}

    @abstractmethod
    def new_state(self) -> KeyedState[V]:
        """Empty state for a partition."""

    @abstractmethod
    def new_step(self, state: KeyedState[V]) -> S:
        """The step over a partition's state."""

    @abstractmethod
    def handle(self, step: S, record: Record) -> list[Emission]:
        """What one record brings; what it raises becomes a dead letter."""

    def steps(self) -> Iterable[S]:
        """The steps of all partitions held."""
        return [partition.step for partition in self._partitions.values()]

    async def process(self, records: Sequence[Record]) -> list[Emission]:
        emissions: list[Emission] = []
        for record in records:
            step = self._partitions[record.partition].step
            emissions += self.guard(record, partial(self.handle, step, record))
        return emissions

    async def prepare(self, partition: int, generation: int) -> None:
        """Restore a partition's state when its first record of a generation arrives.

        What another worker wrote in the meantime is read on top of what is in memory; the step is
        built anew, as it may keep an index over the state.
        """
        held = self._partitions.get(partition)
        if held is not None and held.generation == generation:
            return
        state = self.new_state() if held is None else held.state
        position = 0 if held is None else held.position
        position = await self._changelog.catch_up(partition, state, position)
        step = self.new_step(state)
        self._partitions[partition] = _Partition(generation, position, state, step)
        self.metrics.restores.labels(self.name).inc()

    def changes(self) -> list[Message]:
        messages: list[Message] = []
        for number, partition in self._partitions.items():
            messages += self._changelog.messages(number, partition.state)
            entries = self.metrics.state_entries.labels(self.name, str(number))
            entries.set(len(partition.state))
        return messages

    def discard(self) -> None:
        self._partitions.clear()

    def keep(self, partitions: Iterable[int]) -> None:
        kept = set(partitions)
        for number in [one for one in self._partitions if one not in kept]:
            del self._partitions[number]
            self.metrics.state_entries.remove(self.name, str(number))
