"""wanglou dlq: what was put aside can be looked at and sent again."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from click.testing import CliRunner, Result

from wanglou.agents.commands import main
from wanglou.schemas.dead_letter import DeadLetter, Reason

module = importlib.import_module("wanglou.agents.commands.dlq")
START = datetime(2026, 3, 2, tzinfo=UTC)
TOPIC = "wanglou.mentions.raw.v1"


def letter(offset: int, value: bytes | None = b'{"id": 7}', **fields: Any) -> DeadLetter:
    defaults: dict[str, Any] = {
        "agent": "intake",
        "reason": Reason.INVALID,
        "error": f"id: wrong in {offset}",
    }
    return DeadLetter.model_construct(
        **{
            **defaults,
            "id": f"{TOPIC}/0/{offset}",
            "topic": TOPIC,
            "partition": 0,
            "offset": offset,
            "timestamp": START + timedelta(seconds=offset),
            "key": b"weibo:%d" % offset,
            "value": value,
            **fields,
        }
    )


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch, producer: Any) -> list[DeadLetter | bytes | None]:
    """What stands in the dead-letter topic; bytes stand there as they are."""
    standing: list[DeadLetter | bytes | None] = []

    async def read_to_end(broker: object, topic: str) -> AsyncIterator[Any]:
        for offset, one in enumerate(standing):
            value = one.to_json() if isinstance(one, DeadLetter) else one
            yield SimpleNamespace(topic=topic, partition=0, offset=offset, value=value)

    monkeypatch.setattr(module, "read_to_end", read_to_end)

    async def start_producer(broker: object) -> Any:
        return producer

    monkeypatch.setattr(module, "start_producer", start_producer)
    return standing


def dlq(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["dlq", *arguments])


def test_list_has_one_line_a_letter_in_order_of_time(letters: list[Any]) -> None:
    letters += [letter(10), letter(1, error="two\nlines " + "x" * 500), letter(9), letter(10)]
    result = dlq("list")
    assert result.exit_code == 0
    lines = [line for line in result.output.splitlines() if TOPIC in line]
    assert [line.split("│")[1].strip() for line in lines] == [f"{TOPIC}/0/{n}" for n in (1, 9, 10)]
    assert "two lines xxx" in lines[0]
    assert "id: wrong in 9" in lines[1]
    assert result.output.splitlines()[-1] == "3 dead letters"


def test_list_can_be_narrowed_to_a_reason(letters: list[Any]) -> None:
    letters += [letter(1), letter(2, reason=Reason.TOO_LARGE)]
    result = dlq("list", "--reason", "too-large")
    assert f"{TOPIC}/0/2" in result.output
    assert f"{TOPIC}/0/1" not in result.output
    assert result.output.splitlines()[-1] == "1 dead letters"


def test_an_error_with_a_strangers_words_harms_no_terminal(letters: list[Any]) -> None:
    letters += [letter(1, error="text: wrong (got '[/red] :bank: \x1b[2J')")]
    for arguments in (["list"], ["show", f"{TOPIC}/0/1"]):
        result = dlq(*arguments)
        assert result.exit_code == 0
        assert "(got '[/red] :bank: \\x1b[2J')" in result.output


def test_what_is_no_dead_letter_is_passed_over(letters: list[Any]) -> None:
    letters += [None, b"\xff", b"{}", letter(1)]
    result = dlq("list")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "1 dead letters"


def test_show_shows_everything(letters: list[Any]) -> None:
    letters += [letter(1), letter(2, "和兴\x1b[2J\n".encode() + b"\xff", key=None)]
    lines = dlq("show", f"{TOPIC}/0/2").output.splitlines()
    assert lines[0].split() == ["id:", f"{TOPIC}/0/2"]
    assert "error:     id: wrong in 2" in lines
    assert "reason:    invalid" in lines
    assert "key:       (none)" in lines
    assert lines[-2:] == ["value:     和兴\\x1b[2J", "\\xff"]


def test_show_says_that_an_original_was_too_long(letters: list[Any]) -> None:
    letters += [letter(1, None, omitted_bytes=10_485_760)]
    assert "10485760 bytes" in dlq("show", f"{TOPIC}/0/1").output


@pytest.mark.parametrize("arguments", [["show"], ["replay"]])
def test_an_unknown_id_is_said(letters: list[Any], arguments: list[str]) -> None:
    result = dlq(*arguments, "a/0/9")
    assert result.exit_code == 1
    assert "there is no dead letter a/0/9; see: wanglou dlq list" in result.stderr


def test_replay_sends_the_original_to_the_raw_topic(letters: list[Any], producer: Any) -> None:
    letters += [letter(1), letter(2, b"\xff\x00", key=None)]
    result = dlq("replay", f"{TOPIC}/0/2")
    assert (result.exit_code, result.output) == (0, "1 replayed\n")
    assert producer.sent == [(TOPIC, None, b"\xff\x00")]


def test_replay_leaves_out_what_no_agent_wrote(letters: list[Any], producer: Any) -> None:
    letters += [letter(1, topic="wanglou.mentions.accepted.v1")]
    result = dlq("replay", "--all")
    assert result.exit_code == 1
    assert "no agent wrote it: there is no raw message that it came of" in result.stderr
    assert producer.sent == []


def test_replay_all_sends_each_once_in_order(letters: list[Any], producer: Any) -> None:
    letters += [letter(3), letter(1), letter(3)]
    assert dlq("replay", "--all").output == "2 replayed\n"
    assert [key for _, key, _ in producer.sent] == [b"weibo:1", b"weibo:3"]


def test_replay_by_reason(letters: list[Any], producer: Any) -> None:
    letters += [letter(1), letter(2, reason=Reason.FAILED)]
    assert dlq("replay", "--reason", "failed").output == "1 replayed\n"
    assert [key for _, key, _ in producer.sent] == [b"weibo:2"]


def test_replay_leaves_out_what_was_not_kept(letters: list[Any], producer: Any) -> None:
    """It would send an empty message in its place."""
    letters += [letter(1), letter(2, None, key=None, omitted_bytes=10_485_760)]
    result = dlq("replay", "--all")
    assert result.exit_code == 1
    assert result.stdout == "1 replayed\n"
    assert f"{TOPIC}/0/2: its original was too long" in result.stderr
    assert [key for _, key, _ in producer.sent] == [b"weibo:1"]


def test_replay_says_what_the_broker_refuses(letters: list[Any], producer: Any) -> None:
    def fail(value: bytes | None) -> None:
        raise MessageSizeTooLargeError

    producer.fail = fail
    letters += [letter(1)]
    result = dlq("replay", "--all")
    assert result.exit_code == 1
    assert "1 refused by the broker: MessageSizeTooLargeError" in result.stderr
