"""wanglou pager"""

from __future__ import annotations

import asyncio
import logging.config
import signal
import time

import click
from prometheus_client import CollectorRegistry, ProcessCollector

from wanglou.agents import topic_admin
from wanglou.agents.commands.shared import broker_option, run, settings_with
from wanglou.agents.kafka import TopicProblem, partition_counts
from wanglou.agents.logs import configuration
from wanglou.agents.pager import new_pager, wall_clock
from wanglou.agents.pager_links import new_links
from wanglou.agents.pager_metrics import PagerMetrics
from wanglou.agents.pager_pages import Pages
from wanglou.agents.pager_rules import PagerRules, load_pager_rules
from wanglou.agents.pager_targets import new_target
from wanglou.agents.responding import send_acknowledgement
from wanglou.agents.settings import Settings
from wanglou.models.pager_clock import PagerClock
from wanglou.schemas.topics import ALERTS, DEAD_LETTERS, PAGER_STATE, RESPONSES


@click.command()
@click.option("--check", is_flag=True, help="Only load the rules, and say what is wrong.")
@click.option("--port", type=int, help="Port of its pages (default 6067).")
@broker_option
def pager(check: bool, port: int | None, broker: str | None) -> None:
    """Take alerts to the people on call until SIGTERM or Ctrl-C.

    Whom it tells and how stands in pager.yaml (the setting pager.rules). Several pagers share the
    partitions. After SIGTERM the messages being sent are ended first.
    """
    overrides = {} if port is None else {"pager": {"port": port}}
    settings = settings_with(broker, **overrides)
    rules = load_pager_rules(settings.pager.rules)
    if check:
        for name, receiver in rules.receivers.items():
            new_target(name, receiver, wall_clock)
        click.echo(f"{settings.pager.rules}: {len(rules.receivers)} receivers, all is well")
        return
    logging.config.dictConfig(configuration(settings.worker.log_format, settings.worker.log_level))
    run(_run(settings, rules))


async def _run(settings: Settings, rules: PagerRules) -> None:
    counts = await partition_counts(settings.broker)
    needed = (ALERTS, RESPONSES, DEAD_LETTERS, PAGER_STATE)
    found = topic_admin.findings(counts, needed)
    if counts.get(ALERTS.name) != counts.get(RESPONSES.name) and not found:
        raise TopicProblem(
            f"{RESPONSES.name}: has {counts[RESPONSES.name]} partitions, but {ALERTS.name} has "
            f"{counts[ALERTS.name]}: an acknowledgement would not find its case. Give both the same"
        )
    if found:
        raise TopicProblem("\n".join(map(str, found)))
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = PagerMetrics(registry)
    links = new_links(settings.pager)
    pager = new_pager(settings, rules, links, metrics, PagerClock(wall_clock, time.monotonic))

    async def acknowledge(event_id: str, alert_id: str, by: str) -> None:
        await send_acknowledgement(pager.producer, event_id, alert_id, by)

    def measured() -> CollectorRegistry:
        pager.measure()
        return registry

    pages = Pages(links, acknowledge, pager.title_of, measured, lambda: pager.ready)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, pager.stop)
    await pages.start(settings.pager.host, settings.pager.port)
    try:
        await pager.run()
    finally:
        await pages.stop()
