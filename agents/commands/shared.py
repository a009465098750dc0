"""What the commands share: exit codes, options, progress, colours."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Coroutine
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

import click
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wanglou.agents.access import AccessDenied, check_access, names_a_client
from wanglou.agents.acls import COMMANDS, Grant, agent_grants
from wanglou.agents.archive.problems import (
    ArchiveError,
    KeyProblem,
    RevisionProblem,
    Unavailable,
)
from wanglou.agents.certificates import CertificateError
from wanglou.agents.changelog import StateError
from wanglou.agents.connection import explain_connection
from wanglou.agents.dead_letter_limit import TooManyDeadLetters
from wanglou.agents.embedded_broker import EmbeddedBrokerError
from wanglou.agents.kafka import TopicProblem
from wanglou.agents.settings import Settings, SettingsError, load_settings
from wanglou.models.opinion import ModelError
from wanglou.models.response.case_file import Refused
from wanglou.models.response.report.writing import PdfUnavailable
from wanglou.models.rules_file import RulesError

T = TypeVar("T")

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""The type of an argument or option that names a file to read."""

PIPED_WIDTH = 1000
"""Columns of a table that no terminal shows."""


class ExitCode(IntEnum):
    """What a script can tell from a command's exit status."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SETTINGS = 3
    BROKER = 4
    TOPICS = 5
    DEAD_LETTERS = 6
    STATE = 7
    ARCHIVE = 8


EXIT_CODES = """\b
Exit codes: 0 done · 1 failed, or found something · 2 wrong usage ·
            3 settings or rules are wrong · 4 broker cannot be reached, or
            refuses · 5 topics do not fit · 6 too many dead letters ·
            7 state of another release · 8 archive cannot be reached, or
            written · 70 stuck"""
"""Ends the help of every command."""


class BrokerProblem(RuntimeError):
    """There is no connection to the broker; the message says why, and how to repair it."""


_CODES: tuple[tuple[ExitCode, tuple[type[Exception], ...]], ...] = (
    (
        ExitCode.SETTINGS,
        (SettingsError, CertificateError, RulesError, ModelError, KeyProblem),
    ),
    (ExitCode.BROKER, (KafkaError, BrokerProblem, AccessDenied, EmbeddedBrokerError)),
    (ExitCode.DEAD_LETTERS, (TooManyDeadLetters,)),
    (ExitCode.STATE, (StateError, RevisionProblem)),
    (ExitCode.TOPICS, (TopicProblem,)),
    (ExitCode.ARCHIVE, (Unavailable,)),
    (ExitCode.FAILED, (ArchiveError, Refused, PdfUnavailable)),
)
"""The known errors; the first that fits counts."""


def _exit_code(error: Exception) -> ExitCode | None:
    return next((code for code, types in _CODES if isinstance(error, types)), None)


def _explain(error: Exception) -> str:
    if isinstance(error, KafkaConnectionError):
        return (
            f"the broker cannot be reached: {error}. Is it running there? "
            "Its address is --broker, WANGLOU_BROKER__URL or broker.url in the settings file"
        )
    if isinstance(error, (TopicAuthorizationFailedError, GroupAuthorizationFailedError)):
        return f"an ACL is missing: {error}. All that are needed: wanglou topics acls"
    return str(error)


class Cli(click.Group):
    """A group that turns known errors into a line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            code = _exit_code(error)
            if code is None:
                raise
            click.secho(f"wanglou: {_explain(error)}", fg="red", err=True)
            raise click.exceptions.Exit(code) from error


def broker_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--broker``.

    A client that the broker knows by name has its ACLs checked first (``AccessDenied``); why there
    is no connection is found out (``BrokerProblem``).
    """

    @functools.wraps(command)
    def explained(*arguments: Any, **options: Any) -> Any:
        broker = settings_with(options["broker"]).broker
        try:
            grants = _grants(click.get_current_context())
            if grants and names_a_client(broker):
                run(check_access(broker, grants))
            return command(*arguments, **options)
        except KafkaError as error:
            problem = run(explain_connection(broker))
            if problem is None:
                raise
            raise BrokerProblem(problem) from error

    return click.option(
        "--broker",
        metavar="HOST:PORT",
        help="Kafka's address; overrides the setting broker.url (default 127.0.0.1:9092).",
    )(explained)


def _grants(context: click.Context) -> list[Grant]:
    """What the present command needs on the broker."""
    if context.info_name == "worker":
        return [grant for agent in context.params["agents"] for grant in agent_grants(agent)]
    if context.params.get("alerts"):  # a file of them
        return []
    path = context.command_path.removeprefix(context.find_root().command_path).strip()
    return list(COMMANDS[path])


def settings_with(broker: str | None = None, **overrides: Any) -> Settings:
    """The settings, with the address of a broker if one is given on the command line."""
    if broker is not None:
        overrides["broker"] = {**overrides.get("broker", {}), "url": broker}
    return load_settings(**overrides)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)


def console() -> Console:
    """The terminal. Where the output is none, no line is cut: it may go to grep.

    What is printed is shown as it is, never read as rich's markup: some of it strangers wrote.
    """
    terminal = Console(highlight=False, markup=False, emoji=False)
    if not terminal.is_terminal:
        terminal.width = PIPED_WIDTH
    return terminal


def printable(text: str) -> str:
    r"""A text for the terminal: control characters, which could command it, are written out.

    >>> printable("ok\x1b[2J")
    'ok\\x1b[2J'
    """
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)


def progress_bar(description: str) -> Progress:
    """A bar on stderr; nothing where stderr is no terminal."""
    return Progress(
        TextColumn(description),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )


def count_lines(path: Path) -> int:
    """Lines of a file."""
    with path.open("rb") as lines:
        return sum(1 for _ in lines)
