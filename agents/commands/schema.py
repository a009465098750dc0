"""wanglou schema export"""

from __future__ import annotations

from pathlib import Path

import click

from wanglou.agents.commands.shared import ExitCode
from wanglou.schemas.export import differences, documents, write


@click.group()
def schema() -> None:
    """The contracts as JSON Schema and AsyncAPI."""


@schema.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if a file would change.")
@click.pass_context
def export(context: click.Context, folder: Path, check: bool) -> None:
    """Write JSON Schemas and the AsyncAPI document.

    One file a message, and asyncapi.json, in FOLDER.
    """
    if check:
        changed = differences(folder)
        for name in changed:
            click.echo(
                f"{folder / name} is not up to date: run wanglou schema export {folder}, "
                "or delete it if its contract is gone"
            )
        if changed:
            context.exit(ExitCode.FAILED)
        return
    write(folder)
    click.echo(f"{len(documents())} documents in {folder}")
