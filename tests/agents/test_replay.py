"""Replaying a recorded stream: keys, pace, and going on after an interruption."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from click.testing import CliRunner, Result

from wanglou.agents import replay
from wanglou.agents.commands import main
from wanglou.agents.replay import Line, Position, Replay, Sent, collected_seconds, read_lines
from wanglou.models.intake import fields_of
from wanglou.schemas.topics import RAW


def mention(number: int, **fields: Any) -> bytes:
    return json.dumps(
        {
            "id": f"weibo:{number}",
            "published_at": "2026-03-02T00:00:00Z",
            "collected_at": f"2026-03-02T00:{number:02}:00Z",
            **fields,
        }
    ).encode()


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    file = tmp_path / "stream.jsonl"
    file.write_bytes(b"".join(mention(number) + b"\n" for number in range(1, 8)))
    return file


class TestPosition:
    @pytest.fixture
    def position(self, tmp_path: Path) -> Position:
        return Position(tmp_path / "stream.jsonl.position")

    def test_there_is_none_at_first(self, position: Position) -> None:
        assert position.load() == 0

    def test_the_last_line_saved_is_loaded(self, position: Position, tmp_path: Path) -> None:
        for line in (5, 500, 12):
            position.save(line)
        assert position.load() == 12
        assert Position(tmp_path / "stream.jsonl.position").load() == 12
        assert [file.name for file in tmp_path.iterdir()] == ["stream.jsonl.position"]

    def test_it_can_be_cleared_twice(self, position: Position) -> None:
        position.save(5)
        position.clear()
        position.clear()
        assert position.load() == 0

    @pytest.mark.parametrize(
        "content",
        [
            *(b"", b"{", b"\xff", b"[]", b"{}", b"null", b"7"),
            *(b'{"line": null}', b'{"line": "x"}', b'{"line": NaN}', b'{"line": Infinity}'),
            *(b'{"line": -1}', b'{"line": true}', b'{"line": 1.5}'),
        ],
    )
    def test_a_bad_file_is_named(self, position: Position, tmp_path: Path, content: bytes) -> None:
        file = tmp_path / "stream.jsonl.position"
        file.write_bytes(content)
        with pytest.raises(ValueError, match=f"^{file}: is no replay position"):
            position.load()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b'{"published_at": "1970-01-01T00:00:07Z"}', 7),
        (b'{"published_at": "1970-01-01T08:00:00+08:00", "collected_at": null}', 0),
        (
            b'{"published_at": "1970-01-01T00:00:07Z", "collected_at": "1970-01-01T00:01:00Z"}',
            60,
        ),
        (b'{"published_at": "yesterday"}', None),
        (b'{"published_at": 7}', None),
        (b'{"published_at": []}', None),
        (b"{}", None),
        (b"[]", None),
        (b"7", None),
        (b"\xff", None),
    ],
)
def test_when_a_line_was_collected(value: bytes, seconds: float | None) -> None:
    assert collected_seconds(fields_of(value)) == seconds


def test_lines_are_numbered_as_an_editor_does_and_empty_ones_left_out(tmp_path: Path) -> None:
    file = tmp_path / "stream.jsonl"
    file.write_bytes(b"one\r\n\ntwo \xff\nthree")
    assert [(line.number, line.value) for line in read_lines(file)] == [
        (1, b"one"),
        (3, b"two \xff"),
        (4, b"three"),
    ]
    assert [line.number for line in read_lines(file, after=3)] == [4]
    assert list(read_lines(file, after=4)) == []


async def sent_by(playing: Replay, lines: Iterator[Line]) -> list[Sent]:
    return [step async for step in playing.send(lines)]


async def test_lines_are_sent_as_they_are_with_the_key_of_their_thread(producer: Any) -> None:
    values = [mention(1, root_id="weibo:0"), mention(2), b"\xff nonsense", b"[]"]
    lines = (Line(number, value, None) for number, value in enumerate(values, 1))
    (step,) = await sent_by(Replay(producer, None), lines)
    assert (step.line, step.lines, step.refused) == (4, 4, [])
    assert [topic for topic, _, _ in producer.sent] == [RAW.name] * 4
    assert [key for _, key, _ in producer.sent] == [b"weibo:0", b"weibo:2", None, None]
    assert [value for _, _, value in producer.sent] == values


async def test_each_line_tells_the_latest_publication_that_was_sent(
    producer: Any, tmp_path: Path
) -> None:
    """Whatever its own: so the order does not depend on the speed."""
    file = tmp_path / "stream.jsonl"
    times = ["", "00:03:00Z", "00:01:00Z", "00:03:00.5+01:00", "00:03:00.25Z", "99:00:00Z"]
    lines = [b"nonsense", *(mention(1, published_at=f"2026-03-02T{one}") for one in times[1:])]
    file.write_bytes(b"\n".join(lines))
    for after, sent in ((0, 6), (3, 3)):  # from the middle on, the lines before it count as well
        producer.headers.clear()
        await sent_by(Replay(producer, None), read_lines(file, after))
        clocks = [one.get("ce_clock") for one in producer.headers]
        assert (
            clocks
            == [
                None,
                *[b"2026-03-02T00:03:00+00:00"] * 3,
                *[b"2026-03-02T00:03:00.250000+00:00"] * 2,
            ][-sent:]
        )


async def test_each_step_says_how_far_it_came(
    producer: Any, stream: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "CHUNK", 3)
    steps = await sent_by(Replay(producer, None), read_lines(stream))
    assert [(step.line, step.lines) for step in steps] == [(3, 3), (6, 3), (7, 1)]


async def test_refused_lines_are_named(producer: Any, stream: Path) -> None:
    def fail(value: bytes | None) -> None:
        if value == mention(2):
            raise MessageSizeTooLargeError

    producer.fail = fail
    (step,) = await sent_by(Replay(producer, None), read_lines(stream))
    (problem,) = step.refused
    assert problem.startswith("line 2: MessageSizeTooLargeError")
    assert len(producer.sent) == 6


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_800_000_000.0  # 2027


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(replay, "time", clock)
    monkeypatch.setattr(replay, "asyncio", SimpleNamespace(sleep=clock.sleep))
    return clock


@pytest.mark.parametrize(("speed", "seconds"), [(1, 360), (60, 6), (360, 1)])
async def test_the_pace_is_that_of_event_time(
    producer: Any, stream: Path, clock: Clock, speed: float, seconds: float
) -> None:
    """Six minutes from the first line to the last."""
    await sent_by(Replay(producer, speed), read_lines(stream))
    assert clock.slept == pytest.approx(seconds)
    assert len(producer.sent) == 7


async def test_as_fast_as_possible_does_not_sleep(
    producer: Any, stream: Path, clock: Clock
) -> None:
    await sent_by(Replay(producer, None), read_lines(stream))
    assert clock.slept == 0


@pytest.mark.parametrize(
    "broken",
    [
        {"collected_at": "9999-12-31T00:00:00Z"},
        {"collected_at": "1970-01-01T00:00:00Z"},
        {"collected_at": "2031-01-01T00:00:00Z"},
        {"collected_at": None, "published_at": None},
    ],
)
@pytest.mark.parametrize("place", [0, 3])
async def test_a_line_with_a_time_that_nobody_believes_stalls_nothing(
    producer: Any, stream: Path, clock: Clock, broken: dict[str, Any], place: int
) -> None:
    lines = list(read_lines(stream))
    value = mention(1, **broken)
    lines.insert(place, Line(99, value, collected_seconds(fields_of(value))))
    await sent_by(Replay(producer, 60), iter(lines))
    assert clock.slept == pytest.approx(6)
    assert [sent for _, _, sent in producer.sent] == [line.value for line in lines]


class TestCommand:
    @pytest.fixture(autouse=True)
    def in_memory(self, producer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        module = importlib.import_module("wanglou.agents.commands.replay")

        async def start_producer(broker: object) -> Any:
            return producer

        monkeypatch.setattr(module, "start_producer", start_producer)
        monkeypatch.setattr(replay, "CHUNK", 2)

    def run(self, *arguments: str) -> Result:
        command = ["replay", "stream.jsonl", "--speed", "max", *arguments]
        return CliRunner().invoke(main, command)

    @pytest.mark.usefixtures("stream")
    def test_all_lines_are_sent_and_no_position_is_left(self, producer: Any) -> None:
        result = self.run()
        assert (result.exit_code, result.output) == (0, "7 mentions sent\n")
        assert len(producer.sent) == 7
        assert not Path("stream.jsonl.position").exists()

    @pytest.mark.usefixtures("stream")
    def test_an_interrupted_replay_goes_on_where_it_stopped(self, producer: Any) -> None:
        def fail(value: bytes | None) -> None:
            if value == mention(6):
                raise KeyboardInterrupt

        producer.fail = fail
        assert self.run().exit_code == 1
        assert json.loads(Path("stream.jsonl.position").read_text()) == {"line": 4}

        producer.fail, before = (lambda value: None), len(producer.sent)
        result = self.run("--resume")
        assert (result.exit_code, result.output) == (0, "3 mentions sent\n")
        keys = [key for _, key, _ in producer.sent[before:]]
        assert keys == [b"weibo:5", b"weibo:6", b"weibo:7"]
        assert not Path("stream.jsonl.position").exists()

    @pytest.mark.usefixtures("stream")
    def test_without_resume_it_begins_anew(self, producer: Any) -> None:
        Path("stream.jsonl.position").write_text('{"line": 4}')
        assert self.run().output == "7 mentions sent\n"

    @pytest.mark.usefixtures("stream")
    def test_resume_without_a_position_begins_at_the_beginning(self, producer: Any) -> None:
        assert self.run("--resume").output == "7 mentions sent\n"

    @pytest.mark.usefixtures("stream")
    def test_a_bad_position_sends_nothing(self, producer: Any) -> None:
        Path("stream.jsonl.position").write_text("nonsense")
        result = self.run("--resume")
        assert result.exit_code == 1
        assert "stream.jsonl.position: is no replay position" in result.stderr
        assert producer.sent == []

    @pytest.mark.usefixtures("stream")
    def test_where_no_position_can_be_kept_nothing_is_sent(self, producer: Any) -> None:
        Path("stream.jsonl.position.new").mkdir()  # as a folder that is read-only
        result = self.run()
        assert result.exit_code == 1
        assert "stream.jsonl.position.new: " in result.stderr
        assert "copy FILE to a folder where you may write" in result.stderr
        assert producer.sent == []

    @pytest.mark.usefixtures("stream")
    def test_what_the_broker_refuses_is_named_and_the_exit_code_is_1(self, producer: Any) -> None:
        def fail(value: bytes | None) -> None:
            if value == mention(2):
                raise MessageSizeTooLargeError

        producer.fail = fail
        result = self.run()
        assert result.exit_code == 1
        assert result.stdout == "6 mentions sent\n"
        assert result.stderr.startswith("wanglou: refused by the broker: line 2: ")
