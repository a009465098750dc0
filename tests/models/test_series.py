from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.builders import feed, minute_at, rules, scored
from wanglou.models.response.series import Counts, Measure, Point, Series
from wanglou.schemas.response import Act, Response

BEGIN = minute_at(0)


def series(*points: Point) -> Series:
    nothing = Counts({})
    return Series("hexing.run", BEGIN + 600, nothing, nothing, points=points)


def point(minute: int, risk: float, heat: float = 0.0) -> Point:
    return Point(BEGIN + minute, risk, heat, authors=2 * heat, audience=100 * heat)


def test_a_series_counts_mentions_and_their_emotions_by_minute_of_publication() -> None:
    mentions = [
        scored(5, id="3", negative=0.2, emotion="happy"),
        scored(0, id="1", negative=0.9, emotion="fear"),
        scored(0, id="2", negative=0.5, emotion="fear"),
        scored(1, id="1", negative=0.9, emotion="fear", dedupe="update"),
    ]
    made = Series.of("hexing.run", BEGIN + 10, mentions, ())
    trend = made.trend(BEGIN, BEGIN + 5)
    assert (trend.mentions, trend.negative, trend.negative_share) == (2, 2, 1.0)
    assert trend.emotions == {"fear": 1.0}
    assert made.trend(BEGIN, BEGIN + 6).emotions == {"fear": 2 / 3, "happy": 1 / 3}


def test_a_comment_that_names_nobody_counts_by_its_tone() -> None:
    towards = {"institution_negative_probability": 0.1, "institution_negative": False}
    mentions = [
        scored(0, id="1", negative=0.9, inherited=True, **towards),
        scored(0, id="2", negative=0.9, **towards),
    ]
    assert Series.of("hexing.run", BEGIN + 1, mentions, ()).negative.between(0, BEGIN + 1) == 1


def test_points_are_what_the_snapshots_of_the_event_say() -> None:
    mentions = [scored(minute, id=str(minute)) for minute in range(120)]
    step = rules().risk_step()
    events = feed(step, mentions).events
    assert len(events) > 10
    points = Series.of("hexing.run", BEGIN + 120, mentions, reversed(events)).points
    assert [one.minute for one in points] == sorted(one.minute for one in points)
    assert [one.risk for one in points] == [event.assessment.risk for event in events]
    assert points[-1].authors == events[-1].situation.authors


def test_a_mean_is_over_the_minutes_for_which_each_point_holds() -> None:
    trend = series(point(-30, 10, heat=1), point(20, 40, heat=4)).trend(BEGIN, BEGIN + 60)
    assert trend.risk == pytest.approx((20 * 10 + 40 * 40) / 60)
    assert trend.heat == pytest.approx((20 * 1 + 40 * 4) / 60)
    assert trend.authors == pytest.approx(2 * trend.heat)
    assert trend.audience == pytest.approx(100 * trend.heat)


def test_before_the_first_point_the_risk_is_0_and_heat_and_reach_are_unknown() -> None:
    known = series(point(45, 80, heat=3))
    assert known.trend(BEGIN, BEGIN + 60).risk == pytest.approx(20)
    assert known.trend(BEGIN, BEGIN + 60).heat == pytest.approx(3)
    assert known.trend(BEGIN, BEGIN + 45).heat is None
    assert known.trend(BEGIN, BEGIN + 45).risk == 0


def test_an_empty_span_has_no_negative_share() -> None:
    trend = series().trend(BEGIN, BEGIN)
    assert (trend.mentions, trend.negative_share, trend.risk) == (0, 0, 0)


@given(
    st.dictionaries(st.integers(0, 40), st.integers(1, 5), max_size=20),
    st.integers(0, 20),
    st.integers(0, 45),
    st.integers(1, 10),
)
def test_the_busiest_stretch_is_the_one_with_most_mentions(
    by_minute: dict[int, int], begin: int, end: int, width: int
) -> None:
    stretches = (range(first, min(first + width, end)) for first in range(begin, end))
    most = max(
        (sum(by_minute.get(minute, 0) for minute in stretch) for stretch in stretches), default=0
    )
    assert Counts(by_minute).busiest(begin, end, width) == most


def test_a_measure_is_what_its_response_tells() -> None:
    response = Response.model_validate(
        {
            "id": "r-1",
            "event_id": "hexing.run",
            "act": "statement",
            "by": "王芳",
            "at": "1970-01-01T08:02:59+08:00",
        }
    )
    assert Measure.of(response) == Measure("r-1", 2, Act.STATEMENT)
