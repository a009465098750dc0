"""Keep a partition's state in its compacted topic, and read it back."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from aiokafka import ConsumerRecord, TopicPartition
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from wanglou.agents.dead_letter_limit import History
from wanglou.agents.kafka import Message, new_reader, place_of, read_place, stop_reader
from wanglou.agents.latest import Latest, Written
from wanglou.agents.settings import BrokerSettings
from wanglou.models.order import Mark, Position
from wanglou.models.state import Entry, KeyedState
from wanglou.schemas.problems import describe
from wanglou.schemas.topics import Topic

logger = logging.getLogger(__name__)

V = TypeVar("V")

STATE_VERSION: Final = 3

MARK_KEY = b""
"""Key of a partition's mark; no other key is empty."""

POSITION_HEADER = "position"
"""Header with the position last applied, of a tombstone that of what expired."""


class StateError(RuntimeError):
    """A state value that this release cannot read; the message says where it stands."""


class _Stored(BaseModel, Generic[V]):
    """A state value in JSON: ``position`` is the one last applied to it."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[3] = STATE_VERSION
    position: Position
    minute: int
    value: V


class _StoredMark(BaseModel):
    """A partition's mark in JSON."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[3] = STATE_VERSION
    frontier: Position
    read: int
    watermarks: dict[int, Position]
    history: History = History()


class TakenOver(StateError):
    """Another worker has gone on with the partition."""


@dataclass(slots=True)
class Restored:
    """What a partition's state topic held: the latest mark, the dead letters that were counted
    then, and where it ends."""

    mark: Mark
    history: History
    position: int


class Changelog(Generic[V]):
    """The state topic of one agent.

    The values of a partition carry the position last applied to them, its mark how far the whole
    partition has come. A reader takes the highest of each key's values, not the last, because a
    worker that was paused, lost its partition and woke up may write an older value after its
    successor's. The reader then writes the newer value again, so that compaction cannot leave only
    the older; `patrol` looks for such values while nothing else would make anyone read.
    """

    def __init__(self, topic: Topic, value_type: type[V], broker: BrokerSettings) -> None:
        self._topic = topic
        self._broker = broker
        self._codec: TypeAdapter[_Stored[V]] = TypeAdapter(_Stored[value_type])  # type: ignore[valid-type]

    def changes(self, partition: int, state: KeyedState[V]) -> list[Message]:
        """What has changed since the last call, as messages to the state topic."""
        return [
            Message(
                topic=self._topic.name,
                key=key.encode(),
                value=None if entry.value is None else self.encode(entry),
                headers=((POSITION_HEADER, ",".join(map(str, entry.position)).encode()),),
                partition=partition,
            )
            for key, entry in state.changes()
        ]

    def mark(self, partition: int, mark: Mark, history: History) -> Message:
        """How far a partition has come; to be written once the changes are acknowledged."""
        return Message(self._topic.name, MARK_KEY, encode_mark(mark, history), (), partition)

    async def restore(self, partition: int, state: KeyedState[V]) -> Restored:
        """Load what stands in the topic.

        Raises ``StateError`` for a value of another release.
        """
        mark, history, position, latest = Mark(), History(), 0, Latest()
        async for record in self._read(partition, position):
            position = record.offset + 1
            if record.key == MARK_KEY:
                stored, counted = decode_mark(record.value, place_of(record))
                if mark.later(stored) is stored:
                    mark, history = stored, counted
            else:
                latest.add(self._position(record), record)
        for written in latest:
            state.load(written.record.key.decode(), self._entry(written))
        if repaired := state.repair():
            logger.warning("%s/%d: %d older values stood last", *self._place(partition), repaired)
        state.observe(mark.frontier.minute)
        return Restored(mark, history, position)

    async def patrol(self, partition: int, state: KeyedState[V], mark: Mark, position: int) -> int:
        """Look whether what was written after ``position`` is still the latest; where it ends.

        A value that an older one stands after becomes a change, to be written again. Raises
        ``TakenOver`` for a newer value, or a later mark than ``mark``, the one written last.
        """
        async for record in self._read(partition, position):
            position = record.offset + 1
            if record.key == MARK_KEY:
                stored, _ = decode_mark(record.value, place_of(record))
                is_ours = mark.later(stored) is mark
            else:
                is_ours = state.compare(
                    record.key.decode(), self._position(record), is_tombstone=record.value is None
                )
            if not is_ours:
                raise TakenOver(f"{place_of(record)}: another worker has the partition")
        if repaired := state.repair():
            logger.warning("%s/%d: %d older values stood last", *self._place(partition), repaired)
        return position

    def _place(self, partition: int) -> tuple[str, int]:
        return self._topic.name, partition

    async def _read(self, partition: int, position: int) -> AsyncIterator[ConsumerRecord]:
        reader = new_reader(self._broker)
        try:
            await reader.start()
            place = TopicPartition(self._topic.name, partition)
            async for record in read_place(reader, place, position):
                yield record
        finally:
            await stop_reader(reader)

    def _position(self, record: ConsumerRecord) -> Position:
        for name, value in record.headers:
            if name == POSITION_HEADER:
                return Position(*map(int, value.split(b",")))
        where = place_of(record)
        if record.value is None:
            raise StateError(f"{where}: is a tombstone without the header {POSITION_HEADER!r}")
        return self.decode(record.value, where).position

    def _entry(self, written: Written) -> Entry[V] | Entry[None]:
        if written.is_tombstone:
            return Entry(written.position, 0, None)
        return self.decode(written.record.value, place_of(written.record))

    def encode(self, entry: Entry[V] | Entry[None]) -> bytes:
        """What is written to the topic."""
        stored = _Stored[V].model_construct(
            version=STATE_VERSION,
            position=entry.position,
            minute=entry.minute,
            value=entry.value,  # type: ignore[arg-type]  # a tombstone is not encoded
        )
        return self._codec.dump_json(stored, exclude_none=True)

    def decode(self, value: bytes, where: str) -> Entry[V]:
        """What was written. Raises ``StateError``, which names the place but shows no value."""
        try:
            stored = self._codec.validate_json(value)
        except ValidationError as error:
            raise _unreadable(where, error) from error
        return Entry(stored.position, stored.minute, stored.value)


def encode_mark(mark: Mark, history: History) -> bytes:
    """A mark as it is written to the topic."""
    return (
        _StoredMark(
            frontier=mark.frontier, read=mark.read, watermarks=mark.watermarks, history=history
        )
        .model_dump_json()
        .encode()
    )


def decode_mark(value: bytes | None, where: str) -> tuple[Mark, History]:
    """A mark that was written. Raises ``StateError``."""
    try:
        stored = _StoredMark.model_validate_json(value or b"")
    except ValidationError as error:
        raise _unreadable(where, error) from error
    return Mark(stored.frontier, stored.read, stored.watermarks), stored.history


def _unreadable(where: str, error: ValidationError) -> StateError:
    return StateError(
        f"{where}: is no state of version {STATE_VERSION}: "
        f"{describe(error, hidden=('value',))}. Run the release that wrote it, or stop "
        "the workers and delete the topic: the state is then built anew"
    )
