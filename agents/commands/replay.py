"""wanglou replay"""

from __future__ import annotations

from pathlib import Path

import click

from wanglou.agents.commands.shared import (
    EXISTING_FILE,
    ExitCode,
    broker_option,
    count_lines,
    progress_bar,
    run,
    settings_with,
)
from wanglou.agents.kafka import start_producer
from wanglou.agents.replay import Position, Replay, read_lines
from wanglou.agents.settings import Settings


class _Speed(click.ParamType):
    name = "FACTOR|max"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        if value == "max":
            return None
        try:
            speed = float(value)
        except ValueError:
            speed = 0.0
        if not 0 < speed < float("inf"):
            self.fail(f"{value!r} is neither a factor above 0 nor max", param, ctx)
        return speed


@click.command()
@click.argument("file", type=EXISTING_FILE)
@click.option(
    "--speed",
    type=_Speed(),
    metavar="FACTOR|max",
    default="1",
    show_default=True,
    help="Times event time: 60 sends an hour of the stream in a minute; max does not wait.",
)
@click.option("--resume", is_flag=True, help="Go on where an interrupted replay stopped.")
@broker_option
@click.pass_context
def replay(
    context: click.Context, file: Path, speed: float | None, resume: bool, broker: str | None
) -> None:
    """Send recorded raw mentions to the raw topic.

    FILE has a raw mention in each line. How far it came stands in FILE.position until it is done.
    """
    position = Position(file.with_name(file.name + ".position"))
    after = 0
    if resume:
        try:
            after = position.load()
        except ValueError as error:
            raise click.ClickException(str(error)) from error
    try:
        position.save(after)
    except OSError as error:
        raise click.ClickException(
            f"{error.filename}: {error.strerror}: copy FILE to a folder where you may write"
        ) from error
    refused = run(_replay(settings_with(broker), file, speed, position, after))
    for problem in refused:
        click.echo(f"wanglou: refused by the broker: {problem}", err=True)
    if refused:
        context.exit(ExitCode.FAILED)


async def _replay(
    settings: Settings, file: Path, speed: float | None, position: Position, after: int
) -> list[str]:
    producer = await start_producer(settings.broker)
    sent_lines, refused = 0, []
    try:
        with progress_bar("replay") as bar:
            task = bar.add_task("", total=count_lines(file), completed=after)
            async for sent in Replay(producer, speed).send(read_lines(file, after)):
                position.save(sent.line)
                sent_lines += sent.lines
                refused += sent.refused
                bar.update(task, completed=sent.line)
    finally:
        await producer.stop()
    position.clear()
    click.echo(f"{sent_lines - len(refused)} mentions sent")
    return refused
