"""The Faust app: one agent a stage, health and metrics pages."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import faust
from aiokafka import AIOKafkaProducer
from faust.types import TP
from faust.web import Request, Response, View
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from wanglou.agents.kafka import new_producer
from wanglou.agents.loop import StageLoop
from wanglou.agents.metrics import Metrics
from wanglou.agents.settings import Settings
from wanglou.agents.stage import Stage
from wanglou.agents.step1_intake import Intake
from wanglou.agents.step2_dedupe import Dedupe
from wanglou.agents.step3_sentiment import Sentiment
from wanglou.agents.step4_risk import Risk

logger = logging.getLogger(__name__)

APP_ID = "wanglou"
"""The consumer group of all workers."""

STAGES: Mapping[str, type[Intake] | type[Dedupe] | type[Sentiment] | type[Risk]] = {
    stage.name: stage for stage in (Intake, Dedupe, Sentiment, Risk)
}
"""All agents, in the order in which data flows."""

MAX_POLL_RECORDS = 500
BUFFERED_EVENTS = 1024
COMMIT_SECONDS = 1.0
HEARTBEATS_PER_SESSION = 4


class WorkerApp:
    """A Faust app that runs some of the stages over one producer."""

    def __init__(self, settings: Settings, stages: Sequence[Stage], metrics: Metrics) -> None:
        self._settings = settings
        self._stages = stages
        self._metrics = metrics
        self._producer: AIOKafkaProducer | None = None
        self.faust = _new_app(settings)
        for stage in stages:
            self._add_agent(stage)
        self._add_pages()
        self.faust.on_partitions_assigned.connect(self._on_assigned)  # type: ignore[arg-type]
        self.faust.on_before_shutdown.connect(self._on_shutdown)

    def _add_agent(self, stage: Stage) -> None:
        topic = self.faust.topic(
            stage.source.name, value_type=bytes, value_serializer="raw", key_serializer="raw"
        )

        async def run(stream: faust.StreamT[bytes]) -> None:
            try:
                producer = await self._started_producer()
                await StageLoop(stage, producer, self._settings.worker).run(stream)
            except Exception as error:
                # Nothing of the batch is acknowledged: the next worker reads it again.
                logger.exception("agent %s cannot go on, the worker stops", stage.name)
                await self.faust.crash(error)
                raise

        run.__qualname__ = stage.name  # what the log calls it
        self.faust.agent(topic, name=stage.name, concurrency=1)(run)

    async def _started_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = new_producer(self._settings.broker)
            await self._producer.start()
        return self._producer

    async def _on_shutdown(self, *args: object, **kwargs: object) -> None:
        if self._producer is not None:
            await self._producer.stop()

    async def _on_assigned(self, app: faust.App, assigned: Iterable[TP], **kwargs: object) -> None:
        for stage in self._stages:
            stage.keep(tp.partition for tp in assigned if tp.topic == stage.source.name)

    def _measure_lag(self) -> None:
        consumer = self.faust.consumer
        for stage in self._stages:
            for tp in consumer.assignment():
                if tp.topic == stage.source.name:
                    end = consumer.highwater(tp)
                    done = consumer._committed_offset.get(tp)  # type: ignore[attr-defined]
                    if end is not None:
                        lag = self._metrics.lag.labels(stage.name, str(tp.partition))
                        lag.set(max(0, end - (done or 0)))

    def _is_ready(self) -> bool:
        app = self.faust
        return app.started and not app.rebalancing and app.flow_control.is_active()

    def _add_pages(self) -> None:
        @self.faust.page("/metrics")
        async def metrics(view: View, request: Request) -> Response:
            self._measure_lag()
            body = generate_latest(self._metrics.registry)
            return view.bytes(body, content_type=CONTENT_TYPE_LATEST.split(";")[0])

        @self.faust.page("/healthz")
        async def healthz(view: View, request: Request) -> Response:
            healthy = not self.faust.crashed
            return view.json({"healthy": healthy}, status=200 if healthy else 503)

        @self.faust.page("/readyz")
        async def readyz(view: View, request: Request) -> Response:
            ready = self._is_ready()
            return view.json({"ready": ready}, status=200 if ready else 503)


def new_stages(settings: Settings, names: Iterable[str], metrics: Metrics) -> list[Stage]:
    """The stages of these names, in the order in which data flows."""
    rules, chosen = settings.load_rules(), set(names)
    return [stage(settings, rules, metrics) for name, stage in STAGES.items() if name in chosen]


def _new_app(settings: Settings) -> faust.App:
    broker, worker = settings.broker, settings.worker
    return faust.App(
        APP_ID,
        broker=[f"kafka://{address.strip()}" for address in broker.url.split(",")],
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
