from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from wanglou.models.order import BEGINNING, Position
from wanglou.models.state import Entry, KeyedState

HOUR = 60


def place(offset: int) -> Position:
    """Positions in the order of these numbers, all of one time."""
    return Position(0, 0, offset, 0)


def state_of(**minutes: int) -> KeyedState[str]:
    """Keys by the minute they were touched, two hours of retention; places 0, 1, 2 …"""
    state = KeyedState[str](2 * HOUR)
    for offset, (key, minute) in enumerate(minutes.items()):
        state.put(key, key.upper(), position=place(offset), minute=minute)
    return state


def keys(state: KeyedState[str]) -> list[str]:
    return [key for key, _ in state.items()]


def changed(state: KeyedState[str]) -> list[tuple[str, str | None]]:
    return [(key, entry.value) for key, entry in state.changes()]


def test_unknown_key_has_nothing() -> None:
    state = state_of()
    assert state.get("a") is None
    assert state.minute("a") is None
    assert state.applied("a") == BEGINNING
    assert len(state) == 0


def test_value_is_kept_with_its_position_and_minute() -> None:
    state = state_of(a=5)
    state.put("a", "newer", position=place(9), minute=7)
    assert (state.get("a"), state.applied("a"), state.minute("a")) == ("newer", place(9), 7)
    assert len(state) == 1


def test_retention_must_be_an_hour_at_least() -> None:
    with pytest.raises(ValueError, match="at least 60, not 59"):
        KeyedState(59)
    assert len(KeyedState(60)) == 0


def test_clock_follows_the_latest_minute_observed_only() -> None:
    state = state_of(a=500)
    assert state.clock == 0  # a value is touched at its own minute, which moves no clock
    state.observe(500)
    state.observe(300)
    assert state.clock == 500
    state.observe(501)
    assert state.clock == 501


def test_value_is_kept_as_long_as_its_retention() -> None:
    state = state_of(a=0)
    state.observe(2 * HOUR)
    assert keys(state) == ["a"]


def test_value_expires_in_the_hour_after_its_retention_with_a_tombstone() -> None:
    state = state_of(a=HOUR - 1)
    state.changes()
    state.observe(3 * HOUR - 1)  # two hours after
    assert keys(state) == ["a"]
    state.observe(3 * HOUR)
    assert keys(state) == []
    assert state.changes() == [("a", Entry(place(0), HOUR - 1, None))]
    assert state.applied("a") == BEGINNING


def test_touch_keeps_a_value_alive() -> None:
    state = state_of(a=0)
    state.put("a", "again", position=place(1), minute=2 * HOUR)
    state.observe(4 * HOUR)
    assert keys(state) == ["a"]
    state.observe(5 * HOUR)
    assert keys(state) == []


def test_retention_is_rounded_up_to_whole_hours() -> None:
    state = KeyedState[str](61)
    state.put("a", "A", position=place(0), minute=0)
    state.observe(2 * HOUR + 59)
    assert keys(state) == ["a"]
    state.observe(3 * HOUR)
    assert keys(state) == []


def test_only_the_clock_expires_what_is_old() -> None:
    state = state_of(a=0, b=10 * HOUR)
    assert keys(state) == ["a", "b"]
    state.observe(10 * HOUR)
    assert keys(state) == ["b"]


def test_value_put_too_late_goes_with_the_next_hour() -> None:
    state = state_of()
    state.observe(10 * HOUR)
    state.put("a", "A", position=place(0), minute=10 * HOUR)
    state.put("b", "B", position=place(1), minute=0)
    state.observe(10 * HOUR + 59)
    assert keys(state) == ["a", "b"]
    state.observe(11 * HOUR)
    assert keys(state) == ["a"]


def test_expiry_is_reported_to_an_index() -> None:
    state = state_of(a=0, b=1, c=3 * HOUR - 1)
    gone: dict[str, str] = {}
    state.on_expire = gone.__setitem__
    state.observe(3 * HOUR)
    assert gone == {"a": "A", "b": "B"}


def test_changes_come_once_in_the_order_of_their_last_position() -> None:
    state = state_of(a=0, b=0)
    state.put("a", "newer", position=place(2), minute=0)
    assert changed(state) == [("b", "B"), ("a", "newer")]
    assert changed(state) == []


def test_change_that_expires_is_a_tombstone_only() -> None:
    state = state_of(a=0, b=10 * HOUR)
    state.observe(10 * HOUR)
    assert changed(state) == [("b", "B"), ("a", None)]


def test_key_put_again_after_it_expired_is_no_tombstone() -> None:
    state = state_of(a=0, b=10 * HOUR)
    state.observe(10 * HOUR)
    state.put("a", "anew", position=place(5), minute=10 * HOUR)
    assert changed(state) == [("b", "B"), ("a", "anew")]


