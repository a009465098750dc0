"""Keep a partition's state in its compacted topic, and read it back."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from aiokafka import TopicPartition
from pydantic import BaseModel, ConfigDict, TypeAdapter

from wanglou.agents.kafka import Message, new_reader, read_place
from wanglou.agents.settings import BrokerSettings
from wanglou.models.state import Entry, KeyedState
from wanglou.schemas.topics import Topic

V = TypeVar("V")

STATE_VERSION = 1


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
                value=None if entry is None else self._encode(entry),
                partition=partition,
            )
            for key, entry in state.changes()
        ]

    async def catch_up(self, partition: int, state: KeyedState[V], position: int) -> int:
        """Load what stands in the topic from ``position`` on; returns where it ends."""
        reader = new_reader(self._broker)
        await reader.start()
        try:
            place = TopicPartition(self._topic.name, partition)
            async for record in read_place(reader, place, position):
                entry = None if record.value is None else self._decode(record.value)
                state.load(record.key.decode(), entry)
            return int(await reader.position(place))
        finally:
            await reader.stop()

    def _encode(self, entry: Entry[V]) -> bytes:
        stored = _Stored[V].model_construct(
            version=STATE_VERSION, offset=entry.offset, minute=entry.minute, value=entry.value
        )
        return self._codec.dump_json(stored, exclude_none=True)

    def _decode(self, value: bytes) -> Entry[V]:
        stored = self._codec.validate_json(value)
        return Entry(stored.offset, stored.minute, stored.value)
