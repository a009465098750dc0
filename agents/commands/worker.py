"""wanglou worker"""

from __future__ import annotations

from importlib.metadata import version

import click
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from wanglou.agents.app import STAGES, WorkerApp, new_stages
from wanglou.agents.changelog import StateError
from wanglou.agents.commands.shared import broker_option, run, settings_with
from wanglou.agents.dead_letter_limit import TooManyDeadLetters
from wanglou.agents.kafka import TopicProblem, partition_counts
from wanglou.agents.logs import SignalledWorker
from wanglou.agents.metrics import Metrics
from wanglou.agents.settings import BrokerSettings, WorkerSettings
from wanglou.agents.topic_admin import findings


class _AgentNames(click.ParamType):
    name = "agent,…"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        names = tuple(name.strip() for name in value.split(","))
        for name in names:
            if name not in STAGES:
                self.fail(f"{name!r} is no agent; one or more of {', '.join(STAGES)}", param, ctx)
        return names


@click.command()
@click.option(
    "--agents",
    type=_AgentNames(),
    default=",".join(STAGES),
    show_default=True,
    help="Which agents this worker runs; several workers share the partitions of an agent.",
)
@broker_option
@click.option("--port", type=int, help="Port of /metrics, /healthz, /readyz (default 6066).")
def worker(agents: tuple[str, ...], broker: str | None, port: int | None) -> None:
    """Run agents until SIGTERM or Ctrl-C.

    Checks the topics first: one that is missing or does not fit is named, with its repair, and
    the worker does not start (exit code 5). A worker that would put too much aside stops (6); one
    that makes no progress ends (70). What was not acknowledged is read again by the next worker.
    """
    overrides = {} if port is None else {"worker": {"port": port}}
    settings = settings_with(broker, **overrides)
    rules = settings.load_rules()
    counts = _checked_counts(settings.broker)
    disable_created_metrics()  # a series more of each counter, which nobody asks for
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    metrics = Metrics(registry)
    metrics.build_info.labels(version("wanglou"), rules.version).set(1)
    metrics.state_limit.set(settings.worker.state_entries)
    app = WorkerApp(settings, new_stages(settings, rules, agents, metrics, counts), metrics)
    _run(app, settings.worker)


def _run(app: WorkerApp, settings: WorkerSettings) -> None:
    """Run until a signal. Raises what made the worker stop, where that is for people to repair."""
    try:
        SignalledWorker(app.faust, settings).execute_from_commandline()
    except SystemExit:
        reason = app.faust.crash_reason
        if isinstance(reason, (TooManyDeadLetters, StateError)):
            raise reason from None
        raise


def _checked_counts(broker: BrokerSettings) -> dict[str, int]:
    """The partitions of every topic. Raises ``TopicProblem`` where the topics do not fit."""
    counts = run(partition_counts(broker))
    if found := findings(counts):
        raise TopicProblem("\n".join(str(finding) for finding in found))
    return counts
