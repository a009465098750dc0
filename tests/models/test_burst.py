from __future__ import annotations

from copy import copy, deepcopy
from math import fsum, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.builders import parameters
from wanglou.models.burst import Baseline, burst, fold, hour_of
from wanglou.models.risk_parameters import BurstParameters

DAY = 24 * 60
EVENING = 12 * 60
"""Eight in the evening in China, in minutes after midnight of UTC."""


def burst_parameters(**changes: float) -> BurstParameters:
    return parameters(burst=changes).burst


def test_prior_is_a_poisson_process_up_to_the_minute_before() -> None:
    prior = Baseline.prior(burst_parameters(prior_per_minute=0.3), 100)
    assert prior.mean == 0.3
    assert prior.mean_square == pytest.approx(0.39)  # variance = mean: .3 + .3²
    assert prior.variance == pytest.approx(0.3)
    assert prior.through == 99


def test_variance_is_at_least_that_of_a_poisson_process() -> None:
    assert Baseline(mean=2.0, mean_square=4.0, through=0).variance == 2.0
    assert Baseline(mean=2.0, mean_square=9.0, through=0).variance == 5.0


def test_burst_is_the_excess_in_standard_deviations() -> None:
    # ten minutes: 3 expected, variance 3 + 1, so 2 to the deviation
    assert burst(3, 0.3, 0.3, burst_parameters(window_minutes=10)) == pytest.approx(0)
    assert burst(11, 0.3, 0.3, burst_parameters(window_minutes=10)) == pytest.approx(4)
    assert burst(1, 0.3, 0.3, burst_parameters(window_minutes=10)) == pytest.approx(-1)


def test_burst_is_defined_where_nothing_was_ever_seen() -> None:
    assert burst(7, 0.0, 0.0, burst_parameters(window_minutes=10)) == 7.0


def test_minute_enters_with_the_weight_of_its_half_life() -> None:
    # half-life of one minute: half of the old, half of the new
    baseline = Baseline(mean=1.0, mean_square=2.0, through=10)
    fold(baseline, {11: 3}, 11, burst_parameters(baseline_half_life_minutes=1, storm_cap=100))
    assert baseline.mean == pytest.approx(2.0)
    assert baseline.mean_square == pytest.approx(5.5)  # (2 + 9) / 2
    assert baseline.through == 11


def test_storm_enters_at_most_cap_deviations_above_the_mean() -> None:
    # deviation as burst has it, for one minute: √(1 + 1); the minute counts as 1 + 2√2
    baseline = Baseline(mean=1.0, mean_square=2.0, through=10)
    one_minute = burst_parameters(window_minutes=1, baseline_half_life_minutes=1, storm_cap=2)
    capped = 1 + 2 * sqrt(2)
    before = copy(baseline)
    fold(baseline, {11: 1_000_000}, 11, one_minute)
    assert baseline.mean == pytest.approx((1 + capped) / 2)
    assert baseline.mean_square == pytest.approx((2 + capped**2) / 2)
    assert (capped - before.mean) / sqrt(before.variance + 1) == pytest.approx(2)


def test_cap_lets_a_usual_minute_in_whole() -> None:
    baseline = Baseline(mean=1.0, mean_square=2.0, through=10)
    fold(baseline, {11: 3}, 11, burst_parameters(baseline_half_life_minutes=1, storm_cap=2))
    assert baseline.mean == pytest.approx(2.0)  # 3 is below 1 + 2√2 = 3.83


def test_empty_minutes_halve_mean_and_mean_square_in_a_half_life() -> None:
    baseline = Baseline(mean=1.0, mean_square=2.0, through=0)
    fold(baseline, {}, 60, burst_parameters(baseline_half_life_minutes=60))
    assert baseline.mean == pytest.approx(0.5)
    assert baseline.mean_square == pytest.approx(1.0)


@given(
    st.dictionaries(st.integers(1, 300), st.integers(0, 50), max_size=12),
    st.integers(1, 300),
    st.integers(1, 500),
)
def test_closed_form_equals_minute_by_minute(
    counts: dict[int, int], through: int, half_life: int
) -> None:
    formula = burst_parameters(baseline_half_life_minutes=half_life)
    at_once = Baseline(mean=0.7, mean_square=2.0, through=0)
    by_minute = deepcopy(at_once)
    fold(at_once, counts, through, formula)
    for minute in range(1, through + 1):
        fold(by_minute, {minute: counts.get(minute, 0)}, minute, formula)
    assert at_once.through == by_minute.through == through
    assert at_once.mean == pytest.approx(by_minute.mean)
    assert at_once.mean_square == pytest.approx(by_minute.mean_square)


def test_minutes_already_in_or_still_to_come_do_not_enter() -> None:
    baseline = Baseline(mean=1.0, mean_square=2.0, through=10)
    fold(baseline, {10: 50, 12: 50}, 10, burst_parameters())
    assert (baseline.mean, baseline.mean_square, baseline.through) == (1.0, 2.0, 10)


def test_folding_backwards_changes_nothing() -> None:
    baseline = Baseline(mean=1.0, mean_square=2.0, through=10)
    fold(baseline, {5: 50}, 5, burst_parameters())
    assert (baseline.mean, baseline.mean_square, baseline.through) == (1.0, 2.0, 10)


def test_an_hour_that_is_usually_busy_is_expected_to_be() -> None:
    """An event that is spoken of each evening: its evening is no burst, its morning would be."""
    formula = burst_parameters(hours_half_life_minutes=7 * DAY)
    baseline = Baseline.prior(formula, 0)
    for day in range(14):
        evening = {day * DAY + EVENING + number: 3 for number in range(60)}
        fold(baseline, evening, (day + 1) * DAY - 1, formula)
    at_eight = baseline.busyness(14 * DAY + EVENING, formula)
    assert hour_of(EVENING) == 20
    assert at_eight > 10
    assert baseline.busyness(14 * DAY, formula) < 0.5
    assert fsum(
        baseline.busyness(14 * DAY + 60 * hour, formula) for hour in range(24)
    ) == pytest.approx(24)


def test_all_hours_are_alike_until_much_was_seen() -> None:
    formula = burst_parameters(hours_prior_mentions=2400)
    baseline = Baseline.prior(formula, 0)
    assert baseline.busyness(0, formula) == 1
    fold(baseline, {5: 10}, 5, formula)
    assert baseline.busyness(5, formula) == pytest.approx(1, abs=0.1)


def test_what_is_known_of_an_hour_halves_in_its_half_life() -> None:
    baseline = Baseline(mean=1.0, mean_square=2.0, through=0, hours={20: 8.0})
    fold(baseline, {}, 1440, burst_parameters(hours_half_life_minutes=1440))
    assert baseline.hours == {20: 4.0}


def test_a_storm_does_not_make_its_hour_a_busy_one() -> None:
    formula = burst_parameters(storm_cap=3)
    baseline = Baseline.prior(formula, 0)
    fold(baseline, {0: 1_000_000}, 0, formula)
    assert baseline.hours[hour_of(0)] < 5


def test_a_busy_hours_mentions_count_as_those_of_a_usual_one() -> None:
    formula = burst_parameters(baseline_half_life_minutes=1, storm_cap=100, hours_prior_mentions=24)
    baseline = Baseline(mean=1.0, mean_square=2.0, through=-1, hours={8: 24.0})
    busyness = baseline.busyness(0, formula)
    assert busyness == 12.5  # (24 + 1) / (24 + 24) of a day's 24
    fold(baseline, {0: 25}, 0, formula)
    assert baseline.mean == pytest.approx((1 + 25 / 12.5) / 2, rel=1e-3)
