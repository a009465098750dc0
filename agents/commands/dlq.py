"""wanglou dlq list | show | replay"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from aiokafka import TopicPartition
from pydantic_core import from_json
from rich.table import Column, Table

from wanglou.agents.commands.shared import (
    ExitCode,
    broker_option,
    console,
    printable,
    run,
    settings_with,
)
from wanglou.agents.kafka import (
    Message,
    contract_in,
    new_reader,
    read_place,
    read_to_end,
    send_all,
    start_producer,
    stop_reader,
)
from wanglou.agents.settings import Settings
from wanglou.schemas.control import AGAIN_HEADER
from wanglou.schemas.dead_letter import DeadLetter, Reason
from wanglou.schemas.topics import ALERTS, DEAD_LETTERS, RAW

SOURCES = (RAW.name, ALERTS.name)
"""Where a letter is sent again as it was; a page's alert asks the pager to tell it after all."""

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
    """Send dead letters again, each as the raw message it came of.

    That goes as it was. What is still wrong comes back as a new dead letter; the old one stays. A
    letter whose raw message is not there any more is named and left out, and the exit code is 1.
    """
    if not ids and not everything and reason is None:
        raise click.UsageError("say which: one or more IDs, --reason, or --all")

    def wanted(letter: DeadLetter) -> bool:
        return everything or letter.id in ids or letter.reason.value == reason

    settings = settings_with(broker)
    letters = run(_read(settings, wanted))
    for id in ids:
        _one([letter for letter in letters if letter.id == id], id)
    left_out = run(_send_again(settings, letters))
    click.echo(f"{len(letters) - len(left_out)} replayed")
    for id, problem in left_out.items():
        click.echo(f"wanglou: {id}: {problem}", err=True)
    if left_out:
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


async def _send_again(settings: Settings, letters: list[DeadLetter]) -> dict[str, str]:
    """Send letters again; what is wrong with those left out, by id."""
    messages: list[Message] = []
    left_out: dict[str, str] = {}
    for letter in letters:
        again = _original(letter) if letter.topic in SOURCES else await _raw(settings, letter)
        if isinstance(again, str):
            left_out[letter.id] = again
        else:
            messages.append(again)
    producer = await start_producer(settings.broker)
    try:
        refused = await send_all(producer, messages)
    finally:
        await producer.stop()
    if refused:
        raise click.ClickException(f"{len(refused)} refused by the broker: {refused[0][1]!r}")
    return left_out


def _original(letter: DeadLetter) -> Message | str:
    if letter.omitted_bytes is not None:
        return "its original was too long to be kept"
    return Message(letter.topic, letter.key, letter.value)


async def _raw(settings: Settings, letter: DeadLetter) -> Message | str:
    """The raw message that brings a later agent's mention again, or why there is none."""
    institution = _institution(letter)
    if institution is None or letter.raw_partition is None or letter.raw_offset is None:
        return "no agent wrote it: there is no raw message that it came of"
    place = TopicPartition(RAW.name, letter.raw_partition)
    reader = new_reader(settings.broker)
    try:
        await reader.start()
        async for record in read_place(reader, place, letter.raw_offset):
            if record.offset == letter.raw_offset:
                return Message(RAW.name, record.key, record.value, ((AGAIN_HEADER, institution),))
            break
    finally:
        await stop_reader(reader)
    return f"the raw message {place.topic}/{place.partition}/{letter.raw_offset} is gone"


def _institution(letter: DeadLetter) -> bytes | None:
    try:
        return str(from_json(letter.value or b"")["institution"]).encode()
    except (ValueError, TypeError, KeyError):
        return None
