"""The archive's process: reads what is said of cases, and writes it down.

A plain consumer group. What was read, what follows from it for the cases, what goes to Kafka, and
how far was read are one transaction of the database: so nothing is lost and nothing is there twice,
whatever ends the process. The group's own offsets are written for those who look at the lag only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord
from aiokafka import TopicPartition as Place
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from wanglou.agents.archive.effects import due_minute
from wanglou.agents.archive.event_clock import FOLLOWED, EventClock
from wanglou.agents.archive.metrics import ArchiveMetrics
from wanglou.agents.archive.problems import ArchiveError, Fenced, Unavailable
from wanglou.agents.archive.scribe import Scribe
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.turns import Turns
from wanglou.agents.kafka import send_all, start_producer, stop_reader
from wanglou.agents.kafka_security import client_security
from wanglou.agents.settings import BrokerSettings
from wanglou.models.response.case_file import CaseFile
from wanglou.schemas.base import time_of
from wanglou.schemas.cloudevents import TYPE_HEADER
from wanglou.schemas.topics import ALERTS, EVENTS, PAGES, RESPONSES, SCORED

logger = logging.getLogger(__name__)

T = TypeVar("T")

GROUP = "wanglou-archive"
READS = (ALERTS, EVENTS, RESPONSES, PAGES, SCORED)
POLL_MS = 200
MAX_RECORDS = 2000
HEARTBEATS_PER_SESSION = 6
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds until a database that did not answer is asked again."""


