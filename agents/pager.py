"""The pager: takes alerts and acknowledgements to the people on call.

A plain consumer group over alerts and responses, both keyed by event; an alert is recorded, with
whom it has to reach, before its offset is committed. The rest follows from the record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord
from aiokafka import TopicPartition as Place
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError
from pydantic import ValidationError

from wanglou.agents.casebook import Casebook, Desk
from wanglou.agents.kafka import (
    Message,
    new_reader,
    place_of,
    read_place,
    send_all,
    start_producer,
    stop_reader,
)
from wanglou.agents.kafka_security import client_security
from wanglou.agents.pager_courier import Courier
from wanglou.agents.pager_links import Links
from wanglou.agents.pager_metrics import PagerMetrics
from wanglou.agents.pager_rules import PagerRules
from wanglou.agents.pager_targets import Target, new_target
from wanglou.agents.rejecting import rejection
from wanglou.agents.settings import BrokerSettings, Settings
from wanglou.models.case import (
    NEEDS_SOMEBODY,
    Acknowledgement,
    Case,
    acknowledge,
    ask_again,
    drop_untold,
    escalate,
    is_forgotten,
    take_page,
    waiting,
)
from wanglou.models.duty import on_duty
from wanglou.models.page import page_of, title_of
from wanglou.models.page_plan import is_quiet
from wanglou.models.pager_clock import PagerClock
from wanglou.schemas.cloudevents import cloudevents_headers
from wanglou.schemas.dead_letter import Reason
from wanglou.schemas.page import PageRecord
from wanglou.schemas.problems import describe
from wanglou.schemas.response import Act, Response
from wanglou.schemas.risk import Alert, Level
from wanglou.schemas.topics import ALERTS, PAGES, RESPONSES

logger = logging.getLogger(__name__)

GROUP = "wanglou-pager"
POLL_MS = 200
MAX_RECORDS = 500
TICK_SECONDS = 1.0
PATROL_SECONDS = 60.0
HEARTBEATS_PER_SESSION = 6


def wall_clock() -> datetime:
    """The time on the wall."""
    return datetime.now(UTC)


class Pager(ConsumerRebalanceListener):  # type: ignore[misc]
    """The process. ``run`` ends after ``stop``, or raises what it cannot go on after."""

    def __init__(
        self,
        settings: Settings,
        rules: PagerRules,
        metrics: PagerMetrics,
        clock: PagerClock,
        link_of: Callable[[Case], str],
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._policy = rules.policy()
        self._metrics = metrics
        self._clock = clock
        self._link_of = link_of
        self._targets: dict[str, Target] = {
            name: new_target(name, one, clock.wall) for name, one in rules.receivers.items()
        }
        self._stopping = asyncio.Event()
        self._assigned: set[int] | None = None
        self._opened: set[int] = set()
        self._ends: dict[Place, int] = {}
        self.casebook = Casebook(settings.broker, lambda: self.producer, clock)
        self._producer: AIOKafkaProducer | None = None

    @property
    def producer(self) -> AIOKafkaProducer:
        """Its producer; while it runs."""
        if self._producer is None:
            raise RuntimeError("the pager does not run")
        return self._producer

    def stop(self) -> None:
        """Let the messages being sent end, and give the partitions back."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until `stop`."""
        self._producer = await start_producer(self._settings.broker)
        self._consumer = _new_consumer(self._settings.broker)
        self._couriers = [
            Courier(
                name,
                self._rules,
                target,
                self.casebook,
                self._clock,
                self._metrics,
                self._link_of,
                self._put_aside,
                self._publish,
            )
            for name, target in self._targets.items()
        ]
        await self._consumer.start()
        self._consumer.subscribe([ALERTS.name, RESPONSES.name], listener=self)
        work = [asyncio.create_task(courier.run()) for courier in self._couriers]
        work += [asyncio.create_task(one()) for one in (self._read, self._tick, self._patrol)]
        stopped: asyncio.Task[Any] = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([stopped, *work], return_when=asyncio.FIRST_COMPLETED)
            self._stopping.set()
            await self._drain(work[: len(self._couriers) + 1])
            for task in work:
                if task.done() and not task.cancelled():
                    task.result()
        finally:
            for task in [stopped, *work]:
                task.cancel()
            await asyncio.gather(stopped, *work, return_exceptions=True)
            self.casebook.close()
            await stop_reader(self._consumer)
            for target in self._targets.values():
                await target.close()
            await self.producer.stop()

    async def _drain(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Let couriers and reading end: a reader cancelled in a fetch would not leave its group."""
        for courier in self._couriers:
            courier.stopping = True
        self.casebook.wake()
        await asyncio.wait(tasks, timeout=self._settings.pager.drain_seconds)

    async def on_partitions_revoked(self, revoked: Iterable[Place]) -> None:
        """Another pager may get them; what is being sent now it knows as begun."""
        self._assigned = None
        self.casebook.close()

    async def on_partitions_assigned(self, assigned: Iterable[Place]) -> None:
        """The reading loop opens their desks: here the group would wait for it.

        Alerts are read first, so that an acknowledgement finds its case.
        """
        self._assigned = {place.partition for place in assigned}
        self._opened = set()
        self._consumer.pause(*(Place(RESPONSES.name, one) for one in self._assigned))

    @property
    def ready(self) -> bool:
        """Whether it has its partitions, and has read what stood there."""
        desks = self.casebook.desks
        return self._assigned == desks.keys() and all(one.ready for one in desks.values())

    async def _open_desks(self) -> None:
        assigned = self._assigned
        for partition in (assigned or set()) - self._opened:
            self._opened.add(partition)
            desk = await self.casebook.open(partition)
            ends = await self._consumer.end_offsets(_places(partition))
            if self._assigned is not assigned:
                return
            self._ends.update(ends)
            self.casebook.desks[partition] = desk

    async def _read(self) -> None:
        while not self._stopping.is_set():
            await self._open_desks()
            batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=MAX_RECORDS)
            await self._open_desks()
            try:
                await self._take_all(batches)
                await self._look_for_end()
            except IllegalStateError as error:  # given away meanwhile
                logger.info("read again by whoever has the partition: %r", error)

    async def _take_all(self, batches: dict[Place, list[ConsumerRecord]]) -> None:
        offsets = {}
        for place, records in batches.items():
            desk = self.casebook.desks.get(place.partition)
            if desk is not None and await self._take(place.partition, desk, records):
                offsets[place] = records[-1].offset + 1
        if not offsets:
            return
        self.casebook.wake()
        try:
            await self._consumer.commit(offsets)
        except CommitFailedError as error:
            logger.info("read again by whoever has the partition: %r", error)

    async def _look_for_end(self) -> None:
        for partition, desk in list(self.casebook.desks.items()):
            alerts, responses = _places(partition)
            if desk.ready or not await self._has_come_to_end(alerts):
                continue
            self._consumer.resume(responses)
            if await self._has_come_to_end(responses):
                desk.ready = True
                self.casebook.wake()

    async def _has_come_to_end(self, place: Place) -> bool:
        return bool(await self._consumer.position(place) >= self._ends[place])

    async def _take(self, partition: int, desk: Desk, records: Sequence[ConsumerRecord]) -> bool:
        """Record what the records bring; whether the partition is still ours."""
        changed: dict[str, Case | None] = {}
        for record in records:
            try:
                case = self._case_after(desk, record)
            except ValidationError as error:
                await self._reject(record, Reason.of(error), describe(error))
            except Exception as error:
                logger.exception("%s", place_of(record))
                await self._reject(record, Reason.FAILED, f"{type(error).__name__}: {error}")
            else:
                if case is not None:
                    desk.cases[case.page.event_id] = changed[case.page.event_id] = case
        return await self.casebook.write(partition, changed) if changed else True

    def _case_after(self, desk: Desk, record: ConsumerRecord) -> Case | None:
        """The case that a record changes, None if it changes none."""
        if record.topic == ALERTS.name:
            return self._alerted(desk, record)
        response = Response.model_validate_json(record.value or b"")
        if response.act is not Act.ACKNOWLEDGEMENT:
            return None
        case = desk.cases.get(response.event_id)
        if case is None:
            logger.warning("%s: acknowledges a case that is not known", place_of(record))
            return None
        level = case.page.level
        given = Acknowledgement(response.by, response.at)
        took = acknowledge(case, response.alert_id, given, self._clock.now())
        if took is not None and level is not None:
            seconds = took.total_seconds()
            self._metrics.acknowledgement_duration.labels(level.label).observe(seconds)
        return case

    def _alerted(self, desk: Desk, record: ConsumerRecord) -> Case | None:
        alert = Alert.model_validate_json(record.value or b"")
        now, wall = self._clock.now(), self._clock.wall()
        written_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        known = desk.cases.get(alert.event_id)
        people = on_duty(self._rules.rota, wall)
        case = take_page(
            known, page_of(alert), record.offset, written_at, people, self._policy, now
        )
        if case is None:
            return known if known is not None and ask_again(known, alert.id, now) else None
        for receiver in drop_untold(case, wall):
            self._metrics.pages.labels(receiver, "suppressed").inc()
        return case

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for partition, desk in list(self.casebook.desks.items()):
                if desk.ready:
                    await self._let_time_pass(partition, desk)

    async def _let_time_pass(self, partition: int, desk: Desk) -> None:
        """Call the next where nobody has acknowledged; forget what is long over."""
        now, people = self._clock.now(), on_duty(self._rules.rota, self._clock.wall())
        changed: dict[str, Case | None] = {}
        for event_id, case in list(desk.cases.items()):
            if escalate(case, people, self._policy, now):
                changed[event_id] = case
            elif is_forgotten(case, now):
                changed[event_id] = None
                del desk.cases[event_id]
        if not changed or not await self.casebook.write(partition, changed):
            return
        for called in changed.values():
            if called is not None and called.page.level is not None:
                self._metrics.escalations.labels(called.page.level.label).inc()
                logger.warning("case %s: nobody acknowledged, call %d", *_called(called))
        self.casebook.wake()

    async def _patrol(self) -> None:
        while True:
            await asyncio.sleep(PATROL_SECONDS)
            await self.casebook.patrol()

    async def _publish(self, pages: Sequence[PageRecord]) -> None:
        """Write down what receivers were told."""
        messages = []
        for page in pages:
            headers = cloudevents_headers(
                id=page.id, type=PAGES.event_type, source="/wanglou/pager", time=page.at
            )
            messages.append(Message(PAGES.name, page.event_id.encode(), page.to_json(), headers))
        await send_all(self.producer, messages)

    async def _put_aside(self, case: Case, receiver: str, error: str) -> None:
        """A page that a receiver was not told in time."""
        partition = self.casebook.desk_of(case)
        if partition is None:
            return
        reader = new_reader(self._settings.broker)
        try:
            await reader.start()
            place = Place(ALERTS.name, partition)
            async for record in read_place(reader, place, case.offset):
                text = f"receiver {receiver}: {error}"
                await self._reject(record, Reason.FAILED, text, f"/{receiver}")
                break
        finally:
            await stop_reader(reader)

    async def _reject(
        self, record: ConsumerRecord, reason: Reason, error: str, suffix: str = ""
    ) -> None:
        message = rejection(record, "pager", reason, error, suffix)
        await send_all(self.producer, [message])

    def title_of(self, event_id: str) -> str:
        """How a page names a case; the id where it is not on a desk of this pager."""
        for case in self.casebook.ready_cases():
            if case.page.event_id == event_id:
                return title_of(case.page)
        return event_id

    def measure(self) -> None:
        """Set the gauges."""
        cases = list(self.casebook.ready_cases())
        for name in self._rules.receivers:
            waits = waiting(cases, name)
            oldest = [
                case.deliveries[name].waiting_since
                for case in waits
                if self._rules.quiet is None
                or not is_quiet(case)
                or self._rules.quiet.end_after(self._clock.wall()) is None
            ]
            self._metrics.waiting.labels(name).set(len(waits))
            self._metrics.oldest_waiting.labels(name).set(_earliest(oldest))
        for level in (one for one in Level if one >= NEEDS_SOMEBODY):
            since = [
                case.unacknowledged_since
                for case in cases
                if case.page.level == level and case.unacknowledged_since is not None
            ]
            self._metrics.unacknowledged.labels(level.label).set(len(since))
            self._metrics.unacknowledged_oldest.labels(level.label).set(_earliest(since))


def new_pager(
    settings: Settings,
    rules: PagerRules,
    links: Links | None,
    metrics: PagerMetrics,
    clock: PagerClock,
) -> Pager:
    """A pager; its texts have ``links`` to acknowledge, if any. Raises ``RulesError``."""

    def link_of(case: Case) -> str:
        return links.link(case.page.event_id, case.page.alert_id) if links else ""

    return Pager(settings, rules, metrics, clock, link_of)


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


def _places(partition: int) -> tuple[Place, Place]:
    return Place(ALERTS.name, partition), Place(RESPONSES.name, partition)


def _called(case: Case) -> tuple[str, int]:
    return case.page.event_id, case.calls


def _earliest(times: Sequence[datetime]) -> float:
    return min((one.timestamp() for one in times), default=0.0)
