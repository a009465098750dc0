"""What is wrong for long ends the process, even when the log hangs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from wanglou.agents import escalation
from wanglou.agents.escalation import Escalation, WatchedTime, end_process


class Ended(BaseException):
    """Stands for the end of the process."""


class Hanging(logging.Handler):
    """A log that hangs, as one does into a pipe that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.released.wait()

    def flush(self) -> None:
        self.released.wait()


@pytest.fixture
def hanging_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    monkeypatch.setattr(escalation, "LOG_SECONDS", 0.05)
    handler = Hanging()
    escalation.logger.addHandler(handler)
    yield handler
    handler.released.set()
    escalation.logger.removeHandler(handler)


def test_stacks_are_logged_once_while_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    exits: list[str] = []
    one = Escalation(30, lambda: exits.append("now"))
    for now in range(0, 30, 5):
        one.update([f"a is stuck for {now} s", "b is stuck"], now)
    assert one.reasons == ("a is stuck for 25 s", "b is stuck")
    assert exits == []
    (message,) = caplog.messages
    assert message.startswith(
        "stuck, the process ends in 30 s unless that changes: a is stuck for 0 s; b is stuck\n"
    )
    assert "test_stacks_are_logged_once_while_it_lasts" in message


def test_another_reason_does_not_win_time() -> None:
    exits: list[str] = []
    one = Escalation(30, lambda: exits.append("now"))
    one.update(["a"], 0)
    one.update(["b"], 29)
    assert exits == []
    one.update(["b"], 30)
    assert exits == ["now"]


def test_nothing_wrong_is_nothing_said(caplog: pytest.LogCaptureFixture) -> None:
    one = Escalation(30, end_process)
    one.update([], 0)
    one.update([], 100)
    assert one.reasons == ()
    assert caplog.records == []


def test_a_log_that_hangs_does_not_keep_the_process(hanging_log: Hanging) -> None:
    exits: list[str] = []
    one = Escalation(30, lambda: exits.append("now"))
    one.update(["a"], 0)
    one.update(["a"], 30)
    assert exits == ["now"]
    assert not hanging_log.released.is_set()


def test_the_process_ends_with_70_though_a_log_cannot_be_flushed(
    hanging_log: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(escalation.os, "_exit", end)
    monkeypatch.setattr(escalation.logging, "shutdown", hanging_log.flush)
    with pytest.raises(Ended) as caught:
        end_process()
    assert caught.value.args == (70,)


def test_watched_time_goes_with_the_clock_while_somebody_looks() -> None:
    seconds = iter([100.0, 101.0, 104.0, 114.0])
    time = WatchedTime(lambda: next(seconds), longest_gap=10)
    assert [time.now(), time.now(), time.now()] == [1.0, 4.0, 14.0]
