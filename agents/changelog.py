"""Keep a partition's state in its compacted topic, and read it back."""

from __future__ import annotations

from typing import Final, Generic, Literal, TypeVar

from aiokafka import TopicPartition
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from wanglou.agents.kafka import Message, new_reader, read_place
from wanglou.agents.settings import BrokerSettings
from wanglou.models.state import Entry, KeyedState
from wanglou.schemas.problems import describe
from wanglou.schemas.topics import Topic

V = TypeVar("V")

STATE_VERSION: Final = 1


class StateError(RuntimeError):
    """A state value that this release cannot read; the message says where it stands."""


class _Stored(BaseModel, Generic[V]):
    """A state value in JSON: ``offset`` is the source offset last applied to it."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = STATE_VERSION
    offset: int
    minute: int
    value: V


class Changelog(Generic[V]):
    """The state topic of one agent."""

    def __init__(self, topic: Topic, value_type: type[V], broker: BrokerSettings) -> None:
        self._topic = topic
        self._broker = broker
        self._codec: TypeAdapter[_Stored[V]] = TypeAdapter(_Stored[value_type])  # type: ignore[valid-type]

    def messages(self, partition: int, state: KeyedState[V]) -> list[Message]:
        """What has changed since the last call, as messages to the state topic."""
        return [
            Message(
                topic=self._topic.name,
                key=key.encode(),
                value=None if entry is None else self.encode(entry),
                partition=partition,
            )
            for key, entry in state.changes()
        ]

    async def catch_up(self, partition: int, state: KeyedState[V], position: int) -> int:
        """Load what stands in the topic from ``position`` on; returns where it ends.

        Raises ``StateError`` for a value of another release.
        """
        reader = new_reader(self._broker)
        try:
            await reader.start()
            place = TopicPartition(self._topic.name, partition)
            async for record in read_place(reader, place, position):
                where = f"{place.topic}/{partition}/{record.offset}"
                entry = None if record.value is None else self.decode(record.value, where)
                state.load(record.key.decode(), entry)
            return int(await reader.position(place))
        finally:
            await reader.stop()

    def encode(self, entry: Entry[V]) -> bytes:
        """What is written to the topic."""
        stored = _Stored[V].model_construct(
            version=STATE_VERSION, offset=entry.offset, minute=entry.minute, value=entry.value
        )
        return self._codec.dump_json(stored, exclude_none=True)

    def decode(self, value: bytes, where: str) -> Entry[V]:
        """What was written. Raises ``StateError``, which names the place but shows no value."""
        try:
            stored = self._codec.validate_json(value)
        except ValidationError as error:
            raise StateError(
                f"{where}: is no state of version {STATE_VERSION}: "
                f"{describe(error, hidden=('value',))}. Run the release that wrote it, or stop "
                "the workers and delete the topic: the state is then built anew"
            ) from error
        return Entry(stored.offset, stored.minute, stored.value)
