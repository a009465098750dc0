"""The demo's stream through a real worker, while a real Prometheus looks on."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster import WITH_MODEL, Cluster, running_broker
from pager_stand_in import running_pager_stand_in
from prometheus_server import POLL_SECONDS, Prometheus, running_prometheus
from sqlalchemy import URL

from wanglou.agents.archive.database import new_engine
from wanglou.agents.archive.migration import upgrade
from wanglou.agents.demo import DRAIN_SECONDS, STREAM
from wanglou.agents.progress import wait_drained
from wanglou.agents.worker_process import WorkerProcess
from wanglou.deploy.grafana.panels import Query

PARTITIONS = 4
RATE_INTERVAL = "15s"
"""What ``$__rate_interval`` stands for where Prometheus scrapes each second."""

READY_SECONDS, SEEN_SECONDS = 300.0, 60.0
"""Long, as a busy machine says nothing about the dashboards."""


@dataclass(frozen=True, slots=True)
class ObservedReplay:
    """What is there when all agents have done everything, and between which times it came."""

    cluster: Cluster
    worker: WorkerProcess
    prometheus: Prometheus
    started: float
    ended: float


def expression(query: Query) -> str:
    """A panel's query as Grafana asks it with all choices at "All"."""
    asked = query.expression.replace("$__rate_interval", RATE_INTERVAL)
    for name in ("institution", "agent", "partition"):
        asked = asked.replace(f"${name}", ".*")
    return asked


@contextlib.contextmanager
def observed_replay(folder: Path, speed: float, lines: int | None) -> Iterator[ObservedReplay]:
    """Replay the first ``lines`` of the demo's stream (None: all) at ``speed`` times event time.

    The pager's metrics are a stand-in's; the archive is a real one.
    """
    with running_broker(folder) as cluster, running_pager_stand_in() as pager:
        asyncio.run(cluster.create_topics(PARTITIONS))
        worker = cluster.start_worker(environment=WITH_MODEL)
        archive = _start_archive(cluster, folder)
        targets = [f"127.0.0.1:{worker.port}", f"127.0.0.1:{archive.port}", pager]
        with running_prometheus(folder, targets) as prometheus:
            for process in (worker, archive):
                process.wait_ready(READY_SECONDS)
            started = time.time()
            asyncio.run(cluster.replay(STREAM, speed, lines))
            asyncio.run(wait_drained(cluster.broker, DRAIN_SECONDS))
            _wait_seen(prometheus, time.time())
            yield ObservedReplay(cluster, worker, prometheus, started, time.time())


def _start_archive(cluster: Cluster, folder: Path) -> WorkerProcess:
    """An archive on a database of its own; the cluster ends it."""
    url = URL.create("sqlite", database=str(folder / "archive.db"))
    engine = new_engine(url)
    upgrade(engine)
    engine.dispose()
    archive = WorkerProcess(
        cluster.broker.url,
        folder / "archive.log",
        environment={
            **WITH_MODEL,
            "WANGLOU_ARCHIVE__URL": url.render_as_string(),
            "WANGLOU_ARCHIVE__KEY": secrets.token_hex(32),
        },
        folder=folder,
        command="archive run",
    )
    cluster.workers.append(archive)
    return archive


def _wait_seen(prometheus: Prometheus, since: float) -> None:
    """Wait until Prometheus has scraped and evaluated what was there at a time."""
    deadline = time.monotonic() + SEEN_SECONDS
    seen = (
        'min(timestamp(up) or timestamp(wanglou:lag_messages:sum{agent="risk"})) '
        "and on() wanglou_archive_event_timestamp_seconds > 0"
    )
    while not any(at > since + 1 for _, at in prometheus.now(seen)):
        if time.monotonic() > deadline:
            raise TimeoutError("Prometheus scrapes nothing any more")
        time.sleep(POLL_SECONDS)
