"""The Faust app: one agent a stage, health and metrics pages."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import faust
from aiokafka import AIOKafkaProducer, TopicPartition
from faust.types import TP
from faust.web import Request, Response, View
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from wanglou.agents.assignment import NO_GENERATION, Assignment
from wanglou.agents.consumer import Consumer
from wanglou.agents.kafka import start_producer
from wanglou.agents.kafka_security import faust_credentials
from wanglou.agents.loop import StageLoop
from wanglou.agents.membership import Membership
from wanglou.agents.metrics import Metrics
from wanglou.agents.offsets import Offsets
from wanglou.agents.pacemaker import Pacemaker
from wanglou.agents.progress_watch import Reading
from wanglou.agents.settings import Settings
from wanglou.agents.stage import Stage
from wanglou.agents.step1_intake import Intake
from wanglou.agents.step2_dedupe import Dedupe
from wanglou.agents.step3_sentiment import Sentiment
from wanglou.agents.step4_risk import Risk
from wanglou.agents.stuck import StuckDetector
from wanglou.agents.window import follow_last_agent
from wanglou.models.order import Position
from wanglou.models.rules import Rules
from wanglou.schemas.topics import RAW, Topic

logger = logging.getLogger(__name__)

APP_ID = "wanglou"
"""The consumer group of all workers."""

AnyStage = Stage[Any, Any]

STAGES: Mapping[str, type[Intake] | type[Dedupe] | type[Sentiment] | type[Risk]] = {
    stage.name: stage for stage in (Intake, Dedupe, Sentiment, Risk)
}
"""All agents, in the order in which data flows."""
MAX_POLL_RECORDS = 500
BUFFERED_EVENTS = 1024
COMMIT_SECONDS = 1.0
HEARTBEATS_PER_SESSION = 6


class WorkerApp:
    """A Faust app that runs some of the stages over one producer."""

    def __init__(self, settings: Settings, stages: Sequence[AnyStage], metrics: Metrics) -> None:
        self._settings = settings
        self._stages = stages
        self._metrics = metrics
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._loops: list[StageLoop] = []
        self._held: defaultdict[str, set[int]] = defaultdict(set)
        self._assignment = Assignment()
        self.faust = _new_app(settings)
        session_seconds = settings.broker.session_timeout_seconds
        self._member = Membership(
            lambda: self.faust.consumer_generation_id,
            self._joined_generation,
            session_seconds / 2,
            session_seconds / HEARTBEATS_PER_SESSION,
            time.monotonic,
        )
        self._add_task("the watch for pauses", self._member.run)
        for stage in stages:
            self._add_agent(stage)
            if stage.source is RAW:
                self._add_pacemaker()
                self._add_window(stage)
        self._detector = StuckDetector(self._readings, settings.stuck, on_count=metrics.stuck.set)
        self.faust.task(self._watch_progress)
        self._add_pages()
        self.faust.on_partitions_revoked.connect(self._on_revoked)  # type: ignore[arg-type]
        self.faust.on_partitions_assigned.connect(self._on_assigned)  # type: ignore[arg-type]
        self.faust.on_before_shutdown.connect(self._on_shutdown)

    def _add_agent(self, stage: AnyStage) -> None:
        topic = self.faust.topic(
            stage.source.name, value_type=bytes, value_serializer="raw", key_serializer="raw"
        )

        async def run(stream: faust.StreamT[bytes]) -> None:
            try:
                producer = await self._started_producer()
                kept = partial(self._assignment.kept, stage.source.name)
                loop = StageLoop(
                    stage,
                    producer,
                    self._settings.worker.linger_seconds,
                    kept,
                    partial(self._hold_back, stage.source),
                    self._member,
                )
                self._loops.append(loop)
                await loop.run(stream)
            except Exception as error:
                # Nothing of the batch is acknowledged: the next worker reads it again.
                logger.exception("agent %s cannot go on, the worker stops", stage.name)
                await self.faust.crash(error)
                raise

        run.__qualname__ = stage.name  # what the log calls it
        self.faust.agent(topic, name=stage.name, concurrency=1)(run)

    def _add_pacemaker(self) -> None:
        async def beat() -> None:
            await Pacemaker(
                self._settings.broker,
                await self._started_producer(),
                partial(self._assignment.of, RAW.name),
                self._settings.worker.idle_seconds,
                self._metrics,
            ).run()

        self._add_task("the pacemaker", beat)

    def _add_window(self, intake: AnyStage) -> None:
        def tell(done: Position) -> None:
            intake.done = done

        (last,) = intake.follows
        self._add_task("the window", partial(follow_last_agent, self._settings.broker, last, tell))

    def _add_task(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        async def task() -> None:
            try:
                await run()
            except Exception as error:
                logger.exception("%s cannot go on, the worker stops", name)
                await self.faust.crash(error)
                raise

        self.faust.task(task)

    async def _watch_progress(self) -> None:
        async with Offsets(self._settings.broker, APP_ID) as self._offsets:
            await self._detector.run()

    async def _readings(self) -> dict[str, Reading]:
        """How far this worker's partitions have come, by topic and partition."""
        waits = {
            TopicPartition(stage.source.name, number): reason
            for stage in self._stages
            for number, reason in stage.why_waiting().items()
        }
        places = [
            TopicPartition(stage.source.name, number)
            for stage in self._stages
            for number in self._assignment.of(stage.source.name)
        ]
        readings = await self._offsets.readings(places)
        return {
            f"{place.topic}/{place.partition}": replace(reading, waits=waits.get(place))
            for place, reading in readings.items()
        }

    def _hold_back(self, topic: Topic, full: Collection[int]) -> None:
        """Fetch no more of these partitions, as when a stream's buffer is full; of others go on.

        Not by pausing them: Faust drops what it has fetched of a partition that is paused.
        """
        before = self._held[topic.name]
        for number in before - set(full):
            self.faust.consumer.on_buffer_drop(TP(topic.name, number))
        for number in full:  # each time: an emptied buffer lets Faust go on
            self.faust.consumer.on_buffer_full(TP(topic.name, number))
        self._held[topic.name] = set(full)

    def _joined_generation(self) -> int:
        """What aiokafka has of the group; it is reset as soon as a heartbeat is refused."""
        consumer = self.faust.consumer._thread._consumer  # type: ignore[attr-defined]
        return NO_GENERATION if consumer is None else int(consumer._coordinator.generation)

    async def _started_producer(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                self._producer = await start_producer(self._settings.broker)
        return self._producer

    async def _on_shutdown(self, *args: object, **kwargs: object) -> None:
        """Faust reads nothing more, but has not cancelled the agents yet; afterwards it commits."""
        await self._end_batches(self._settings.worker.drain_seconds)
        if self._producer is not None:
            await self._producer.stop()

    async def _end_batches(self, seconds: float) -> None:
        """Let the batches in work end, so that the next owner of a partition repeats nothing."""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(loop.gate.close() for loop in self._loops))
        except TimeoutError:
            logger.warning("batches did not end within %g s: the next worker repeats them", seconds)

    async def _on_revoked(self, app: faust.App, revoked: Iterable[TP], **kwargs: object) -> None:
        await self._end_batches(self._settings.broker.session_timeout_seconds / 2)

    async def _on_assigned(self, app: faust.App, assigned: Iterable[TP], **kwargs: object) -> None:
        places = [(place.topic, place.partition) for place in assigned]
        self._assignment.assign(self._member.generation, places)
        self._held.clear()  # Faust fetches of all again
        for loop in self._loops:
            loop.gate.open()

    def _measure(self) -> None:
        """What the metrics tell of partitions, as it is now."""
        self._metrics.forget_partitions()
        for stage in self._stages:
            assigned = self._assignment.of(stage.source.name)
            stage.measure(assigned)
            for number in assigned:
                self._measure_lag(stage, TP(stage.source.name, number))

    def _measure_lag(self, stage: AnyStage, place: TP) -> None:
        consumer = self.faust.consumer
        end = consumer.highwater(place)
        done = consumer._committed_offset.get(place)  # type: ignore[attr-defined]
        if end is not None:
            lag = self._metrics.lag.labels(stage.name, str(place.partition))
            lag.set(max(0, end - max(0, done or 0)))

    def _is_ready(self) -> bool:
        app = self.faust
        return app.started and not app.rebalancing and app.flow_control.is_active()

    def _add_pages(self) -> None:
        @self.faust.page("/metrics")
        async def metrics(view: View, request: Request) -> Response:
            self._measure()
            body = generate_latest(self._metrics.registry)
            return view.bytes(body, content_type=CONTENT_TYPE_LATEST.split(";")[0])

        @self.faust.page("/healthz")
        async def healthz(view: View, request: Request) -> Response:
            healthy = not self.faust.crashed and self._detector.healthy
            answer = {"healthy": healthy, "reasons": list(self._detector.reasons)}
            return view.json(answer, status=200 if healthy else 503)

        @self.faust.page("/readyz")
        async def readyz(view: View, request: Request) -> Response:
            ready = self._is_ready()
            return view.json({"ready": ready}, status=200 if ready else 503)


