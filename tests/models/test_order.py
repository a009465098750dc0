"""Whatever comes when: mentions are taken in the one order of their positions."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanglou.models.order import (
    BEGINNING,
    Mark,
    Merge,
    Position,
    RawClock,
    after,
    before,
)


def place(time: int, partition: int = 0, offset: int = 0) -> Position:
    return Position(time, partition, offset, 0)


# --- positions


def test_order_is_by_clock_then_raw_partition_then_offset_then_part() -> None:
    ordered = [
        BEGINNING,
        before(5),
        Position(5, 0, 9, 0),
        Position(5, 1, 3, 0),
        Position(5, 1, 3, 1),
        Position(5, 1, 3, 0).end(),
        Position(5, 1, 4, 0),
        after(5),
        before(6),
    ]
    assert sorted([ordered[1], ordered[0], *ordered[2:]]) == ordered
    assert len(set(ordered)) == len(ordered)


@pytest.mark.parametrize(
    ("milliseconds", "minute"), [(0, 0), (59_999, 0), (60_000, 1), (1_772_409_600_000, 29_540_160)]
)
def test_minute_is_that_of_the_clock(milliseconds: int, minute: int) -> None:
    assert place(milliseconds).minute == minute


def test_the_beginning_is_before_the_first_minute() -> None:
    assert BEGINNING.minute == -1


# --- marks


@pytest.mark.parametrize(
    ("mark", "other"),
    [
        (Mark(place(6), 3), Mark(place(5), 9)),
        (Mark(place(5), 9), Mark(place(5), 3)),
        (Mark(place(5), 3), Mark()),
    ],
)
def test_the_further_mark_is_the_later(mark: Mark, other: Mark) -> None:
    assert mark.later(other) is mark
    assert other.later(mark) is mark


# --- raw partitions

own_times = st.one_of(st.none(), st.integers(0, 50))
raw_messages = st.lists(
    st.one_of(
        own_times.map(lambda time: ("mention", time)),
        st.integers(0, 50).map(lambda time: ("heartbeat", time)),
    ),
    max_size=30,
)


def stamped(clock: RawClock, first: int, messages: list[tuple[str, int | None]]) -> list[Position]:
    """The positions of mentions that stand from offset ``first`` on."""
    positions = []
    for offset, (kind, time) in enumerate(messages, first):
        if kind == "heartbeat":
            assert time is not None
            clock.advance(offset, time)
            continue
        position = clock.stamp(offset, time)
        assert position is not None
        positions.append(position)
    return positions


def test_clock_is_the_latest_time_so_far() -> None:
    messages = [("mention", time) for time in (None, 7, 5, None, 9)]
    assert stamped(RawClock(2), 10, messages) == [
        Position(time, 2, offset, 0) for offset, time in enumerate([-1, 7, 7, 7, 9], 10)
    ]


def test_all_that_follows_a_heartbeat_is_later() -> None:
    messages = [("heartbeat", 7), ("mention", 7), ("mention", 3), ("heartbeat", 2), ("mention", 9)]
    # one later than 7, where the heartbeat of a time gone by changes nothing
    assert [one.time for one in stamped(RawClock(0), 0, messages)] == [8, 8, 9]


@given(raw_messages)
def test_clock_never_goes_back(messages: list[tuple[str, int | None]]) -> None:
    clock = RawClock(0)
    frontier = clock.frontier
    for offset, message in enumerate(messages):
        for position in stamped(clock, offset, [message]):
            assert position > frontier
        assert clock.frontier >= frontier
        frontier = clock.frontier
        if message[0] == "heartbeat":
            assert frontier >= after(message[1] or 0)
        elif message[1] is not None:
            assert frontier.time >= message[1]


@given(raw_messages, st.integers(0, 30), st.integers(0, 30))
def test_positions_are_the_same_after_a_restart(
    messages: list[tuple[str, int | None]], come: int, again: int
) -> None:
    """From a mark, reading again from an earlier offset on."""
    expected = stamped(RawClock(0), 0, messages)
    clock = RawClock(0)
    come = min(come, len(messages))
    positions = stamped(clock, 0, messages[:come])
    restarted = RawClock(0, clock.mark())
    assert restarted.mark() == clock.mark()
    for offset in range(min(again, come), come):
        kind, time = messages[offset]
        if kind == "heartbeat":
            restarted.advance(offset, 1000)  # it was read before: it must not count again
        else:
            assert restarted.stamp(offset, time) is None
    assert positions + stamped(restarted, come, messages[come:]) == expected


# --- several upstream partitions


def drain(merge: Merge[Position]) -> list[Position]:
    """All that is ready, each with the position that was said to be next."""
    taken = []
    while (position := merge.ready()) is not None:
        assert merge.pop() == position == merge.frontier
        taken.append(position)
    merge.settle()
    return taken


def test_what_had_no_turn_yet_has_come_up_to_what_is_next() -> None:
    """A partition that is far ahead of the others holds up nobody."""
    merge = Merge[Position](upstreams=2)
    merge.add(0, 0, place(5), place(5))
    merge.add(1, 1, place(9, 1), place(9, 1))
    merge.advance(2, 0, after(20))
    merge.settle()
    assert place(4) < merge.frontier < place(5)
    assert merge.pop() == place(5)
    merge.settle()
    assert place(8) < merge.frontier < place(9, 1)
    restarted = Merge[Position](upstreams=2, mark=merge.mark())
    assert not restarted.add(0, 0, place(5), place(5))
    assert restarted.add(1, 1, place(9, 1), place(9, 1))


def test_nothing_comes_before_every_upstream_has_come_as_far() -> None:
    merge = Merge[Position](upstreams=3)
    merge.add(0, 0, place(5), place(5))
    merge.add(1, 1, place(6, 1), place(6, 1))
    assert drain(merge) == []
    assert merge.slowest() == 2
    merge.advance(2, 2, after(5))
    assert drain(merge) == [place(5)]
    assert merge.frontier == place(5)  # all that partition 0 has told
    assert merge.slowest() == 0
    merge.advance(3, 0, after(9))
    assert drain(merge) == []  # partition 2 may still write at 6
    merge.advance(4, 2, before(7))
    assert drain(merge) == [place(6, 1)]
    assert merge.slowest() is None


def test_of_equal_times_the_raw_partition_decides() -> None:
    merge = Merge[Position](upstreams=2)
    merge.add(0, 1, place(5, 1, 0), place(5, 1, 0))
    merge.add(1, 0, place(5, 0, 9), place(5, 0, 9))
    assert drain(merge) == [place(5, 0, 9)]
    merge.advance(2, 0, after(5))
    assert drain(merge) == [place(5, 1, 0)]


def test_watermark_that_goes_back_changes_nothing() -> None:
    merge = Merge[Position](upstreams=1)
    merge.advance(0, 0, after(9))
    merge.advance(1, 0, after(5))
    drain(merge)
    assert merge.frontier == after(9)
    assert not merge.add(2, 0, place(7), place(7))


def test_offset_waits_until_its_message_is_taken() -> None:
    merge = Merge[Position](upstreams=2)
    merge.add(3, 0, place(5), place(5))
    merge.add(4, 0, place(5), place(5))  # a repeat waits for nothing
    merge.advance(5, 1, after(5))
    assert [offset for offset in range(7) if merge.waits(offset)] == [3]
    assert (len(merge), merge.mark().frontier) == (1, BEGINNING)
    merge.pop()
    assert not merge.waits(3)
    assert (len(merge), merge.mark().frontier) == (0, place(5))


def test_what_is_ready_but_not_taken_stays() -> None:
    merge = Merge[Position](upstreams=1)
    for offset in range(3):
        merge.add(offset, 0, place(offset), place(offset))
    assert merge.ready() == place(0)
    merge.pop()
    assert merge.mark() == Mark(place(0), 2, {0: place(2)})
    assert drain(merge) == [place(1), place(2)]


def test_new_upstream_partition_is_waited_for_once_it_has_come() -> None:
    # the raw topic was given more partitions
    merge = Merge[Position](upstreams=1, mark=Mark(place(3)))
    merge.add(0, 1, place(4, 1), place(4, 1))
    merge.add(1, 0, place(9), place(9))
    assert drain(merge) == [place(4, 1)]
    merge.advance(2, 1, after(9))
    assert drain(merge) == [place(9)]


@dataclass(frozen=True)
class Written:
    """What stands at an offset: a message, or a watermark."""

    upstream: int
    position: Position
    is_message: bool

    def read_by(self, merge: Merge[Position], offset: int) -> None:
        if self.is_message:
            merge.add(offset, self.upstream, self.position, self.position)
        else:
            merge.advance(offset, self.upstream, self.position)


class Upstream:
    """What an upstream partition has to write, and the workers that write it.

    Any of them may begin again from something on that was written before, as one does that crashed
    or that was given the partition; one that lost it may write on for a while.
    """

    def __init__(self, script: list[Written]) -> None:
        self._script = script
        self._written = 0
        self._workers = [0]

    def write(self, worker: int) -> list[Written]:
        """The next thing that a worker writes."""
        worker %= len(self._workers)
        number = self._workers[worker]
        self._workers[worker] += 1
        self._written = max(self._written, number + 1)
        return self._script[number : number + 1]

    def begin_again(self, start: int) -> None:
        """Another worker comes, or the same once more."""
        self._workers.append(start % (min(self._written, len(self._script)) + 1))

    def rest(self) -> list[Written]:
        """What no worker has written."""
        return self._script[self._written :]


@st.composite
def partition_of_several(draw: st.DrawFn) -> tuple[int, list[Written]]:
    """What several upstream partitions wrote into one, in the end that nothing more will come."""
    upstreams = []
    for number in range(draw(st.integers(1, 3))):
        script = []
        times = sorted(draw(st.lists(st.integers(0, 6), max_size=6)))
        for offset, time in enumerate(times):
            position = place(time, number, offset)
            script.append(Written(number, position, is_message=True))
            if draw(st.booleans()):
                script.append(Written(number, position.end(), is_message=False))
        script.append(Written(number, after(7), is_message=False))
        upstreams.append(Upstream(script))
    log: list[Written] = []
    steps = st.tuples(st.integers(0, 2), st.sampled_from("wwwwb"), st.integers(0, 9))
    for number, action, drawn in draw(st.lists(steps, max_size=50)):
        upstream = upstreams[number % len(upstreams)]
        if action == "w":
            log += upstream.write(drawn)
        else:
            upstream.begin_again(drawn)
    return len(upstreams), log + [one for upstream in upstreams for one in upstream.rest()]


def in_order(log: list[Written]) -> list[Position]:
    """Each message once, in the order of positions."""
    return sorted({one.position for one in log if one.is_message})


@given(partition_of_several())
def test_each_message_comes_once_in_order_whoever_repeats_what(
    partition: tuple[int, list[Written]],
) -> None:
    upstreams, log = partition
    merge, released = Merge[Position](upstreams), []
    for offset, one in enumerate(log):
        one.read_by(merge, offset)
        before_it = merge.frontier
        taken = drain(merge)
        assert all(before_it < position <= merge.frontier for position in taken)
        assert any(merge.waits(number) for number in range(offset + 1)) == (len(merge) > 0)
        released += taken
    assert released == in_order(log)
    assert merge.frontier == after(7)


@given(partition_of_several(), st.data())
def test_each_message_comes_once_in_order_whenever_the_reader_restarts(
    partition: tuple[int, list[Written]], data: st.DataObject
) -> None:
    """It goes on from its mark, and reads from the first message that was waiting then, or before.

    What it released since its mark was written has had no effect.
    """
    upstreams, log = partition
    merge, released, offset = Merge[Position](upstreams), list[Position](), 0
    saved, committed, had_effect = merge.mark(), 0, 0
    crashes = 0
    while offset < len(log):
        log[offset].read_by(merge, offset)
        offset += 1
        action = data.draw(st.sampled_from(["read on", "take one", "take all", "save", "crash"]))
        if action == "take one" and merge.ready() is not None:
            released.append(merge.pop())
        elif action == "take all":
            released += drain(merge)
        elif action == "save":
            waiting = (number for number in range(offset) if merge.waits(number))
            saved, committed, had_effect = merge.mark(), next(waiting, offset), len(released)
        elif action == "crash" and crashes < 5:
            crashes += 1
            merge, released = Merge[Position](upstreams, saved), released[:had_effect]
            offset = data.draw(st.integers(0, committed))
    released += drain(merge)
    assert released == in_order(log)


def test_watermarks_are_remembered_over_a_restart() -> None:
    """Nobody tells them again: what waited must not wait for ever."""
    merge = Merge[Position](upstreams=2)
    merge.advance(0, 1, after(9))
    merge.add(1, 0, place(5), place(5))
    merge.add(2, 0, place(6), place(6))
    assert merge.pop() == place(5)
    restarted = Merge[Position](2, merge.mark())
    restarted.add(2, 0, place(6), place(6))
    assert drain(restarted) == [place(6)]


def test_watermarks_of_before_a_restart_hide_nothing_that_waited() -> None:
    """Only when all has been read again may they tell that what is earlier is a repeat."""
    merge = Merge[Position](upstreams=2)
    merge.add(0, 0, place(5), place(5))
    merge.add(1, 0, place(7), place(7))
    mark = merge.mark()
    assert mark == Mark(BEGINNING, 1, {0: place(7), 1: BEGINNING})
    restarted = Merge[Position](2, mark)
    assert restarted.add(0, 0, place(5), place(5))
    assert restarted.mark() == mark  # also while it reads again
    assert restarted.add(1, 0, place(7), place(7))
    assert not restarted.add(2, 0, place(5), place(5))
    restarted.advance(3, 1, after(7))
    assert drain(restarted) == [place(5), place(7)]


def test_offset_that_brings_nothing_counts_as_read() -> None:
    merge = Merge[Position](upstreams=1)
    merge.skip(4)
    assert merge.mark() == Mark(BEGINNING, 4, {0: BEGINNING})
