"""wanglou archive run"""

from __future__ import annotations

import asyncio
import logging.config
import signal
from datetime import UTC, datetime

import click
from prometheus_client import CollectorRegistry, ProcessCollector

from wanglou.agents import topic_admin
from wanglou.agents.archive.configuration import note_in_force
from wanglou.agents.archive.metrics import ArchiveMetrics
from wanglou.agents.archive.opening import open_archive
from wanglou.agents.archive.process import READS, Archiver
from wanglou.agents.archive.scribe import Scribe
from wanglou.agents.commands.shared import broker_option, run, settings_with
from wanglou.agents.health_pages import HealthPages
from wanglou.agents.kafka import TopicProblem, partition_counts
from wanglou.agents.logs import configuration
from wanglou.agents.settings import Settings
from wanglou.schemas.topics import (
    ALERTS,
    DEAD_LETTERS,
    EVALUATIONS,
    EVENTS,
    PAGES,
    RESPONSES,
    RISK_STATE,
)


@click.command(name="run")
@click.option("--port", type=int, help="Port of metrics and health (default 6068).")
@broker_option
def archive_run(port: int | None, broker: str | None) -> None:
    """Record cases until SIGTERM or Ctrl-C.

    Reads mentions, events, alerts, pages and responses; keeps the cases, checks responses,
    evaluates measures. Several of them share the partitions. Needs the tables: wanglou archive
    upgrade.
    """
    overrides = {} if port is None else {"archive": {"port": port}}
    settings = settings_with(broker, **overrides)
    logging.config.dictConfig(configuration(settings.worker.log_format, settings.worker.log_level))
    run(_run(settings))


async def _run(settings: Settings) -> None:
    counts = await partition_counts(settings.broker)
    _check_topics(counts)
    archive = await asyncio.to_thread(open_archive, settings.archive)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = ArchiveMetrics(registry)
    scribe = Scribe(
        archive,
        settings.load_responsibilities(),
        metrics,
        counts[ALERTS.name],
        lambda: datetime.now(UTC),
    )
    await asyncio.to_thread(note_in_force, archive, settings.load_rules())
    archiver = Archiver(settings.broker, archive, scribe, metrics)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, archiver.stop)
    pages = HealthPages(lambda: registry, lambda: archiver.ready)
    await pages.start(settings.archive.host, settings.archive.port)
    try:
        await archiver.run()
    finally:
        await pages.stop()


def _check_topics(counts: dict[str, int]) -> None:
    """Raise ``TopicProblem`` unless all topics are there, and what is of one case lies together."""
    needed = (*READS, EVALUATIONS, DEAD_LETTERS, RISK_STATE)
    if found := topic_admin.findings(counts, needed):
        raise TopicProblem("\n".join(map(str, found)))
    for topic in (EVENTS, RESPONSES, PAGES):
        if counts[topic.name] != counts[ALERTS.name]:
            raise TopicProblem(
                f"{topic.name}: has {counts[topic.name]} partitions, but {ALERTS.name} has "
                f"{counts[ALERTS.name]}: what is of one case must lie together. Give both the same"
            )
