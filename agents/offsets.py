"""How far the readers of some partitions have come, as the broker knows it."""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import Self

from aiokafka import TopicPartition

from wanglou.agents.kafka import new_admin, new_reader, stop_reader
from wanglou.agents.progress_watch import Reading
from wanglou.agents.settings import BrokerSettings


class Offsets:
    """Asks the broker on two connections of its own, which a stalled consumer does not share."""

    def __init__(self, broker: BrokerSettings, group: str) -> None:
        self._reader = new_reader(broker)
        self._admin = new_admin(broker)
        self._group = group

    async def __aenter__(self) -> Self:
        await self._reader.start()
        await self._admin.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._admin.close()
        await stop_reader(self._reader)

    async def readings(self, places: Collection[TopicPartition]) -> dict[TopicPartition, Reading]:
        """Committed and last offset of each partition. Raises ``KafkaError``."""
        if not places:
            return {}
        asked = list(places)
        first = await self._reader.beginning_offsets(asked)
        ends = await self._reader.end_offsets(asked)
        committed = await self._admin.list_consumer_group_offsets(self._group, partitions=asked)
        return {
            place: Reading(max(first[place], _offset(committed.get(place))), ends[place])
            for place in asked
        }


def _offset(committed: object) -> int:
    """The offset in a group's answer; -1 where nothing was ever committed."""
    return int(getattr(committed, "offset", -1))
