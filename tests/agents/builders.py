"""Records on their way through agents, without a broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from wanglou.agents.kafka import Message
from wanglou.agents.record import Emission, Record
from wanglou.agents.stage import Stage
from wanglou.schemas.cloudevents import Headers
from wanglou.schemas.topics import TOPICS

RECEIVED = datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)
"""When the broker took every record."""


def counts(partitions: int = 1) -> Mapping[str, int]:
    """Partitions of every topic, by name."""
    return {topic.name: partitions for topic in TOPICS}


async def run_through(stage: Stage[Any, Any], records: Sequence[Record]) -> list[Emission]:
    """What a stage makes of records that it reads, once it has released all that it can."""
    letters = [letter for record in records for letter in stage.take(record)]
    return letters + await stage.process(stage.release(len(records) + 1000))


def as_read(messages: Iterable[Message], partition: int = 0) -> list[Record]:
    """Messages as the reader of their topic gets them, if they all lie on one partition."""
    return [
        Record(
            topic=message.topic,
            partition=partition,
            offset=offset,
            timestamp=RECEIVED,
            key=message.key,
            value=message.value,
            headers=message.headers,
        )
        for offset, message in enumerate(messages)
    ]


def stands(
    place: TopicPartition, offset: int, key: bytes, value: bytes | None, headers: Headers
) -> Any:
    """What a reader gives of a record, as far as ours look at it."""
    return SimpleNamespace(
        topic=place.topic,
        partition=place.partition,
        offset=offset,
        key=key,
        value=value,
        headers=headers,
    )
