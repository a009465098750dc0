from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from wanglou.models.state import NEVER_APPLIED, Entry, KeyedState

HOUR = 60


def state_of(**minutes: int) -> KeyedState[str]:
    """Keys by the minute they were touched, two hours of retention; offsets 0, 1, 2 …"""
    state = KeyedState[str](2 * HOUR)
    for offset, (key, minute) in enumerate(minutes.items()):
        state.put(key, key.upper(), offset=offset, minute=minute)
    return state


def keys(state: KeyedState[str]) -> list[str]:
    return [key for key, _ in state.items()]


def changed(state: KeyedState[str]) -> list[tuple[str, str | None]]:
    return [(key, None if entry is None else entry.value) for key, entry in state.changes()]


def test_unknown_key_has_nothing() -> None:
    state = state_of()
    assert state.get("a") is None
    assert state.minute("a") is None
    assert state.applied("a") == NEVER_APPLIED == -1
    assert len(state) == 0


def test_value_is_kept_with_its_offset_and_minute() -> None:
    state = state_of(a=5)
    state.put("a", "newer", offset=9, minute=7)
    assert (state.get("a"), state.applied("a"), state.minute("a")) == ("newer", 9, 7)
    assert len(state) == 1


def test_retention_must_be_an_hour_at_least() -> None:
    with pytest.raises(ValueError, match="at least 60, not 59"):
        KeyedState(59)
    assert len(KeyedState(60)) == 0


def test_clock_follows_the_latest_minute_only() -> None:
    assert state_of().clock == 0
    state = state_of(a=500, b=100)
    assert state.clock == 500
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
    assert changed(state) == [("a", None)]
    assert state.applied("a") == NEVER_APPLIED


def test_touch_keeps_a_value_alive() -> None:
    state = state_of(a=0)
    state.put("a", "again", offset=1, minute=2 * HOUR)
    state.observe(4 * HOUR)
    assert keys(state) == ["a"]
    state.observe(5 * HOUR)
    assert keys(state) == []


def test_retention_is_rounded_up_to_whole_hours() -> None:
    state = KeyedState[str](61)
    state.put("a", "A", offset=0, minute=0)
    state.observe(2 * HOUR + 59)
    assert keys(state) == ["a"]
    state.observe(3 * HOUR)
    assert keys(state) == []


def test_put_moves_the_clock_and_expires_others() -> None:
    state = state_of(a=0, b=10 * HOUR)
    assert keys(state) == ["b"]


def test_value_put_too_late_goes_with_the_next_hour() -> None:
    state = state_of(a=10 * HOUR, b=0)
    assert keys(state) == ["a", "b"]
    state.observe(11 * HOUR)
    assert keys(state) == ["a"]


def test_expiry_is_reported_to_an_index() -> None:
    state = state_of(a=0, b=1, c=3 * HOUR - 1)
    gone: list[str] = []
    state.on_expire = gone.append
    state.observe(3 * HOUR)
    assert gone == ["a", "b"]


def test_changes_come_once_in_the_order_of_their_last_offset() -> None:
    state = state_of(a=0, b=0)
    state.put("a", "newer", offset=2, minute=0)
    assert changed(state) == [("b", "B"), ("a", "newer")]
    assert changed(state) == []


def test_change_that_expires_at_once_is_a_tombstone_only() -> None:
    state = state_of(a=0, b=10 * HOUR)
    assert changed(state) == [("b", "B"), ("a", None)]


def test_key_put_again_after_it_expired_is_no_tombstone() -> None:
    state = state_of(a=0, b=10 * HOUR)
    state.put("a", "anew", offset=5, minute=10 * HOUR)
    assert changed(state) == [("b", "B"), ("a", "anew")]


def test_items_come_in_the_order_of_their_last_change() -> None:
    state = state_of(a=0, b=0)
    state.put("a", "newer", offset=2, minute=0)
    assert list(state.items()) == [("b", "B"), ("a", "newer")]


@pytest.mark.parametrize("order", [(3, 7, 5), (7, 3, 5), (3, 5, 7)])
def test_highest_offset_wins_whatever_was_written_last(order: tuple[int, ...]) -> None:
    state = state_of()
    for offset in order:
        state.load("a", Entry(offset, minute=0, value=f"of {offset}"))
    assert (state.get("a"), state.applied("a")) == ("of 7", 7)


def test_of_equal_offsets_the_last_written_wins() -> None:
    state = state_of()
    state.load("a", Entry(3, minute=0, value="first"))
    state.load("a", Entry(3, minute=0, value="last"))
    assert state.get("a") == "last"


def test_loaded_value_is_no_change() -> None:
    state = state_of()
    state.load("a", Entry(3, minute=0, value="A"))
    assert state.changes() == []


def test_stored_tombstone_takes_a_value_away() -> None:
    state = state_of()
    state.load("a", Entry(3, minute=0, value="A"))
    state.load("a", None)
    state.load("never there", None)
    assert keys(state) == []
    state.observe(10 * HOUR)
    assert changed(state) == []  # nothing is left of it that could expire


def test_loaded_value_moves_the_clock_and_expires_like_any() -> None:
    state = state_of()
    state.load("old", Entry(3, minute=0, value="A"))
    state.load("new", Entry(4, minute=10 * HOUR, value="B"))
    assert state.clock == 10 * HOUR
    state.observe(11 * HOUR)
    assert keys(state) == ["new"]


def test_loaded_value_under_a_newer_one_in_memory_is_ignored() -> None:
    state = state_of(a=5)
    state.put("a", "mine", offset=9, minute=6)
    state.load("a", Entry(8, minute=400, value="a late writer's"))
    assert (state.get("a"), state.minute("a"), state.clock) == ("mine", 6, 6)


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
        self.state.put(key, self.offset, offset=self.offset, minute=minute)

    @rule(minute=st.integers(0, 20 * HOUR))
    def observe(self, minute: int) -> None:
        self.state.observe(minute)

    @rule()
    def store(self) -> None:
        for key, entry in self.state.changes():
            self.copy.load(key, entry)
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
        state.put(key, offset, offset=offset, minute=minute)
        last[key] = minute
        for other, touched in last.items():
            if touched >= state.clock - 2 * HOUR:
                assert state.minute(other) == touched
