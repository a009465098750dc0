from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.builders import parameters
from wanglou.models.levels import LevelState, advance, entered
from wanglou.models.risk_parameters import LevelParameters
from wanglou.schemas.risk import Level

LEVELS = parameters().levels
"""blue 10/5, yellow 20/15, orange 30/25, red 40/35; dwell 5, calm 10, quiet 30, rest 8 minutes."""


def levels(**minutes: int) -> LevelParameters:
    return parameters(levels=minutes).levels


def walk(
    risks: list[float], state: LevelState | None = None, formula: LevelParameters = LEVELS
) -> list[Level | None]:
    """The level after each minute, from minute 0 on."""
    state = LevelState() if state is None else state
    result = []
    for minute, risk in enumerate(risks):
        advance(state, risk, minute, formula)
        result.append(state.level)
    return result


def changes(after: list[Level | None], before: Level | None = None) -> dict[int, Level | None]:
    """Minute and level of each change."""
    found = {}
    for minute, level in enumerate(after):
        if level is not before:
            found[minute] = before = level
    return found


@pytest.mark.parametrize(
    ("risk", "level"),
    [
        (0, None),
        (9.999999, None),
        (10, Level.BLUE),
        (19.999999, Level.BLUE),
        (20, Level.YELLOW),
        (30, Level.ORANGE),
        (40, Level.RED),
        (100, Level.RED),
    ],
)
def test_level_entered_is_the_highest_whose_threshold_is_reached(
    risk: float, level: Level | None
) -> None:
    assert entered(risk, LEVELS) is level


def test_quiet_event_has_no_level() -> None:
    assert changes(walk([9.9] * 50)) == {}


def test_level_is_raised_at_once() -> None:
    assert walk([9.9, 10.0]) == [None, Level.BLUE]


def test_raising_jumps_over_levels() -> None:
    assert walk([0, 99]) == [None, Level.RED]


def test_escalation_jumps_over_levels_after_the_dwell() -> None:
    risks = [10.0] + [99.0] * 6
    assert changes(walk(risks)) == {0: Level.BLUE, 5: Level.RED}  # dwell 5


def test_risk_between_leave_and_enter_holds_the_level() -> None:
    assert changes(walk([20.0] + [15.0] * 100)) == {0: Level.YELLOW}


def test_level_is_lowered_after_the_calm_time_below_leave() -> None:
    # below 15 from minute 1 on; calm 10: lowered at minute 11, not at 10
    assert changes(walk([20.0] + [14.9] * 11)) == {0: Level.YELLOW, 11: Level.BLUE}


def test_one_minute_at_leave_begins_the_calm_time_anew() -> None:
    risks = [20.0] + [14.9] * 9 + [15.0] + [14.9] * 11
    assert changes(walk(risks)) == {0: Level.YELLOW, 21: Level.BLUE}


def test_lowering_goes_to_the_level_whose_leave_is_still_held() -> None:
    # risk 15 holds yellow (leave 15), though it would not enter it (20)
    assert changes(walk([99.0] + [15.0] * 12)) == {0: Level.RED, 11: Level.YELLOW}
    assert changes(walk([99.0] + [25.0] * 12)) == {0: Level.RED, 11: Level.ORANGE}


def test_lowering_goes_to_blue_at_least_until_the_quiet_time() -> None:
    # below blue's leave from minute 1 on: blue after 10 minutes, resolved after 30
    assert changes(walk([99.0] + [0.0] * 40)) == {0: Level.RED, 11: Level.BLUE, 31: None}


def test_blue_is_held_until_the_quiet_time() -> None:
    assert changes(walk([10.0] + [4.9] * 31)) == {0: Level.BLUE, 31: None}


def test_blue_is_not_resolved_at_its_leave() -> None:
    assert changes(walk([10.0] + [5.0] * 100)) == {0: Level.BLUE}


def test_one_minute_at_leave_begins_the_quiet_time_anew() -> None:
    assert changes(walk([10.0] + [0.0] * 29 + [5.0] + [0.0] * 31)) == {0: Level.BLUE, 61: None}


def test_quiet_time_counts_from_where_it_began_not_from_the_last_lowering() -> None:
    formula = levels(calm_minutes=10, quiet_minutes=12)
    after = walk([99.0] + [0.0] * 30, formula=formula)
    # blue at 11; quiet since 1, so due at 13, but the dwell of 5 holds it until 16
    assert changes(after) == {0: Level.RED, 11: Level.BLUE, 16: None}


def test_resolved_event_is_raised_again_only_after_the_dwell() -> None:
    after = walk([10.0] + [0.0] * 31 + [50.0] * 6)
    assert changes(after) == {0: Level.BLUE, 31: None, 36: Level.RED}


def test_escalation_within_the_dwell_waits() -> None:
    assert changes(walk([10.0] + [20.0] * 5)) == {0: Level.BLUE, 5: Level.YELLOW}