def test_items_come_in_the_order_of_their_last_change() -> None:
    state = state_of(a=0, b=0)
    state.put("a", "newer", position=place(2), minute=0)
    assert list(state.items()) == [("b", "B"), ("a", "newer")]


# --- what is read back


def value(offset: int, minute: int = 0) -> Entry[str]:
    return Entry(place(offset), minute, f"of {offset}")


def tombstone(offset: int) -> Entry[None]:
    return Entry(place(offset), 0, None)


def read(*entries: Entry[str] | Entry[None]) -> KeyedState[str]:
    """A state that read these entries of the key a, in this order."""
    state = state_of()
    for entry in entries:
        state.load("a", entry)
    return state


@pytest.mark.parametrize("order", [(3, 7, 5), (7, 3, 5), (3, 5, 7)])
def test_highest_position_wins_whatever_was_written_last(order: tuple[int, ...]) -> None:
    state = read(*map(value, order))
    assert (state.get("a"), state.applied("a")) == ("of 7", place(7))


def test_time_decides_before_the_offset_of_another_raw_partition() -> None:
    state = read(
        Entry(Position(60_000, 5, 3, 0), 1, "later"), Entry(Position(59_000, 0, 900, 0), 0, "old")
    )
    assert state.get("a") == "later"


def test_of_equal_positions_the_last_written_wins() -> None:
    state = read(value(3), Entry(place(3), 0, "last"))
    assert state.get("a") == "last"


def test_loaded_value_is_no_change() -> None:
    assert read(value(3)).changes() == []


def test_stored_tombstone_takes_a_value_away() -> None:
    state = read(value(3), tombstone(3))
    state.load("never there", tombstone(4))
    assert keys(state) == []
    assert state.repair() == 0
    state.observe(10 * HOUR)
    assert changed(state) == []  # nothing is left of it that could expire


def test_loaded_value_expires_like_any() -> None:
    state = state_of()
    state.load("old", value(3))
    state.load("new", value(4, minute=10 * HOUR))
    assert state.clock == 0  # the mark tells how far the partition has come
    state.observe(11 * HOUR)
    assert keys(state) == ["new"]


def test_loaded_value_under_a_newer_one_in_memory_is_ignored() -> None:
    state = state_of(a=5)
    state.put("a", "mine", position=place(9), minute=6)
    state.load("a", value(8, minute=400))  # a late writer's
    assert (state.get("a"), state.minute("a"), state.applied("a")) == ("mine", 6, place(9))


# --- a worker that woke up after its partition was given away


@pytest.mark.parametrize(
    ("entries", "stays"),
    [
        ([value(5), value(3)], value(5)),
        ([value(5), tombstone(3)], value(5)),
        ([value(5), value(3), value(4), tombstone(2)], value(5)),
        ([value(5), tombstone(5), value(3)], tombstone(5)),
        ([value(5), tombstone(5), value(5)], tombstone(5)),  # it was asleep before it wrote
        ([tombstone(5), tombstone(3)], tombstone(5)),
    ],
)
def test_what_an_older_entry_stands_after_is_written_again(
    entries: list[Any], stays: Entry[str] | Entry[None]
) -> None:
    state = read(*entries)
    assert state.repair() == 1
    assert [(key, entry.position, entry.value) for key, entry in state.changes()] == [
        ("a", stays.position, stays.value)
    ]
    assert state.get("a") == stays.value
    assert state.repair() == 0


@pytest.mark.parametrize(
    "entries",
    [
        [value(3), value(5)],
        [value(5), value(3), value(5)],  # it was repaired already
        [value(5), value(3), value(7)],
        [value(5), tombstone(3), tombstone(5)],
        [value(5), tombstone(5), value(3), tombstone(5)],
        [value(5), tombstone(5), value(7)],
    ],
)
def test_what_stands_last_is_not_written_again(entries: list[Any]) -> None:
    state = read(*entries)
    assert state.repair() == 0
    assert state.changes() == []
    assert state.get("a") == entries[-1].value


def test_repairs_come_in_an_order_of_their_own_after_what_changed() -> None:
    state = state_of(z=0)
    for key in ("c", "b"):
        state.load(key, value(5))
        state.load(key, value(3))
    assert state.repair() == 2
    assert changed(state) == [("z", "Z"), ("b", "of 5"), ("c", "of 5")]


entries = st.tuples(
    st.sampled_from("ab"), st.integers(1, 6), st.sampled_from(["value", "tombstone"])
)


def entry_of(offset: int, kind: str) -> Entry[str] | Entry[None]:
    return value(offset) if kind == "value" else tombstone(offset)


