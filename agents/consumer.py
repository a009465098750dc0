"""Faust's consumer, but for its waiting: a second here, one and a half there."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer
from faust.transport.consumer import RecordMap
from faust.transport.drivers import aiokafka
from faust.types import TP

POLL_SECONDS = 0.05
FETCH_WAIT_MS = 100

Active = set[TP] | None
Fetched = tuple[RecordMap | None, Active]


class ConsumerThread(aiokafka.AIOKafkaConsumerThread):
    """A fetch waits for news shortly.

    A broker is asked for one fetch at a time. A partition whose last one has been read can only be
    in the next, and Faust lets a fetch wait one and a half seconds when the others are silent.
    """

    def _create_worker_consumer(self, transport: aiokafka.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer


class Consumer(aiokafka.Consumer):
    """Looks more often which partitions it may fetch; the parameters are Faust's.

    Faust takes a partition whose buffer is full out of what it asks for, and then waits a second
    for something new in the others before it asks again. So when these are silent no more than a
    buffer a second is read of a partition with much to read. And it sleeps a second when the
    buffers of all are full.
    """

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(
        self,
        active_partitions: Active,
        timeout: float,  # noqa: ASYNC109
    ) -> RecordMap:
        return await super()._getmany(active_partitions, min(timeout, POLL_SECONDS))

    async def _wait_next_records(self, timeout: float) -> Fetched:  # noqa: ASYNC109
        if self.flow_active and not self._get_active_partitions():
            await asyncio.sleep(POLL_SECONDS)
            return {}, set()
        return await super()._wait_next_records(timeout)
