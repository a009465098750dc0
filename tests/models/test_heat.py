from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.builders import parameters
from wanglou.models.heat import DecayingSum, engagement_score, heat_gain, saturate
from wanglou.schemas.mention import Engagement

HEAT = parameters().heat  # mention 1, reads .1, likes .2, comments .5, reposts 1
LN_10 = 2.302585093
LN_100 = 4.605170186
LN_1000 = 6.907755279


def gain(
    engagement: Engagement, change: Engagement, *, new: bool = True, tier_weight: float = 1.0
) -> float:
    return heat_gain(engagement, change, new=new, tier_weight=tier_weight, parameters=HEAT)


def test_engagement_score_is_the_weighted_sum_of_logarithms() -> None:
    engagement = Engagement(reads=999, likes=99, comments=9, reposts=9)
    expected = 0.1 * LN_1000 + 0.2 * LN_100 + 0.5 * LN_10 + 1.0 * LN_10
    assert engagement_score(engagement, HEAT) == pytest.approx(expected)


def test_unknown_counters_score_nothing() -> None:
    assert engagement_score(Engagement(), HEAT) == 0
    assert engagement_score(Engagement(likes=0), HEAT) == 0
    assert engagement_score(Engagement(reposts=9), HEAT) == pytest.approx(LN_10)


def test_new_mention_brings_its_base_and_its_engagement_times_the_tier() -> None:
    engagement = Engagement(reposts=99)
    assert gain(engagement, engagement, tier_weight=0.5) == pytest.approx(0.5 * (1 + LN_100))


def test_new_mention_without_engagement_brings_its_base() -> None:
    assert gain(Engagement(), Engagement()) == 1.0


def test_update_brings_the_difference_of_the_logarithms_of_the_totals() -> None:
    # reposts from 9 to 99: ln 100 - ln 10 = ln 10, without the base
    assert gain(Engagement(reposts=99), Engagement(reposts=90), new=False) == pytest.approx(LN_10)


def test_update_that_raised_nothing_brings_nothing() -> None:
    engagement = Engagement(reads=1, likes=1, comments=1, reposts=1)
    assert gain(engagement, Engagement(reposts=0), new=False) == 0


def test_fallen_counter_brings_nothing() -> None:
    # a change above the total is a counter that began anew: it may not become negative
    assert gain(Engagement(likes=0), Engagement(likes=5), new=False) == 0


@given(
    st.lists(
        st.fixed_dictionaries(
            {name: st.integers(0, 10**11) for name in ("reads", "likes", "comments", "reposts")}
        ),
        min_size=1,
        max_size=10,
    )
)
def test_ten_updates_bring_what_one_would_have_brought(rises: list[dict[str, int]]) -> None:
    totals = dict.fromkeys(("reads", "likes", "comments", "reposts"), 0)
    in_steps = 0.0
    for rise in rises:
        totals = {name: totals[name] + rise[name] for name in totals}
        in_steps += gain(Engagement(**totals), Engagement(**rise), new=False)
    at_once = gain(Engagement(**totals), Engagement(**totals), new=False)
    assert in_steps == pytest.approx(at_once, rel=1e-6, abs=1e-6)


def test_sum_halves_every_half_life() -> None:
    total = DecayingSum()
    total.add(8.0, minute=100, half_life=60)
    assert total.at(100, half_life=60) == 8.0
    assert total.at(160, half_life=60) == 4.0
    assert total.at(280, half_life=60) == 1.0


def test_sum_is_not_read_before_its_last_item() -> None:
    total = DecayingSum()
    total.add(8.0, minute=100, half_life=60)
    assert total.at(40, half_life=60) == 8.0


def test_late_item_enters_decayed() -> None:
    total = DecayingSum()
    total.add(1.0, minute=160, half_life=60)
    total.add(4.0, minute=40, half_life=60)  # two half-lives ago: 1
    assert total.at(160, half_life=60) == 2.0
    assert total.minute == 160


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10_000)), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_order_of_items_does_not_matter(items: list[tuple[float, int]], random: Any) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    left, right = DecayingSum(), DecayingSum()
    for amount, minute in items:
        left.add(amount, minute=minute, half_life=60)
    for amount, minute in shuffled:
        right.add(amount, minute=minute, half_life=60)
    assert left.at(10_000, half_life=60) == pytest.approx(right.at(10_000, half_life=60))


def test_item_many_years_late_adds_nothing_and_does_not_fail() -> None:
    total = DecayingSum()
    total.add(1.0, minute=30_000_000, half_life=1)
    total.add(1e6, minute=0, half_life=1)
    assert total.value == 1.0


def test_saturate_maps_to_the_unit_interval() -> None:
    assert saturate(0, 4) == 0
    assert saturate(4, 4) == 0.5
    assert saturate(12, 4) == 0.75
    assert saturate(0.5, 0.5) == 0.5
    assert saturate(-3, 4) == 0
