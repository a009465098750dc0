"""How far event time has come, for whoever acts at a time and not upon a message.

The marks of the risk agent tell up to where all has had its effect: what it says of the time before
stands in the topics. Once the archive has recorded what stood there then, it has that time.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from wanglou.agents.marks import MarkFollower
from wanglou.agents.settings import BrokerSettings
from wanglou.models.order import BEGINNING
from wanglou.schemas.topics import EVENTS, RISK_STATE, SCORED, Topic

logger = logging.getLogger(__name__)

FOLLOWED = (EVENTS, SCORED)
RETRY_SECONDS = 1.0

Ends = Mapping[TopicPartition, int]


class EventClock:
    """Follows the marks. ``minute`` is the event minute to which they have come, once ``ends`` has
    been recorded; None before the first mark."""

    def __init__(self, broker: BrokerSettings) -> None:
        self._broker = broker
        self.coming: tuple[int, Ends] | None = None
        """The latest minute, and what has to be recorded first."""

    async def follow(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow()
            except KafkaError as error:
                logger.warning("the marks cannot be read: %r", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        async with MarkFollower(self._broker, RISK_STATE) as follower:
            frontiers = dict.fromkeys(range(follower.partitions), BEGINNING)
            async for number, mark in follower.marks(math.inf):
                frontiers[number] = max(frontiers[number], mark.frontier)
                slowest = min(frontiers.values())
                known = self.coming[0] if self.coming else -1
                if slowest > BEGINNING and slowest.minute > known:
                    ends: dict[TopicPartition, int] = {}
                    for topic in FOLLOWED:
                        ends |= await self._ends(follower, topic)
                    self.coming = slowest.minute, ends

    async def _ends(self, follower: MarkFollower, topic: Topic) -> dict[TopicPartition, int]:
        numbers = range(follower.partitions)
        ends = await follower.ends_of(topic, numbers)
        return {TopicPartition(topic.name, number): end for number, end in ends.items()}
