"""A replay of the demo's stream through a real worker, watched by a real Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wanglou.agents import topic_admin
from wanglou.agents.demo import DRAIN_SECONDS, READY_SECONDS, SESSION_SECONDS, STREAM
from wanglou.agents.embedded_broker import embedded_broker
from wanglou.agents.kafka import start_producer
from wanglou.agents.progress import wait_drained
from wanglou.agents.replay import Replay, read_lines
from wanglou.agents.settings import BrokerSettings, TopicSettings
from wanglou.agents.worker_process import WorkerProcess
from wanglou.deploy.grafana.pager_stand_in import running_stand_in
from wanglou.deploy.grafana.panels import Dashboard, Query
from wanglou.deploy.grafana.prometheus_server import (
    SCRAPE_SECONDS,
    Prometheus,
    Series,
    running_prometheus,
)

PARTITIONS = 4
RATE_WINDOW = "10s"
"""What Grafana would put for ``$__rate_interval`` is four scrapes or more."""

ALL = ".*"
"""What Grafana puts for a variable of which all values are chosen."""


@dataclass(frozen=True)
class Observation:
    """A replay that is done; broker, worker and Prometheus still run. Times are Unix seconds."""

    broker: BrokerSettings
    worker: WorkerProcess
    prometheus: Prometheus
    started: float
    ended: float

    def series(self, dashboard: Dashboard, query: Query) -> list[Series]:
        """What a query of a dashboard would show of the replay."""
        expression = query.expression.replace("$__rate_interval", RATE_WINDOW)
        for variable in dashboard.variables:
            expression = expression.replace(f"${variable.name}", ALL)
        return self.prometheus.range(expression, self.started, self.ended, SCRAPE_SECONDS)


@contextlib.contextmanager
def observed_replay(folder: Path, speed: float) -> Iterator[Observation]:
    """Replay the stream at ``speed`` times event time; yields when all of it is done."""
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(embedded_broker(folder / "broker.log"))
        broker = BrokerSettings(url=address)
        asyncio.run(topic_admin.create(broker, TopicSettings(partitions=PARTITIONS)))
        worker = WorkerProcess(
            address,
            folder / "worker.log",
            environment={"WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS)},
            folder=folder,
        )
        stack.callback(worker.kill)
        worker.wait_ready(READY_SECONDS)
        pager = stack.enter_context(running_stand_in())
        targets = [f"127.0.0.1:{worker.port}", pager]
        prometheus = stack.enter_context(running_prometheus(folder, targets))
        started = time.time()
        asyncio.run(_replay(broker, speed))
        yield Observation(broker, worker, prometheus, started, time.time())


async def _replay(broker: BrokerSettings, speed: float) -> None:
    producer = await start_producer(broker)
    try:
        async for sent in Replay(producer, speed).send(read_lines(STREAM)):
            if sent.refused:
                raise RuntimeError(f"the broker refused {sent.refused}")
    finally:
        await producer.stop()
    await wait_drained(broker, DRAIN_SECONDS)
