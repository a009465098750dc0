"""How far event time has come, for whoever acts at a time and not upon a message.

The marks of the risk agent tell up to where all has had its effect: what it says of the time before
stands in the topics. Once the archive has recorded what stood there then, it has that time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from wanglou.agents.kafka import end_of, new_reader, places_of, stop_reader
from wanglou.agents.marks import MarkFollower
from wanglou.agents.settings import BrokerSettings
from wanglou.models.order import BEGINNING, Position
from wanglou.schemas.topics import EVENTS, RISK_STATE, SCORED

logger = logging.getLogger(__name__)

FOLLOWED = (EVENTS, SCORED)
REST_SECONDS = 0.5

Ends = Mapping[TopicPartition, int]


class EventClock:
    """Follows the marks."""

    def __init__(self, broker: BrokerSettings) -> None:
        self._broker = broker
        self.coming: tuple[int, Ends] | None = None
        """The latest event minute, and what has to be recorded before it has come; None before
        the first mark."""

    async def follow(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow()
            except KafkaError as error:
                logger.warning("the marks cannot be read: %r", error)
                await asyncio.sleep(REST_SECONDS)

    async def _follow(self) -> None:
        reader = new_reader(self._broker)
        try:
            await reader.start()
            async with MarkFollower(self._broker, RISK_STATE) as follower:
                frontiers = dict.fromkeys(range(follower.partitions), BEGINNING)
                while True:
                    async for number, mark in follower.marks(REST_SECONDS):
                        frontiers[number] = max(frontiers[number], mark.frontier)
                    await self._tell(min(frontiers.values()), reader)
        finally:
            await stop_reader(reader)

    async def _tell(self, slowest: Position, reader: AIOKafkaConsumer) -> None:
        known = -1 if self.coming is None else self.coming[0]
        if slowest > BEGINNING and slowest.minute > known:
            places = await places_of(self._broker, [topic.name for topic in FOLLOWED])
            self.coming = slowest.minute, {place: await end_of(reader, place) for place in places}
