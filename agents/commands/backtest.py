"""wanglou backtest"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO

import click
from rich.table import Table

from wanglou.agents.alert_text import print_alert
from wanglou.agents.commands.shared import (
    console,
    count_lines,
    printable,
    progress_bar,
    settings_with,
)
from wanglou.agents.kafka import partition_of
from wanglou.agents.settings import Settings
from wanglou.agents.step3_sentiment import load_model
from wanglou.models.backtest import Backtest, BacktestResult
from wanglou.schemas.base import Contract

_OUT = click.File("wb", lazy=True)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--alerts", type=_OUT, help="Write the alerts here, one a line.")
@click.option("--events", type=_OUT, help="Write the last state of every event here.")
def backtest(file: Path, alerts: IO[bytes] | None, events: IO[bytes] | None) -> None:
    """Take recorded mentions through the pipeline without a broker.

    FILE has a raw mention in each line, in the order in which they were collected. The same file
    and rules give the same alerts, always.
    """
    result = run_backtest(settings_with(), file)
    _write(alerts, result.alerts)
    _write(events, [event for _, event in sorted(result.events.items())])
    _show(result)


def run_backtest(settings: Settings, file: Path) -> BacktestResult:
    """Take the recorded mentions of a file through the pipeline, with a bar."""
    partitions = settings.topics.partitions
    test = Backtest(
        settings.load_rules(),
        load_model(settings.model),
        settings.load_author_key(),
        lambda key: partition_of(key, partitions),
    )
    with file.open("rb") as lines, progress_bar("back-test") as bar:
        task = bar.add_task("", total=count_lines(file))
        for count in test.feed(lines):
            bar.advance(task, count)
    return test.result


def _write(out: IO[bytes] | None, contracts: Iterable[Contract]) -> None:
    if out is not None:  # the lazy file is made by the first write, even of nothing
        out.write(b"".join(contract.to_json() + b"\n" for contract in contracts))


def _show(result: BacktestResult) -> None:
    terminal = console()
    counts = Table("what", "messages")
    for name, number in result.counts.items():
        counts.add_row(name, str(number))
    terminal.print(counts)
    for number, rejection in result.rejections:
        click.echo(printable(f"line {number}: {rejection.reason.value}: {rejection.error}"))
    for alert in result.alerts:
        print_alert(terminal, alert)
    still_open = [event.id for event in result.events.values() if event.level is not None]
    ending = ", ".join(still_open) or "none"
    terminal.print(f"{len(result.alerts)} alerts; open at the end: {ending}")
