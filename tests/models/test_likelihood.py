from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.builders import parameters
from wanglou.models.likelihood import negative_score, negative_share, velocity, velocity_score

NEGATIVE = parameters(negative={"prior_share": 0.2, "prior_mentions": 2}).negative
VELOCITY = parameters(velocity={"saturation_doublings": 4}).velocity


def test_share_without_mentions_is_the_prior() -> None:
    assert negative_share(0, 0, NEGATIVE) == pytest.approx(0.2)


def test_share_counts_the_prior_as_mentions() -> None:
    assert negative_share(3, 3, NEGATIVE) == pytest.approx(0.68)  # (3 + .4) / 5
    assert negative_share(1.5, 6, NEGATIVE) == pytest.approx(0.2375)  # (1.5 + .4) / 8


def test_prior_fades_with_the_number_of_mentions() -> None:
    assert negative_share(998, 998, NEGATIVE) == pytest.approx(0.9984)  # 998.4 / 1000


def test_score_is_the_share_above_the_prior() -> None:
    assert negative_score(0.2, NEGATIVE) == 0
    assert negative_score(0.6, NEGATIVE) == pytest.approx(0.5)
    assert negative_score(1.0, NEGATIVE) == pytest.approx(1.0)


def test_score_is_full_from_the_full_share_on() -> None:
    doubting = parameters(negative={"prior_share": 0.2, "full_share": 0.6}).negative
    assert negative_score(0.4, doubting) == pytest.approx(0.5)
    assert negative_score(0.6, doubting) == pytest.approx(1.0)
    assert negative_score(0.9, doubting) == 1.0


def test_less_negative_than_usual_scores_nothing() -> None:
    assert negative_score(0.1, NEGATIVE) == 0


@given(st.integers(0, 10_000), st.data())
def test_share_and_score_stay_in_the_unit_interval(mentions: int, data: st.DataObject) -> None:
    negative = data.draw(st.floats(0, mentions))
    share = negative_share(negative, mentions, NEGATIVE)
    assert 0 <= share <= 1
    assert 0 <= negative_score(share, NEGATIVE) <= 1


def test_velocity_counts_doublings_with_one_mention_more() -> None:
    assert velocity(0, 0) == 0
    assert velocity(15, 0) == 4
    assert velocity(31, 3) == 3
    assert velocity(3, 31) == -3


def test_velocity_score_saturates_and_ignores_shrinking() -> None:
    assert velocity_score(1, VELOCITY) == 0.25
    assert velocity_score(4, VELOCITY) == 1
    assert velocity_score(9, VELOCITY) == 1
    assert velocity_score(-2, VELOCITY) == 0
