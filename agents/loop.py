"""How an agent runs: micro-batches off a Faust stream, and the order of effects.

emit → acknowledged → write state → acknowledged → write marks, tell watermarks → acknowledged →
acknowledge the source. Faust commits the acknowledged offsets afterwards. A crash between two steps
repeats the later ones: the output has the same bytes and position, so its reader drops it, and
state ignores a position that it has applied.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from datetime import UTC, datetime

import faust
from aiokafka import AIOKafkaProducer

from wanglou.agents.dead_letter_limit import Outcome
from wanglou.agents.gate import Gate
from wanglou.agents.kafka import send_all
from wanglou.agents.membership import Membership
from wanglou.agents.record import Emission, Record, Rejected, about
from wanglou.agents.stage import Stage
from wanglou.schemas.cloudevents import Headers
from wanglou.schemas.dead_letter import Reason

logger = logging.getLogger(__name__)

PATROL_SECONDS = 900.0
"""Between two looks for state that was set back; well within the compaction lag."""

READ_MESSAGES = 1024
"""Taken in at once, at most: reading is cheap, and what is far behind must be read to catch up."""

HELD_SECONDS = 0.1
"""Between two looks whether what is held back may go on."""

Event = faust.EventT[bytes]
Inbox = asyncio.Queue[Event]
"""Events read off the stream, for the next round; as many as it takes in."""


async def micro_batches(
    stream: faust.StreamT[bytes],
    most: int,
    linger_seconds: float,
    wake_seconds: Callable[[], float],
) -> AsyncIterator[list[Event]]:
    """Events as they come, at most ``most`` together; a small batch waits ``linger_seconds``.

    Unlike ``stream.take`` it acknowledges nothing by itself. An empty batch comes when nothing
    came for ``wake_seconds``; while these are 0 a batch of what there is, even at the stream's end.
    """
    inbox: Inbox = asyncio.Queue(most)
    pump = asyncio.create_task(_pump(stream, inbox))
    try:
        while not pump.done() or not inbox.empty() or wake_seconds() == 0:
            batch = await _first_event(inbox, pump, wake_seconds())
            if batch and inbox.empty():
                await asyncio.sleep(linger_seconds)
            while not inbox.empty() and len(batch) < most:
                batch.append(inbox.get_nowait())
            yield batch
        pump.result()
    finally:
        pump.cancel()


async def _pump(stream: faust.StreamT[bytes], inbox: Inbox) -> None:
    async for event in stream.events():
        await inbox.put(event)


async def _first_event(inbox: Inbox, pump: asyncio.Task[None], seconds: float) -> list[Event]:
    """The next event; nothing when the stream has ended or none came in time."""
    if not inbox.empty():
        return [inbox.get_nowait()]
    getter = asyncio.ensure_future(inbox.get())
    await asyncio.wait({getter, pump}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if getter.done():
        return [getter.result()]
    getter.cancel()
    return []


class PartitionsLost(Exception):
    """Another worker may have them."""


class Unsettled(Exception):
    """It shows that another worker may have some partitions when all is emitted, none written."""


class StageLoop:
    """Runs one stage over its stream.

    ``kept`` tells the partitions that no other worker has had since it was last asked;
    ``hold_back`` is told after each batch of which of them nothing more should be read for now.
    Nothing is written of partitions that another worker has: a batch that finds out so before it
    emits is given up; one that finds out afterwards writes down, once the partitions are assigned
    anew, what came of those that are kept.
    """

    def __init__(
        self,
        stage: Stage,  # type: ignore[type-arg]  # any step over any state
        producer: AIOKafkaProducer,
        linger_seconds: float,
        kept: Callable[[], Iterable[int]],
        hold_back: Callable[[Collection[int]], None],
        member: Membership,
    ) -> None:
        self._stage = stage
        self._producer = producer
        self._linger_seconds = linger_seconds
        self._kept = kept
        self._hold_back = hold_back
        self._member = member
        self._metrics = stage.metrics
        self._outstanding: defaultdict[int, deque[Event]] = defaultdict(deque)
        self._last: dict[int, Record] = {}
        self._complete = True
        self._patrolled = time.monotonic()
        self.gate = Gate()
        """Each batch passes through it, from reading to acknowledging."""

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream for as long as the worker lives."""
        stream = stream.noack()  # type: ignore[attr-defined]  # Faust's interface leaves it out
        try:
            async for events in micro_batches(
                stream, READ_MESSAGES, self._linger_seconds, self._wake_seconds
            ):
                await self._process(stream, events)
                self._hold_back(self._stage.held())
                await self._patrol()
        except BaseException:
            self._stage.discard()
            raise

    async def _process(self, stream: faust.StreamT[bytes], events: list[Event]) -> None:
        """Take in events, and process at most a batch of what then has its turn.

        No more than a batch, so that before the next one what is read of other partitions gets its
        turn: one that was far behind, and that all readers further on wait for.
        """
        await self._member.settled()
        async with self.gate:
            kept = self._forget_others()
            read, letters = await self._take(event for event in events if is_current(event))
            self._last = {number: one for number, one in self._last.items() if number in kept}
            self._last |= read
            try:
                self._complete = await self._carry_out(self._last, letters)
            except PartitionsLost:
                logger.warning("agent %s gives up a batch of lost partitions", self._stage.name)
                self._give_up()
            except Unsettled:
                logger.warning("agent %s writes no state of lost partitions", self._stage.name)
                self._complete = False
                return
            if self._complete:
                self._last.clear()
            await self._acknowledge(stream)

    def _give_up(self) -> None:
        """Forget all: the partitions come anew, with what their owner wrote meanwhile."""
        self._stage.discard()
        self._outstanding.clear()
        self._complete = True

    def _wake_seconds(self) -> float:
        if not self._complete:
            return 0.0
        return HELD_SECONDS if self._stage.held() else PATROL_SECONDS

    def _forget_others(self) -> set[int]:
        """Forget the partitions that another worker has now; those that are kept."""
        kept = set(self._kept())
        self._stage.keep(kept)
        for partition in self._outstanding.keys() - kept:
            del self._outstanding[partition]
        return kept

    async def _take(self, events: Iterable[Event]) -> tuple[dict[int, Record], list[Emission]]:
        """Read events into their partitions; the last of each, and dead letters."""
        last: dict[int, Record] = {}
        letters: list[Emission] = []
        for event in events:
            record = record_of(event)
            generation = event.message.generation_id
            if await self._stage.prepare(record.partition, generation):  # type: ignore[arg-type]  # is_current: an int
                self._outstanding[record.partition].clear()
            self._outstanding[record.partition].append(event)
            letters += self._stage.take(record)
            last[record.partition] = record
        return last, letters

    async def _carry_out(self, last: dict[int, Record], letters: list[Emission]) -> bool:
        """Process what has its turn, at most a batch; True if that was all there is.

        ``last`` is the last record of each partition that has moved since all there was was done.
        Raises ``PartitionsLost`` and ``Unsettled``.
        """
        stage, started = self._stage, time.perf_counter()
        generation = self._member.generation
        records = stage.release(stage.batch_messages)
        complete = len(records) < stage.batch_messages
        emissions = letters + await stage.process(records)
        for record in last.values():  # before the mark is written, which tells that it was done
            emissions += stage.close_partition(record)
        if not await self._member.is_current(generation):
            raise PartitionsLost
        await self._emit(records, emissions)
        if not await self._member.is_current(generation):
            raise Unsettled
        await send_all(self._producer, stage.changes(), self._count_retries)
        told = [*stage.watermarks(), *stage.marks()]  # never before what they speak of
        await send_all(self._producer, told, self._count_retries)
        stage.acknowledged()
        self._measure(records, time.perf_counter() - started)
        return complete

    async def _emit(self, records: list[Record], emissions: list[Emission]) -> None:
        """Send all, and put aside what the broker refuses; nothing if too much would be put aside.

        Raises ``TooManyDeadLetters``.
        """
        limit = self._stage.limit
        limit.check(outcomes(records, emissions))
        messages = [one.message for one in emissions]
        refused = await send_all(self._producer, messages, self._count_retries)
        origin = {id(one.message): one.record for one in emissions}
        letters = [
            self._stage.dead_letter(
                origin[id(message)],
                Rejected(
                    Reason.REJECTED_BY_BROKER, f"{message.topic}: {type(error).__name__}: {error}"
                ),
            )
            for message, error in refused
        ]
        judged = limit.check(outcomes(records, emissions + letters))
        await self._put_aside(letters)
        limit.commit(judged)
        lost = {id(message) for message, _ in refused}
        sent = [one for one in emissions + letters if id(one.message) not in lost]
        self._count(sent)
        self._log(records, sent)

    async def _put_aside(self, letters: list[Emission]) -> None:
        refused = await send_all(
            self._producer, [one.message for one in letters], self._count_retries
        )
        for message, error in refused:
            logger.error("%s refuses the dead letter %r: %r", message.topic, message.key, error)

    async def _acknowledge(self, stream: faust.StreamT[bytes]) -> None:
        """Acknowledge in the order of offsets, up to the first that waits for its turn."""
        latency, now = self._metrics.step_latency.labels(self._stage.name), time.time()
        for partition, events in self._outstanding.items():
            while events and not self._stage.waits(partition, events[0].message.offset):
                event = events.popleft()
                if is_current(event) and not event.app.rebalancing:
                    await stream.ack(event)
                    self._metrics.messages_in.labels(self._stage.name).inc()
                    latency.observe(now - event.message.timestamp)

    async def _patrol(self) -> None:
        if time.monotonic() - self._patrolled > PATROL_SECONDS:
            await self._stage.patrol()
            self._patrolled = time.monotonic()

    def _count(self, emissions: list[Emission]) -> None:
        now = datetime.now(UTC)
        for emission in emissions:
            self._metrics.messages_out.labels(self._stage.name, emission.message.topic).inc()
            if emission.received_at is not None:
                seconds = (now - emission.received_at).total_seconds()
                self._metrics.alert_latency.observe(seconds)

    def _log(self, records: list[Record], emissions: list[Emission]) -> None:
        """Each dead letter; at debug each record too, with where what came of it has gone."""
        agent = self._stage.name
        for one in emissions:
            if one.rejected is not None:
                reason = one.rejected.reason.value
                logger.warning("dead letter", extra={**about(agent, one.record), "reason": reason})
        if not logger.isEnabledFor(logging.DEBUG):
            return
        topics = defaultdict[str, list[str]](list)
        for one in emissions:
            topics[one.record.id].append(one.message.topic)
        for record in records:
            logger.debug("done", extra={**about(agent, record), "to": topics[record.id]})

    def _count_retries(self, count: int) -> None:
        self._metrics.send_retries.labels(self._stage.name).inc(count)

    def _measure(self, records: list[Record], seconds: float) -> None:
        if records:
            self._metrics.batch_messages.labels(self._stage.name).observe(len(records))
            self._metrics.batch_duration.labels(self._stage.name).observe(seconds)


def outcomes(records: Iterable[Record], emissions: Iterable[Emission]) -> list[Outcome]:
    """What became of each record, in the order of processing; first of those without a place."""
    letters = {
        (one.record.partition, one.record.offset): one.rejected
        for one in emissions
        if one.rejected is not None
    }
    placed = [(record.partition, record.offset) for record in records]
    others = [place for place in letters if place not in set(placed)]
    found: list[Outcome] = []
    for partition, offset in others + placed:
        rejected = letters.get((partition, offset))
        reason = None if rejected is None else rejected.reason
        found.append(Outcome(partition, offset, reason, "" if rejected is None else str(rejected)))
    return found


def is_current(event: Event) -> bool:
    """Whether an event was read in the group's present generation.

    One of an earlier generation is not ours any more, or will be read again.
    """
    return bool(event.message.generation_id == event.app.consumer_generation_id)


def record_of(event: Event) -> Record:
    """A Faust event as a record."""
    message = event.message
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp=datetime.fromtimestamp(message.timestamp, UTC),
        key=message.key,
        value=event.value,
        headers=_headers(message),
    )


def _headers(message: object) -> Headers:
    headers = getattr(message, "headers", None) or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return tuple((name, value or b"") for name, value in pairs)
