"""wanglou dlq list | show | replay"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from rich.table import Column, Table

from wanglou.agents.commands.shared import (
    ExitCode,
    broker_option,
    console,
    printable,
    run,
    settings_with,
)
from wanglou.agents.kafka import Message, contract_in, new_producer, read_to_end, send_all
from wanglou.agents.settings import Settings
from wanglou.schemas.dead_letter import DeadLetter, Reason
from wanglou.schemas.topics import DEAD_LETTERS

SHOWN_CHARACTERS = 120
"""How much of an error a list shows."""

_REASONS = [reason.value for reason in Reason]


def _reason_option(what: str) -> Callable[..., Any]:
    explained = f"{what}: {', '.join(_REASONS)}."
    return click.option("--reason", type=click.Choice(_REASONS), metavar="REASON", help=explained)


@click.group()
def dlq() -> None:
    """Look at what could not be processed; replay it once repaired."""


@dlq.command("list")
@_reason_option("Only those with a reason")
@broker_option
def list_letters(reason: str | None, broker: str | None) -> None:
    """One line a dead letter: id, agent, reason, error."""
    letters = run(_read(settings_with(broker), lambda one: reason in (None, one.reason.value)))
    table = Table(Column("id", no_wrap=True), "agent", "reason", "error")
    for letter in letters:
        error = printable(letter.error[:SHOWN_CHARACTERS].replace("\n", " "))
        table.add_row(letter.id, letter.agent, letter.reason.value, error)
    terminal = console()
    terminal.print(table)
    terminal.print(f"{len(letters)} dead letters")


@dlq.command()
@click.argument("id")
@broker_option
def show(id: str, broker: str | None) -> None:
    """Everything about one dead letter, with its original bytes."""
    letter = _one(run(_read(settings_with(broker), lambda one: one.id == id)), id)
    for name in ("id", "agent", "reason", "error", "timestamp"):
        click.echo(printable(f"{name + ':':<11}{getattr(letter, name)}"))
    nothing = "(none)"
    if letter.omitted_bytes is not None:
        nothing = f"({letter.omitted_bytes} bytes with the other: only in the source topic)"
    for name, content in (("key", letter.key), ("value", letter.value)):
        text = nothing if content is None else content.decode("utf-8", "backslashreplace")
        click.echo(printable(f"{name + ':':<11}{text}"))


@dlq.command()
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of them.")
@_reason_option("All with a reason")
@broker_option
@click.pass_context
def replay(
    context: click.Context,
    ids: tuple[str, ...],
    everything: bool,
    reason: str | None,
    broker: str | None,
) -> None:
    """Send dead letters to their source topic again.

    They go as they were. What is still wrong comes back as a new dead letter; the old one stays.
    One whose original was too long to be kept is named and left out, and the exit code is 1.
    """
    if not ids and not everything and reason is None:
        raise click.UsageError("say which: one or more IDs, --reason, or --all")

    def wanted(letter: DeadLetter) -> bool:
        return everything or letter.id in ids or letter.reason.value == reason

    settings = settings_with(broker)
    letters = run(_read(settings, wanted))
    for id in ids:
        _one([letter for letter in letters if letter.id == id], id)
    whole = [letter for letter in letters if letter.omitted_bytes is None]
    run(_send(settings, whole))
    click.echo(f"{len(whole)} replayed")
    for letter in letters:
        if letter.omitted_bytes is not None:
            click.echo(f"wanglou: {letter.id}: its original was too long to be kept", err=True)
    if len(whole) < len(letters):
        context.exit(ExitCode.FAILED)


def _one(letters: list[DeadLetter], id: str) -> DeadLetter:
    if not letters:
        raise click.ClickException(f"there is no dead letter {id}; see: wanglou dlq list")
    return letters[0]


async def _read(settings: Settings, wanted: Callable[[DeadLetter], bool]) -> list[DeadLetter]:
    """The dead letters wanted, each once: an agent may have put one aside twice."""
    letters: dict[str, DeadLetter] = {}
    async for record in read_to_end(settings.broker, DEAD_LETTERS.name):
        letter = contract_in(record, DeadLetter)
        if letter is not None and wanted(letter):
            letters[letter.id] = letter
    return sorted(letters.values(), key=lambda one: (one.timestamp, one.id))


async def _send(settings: Settings, letters: list[DeadLetter]) -> None:
    producer = new_producer(settings.broker)
    try:
        await producer.start()
        messages = [Message(letter.topic, letter.key, letter.value) for letter in letters]
        refused = await send_all(producer, messages)
    finally:
        await producer.stop()
    if refused:
        raise click.ClickException(f"{len(refused)} refused by the broker: {refused[0][1]!r}")
