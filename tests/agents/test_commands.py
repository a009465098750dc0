"""The command line as a whole: help, exit codes, wrong usage, a broker that is not there."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from wanglou.agents.commands import main
from wanglou.agents.commands.shared import ExitCode, console, printable
from wanglou.schemas.topics import TOPICS

WIDTH = 80


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="wanglou")


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            yield from commands(part, (*path, name))


ALL = list(commands(main))
each_command = pytest.mark.parametrize("path", ALL, ids=lambda path: " ".join(path) or "wanglou")

NEEDS_BROKER = [
    ["topics", "create"],
    ["topics", "check"],
    ["dlq", "list"],
    ["dlq", "show", "some-id"],
    ["dlq", "replay", "--all"],
    ["watch"],
    ["explain"],
    ["worker"],
    ["replay", "stream.jsonl"],
]
TRAIN = ["train", "--data", ".", "--encoder", "."]
NEEDS_SETTINGS = [*NEEDS_BROKER, ["score", "stream.jsonl"], ["backtest", "stream.jsonl"]]
NEEDS_SETTINGS += [["evaluate", "stream.jsonl"], ["config", "check"], ["config", "show"]]


@pytest.fixture(autouse=True)
def stream(tmp_path: Path) -> Path:
    """A file with one raw mention, in the present folder."""
    file = tmp_path / "stream.jsonl"
    file.write_text(
        '{"id": "a", "platform": "b", "text": "c", "published_at": "2026-03-02T00:00Z"}'
    )
    return file


def test_all_commands_are_here() -> None:
    assert {path[0] for path in ALL if path} == {
        *(
            "demo",
            "worker",
            "pager",
            "ack",
            "case",
            "report",
            "tune",
            "archive",
            "ops",
            "topics",
            "replay",
            "watch",
        ),
        *(
            "score",
            "evaluate",
            "train",
            "backtest",
            "scenario",
            "explain",
            "dlq",
            "config",
            "schema",
        ),
    }


@each_command
def test_help_says_what_it_does_and_names_the_exit_codes(path: tuple[str, ...]) -> None:
    result = invoke(*path, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: wanglou {' '.join(path)}".strip())
    assert "Exit codes: 0 done" in result.output
    for code in ExitCode:
        assert f" {code.value} " in result.output.partition("Exit codes:")[2]


@each_command
def test_help_fits_the_terminal_and_cuts_no_sentence(path: tuple[str, ...]) -> None:
    output = invoke(*path, "--help").output
    assert all(len(line) <= WIDTH for line in output.splitlines())
    assert "..." not in output.replace("]...", "")  # click's own for several arguments
    assert "\b" not in output


@each_command
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    assert command.help
    assert command.help.split("\n")[0].endswith(".")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert parameter.help.endswith((".", ")"))
        else:
            assert parameter.metavar or str(parameter.name).upper() in output_of(path)


def output_of(path: tuple[str, ...]) -> str:
    return invoke(*path, "--help").output


def test_short_help_and_version() -> None:
    assert invoke("-h").output == invoke("--help").output
    assert invoke("--version").output.startswith("wanglou, version ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["--nonsense"], "No such option"),
        (["replay"], "Missing argument 'FILE'"),
        (["replay", "nowhere.jsonl"], "'nowhere.jsonl' does not exist"),
        (["replay", "stream.jsonl", "--speed", "0"], "'0' is neither a factor above 0 nor max"),
        (["replay", "stream.jsonl", "--speed", "nan"], "'nan' is neither"),
        (["replay", "stream.jsonl", "--speed", "inf"], "'inf' is neither"),
        (["replay", "stream.jsonl", "--speed", "fast"], "'fast' is neither"),
        (["worker", "--agents", "intake,nobody"], "'nobody' is no agent; one or more of intake"),
        (["worker", "--agents", ""], "'' is no agent"),
        (["worker", "--port", "http"], "'http' is not a valid integer"),
        (["demo", "--speed", "0.5"], "0.5 is not in the range"),
        (["score"], "Missing argument 'FILE'"),
        (["score", "nowhere.jsonl"], "No such file"),
        (["evaluate"], "Missing argument 'DATA [DATA]...'"),
        (["evaluate", "nowhere.jsonl"], "'nowhere.jsonl' does not exist"),
        (["evaluate", "stream.jsonl", "nowhere.jsonl"], "'nowhere.jsonl' does not exist"),
        (["evaluate", "."], "'.' is a directory"),
        (["evaluate", "stream.jsonl", "--out", "stream.jsonl"], "'stream.jsonl' is a file"),
        (["evaluate", "stream.jsonl", "--mistakes", "-1"], "-1 is not in the range x>=0"),
        (["evaluate", "stream.jsonl", "--seed", "x"], "'x' is not a valid integer"),
        (["train"], "Missing option '--data'"),
        (["train", "--data", "."], "Missing option '--encoder'"),
        (["train", "--data", "nowhere", "--encoder", "."], "'nowhere' does not exist"),
        (["train", "--data", ".", "--encoder", "stream.jsonl"], "'stream.jsonl' is a file"),
        ([*TRAIN, "--recipe", "nowhere.yaml"], "'nowhere.yaml' does not exist"),
        ([*TRAIN, "--recipe", "."], "'.' is a directory"),
        ([*TRAIN, "--work", "stream.jsonl"], "'stream.jsonl' is a file"),
        ([*TRAIN, "--out", "stream.jsonl"], "'stream.jsonl' is a file"),
        ([*TRAIN, "--device", "tpu"], "'tpu' is not one of 'cpu', 'cuda'"),
        ([*TRAIN, "--cores", "0"], "0 is not in the range 1<=x<=256"),
        ([*TRAIN, "more"], "unexpected extra argument"),
        (["backtest", "nowhere.jsonl"], "'nowhere.jsonl' does not exist"),
        (["dlq", "replay"], "say which: one or more IDs, --reason, or --all"),
        (["dlq", "list", "--reason", "bad-luck"], "'bad-luck' is not one of"),
        (["dlq", "show"], "Missing argument 'ID'"),
        (["schema", "export"], "Missing argument 'FOLDER'"),
        (["topics", "list", "more"], "unexpected extra argument"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == ExitCode.USAGE == 2
    assert says in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", NEEDS_SETTINGS, ids=" ".join)
def test_wrong_settings(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_TOPICS__PARTITIONS", "none")
    result = invoke(*arguments)
    assert result.exit_code == ExitCode.SETTINGS == 3
    assert result.stderr.startswith("wanglou: topics.partitions: ")
    assert "(got 'none')" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", NEEDS_BROKER, ids=" ".join)
def test_a_wrong_address_on_the_command_line(arguments: list[str]) -> None:
    result = invoke(*arguments, "--broker", "localhost")
    assert result.exit_code == ExitCode.SETTINGS
    assert result.stderr == (
        "wanglou: broker.url: 'localhost' is not host:port, for example 127.0.0.1:9092\n"
    )


@pytest.mark.parametrize(
    ("variable", "value", "arguments", "says"),
    [
        ("RULES__TAXONOMY", "/nowhere.yaml", ["config", "check"], "/nowhere.yaml: cannot be read"),
        ("RULES__WATCHLIST", "stream.jsonl", ["backtest", "stream.jsonl"], "stream.jsonl: "),
        ("MODEL__PATH", "/nowhere", ["config", "check"], "model folder /nowhere has no config"),
        ("RULES__TAXONOMY", "/nowhere.yaml", ["score", "stream.jsonl"], "/nowhere.yaml: cannot"),
        ("MODEL__PATH", "/nowhere", ["score", "stream.jsonl"], "model folder /nowhere has no"),
        ("MODEL__PATH", "/nowhere", ["evaluate", "stream.jsonl"], "model folder /nowhere has no"),
        ("CONFIG", "/nowhere.toml", ["config", "show"], "there is no file /nowhere.toml"),
    ],
)
def test_wrong_rules_or_model(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, arguments: list[str], says: str
) -> None:
    monkeypatch.setenv(f"WANGLOU_{variable}", value)
    result = invoke(*arguments)
    assert result.exit_code == ExitCode.SETTINGS
    assert says in result.stderr


def test_training_without_an_encoder(tmp_path: Path) -> None:
    result = invoke(*TRAIN)
    assert result.exit_code == ExitCode.SETTINGS
    assert result.stderr == ("wanglou: config.json: no such file; --encoder names a BERT encoder\n")
    assert not (tmp_path / ".wanglou").exists()


def test_training_by_a_wrong_recipe(stream: Path) -> None:
    result = invoke(*TRAIN, "--recipe", str(stream))
    assert result.exit_code == ExitCode.SETTINGS
    assert result.stderr.startswith(f"wanglou: {stream}: ")


def assert_unreachable(result: Result, address: str) -> None:
    assert result.exit_code == ExitCode.BROKER == 4
    last = result.stderr.splitlines()[-1]
    assert last.startswith("wanglou: the broker cannot be reached: ")
    assert address.rpartition(":")[2] in last
    assert "WANGLOU_BROKER__URL" in last
    for noise in ("Traceback", "Unclosed", "never awaited"):
        assert noise not in result.output


@pytest.mark.usefixtures("hang_guard")
@pytest.mark.parametrize("arguments", NEEDS_BROKER, ids=" ".join)
def test_a_broker_that_refuses_connections(arguments: list[str], closed_address: str) -> None:
    assert_unreachable(invoke(*arguments, "--broker", closed_address), closed_address)


@pytest.mark.usefixtures("hang_guard")
@pytest.mark.parametrize("arguments", [["topics", "check"], ["watch"], ["replay", "stream.jsonl"]])
def test_a_broker_that_never_answers(
    arguments: list[str], silent_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANGLOU_BROKER__REQUEST_TIMEOUT_SECONDS", "1")
    monkeypatch.setenv("WANGLOU_BROKER__URL", silent_address)
    assert_unreachable(invoke(*arguments), silent_address)


def test_an_error_of_our_own_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError

    module = importlib.import_module("wanglou.agents.commands.config")
    monkeypatch.setattr(module, "settings_with", broken)
    assert isinstance(invoke("config", "show").exception, ZeroDivisionError)


def test_topics_list_needs_no_broker_and_cuts_nothing() -> None:
    result = invoke("topics", "list")
    assert result.exit_code == 0
    for topic in TOPICS:
        (line,) = (line for line in result.output.splitlines() if f" {topic.name} " in line)
        assert topic.description in line
        assert topic.key in line
        kept = "compacted" if topic.retention is None else f"{topic.retention.days} d"
        assert f" {kept} " in line


def test_what_strangers_wrote_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("[/red] [bold]:bank:[/bold]")
    assert capsys.readouterr().out == "[/red] [bold]:bank:[/bold]\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("挤兑 café", "挤兑 café"),
        ("two\nlines", "two\nlines"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\rb\x00\u202e", "a\\rb\\x00\\u202e"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """aiokafka's own lines about an unreachable broker would go to pytest's report."""
    logger = logging.getLogger("aiokafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)