class Archiver(ConsumerRebalanceListener):  # type: ignore[misc]
    """The process. ``run`` ends after ``stop``, or raises what it cannot go on after."""

    def __init__(
        self, broker: BrokerSettings, archive: Archive, scribe: Scribe, metrics: ArchiveMetrics
    ) -> None:
        self._broker = broker
        self._archive = archive
        self._scribe = scribe
        self._metrics = metrics
        self._clock = EventClock(broker)
        self._stopping = False
        self._assigned: frozenset[Place] = frozenset()
        self._placed: frozenset[Place] | None = None
        """The partitions whose reading began where the database says."""
        self._next: dict[Place, int | None] = {}
        """Of each partition what the database says is to be read next; None for nothing."""
        self._turns: dict[int, Turns[ConsumerRecord]] = {}
        self._pending: list[ConsumerRecord] = []
        self._read_to: dict[Place, int] = {}
        self._due: dict[str, int] = {}
        """The event minute at which a measure of a case is to be evaluated next."""
        self._minute = -1
        self._has_mail = True

    @property
    def ready(self) -> bool:
        """Whether it reads its partitions, and the database answers."""
        return self._placed is not None and self._metrics.is_up

    def stop(self) -> None:
        """End what is being written, and give the partitions back."""
        self._stopping = True

    async def run(self) -> None:
        """Run until `stop`."""
        self._producer: AIOKafkaProducer = await start_producer(self._broker)
        self._consumer: AIOKafkaConsumer = _new_consumer(self._broker)
        await self._consumer.start()
        self._consumer.subscribe([topic.name for topic in READS], listener=self)
        following = asyncio.create_task(self._clock.follow())
        try:
            while not self._stopping:
                try:
                    await self._round()
                except Fenced as error:
                    logger.warning("%s", error)
                    self._placed = None  # begin again where the database is
                except IllegalStateError as error:  # given away meanwhile
                    logger.info("read by whoever has the partition: %r", error)
                if following.done():
                    following.result()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await stop_reader(self._consumer)
            await self._producer.stop()

    async def on_partitions_revoked(self, revoked: Iterable[Place]) -> None:
        """Another process may get them; what was not written is read again."""
        self._forget()

    async def on_partitions_assigned(self, assigned: Iterable[Place]) -> None:
        """The loop finds out where to begin: here the group would wait for the database."""
        self._assigned = frozenset(assigned)
        self._forget()
        self._consumer.pause(*self._assigned)

    def _forget(self) -> None:
        self._placed = None
        self._pending, self._turns, self._read_to, self._next = [], {}, {}, {}

    async def _round(self) -> None:
        if self._placed != self._assigned:
            await self._begin()
        batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=MAX_RECORDS)
        if self._placed == self._assigned:
            self._take(batches)
            await self._take_turns()
            await self._write()
            await self._send()
            await self._let_time_pass()

    async def _begin(self) -> None:
        """Go on reading where the database is."""
        assigned = self._assigned
        self._forget()
        topics = [topic.name for topic in READS]
        stored = await self._patiently(partial(self._archive.offsets, topics))
        mine = {place.partition for place in assigned if place.topic == ALERTS.name}
        due = await self._patiently(partial(self._find_due, mine))
        if self._assigned != assigned:
            return
        for place in assigned:
            self._next[place] = offset = stored.get((place.topic, place.partition))
            if offset is None:
                await self._consumer.seek_to_beginning(place)
            else:
                self._consumer.seek(place, offset)
        self._due, self._minute = due, -1
        self._consumer.resume(*assigned)
        self._turns = {number: Turns() for number in mine}
        self._placed = assigned

    def _find_due(self, partitions: set[int]) -> dict[str, int]:
        """When the cases of some partitions are to be evaluated next."""
        found = {}
        for row in self._archive.cases():
            if self._scribe.partition_of(row.id) in partitions:
                minute = due_minute(CaseFile.model_validate_json(row.body))
                if minute is not None:
                    found[row.id] = minute
        return found

    def _take(self, batches: Mapping[Place, Sequence[ConsumerRecord]]) -> None:
        for place, records in batches.items():
            if place.topic == ALERTS.name:
                self._turns[place.partition].alerts.extend(records)
            elif place.topic == RESPONSES.name:
                self._turns[place.partition].responses.extend(records)
            else:
                self._pending.extend(records)
                self._read_to[place] = records[-1].offset + 1

    async def _take_turns(self) -> None:
        """Alerts and responses whose turn has come."""
        for number, turns in self._turns.items():
            alerts, responses = Place(ALERTS.name, number), Place(RESPONSES.name, number)
            released = turns.release(
                alerts_end=bool(turns.responses) and await self._has_all(alerts),
                responses_end=bool(turns.alerts) and await self._has_fetched_all(responses),
            )
            self._pending.extend(released)
            for record in released:
                self._read_to[Place(record.topic, record.partition)] = record.offset + 1

    async def _has_all(self, place: Place) -> bool:
        """Whether all that stands in a partition now has been fetched."""
        end = (await self._consumer.end_offsets([place]))[place]
        return bool(await self._consumer.position(place) >= end)

    async def _has_fetched_all(self, place: Place) -> bool:
        """The same, as the last fetch says."""
        end = self._consumer.highwater(place)
        return end is not None and bool(await self._consumer.position(place) >= end)

    async def _write(self) -> None:
        """Write what was read."""
        records = [one for one in self._pending if _says_something(one)]
        moves = {place: (self._next[place], new) for place, new in self._read_to.items()}
        self._pending, self._read_to = [], {}
        if not moves:
            return
        cases = await self._patiently(partial(self._scribe.write, records, moves))
        if self._placed is None:  # given away while it was written
            return
        self._next.update({place: new for place, (_, new) in moves.items()})
        self._has_mail = True
        for case in cases:
            self._note_due(case)
        try:
            await self._consumer.commit({place: new for place, (_, new) in moves.items()})
        except CommitFailedError as error:
            logger.info("read by whoever has the partition: %r", error)
        except KafkaError as error:
            logger.warning("the lag that others see is behind: %r", error)

    def _note_due(self, case: CaseFile) -> None:
        minute = due_minute(case)
        if minute is None:
            self._due.pop(case.id, None)
        else:
            self._due[case.id] = minute

    async def _send(self) -> None:
        """Send what waits for Kafka."""
        while self._has_mail:
            queued = await self._patiently(self._archive.outbox)
            if queued:
                refused = await send_all(self._producer, [one.message for one in queued])
                for message, error in refused:
                    logger.error("%s: the broker refuses a message: %r", message.topic, error)
                await self._patiently(partial(self._archive.sent, queued))
            self._has_mail = bool(queued)

    async def _let_time_pass(self) -> None:
        """Evaluate what is due, once all that came before is recorded."""
        if self._clock.coming is None or self._clock.coming[0] <= self._minute:
            return
        minute, ends = self._clock.coming
        topics = [topic.name for topic in FOLLOWED]
        stored = await self._patiently(partial(self._archive.offsets, topics))
        if any(stored.get((at.topic, at.partition), 0) < end for at, end in ends.items()):
            return
        self._minute = minute
        for id in [one for one, when in self._due.items() if when <= minute]:
            await self._evaluate(id, minute)
        await self._patiently(partial(self._measure, time_of(minute)))

    async def _evaluate(self, id: str, minute: int) -> None:
        """Evaluate the measures of a case. One that cannot be is told, and holds up no other."""
        try:
            case = await self._patiently(partial(self._scribe.evaluate, id, minute))
        except ArchiveError:
            raise
        except Exception:
            logger.exception("%s cannot be evaluated", id)
            self._metrics.unevaluated.inc()
            del self._due[id]
        else:
            self._has_mail = True
            self._note_due(case)

    def _measure(self, now: datetime) -> None:
        self._metrics.time.set(now.timestamp())
        self._metrics.show_overdue(
            (CaseFile.model_validate_json(row.body) for row in self._archive.cases(due_before=now)),
            now,
        )

    async def _patiently(self, work: Callable[[], T]) -> T:
        """Do something with the database, again and again while it does not answer.

        In the meantime the group is told that this process lives, and nothing more is read.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                found = await asyncio.to_thread(work)
            except Unavailable as error:
                self._metrics.is_up = False
                logger.warning("%s; trying again in %.1f s", error, pause)
                await self._wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                if self._stopping:
                    raise
            else:
                self._metrics.is_up = True
                return found

    async def _wait(self, seconds: float) -> None:
        """Let time pass while nothing is read; a consumer that asks for nothing would be put out
        of its group."""
        self._consumer.pause(*self._consumer.assignment())
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until and not self._stopping:
            batches = await self._consumer.getmany(timeout_ms=POLL_MS)
            if self._placed == self._assigned:  # fetched before
                self._take(batches)
        if self._placed is not None:
            self._consumer.resume(*self._placed & self._consumer.assignment())


def _says_something(record: ConsumerRecord) -> bool:
    """Not a message that only tells the time, and no tombstone."""
    kind = next((value for name, value in record.headers if name == TYPE_HEADER), None)
    return record.value is not None and (kind is None or kind.decode() == record.topic)


def _new_consumer(broker: BrokerSettings) -> AIOKafkaConsumer:
    session_ms = int(broker.session_timeout_seconds * 1000)
    return AIOKafkaConsumer(
        bootstrap_servers=broker.url,
        **client_security(broker),
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // HEARTBEATS_PER_SESSION,
        rebalance_timeout_ms=session_ms,
        request_timeout_ms=int(broker.request_timeout_seconds * 1000),
        partition_assignment_strategy=[RangePartitionAssignor],
    )