def new_stages(
    settings: Settings,
    rules: Rules,
    names: Iterable[str],
    metrics: Metrics,
    counts: Mapping[str, int],
) -> list[AnyStage]:
    """The stages of these names, in the order in which data flows.

    ``counts`` are the partitions of all topics, by name.
    """
    chosen = set(names)
    return [
        stage(settings, rules, metrics, counts) for name, stage in STAGES.items() if name in chosen
    ]


def _new_app(settings: Settings) -> faust.App:
    broker, worker = settings.broker, settings.worker
    app = faust.App(
        APP_ID,
        broker=[f"kafka://{address.strip()}" for address in broker.url.split(",")],
        broker_credentials=faust_credentials(broker),
        broker_session_timeout=broker.session_timeout_seconds,
        broker_heartbeat_interval=broker.session_timeout_seconds / HEARTBEATS_PER_SESSION,
        broker_request_timeout=max(
            broker.request_timeout_seconds, broker.session_timeout_seconds + 5
        ),
        broker_max_poll_records=MAX_POLL_RECORDS,
        broker_commit_interval=COMMIT_SECONDS,
        stream_buffer_maxsize=BUFFERED_EVENTS,
        stream_wait_empty=False,  # what is buffered is read again by the new owner
        topic_disable_leader=True,
        topic_allow_declare=False,
        datadir=str(Path(tempfile.gettempdir()) / "wanglou-faust"),  # Faust insists on one
        web_bind=worker.host,
        web_host=worker.host,
        web_port=worker.port,
        autodiscover=False,
    )
    app.transport.Consumer = Consumer  # type: ignore[misc]  # of this app, not of the class
    return app
