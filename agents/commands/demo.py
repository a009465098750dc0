"""wanglou demo"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wanglou.agents.alert_text import colour, print_alert
from wanglou.agents.case_page import case_page
from wanglou.agents.commands.shared import ExitCode, console, run
from wanglou.agents.demo import Demo, Outcome

SPEED = 1800.0
"""Times event time: two days in 96 seconds."""


@click.command()
@click.option(
    "--speed",
    type=click.FloatRange(min=1.0),
    default=SPEED,
    show_default=True,
    help="Times event time.",
)
@click.pass_context
def demo(context: click.Context, speed: float) -> None:
    """See it work: two days of posts in two minutes.

    The posts are about seven fictitious institutions. Starts the embedded broker and a worker,
    replays the recorded stream, shows open events and alerts live, and ends with a summary.
    Needs no Kafka. Exit code 1 if something was not found as it must be.
    """
    terminal = console()
    folder = Path(tempfile.mkdtemp(prefix="wanglou-demo-"))
    show = Demo(folder, speed, terminal.print)
    run(_show(show, terminal))
    _summary(terminal, show, show.outcome)
    dossier = show.outcome.dossier
    terminal.print(case_page(dossier.case, dossier.evaluations, dossier.as_of))
    terminal.print(f"report     {show.outcome.report}")
    terminal.print(f"logs       {folder}")
    if any(problems for _, _, problems in show.outcome.incidents):
        context.exit(ExitCode.FAILED)


async def _show(show: Demo, terminal: Console) -> None:
    if not terminal.is_terminal:
        async for alerts in show.run():
            for alert in alerts:
                print_alert(terminal, alert)
        return
    live = Live(console=terminal, auto_refresh=False, transient=True)
    with live:
        async for _ in show.run():
            live.update(_picture(show), refresh=True)
    for alert in show.board.alerts:
        print_alert(terminal, alert)


def _picture(show: Demo) -> RenderableType:
    bar = Table.grid(padding=(0, 1))
    bar.add_row("replay", ProgressBar(show.lines, show.sent, width=40), f"{show.sent}/{show.lines}")
    return Group(bar, show.board.render())


def _summary(terminal: Console, show: Demo, outcome: Outcome) -> None:
    table = Table("事件 incident", "预警 alerts", "最高 highest", "结果 verdict")
    for incident, alerts, problems in outcome.incidents:
        highest = max((one.level for one in alerts if one.level is not None), default=None)
        name = f"{alerts[0].institution.name}:{alerts[0].topic.name}" if alerts else incident.kind
        table.add_row(
            name,
            " → ".join(one.kind.value for one in alerts) or "none, as it should be",
            Text(highest.chinese if highest else "", colour(highest)),
            Text("; ".join(problems), "bold red") if problems else Text("as expected", "green"),
        )
    terminal.print(table)
    counts = outcome.outcomes
    deduped = f"{counts['original']} originals, {counts['duplicate']} near-duplicates"
    terminal.print(
        f"{show.sent} raw mentions: {counts['dead-letter']} dead letters, "
        f"{counts['irrelevant']} about no watched institution, {counts['repeat']} repeats, "
        f"{counts['update']} counter updates, {deduped}; {len(show.board.alerts)} alerts"
    )
