"""A partition is stuck when it stands still with something left to do, and not otherwise."""

from __future__ import annotations

import pytest

from wanglou.agents.progress_watch import ProgressWatch, Reading

STUCK = 60.0
WAITING = 600.0
WAITS = "waits for partition 3 of wanglou.mentions.raw.v1"


@pytest.fixture
def watch() -> ProgressWatch:
    return ProgressWatch(stuck_seconds=STUCK, waiting_seconds=WAITING)


def stuck(watch: ProgressWatch, now: float, **readings: Reading) -> list[str]:
    return [one.partition for one in watch.observe(readings, now)]


def test_one_that_stands_while_the_end_moves_is_stuck_when_its_time_is_up(
    watch: ProgressWatch,
) -> None:
    for now in range(0, 60, 5):
        assert stuck(watch, now, a=Reading(7, 8 + now)) == []
    assert stuck(watch, 60, a=Reading(7, 100)) == ["a"]


def test_a_backlog_whose_end_stands_is_stuck_too(watch: ProgressWatch) -> None:
    stuck(watch, 0, a=Reading(7, 8))
    assert stuck(watch, 60, a=Reading(7, 8)) == ["a"]


def test_one_that_has_never_committed_is_stuck(watch: ProgressWatch) -> None:
    stuck(watch, 0, a=Reading(0, 1))
    assert stuck(watch, 60, a=Reading(0, 1)) == ["a"]


def test_one_with_nothing_to_do_is_not(watch: ProgressWatch) -> None:
    for now in (0, 100, 1000):
        assert stuck(watch, now, a=Reading(7, 7), b=Reading(0, 0)) == []


def test_slow_progress_is_progress(watch: ProgressWatch) -> None:
    for number in range(20):
        assert stuck(watch, 59 * number, a=Reading(number, 1000)) == []


def test_an_offset_that_was_set_back_is_a_new_beginning(watch: ProgressWatch) -> None:
    stuck(watch, 0, a=Reading(7, 9))
    assert stuck(watch, 59, a=Reading(3, 9)) == []
    assert stuck(watch, 118, a=Reading(3, 9)) == []
    assert stuck(watch, 119, a=Reading(3, 9)) == ["a"]


def test_idleness_does_not_count_when_something_comes_again(watch: ProgressWatch) -> None:
    stuck(watch, 0, a=Reading(7, 7))
    stuck(watch, 1000, a=Reading(7, 7))
    assert stuck(watch, 1005, a=Reading(7, 8)) == []
    assert stuck(watch, 1059, a=Reading(7, 8)) == []
    assert stuck(watch, 1060, a=Reading(7, 8)) == ["a"]


def test_one_that_recovers_is_not_stuck_any_more(watch: ProgressWatch) -> None:
    stuck(watch, 0, a=Reading(7, 9))
    assert stuck(watch, 70, a=Reading(7, 9)) == ["a"]
    assert stuck(watch, 75, a=Reading(8, 9)) == []
    assert stuck(watch, 134, a=Reading(8, 9)) == []


def test_each_partition_has_its_own_time(watch: ProgressWatch) -> None:
    stuck(watch, 0, a=Reading(7, 9), b=Reading(1, 2))
    stuck(watch, 30, a=Reading(8, 9), b=Reading(1, 2))
    assert stuck(watch, 60, a=Reading(8, 9), b=Reading(1, 2)) == ["b"]
    assert stuck(watch, 90, a=Reading(8, 9), b=Reading(1, 2)) == ["a", "b"]


def test_one_that_was_away_begins_anew(watch: ProgressWatch) -> None:
    stuck(watch, 0, a=Reading(7, 9))
    stuck(watch, 50)
    assert stuck(watch, 70, a=Reading(7, 9)) == []
    assert stuck(watch, 130, a=Reading(7, 9)) == ["a"]


def test_one_that_waits_has_more_time_but_not_for_ever(watch: ProgressWatch) -> None:
    for now in range(0, 600, 5):
        assert stuck(watch, now, a=Reading(7, 9, WAITS)) == []
    assert stuck(watch, 600, a=Reading(7, 9, WAITS)) == ["a"]


def test_when_a_wait_is_over_there_is_time_to_go_on(watch: ProgressWatch) -> None:
    stuck(watch, 0, a=Reading(7, 9, WAITS))
    stuck(watch, 500, a=Reading(7, 9, WAITS))
    assert stuck(watch, 505, a=Reading(7, 9)) == []
    assert stuck(watch, 559, a=Reading(7, 9)) == []
    assert stuck(watch, 560, a=Reading(7, 9)) == ["a"]


def test_one_that_waits_now_and_then_is_stuck_in_the_end(watch: ProgressWatch) -> None:
    for number in range(60):
        waits = WAITS if number % 2 else None
        assert stuck(watch, 10 * number, a=Reading(7, 9, waits)) == []
    assert stuck(watch, 600, a=Reading(7, 9)) == ["a"]


def test_what_is_stuck_is_said_in_a_line(watch: ProgressWatch) -> None:
    reading = Reading(7, 9, WAITS)
    watch.observe({"wanglou.mentions.accepted.v1/0": reading}, 0)
    (one,) = watch.observe({"wanglou.mentions.accepted.v1/0": reading}, 1234.5)
    assert str(one) == f"wanglou.mentions.accepted.v1/0: stands at 7 of 9 for 1234 s, {WAITS}"
