"""A silent partition gets a heartbeat when others went on, and no partition is waited for."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from wanglou.agents.pacemaker import Clocks, Told, heartbeat
from wanglou.agents.reading import RawReader
from wanglou.agents.record import Record, time_at
from wanglou.agents.window import Window
from wanglou.models.order import BEGINNING, Mark, after

NOON = 1_772_424_000_000
"""2026-03-02 12:00 in Shanghai, in milliseconds."""

EVERY = {0, 1, 2}
IDLE_SECONDS = 1.0


def clocks(**told: Told) -> Clocks:
    """Clocks last changed at 0; one look was taken at them then."""
    made = Clocks(IDLE_SECONDS)
    for name, one in told.items():
        made.saw(int(name[1:]), one, now=0)
    made.due(EVERY, now=0)
    return made


def test_those_behind_get_the_latest_clock() -> None:
    made = clocks(p0=Told(NOON), p1=Told(NOON - 5), p2=Told(NOON, is_heartbeat=True))
    assert made.due(EVERY, now=2) == {0: NOON, 1: NOON}


def test_a_partition_that_never_had_anything_gets_one_too() -> None:
    assert clocks(p0=Told(NOON, is_heartbeat=True)).due(EVERY, now=2) == {1: NOON, 2: NOON}


def test_one_in_which_something_comes_gets_none() -> None:
    made = clocks(p0=Told(NOON), p1=Told(NOON - 9), p2=Told(NOON - 9))
    made.saw(1, Told(NOON - 8), now=1.5)
    assert made.due(EVERY, now=2) == {0: NOON, 2: NOON}


def test_one_that_grows_gets_none_though_nothing_of_it_was_read() -> None:
    made = clocks(p0=Told(NOON), p1=Told(NOON - 9), p2=Told(NOON))
    for now in (0.5, 1.0, 1.5):
        made.ends(1, int(10 * now), now)
    made.ends(2, 5, 0.5)
    assert made.due(EVERY, now=2) == {0: NOON, 2: NOON}
    made.ends(1, 15, now=2.5)
    assert made.due({1}, now=2.5) == {1: NOON}


def test_only_this_workers_partitions_get_one() -> None:
    assert clocks(p0=Told(NOON), p1=Told(NOON - 9)).due({1}, now=2) == {1: NOON}


def test_where_nothing_was_ever_said_there_is_none() -> None:
    assert clocks().due(EVERY, now=2) == {}


def test_what_was_only_just_seen_does_not_count_yet() -> None:
    made = clocks(p0=Told(NOON), p1=Told(NOON), p2=Told(NOON))
    made.saw(0, Told(NOON + 7), now=1.9)
    assert made.due({1}, now=2) == {1: NOON}
    assert made.due({1}, now=2.5) == {1: NOON + 7}


def record(offset: int, told: Told) -> Record:
    """What moves the clock of partition 0: a heartbeat, or a message that tells no time."""
    value, headers = b"{}", ()
    if told.is_heartbeat:
        message = heartbeat(0, told.milliseconds)
        value, headers = message.value or b"", message.headers
    return Record("raw", 0, offset, time_at(NOON + 9_000), None, value, headers)


def read(told: Iterable[Told]) -> RawReader:
    reader = RawReader(0, Mark(), Window(100, lambda: BEGINNING))
    for offset, one in enumerate(told):
        reader.take(record(offset, one))
    while reader.ready():
        reader.pop()
    reader.settle()
    return reader


def test_a_heartbeat_is_what_a_reader_takes_as_one() -> None:
    assert read([Told(NOON, is_heartbeat=True)]).frontier == after(NOON)


def test_a_message_after_a_heartbeat_is_later_and_the_others_follow_it() -> None:
    """Its own time may be long past: what counts is the clock that it moved."""
    told = Told.by(read([Told(NOON, is_heartbeat=True), Told()]).frontier)
    assert told == Told(NOON + 1)
    quiet = Told(NOON, is_heartbeat=True)
    assert clocks(p0=told, p1=quiet, p2=quiet).due(EVERY, now=2) == dict.fromkeys(EVERY, NOON + 1)


@given(
    st.lists(st.builds(Told, st.integers(NOON, NOON + 50), st.booleans()), min_size=3, max_size=3)
)
def test_once_all_are_silent_there_is_an_end(told: list[Told]) -> None:
    made = clocks(p0=told[0], p1=told[1], p2=told[2])
    for partition, milliseconds in made.due(EVERY, now=2).items():
        made.saw(partition, Told(milliseconds, is_heartbeat=True), now=2)
    made.due(EVERY, now=4)
    assert made.due(EVERY, now=6) == {}
