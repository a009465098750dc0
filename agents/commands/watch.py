"""wanglou watch"""

from __future__ import annotations

import contextlib

import click
from rich.live import Live

from wanglou.agents.board import Board
from wanglou.agents.board_feed import feed
from wanglou.agents.commands.shared import broker_option, console, run, settings_with
from wanglou.agents.settings import Settings
from wanglou.models.page import clock


@click.command()
@broker_option
def watch(broker: str | None) -> None:
    """Show open events and the last alerts, live, until Ctrl-C.

    Where the output is no terminal, prints one line an alert instead.
    """
    with contextlib.suppress(KeyboardInterrupt):
        run(_watch(settings_with(broker)))


async def _watch(settings: Settings) -> None:
    board, terminal = Board(), console()
    if not terminal.is_terminal:
        async for alerts in feed(board, settings.broker):
            for alert in alerts:
                click.echo(f"{clock(alert.decided_at)} {alert.title}")
        return
    with Live(board.render(), console=terminal, auto_refresh=False, screen=True) as live:
        async for _ in feed(board, settings.broker):
            live.update(board.render(), refresh=True)