@given(st.lists(entries, max_size=12))
def test_after_a_repair_compaction_keeps_the_newest(written: list[tuple[str, int, str]]) -> None:
    """At one position a tombstone comes after its value: it tells that this value expired."""
    topic = [(key, entry_of(offset, kind)) for key, offset, kind in written]
    state = state_of()
    for key, entry in topic:
        state.load(key, entry)
    state.repair()
    compacted = dict(topic + state.changes())
    newest: dict[str, tuple[Position, bool]] = {}
    for key, entry in topic:
        rank = (entry.position, entry.value is None)
        newest[key] = max(newest.get(key, rank), rank)
    assert {key: (one.position, one.value is None) for key, one in compacted.items()} == newest
    assert {key: state.get(key) is None for key in newest} == {
        key: gone for key, (_, gone) in newest.items()
    }


def compare(state: KeyedState[str], key: str, entry: Entry[str] | Entry[None]) -> bool:
    return state.compare(key, entry.position, is_tombstone=entry.value is None)


class TestPatrol:
    """What is read back of what was written: the one in memory is the truth."""

    def test_what_was_written_is_what_is_here(self) -> None:
        state = state_of(a=0, b=0)
        for key, entry in state.changes():
            assert compare(state, key, entry)
        assert state.repair() == 0

    def test_an_earlier_value_of_our_own_is_followed_by_the_present_one(self) -> None:
        state = state_of(a=0)
        earlier = state.changes()
        state.put("a", "newer", position=place(9), minute=0)
        for key, entry in earlier + state.changes():
            assert compare(state, key, entry)
        assert state.repair() == 0

    @pytest.mark.parametrize("older", [value(0), tombstone(0)])
    def test_an_older_entry_after_ours_is_repaired(self, older: Any) -> None:
        state = state_of(x=0, a=0)
        state.changes()
        assert compare(state, "a", Entry(place(1), 0, "A"))
        assert compare(state, "a", older)
        assert state.get("a") == "A"
        assert state.repair() == 1
        assert changed(state) == [("a", "A")]

    def test_a_newer_value_is_another_workers(self) -> None:
        state = state_of(a=0)
        assert not compare(state, "a", value(5))
        assert state.get("a") == "A"

    def test_a_value_of_our_own_that_has_expired_since_is_no_other_workers(self) -> None:
        state = state_of(a=0, b=0)
        written = state.changes()
        state.observe(10 * HOUR)
        written += state.changes()
        for key, entry in written:
            assert compare(state, key, entry)
        assert state.repair() == 0

    def test_an_older_value_of_what_has_expired_is_repaired_with_a_tombstone(self) -> None:
        state = state_of(x=0, a=0)
        state.observe(10 * HOUR)
        state.changes()
        assert compare(state, "a", tombstone(1))
        assert compare(state, "a", value(0))
        assert state.repair() == 1
        assert changed(state) == [("a", None)]

    def test_a_value_of_an_unknown_key_after_all_of_ours_is_another_workers(self) -> None:
        state = state_of(a=0)
        assert not compare(state, "b", value(1))


class Restart(RuleBasedStateMachine):
    """What changes() tells, loaded elsewhere, is the same state."""

    def __init__(self) -> None:
        super().__init__()
        self.state = KeyedState[int](2 * HOUR)
        self.copy = KeyedState[int](2 * HOUR)
        self.offset = -1

    @rule(key=st.sampled_from("abcd"), minute=st.integers(0, 20 * HOUR))
    def put(self, key: str, minute: int) -> None:
        self.offset += 1
        self.state.put(key, self.offset, position=place(self.offset), minute=minute)

    @rule(minute=st.integers(0, 20 * HOUR))
    def observe(self, minute: int) -> None:
        self.state.observe(minute)

    @rule()
    def store(self) -> None:
        for key, entry in self.state.changes():
            self.copy.load(key, entry)
        assert self.copy.repair() == 0
        assert dict(self.copy.items()) == dict(self.state.items())
        for key, _ in self.state.items():
            assert self.copy.applied(key) == self.state.applied(key)
            assert self.copy.minute(key) == self.state.minute(key)

    @rule()
    def next_hour(self) -> None:
        # an hour begun may hold what came too late; the hour after it does not
        self.state.observe(self.state.clock + HOUR)
        for key, _ in self.state.items():
            minute = self.state.minute(key)
            assert minute is not None
            assert self.state.clock - minute < 4 * HOUR


TestRestart = Restart.TestCase


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 20 * HOUR)), min_size=1),
)
def test_what_was_touched_within_the_retention_is_there(touches: list[tuple[str, int]]) -> None:
    state = KeyedState[int](2 * HOUR)
    last: dict[str, int] = {}
    for offset, (key, minute) in enumerate(touches):
        state.observe(minute)
        state.put(key, offset, position=place(offset), minute=minute)
        last[key] = minute
        for other, touched in last.items():
            if touched >= state.clock - 2 * HOUR:
                assert state.minute(other) == touched
