"""What the commands share: exit codes, options, progress, colours."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

import click
from aiokafka.errors import KafkaConnectionError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wanglou.agents.embedded_broker import EmbeddedBrokerError
from wanglou.agents.settings import Settings, SettingsError, load_settings
from wanglou.agents.topic_admin import TopicProblem
from wanglou.models.rules import RulesError
from wanglou.models.scoring import ModelError

T = TypeVar("T")



class ExitCode(IntEnum):
    """What a script can tell from a command's exit status."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SETTINGS = 3
    BROKER = 4
    TOPICS = 5


def _exit_code(error: Exception) -> ExitCode | None:
    if isinstance(error, (SettingsError, RulesError, ModelError)):
        return ExitCode.SETTINGS
    if isinstance(error, (KafkaConnectionError, EmbeddedBrokerError)):
        return ExitCode.BROKER
    if isinstance(error, TopicProblem):
        return ExitCode.TOPICS
    return None


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
            click.secho(f"wanglou: {error}", fg="red", err=True)
            raise click.exceptions.Exit(code) from error


def broker_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--broker``."""
    return click.option(
        "--broker",
        metavar="HOST:PORT",
        help="Kafka's address; overrides the setting broker.url (default 127.0.0.1:9092).",
    )(command)


def settings_with(broker: str | None = None, **overrides: Any) -> Settings:
    """The settings, with the address of a broker if one is given on the command line."""
    if broker is not None:
        overrides["broker"] = {**overrides.get("broker", {}), "url": broker}
    return load_settings(**overrides)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)


def console() -> Console:
    """The terminal; colours and boxes only if it is one."""
    return Console(highlight=False)


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
