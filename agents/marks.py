"""Follows the marks that stand in a state topic: how far each partition has come."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from aiokafka import ConsumerRecord, TopicPartition

from wanglou.agents.changelog import MARK_KEY, decode_mark
from wanglou.agents.kafka import end_of, new_reader, places_of, stop_reader
from wanglou.agents.settings import BrokerSettings
from wanglou.models.order import Mark
from wanglou.schemas.topics import Topic

WAIT_SECONDS = 1.0
"""For the next mark, before it is asked for again."""


def marks_in(
    batches: Mapping[TopicPartition, Sequence[ConsumerRecord]],
) -> Iterator[tuple[TopicPartition, Mark]]:
    """The marks among what was read from state topics."""
    for place, records in batches.items():
        for record in records:
            if record.key == MARK_KEY:
                where = f"{place.topic}/{place.partition}/{record.offset}"
                mark, _ = decode_mark(record.value, where)
                yield place, mark


class MarkFollower:
    """Reads a state topic from the last record of each partition on, which is a mark."""

    def __init__(self, broker: BrokerSettings, topic: Topic) -> None:
        self._broker = broker
        self._topic = topic
        self._reader = new_reader(broker)
        self.partitions = 0
        """Of the topic; known once it has begun."""

    async def __aenter__(self) -> Self:
        await self._reader.start()
        try:
            await self._begin()
        except BaseException:
            await stop_reader(self._reader)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await stop_reader(self._reader)

    async def _begin(self) -> None:
        places = await places_of(self._broker, [self._topic.name])
        starts = {place: max(0, await end_of(self._reader, place) - 1) for place in places}
        first = await self._reader.beginning_offsets(places)
        self._reader.assign(places)
        for place, start in starts.items():
            self._reader.seek(place, max(start, first[place]))
        self.partitions = len(places)

    async def marks(self, seconds: float) -> AsyncIterator[tuple[int, Mark]]:
        """Partition and mark, as they come in so many seconds."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            wait = max(1, int(min(left, WAIT_SECONDS) * 1000))
            for place, mark in marks_in(await self._reader.getmany(timeout_ms=wait)):
                yield place.partition, mark

    async def ends_of(self, topic: Topic, partitions: Collection[int]) -> dict[int, int]:
        """One after the last offset of some partitions of any topic."""
        places = [TopicPartition(topic.name, number) for number in partitions]
        ends = await self._reader.end_offsets(places) if places else {}
        return {place.partition: int(end) for place, end in ends.items()}
