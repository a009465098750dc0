"""Intake lets in no more than a window beyond what the last agent has done."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agents.builders import RECEIVED, counts
from wanglou.agents.metrics import Metrics
from wanglou.agents.pacemaker import heartbeat
from wanglou.agents.reading import RawReader
from wanglou.agents.record import Record
from wanglou.agents.settings import Settings
from wanglou.agents.step1_intake import Intake
from wanglou.agents.window import Window
from wanglou.models.order import BEGINNING, Mark, Position, after
from wanglou.models.rules import Rules

MessageCount = st.integers(0, 12)


def raw(offset: int, second: int, partition: int = 0) -> Record:
    """A raw message of a second of the minute."""
    value = {"id": f"{partition}.{offset}", "platform": "weibo", "text": "和兴银行"}
    value["published_at"] = f"2026-03-02T08:00:{second:02}+08:00"
    return Record("raw", partition, offset, RECEIVED, None, json.dumps(value).encode())


class Reading:
    """A reader with a window of three, and how far the last agent has come."""

    def __init__(self, messages: int) -> None:
        self.done = BEGINNING
        self.reader = RawReader(0, Mark(), Window(3, lambda: self.done))
        for offset in range(messages):
            self.reader.take(raw(offset, offset))

    def release(self) -> list[int]:
        """Offsets of what may go on."""
        released = []
        while self.reader.ready():
            released.append(self.reader.pop())
        self.reader.settle()
        return [record.offset for record in released]


def test_no_more_than_the_window_is_let_in() -> None:
    reading = Reading(messages=5)
    assert reading.release() == [0, 1, 2]
    assert reading.reader.is_held()
    assert reading.release() == []
    reading.done = position(1)
    assert not reading.reader.is_held()
    assert reading.release() == [3, 4]


def test_what_is_held_back_is_neither_done_nor_acknowledged() -> None:
    reading = Reading(messages=5)
    reading.release()
    assert reading.reader.mark().read == 2
    assert [reading.reader.waits(offset) for offset in range(5)] == [False] * 3 + [True] * 2
    assert reading.reader.waiting() == 2


def test_a_heartbeat_does_not_overtake_what_is_held_back() -> None:
    reading = Reading(messages=4)
    later = int(RECEIVED.timestamp() * 1000)
    message = heartbeat(0, later)
    beat = Record("raw", 0, 4, RECEIVED, None, message.value, message.headers)
    reading.reader.take(beat)
    assert reading.release() == [0, 1, 2]
    assert reading.reader.frontier < after(later)
    reading.done = position(0)
    assert reading.release() == [3]
    assert reading.reader.frontier == after(later)


def test_a_reader_with_nothing_to_release_is_not_held() -> None:
    reading = Reading(messages=3)
    reading.release()
    assert not reading.reader.is_held()


@given(st.lists(st.tuples(MessageCount, MessageCount)))
def test_all_is_let_in_once_in_order_however_the_last_agent_follows(
    steps: list[tuple[int, int]],
) -> None:
    reading, sent, passed = Reading(messages=0), 0, []
    for messages, done in steps:
        for _ in range(messages):
            reading.reader.take(raw(sent, min(sent, 59)))
            sent += 1
        let_in = reading.release()
        passed += let_in
        assert passed == list(range(len(passed)))
        under_way = [one for one in passed if position(one) > reading.done]
        assert len(under_way) <= 3
        if passed:
            reading.done = max(reading.done, position(passed[min(done, len(passed) - 1)]))
    reading.done = after(2**62)
    while let_in := reading.release():
        passed += let_in
    assert passed == list(range(sent))


def position(offset: int) -> Position:
    """Where the reader puts the message of an offset."""
    reader = RawReader(0, Mark(), Window(1000, lambda: BEGINNING))
    for one in range(offset + 1):
        reader.take(raw(one, min(one, 59)))
    records = []
    while reader.ready():
        records.append(reader.pop())
    return records[-1].position


@pytest.fixture
def intake(settings: Settings, rules: Rules, metrics: Metrics) -> Intake:
    narrow = settings.worker.model_copy(update={"window_messages": 2})
    return Intake(settings.model_copy(update={"worker": narrow}), rules, metrics, counts(2))


async def test_one_partition_that_is_held_does_not_hold_the_other(
    intake: Intake, empty_state_topics: None
) -> None:
    for number in (0, 1):
        await intake.prepare(number, 1)
    for offset in range(4):
        intake.take(raw(offset, 30 + offset, partition=0))
    intake.take(raw(0, 1, partition=1))
    released = intake.release(100)
    assert [(one.partition, one.offset) for one in released] == [(1, 0), (0, 0), (0, 1)]
    assert intake.held() == {0}
    assert intake.why_waiting() == {0: "waits for the last agent, 2 messages behind"}
    intake.take(raw(1, 2, partition=1))
    assert [(one.partition, one.offset) for one in intake.release(100)] == [(1, 1)]
    intake.done = released[1].position
    assert [(one.partition, one.offset) for one in intake.release(100)] == [(0, 2)]
