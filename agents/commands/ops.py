"""wanglou ops"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from wanglou.agents.commands.shared import ExitCode, console, run
from wanglou.agents.ops import Ops
from wanglou.agents.program import ProgramFailed, ProgramMissing

SPEED = 3000.0
"""Times event time: two days in a minute."""


@click.command()
@click.pass_context
def ops(context: click.Context) -> None:
    """See a night on call, in two minutes.

    Starts the embedded broker, a worker, Prometheus, Alertmanager, the pager and a receiver, and
    replays the demo's stream: a page comes, nobody answers, the next is called, acknowledges by the
    link, and the case is resolved. Exit code 1 if one of these does not come.
    """
    terminal = console()
    folder = Path(tempfile.mkdtemp(prefix="wanglou-ops-"))
    show = Ops(folder, SPEED, terminal.print)
    try:
        run(show.run())
    except (ProgramMissing, ProgramFailed) as error:
        raise click.ClickException(str(error)) from error
    for what, came in show.seen.items():
        terminal.print(f"{what:<17}{'came' if came else 'did not come'}")
    terminal.print(f"logs             {folder}")
    if not all(show.seen.values()):
        context.exit(ExitCode.FAILED)
