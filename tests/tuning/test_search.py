"""Settings that fit reviewed cases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_courses import ALL, BASE, course, life, study

from wanglou.agents.settings import load_settings
from wanglou.models.levels import LEVELS
from wanglou.models.terms import TERMS, combine
from wanglou.models.tuning.proposal import WEIGHTS_TRIED
from wanglou.models.tuning.reviewed import Outcome
from wanglou.models.tuning.setting import (
    MOST_OF_A_LEVEL,
    MOST_OF_A_WEIGHT,
    Setting,
    changes,
    near,
)
from wanglou.schemas.response import ReviewVerdict
from wanglou.schemas.risk import Level

RIGHT, LATE = ReviewVerdict.RIGHT, ReviewVerdict.LATE
FALSE_ALARM = ReviewVerdict.FALSE_ALARM
NO_STRAYS = dict.fromkeys(LEVELS, 0)
HIGH = replace(BASE, enters=(16.0, 22.0, 60.0, 80.0))
PARAMETERS = load_settings().load_rules().risk


def test_the_risk_is_that_of_the_formula() -> None:
    terms = (
        TERMS["negative_share"](PARAMETERS, negative=20, mentions=40),
        TERMS["heat"](PARAMETERS, heat=30),
        TERMS["burst"](PARAMETERS, mentions=30, mean=0.1, variance=0.2),
        TERMS["velocity"](PARAMETERS, now=20, before=3),
        TERMS["severity"](PARAMETERS, reputation=0.9, trust=1, regulator=0.5),
        TERMS["reach"](PARAMETERS, followers=100000, authors=40, platforms=2, depth=1),
        TERMS["source"](PARAMETERS, tier_weight=0.5),
    )
    one = study([], [course("a.run", 0)])
    scores = course("a.run", 0).scores.copy()
    scores[0] = [term.score for term in terms]
    risk = Setting.of(PARAMETERS).risk(scores)[0]
    assert risk == pytest.approx(combine(terms).risk, abs=1e-4)
    assert one.base == Setting.of(PARAMETERS)


def test_a_view_tells_levels_and_minutes() -> None:
    one = study(
        [life("a.run", RIGHT, Level.ORANGE), life("b.run", FALSE_ALARM, None)],
        [course("a.run", 10, 20, 30, 55, 51, 10), course("b.run", 5, 17)],
    )
    view = one.view(BASE)
    assert view.outcome(0, BASE.enters) == Outcome(Level.ORANGE, 3.0)
    assert view.outcome(1, BASE.enters) == Outcome(Level.BLUE)
    assert [view.off(index, BASE.enters) for index in (0, 1)] == [0.0, 1.0]


def test_a_threshold_goes_between_what_it_should_part() -> None:
    cases = [life(f"a{number}.run", RIGHT, Level.ORANGE) for number in range(4)]
    calm = [life(f"b{number}.run", RIGHT, Level.YELLOW) for number in range(4)]
    courses = [course(one.event_id, 20, 56) for one in cases]
    courses += [course(one.event_id, 20, 50) for one in calm]
    setting, _ = study([*cases, *calm], courses, HIGH).view(HIGH).fitted(range(8), NO_STRAYS)
    assert setting.enters[2] == pytest.approx(53)
    assert setting.enters[:2] == HIGH.enters[:2]


def test_what_nobody_reviewed_holds_a_threshold_up() -> None:
    cases = [life(f"a{number}.run", RIGHT, Level.ORANGE) for number in range(3)]
    courses = [course(one.event_id, 20, 56) for one in cases]
    strays = [course(f"c{number}.run", 20, 57) for number in range(4)]
    free, _ = study(cases, courses, HIGH).view(HIGH).fitted(range(3), NO_STRAYS)
    held, _ = study(cases, [*courses, *strays], HIGH).view(HIGH).fitted(range(3), NO_STRAYS)
    assert free.enters[2] < 56
    assert held.enters[2] == HIGH.enters[2]


def test_the_days_of_an_event_count_one_by_one() -> None:
    day = 24 * 60
    one = study([], [course("a.run", *([60.0] * (2 * day + 1)))])
    assert one.view(BASE).strays(50) == 3  # from noon to noon: three days of UTC
    assert one.view(BASE).strays(61) == 0


def test_a_late_case_pulls_its_level_down() -> None:
    cases = [life(f"a{number}.run", LATE, Level.ORANGE, minutes=100) for number in range(6)]
    courses = [course(one.event_id, *[40 + minute / 2 for minute in range(60)]) for one in cases]
    one = study(cases, courses, BASE)
    setting, cost = one.view(BASE).fitted(range(6), NO_STRAYS)
    assert setting.enters[2] < BASE.enters[2]
    assert cost < 6


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from([None, *LEVELS])), min_size=1))
def test_no_step_is_longer_than_is_allowed(
    found: list[tuple[float, Level | None]],
) -> None:
    cases = [
        life(f"a{number}.run", RIGHT if expected else FALSE_ALARM, expected)
        for number, (_, expected) in enumerate(found)
    ]
    courses = [course(one.event_id, 1, risk) for one, (risk, _) in zip(cases, found, strict=True)]
    setting, _ = study(cases, courses).view(BASE).fitted(range(len(cases)), NO_STRAYS)
    for before, after in zip(BASE.enters, setting.enters, strict=True):
        assert before / MOST_OF_A_LEVEL - 0.1 <= after <= before * MOST_OF_A_LEVEL + 0.1
    setting.applied(PARAMETERS)  # raises if levels are out of order


def test_weights_near_the_present_ones() -> None:
    drawn = near(BASE, WEIGHTS_TRIED, seed=3)
    assert drawn[0] == BASE
    assert len(drawn) > WEIGHTS_TRIED / 2
    for one in drawn:
        for before, after in ((BASE.activity, one.activity), (BASE.impact, one.impact)):
            assert sum(after) == pytest.approx(1)
            moves = [abs(a - b) for a, b in zip(before, after, strict=True)]
            assert max(moves) <= MOST_OF_A_WEIGHT + 1e-9
        one.applied(PARAMETERS)


def test_a_setting_is_applied_where_risk_yaml_has_it() -> None:
    setting = Setting((0.45, 0.3, 0.25), BASE.impact, (16.0, 20.0, 50.0, 75.0))
    found = changes(PARAMETERS, setting.applied(PARAMETERS))
    assert found == {
        ("activity_weights", "heat"): (0.5, 0.45),
        ("activity_weights", "velocity"): (0.2, 0.25),
        ("levels", "yellow", "enter"): (22, 20),
        ("levels", "yellow", "leave"): (11, 10),
    }


def test_an_event_without_course_reached_nothing() -> None:
    one = study([life("a.run", RIGHT, Level.ORANGE)], [course("b.run", 60, impact=ALL)])
    assert one.view(BASE).outcome(0, BASE.enters) == Outcome()
