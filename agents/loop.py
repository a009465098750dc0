"""How an agent runs: micro-batches off a Faust stream, and the order of effects.

emit → acknowledged → write state → acknowledged → acknowledge the source. Faust commits the
acknowledged offsets afterwards. A crash between two steps repeats the later ones: the output has
the same bytes, and state ignores an offset that it has applied.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import faust
from aiokafka import AIOKafkaProducer

from wanglou.agents.kafka import send_all
from wanglou.agents.settings import WorkerSettings
from wanglou.agents.stage import Emission, Record, Stage
from wanglou.schemas.dead_letter import Reason

logger = logging.getLogger(__name__)

Inbox = asyncio.Queue["faust.EventT[bytes]"]
"""Events read off the stream, for the next micro-batch; as many as one holds."""


async def micro_batches(
    stream: faust.StreamT[bytes], settings: WorkerSettings
) -> AsyncIterator[list[faust.EventT[bytes]]]:
    """Events as they come, at most ``batch_messages`` together; a small batch waits ``linger``.

    Unlike ``stream.take`` it acknowledges nothing by itself.
    """
    inbox: Inbox = asyncio.Queue(settings.batch_messages)
    pump = asyncio.create_task(_pump(stream, inbox))
    try:
        while (first := await _next_event(inbox, pump)) is not None:
            batch = [first]
            if inbox.empty():
                await asyncio.sleep(settings.linger_seconds)
            while not inbox.empty() and len(batch) < settings.batch_messages:
                batch.append(inbox.get_nowait())
            yield batch
    finally:
        pump.cancel()


async def _pump(stream: faust.StreamT[bytes], inbox: Inbox) -> None:
    async for event in stream.events():
        await inbox.put(event)


async def _next_event(inbox: Inbox, pump: asyncio.Task[None]) -> faust.EventT[bytes] | None:
    """The next event; None when the stream has ended. Raises what ended it, if anything did."""
    if inbox.empty():
        getter = asyncio.ensure_future(inbox.get())
        await asyncio.wait({getter, pump}, return_when=asyncio.FIRST_COMPLETED)
        if not getter.done():
            getter.cancel()
            pump.result()
            return None
        return getter.result()
    return inbox.get_nowait()


class StageLoop:
    """Runs one stage over its stream."""

    def __init__(self, stage: Stage, producer: AIOKafkaProducer, settings: WorkerSettings) -> None:
        self._stage = stage
        self._producer = producer
        self._settings = settings
        self._metrics = stage.metrics

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream for as long as the worker lives."""
        stream = stream.noack()  # type: ignore[attr-defined]  # Faust's interface leaves it out
        try:
            async for events in micro_batches(stream, self._settings):
                batch = [event for event in events if is_current(event)]
                started = time.perf_counter()
                await self._carry_out(batch)
                for event in batch:
                    await stream.ack(event)
                self._measure(batch, time.perf_counter() - started)
        except BaseException:
            self._stage.discard()
            raise

    async def _carry_out(self, batch: list[faust.EventT[bytes]]) -> None:
        stage = self._stage
        for partition, generation in sorted(
            {(event.message.partition, event.message.generation_id) for event in batch}
        ):
            await stage.prepare(partition, generation)  # type: ignore[arg-type]  # is_current: an int
        emissions = await stage.process([record_of(event) for event in batch])
        await self._emit(emissions)
        await send_all(self._producer, stage.changes(), self._count_retries)

    async def _emit(self, emissions: list[Emission]) -> None:
        refused = await send_all(
            self._producer, [one.message for one in emissions], self._count_retries
        )
        origin = {id(one.message): one.record for one in emissions}
        letters = [
            self._stage.dead_letter(
                origin[id(message)],
                Reason.REJECTED_BY_BROKER,
                f"{message.topic}: {type(error).__name__}: {error}",
            )
            for message, error in refused
        ]
        await self._put_aside(letters)
        lost = {id(message) for message, _ in refused}
        self._count([one for one in emissions + letters if id(one.message) not in lost])

    async def _put_aside(self, letters: list[Emission]) -> None:
        refused = await send_all(
            self._producer, [one.message for one in letters], self._count_retries
        )
        for message, error in refused:
            logger.error("%s refuses the dead letter %r: %r", message.topic, message.key, error)

    def _count(self, emissions: list[Emission]) -> None:
        now = datetime.now(UTC)
        for emission in emissions:
            self._metrics.messages_out.labels(self._stage.name, emission.message.topic).inc()
            if emission.received_at is not None:
                seconds = (now - emission.received_at).total_seconds()
                self._metrics.alert_latency.observe(seconds)

    def _count_retries(self, count: int) -> None:
        self._metrics.send_retries.labels(self._stage.name).inc(count)

    def _measure(self, batch: list[faust.EventT[bytes]], seconds: float) -> None:
        name, now = self._stage.name, time.time()
        self._metrics.messages_in.labels(name).inc(len(batch))
        self._metrics.batch_messages.labels(name).observe(len(batch))
        self._metrics.batch_duration.labels(name).observe(seconds)
        latency = self._metrics.step_latency.labels(name)
        for event in batch:
            latency.observe(now - event.message.timestamp)


def is_current(event: faust.EventT[bytes]) -> bool:
    """Whether an event was read in the group's present generation.

    One of an earlier generation is not ours any more, or will be read again.
    """
    return bool(event.message.generation_id == event.app.consumer_generation_id)


def record_of(event: faust.EventT[bytes]) -> Record:
    """A Faust event as a record."""
    message = event.message
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp=datetime.fromtimestamp(message.timestamp, UTC),
        key=message.key,
        value=event.value,
    )