def test_peak_within_the_dwell_that_is_over_changes_nothing() -> None:
    assert changes(walk([10.0, 99.0, 99.0, 10.0, 10.0, 10.0, 10.0])) == {0: Level.BLUE}


def test_each_lowering_needs_a_calm_time_of_its_own() -> None:
    risks = [40.0] + [30.0] * 11 + [20.0] * 20
    # orange at 11 (30 holds it); below 25 from 12 on, so yellow at 22
    assert changes(walk(risks)) == {0: Level.RED, 11: Level.ORANGE, 22: Level.YELLOW}


def test_level_that_fell_rises_again_only_after_the_rest_time() -> None:
    # yellow falls to blue at 11; rest 8: still blue at 19, yellow again at 20
    risks = [20.0] + [14.9] * 11 + [20.0] * 20
    assert changes(walk(risks)) == {0: Level.YELLOW, 11: Level.BLUE, 20: Level.YELLOW}


def test_level_that_fell_rises_at_once_above_the_one_it_fell_from() -> None:
    risks = [20.0] + [14.9] * 11 + [20.0] * 4 + [30.0]
    assert changes(walk(risks)) == {0: Level.YELLOW, 11: Level.BLUE, 16: Level.ORANGE}


def test_resolved_event_rests_too() -> None:
    risks = [10.0] + [0.0] * 31 + [10.0] * 20
    assert changes(walk(risks)) == {0: Level.BLUE, 31: None, 40: Level.BLUE}


def test_second_fall_within_the_rest_time_keeps_the_higher_level_in_mind() -> None:
    # quiet 12: orange falls to blue at 11 and is resolved at 16, so it rests until 24
    formula = levels(quiet_minutes=12, rest_minutes=8)
    after = walk([30.0] + [0.0] * 16 + [30.0] * 20, formula=formula)
    assert changes(after) == {0: Level.ORANGE, 11: Level.BLUE, 16: None, 25: Level.ORANGE}


def test_change_is_reported_and_dated() -> None:
    state = LevelState()
    assert advance(state, 5.0, 100, LEVELS) is False
    assert advance(state, 20.0, 101, LEVELS) is True
    assert (state.level, state.since) == (Level.YELLOW, 101)
    assert advance(state, 20.0, 102, LEVELS) is False
    assert state.since == 101


def test_same_minute_assessed_again_changes_nothing_more() -> None:
    state = LevelState()
    advance(state, 20.0, 101, LEVELS)
    assert advance(state, 40.0, 101, LEVELS) is False
    assert state.level is Level.YELLOW


walks = st.lists(st.floats(0, 100), max_size=200)
minutes = st.integers(1, 20)


@given(walks, minutes, minutes, minutes)
def test_never_two_changes_within_the_dwell(
    risks: list[float], dwell: int, calm: int, more_quiet: int
) -> None:
    formula = levels(dwell_minutes=dwell, calm_minutes=calm, quiet_minutes=calm + more_quiet)
    at = list(changes(walk(risks, formula=formula)))
    assert all(later - earlier >= dwell for earlier, later in itertools.pairwise(at))


@given(walks, minutes, minutes)
def test_no_rise_within_the_rest_time_to_a_level_it_fell_from(
    risks: list[float], calm: int, rest: int
) -> None:
    formula = levels(dwell_minutes=1, calm_minutes=calm, quiet_minutes=30, rest_minutes=rest)
    steps = [(-1000, None), *changes(walk(risks, formula=formula)).items()]
    falls = [
        (at, before)
        for (_, before), (at, after) in itertools.pairwise(steps)
        if before is not None and (after is None or after < before)
    ]
    for (_, before), (at, after) in itertools.pairwise(steps):
        if after is not None and (before is None or after > before):
            fell_from = [level for fell, level in falls if fell < at <= fell + rest]
            assert all(after > level for level in fell_from)


@given(walks, minutes, minutes, minutes)
def test_every_change_has_its_reason(
    risks: list[float], dwell: int, calm: int, more_quiet: int
) -> None:
    quiet = calm + more_quiet
    formula = levels(dwell_minutes=dwell, calm_minutes=calm, quiet_minutes=quiet)
    before: Level | None = None
    for minute, after in changes(walk(risks, formula=formula)).items():
        if after is None:  # below blue's leave all along the quiet time
            assert max(risks[minute - quiet : minute + 1]) < formula.blue.leave
        elif before is None or after > before:  # its threshold is reached now
            assert risks[minute] >= formula.threshold(after).enter
        else:  # below the level's leave all along the calm time
            assert max(risks[minute - calm : minute + 1]) < formula.threshold(before).leave
        before = after


@given(walks)
def test_flapping_around_one_threshold_changes_at_most_once(risks: list[float]) -> None:
    # whatever happens between leave (15) and just below the next enter (30) holds yellow
    held = [20.0] + [15 + risk * 14.9 / 100 for risk in risks]
    assert changes(walk(held)) == {0: Level.YELLOW}
