from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.models.builders import minute_at, parameters, scored
from wanglou.models.assessment import MARGIN, assess, combine, may_reach, settle, situation
from wanglou.models.burst import Baseline
from wanglou.models.event import Bucket, EventState, add_mention
from wanglou.models.heat import DecayingSum
from wanglou.models.spread import Spread
from wanglou.models.taxonomy import Severity
from wanglou.schemas.risk import Assessment, Factor, Term

FORMULA = parameters()
NOW = minute_at(0)
MIXED = Severity(reputation=0.5, trust=1.0, regulator=0.0)  # .3 · .5 + .4 · 1 = .55


def event(**fields: Any) -> EventState:
    """An event whose terms can be reckoned by hand.

    11 mentions in the last ten minutes and 4 before, 9.8 of them negative; heat 12; 9 authors with
    999 followers, on one platform, depth 1; the media spoke negatively.
    """
    made = EventState(
        first_minute=NOW - 20,
        last_minute=NOW,
        baseline=Baseline(mean=0.3, mean_square=0.39, through=NOW - 10),
        assessed_through=NOW - 1,
        buckets={NOW - 20: Bucket(4, 2.0), NOW - 9: Bucket(5, 4.0), NOW: Bucket(6, 3.8)},
        heat=DecayingSum(12.0, NOW),
        mentions=15,
    )
    spread = Spread(platforms=Counter(weibo=15), depth=1, source_weight=0.8)
    for number in range(9):
        spread.authors.add(f"author {number}", 111)
    made.spreads[NOW // FORMULA.reach.window_minutes] = spread
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def terms_of(assessment: Assessment) -> dict[str, Term]:
    return {term.name: term for term in assessment.terms}


EXPECTED = {
    # name: value, score, weight
    "negative_share": (0.6, 0.5, 1.0),  # (9.8 + 2 · .2) / (15 + 2); (.6 - .2) / .8
    "heat": (12.0, 0.75, 0.4),  # 12 / (12 + 4)
    "burst": (4.0, 4 / 9, 0.4),  # (11 - 3) / √(3 + 1); 4 / (4 + 5)
    "velocity": (4.0, 1.0, 0.2),  # log₂(16 / 1); 4 / 4
    "severity": (0.55, 0.55, 0.5),
    "reach": (999.0, 19 / 48, 0.3),  # mean of 1/2, 1/3, 1/4, 1/2
    "source": (0.8, 0.8, 0.2),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_term_is_what_the_formula_says(name: str) -> None:
    value, score, weight = EXPECTED[name]
    term = terms_of(assess(event(), NOW, MIXED, FORMULA))[name]
    assert term.value == pytest.approx(value, abs=1e-6)
    assert term.score == pytest.approx(score, abs=1e-6)
    assert term.weight == weight
    assert term.contribution == pytest.approx(weight * score, abs=1e-6)


def test_risk_is_a_hundred_times_the_product_of_the_factors() -> None:
    assessment = assess(event(), NOW, MIXED, FORMULA)
    negativity, activity = 0.5, 0.4 * 0.75 + 0.4 * 4 / 9 + 0.2
    impact = 0.5 * 0.55 + 0.3 * 19 / 48 + 0.2 * 0.8
    assert assessment.likelihood == pytest.approx(negativity * activity, abs=2e-6)
    assert assessment.impact == pytest.approx(impact, abs=2e-6)
    assert assessment.risk == pytest.approx(100 * negativity * activity * impact, abs=2e-4)


def test_all_terms_are_told_with_their_factor() -> None:
    terms = assess(event(), NOW, MIXED, FORMULA).terms
    assert [(term.factor, term.name) for term in terms] == [
        (Factor.NEGATIVITY, "negative_share"),
        (Factor.ACTIVITY, "heat"),
        (Factor.ACTIVITY, "burst"),
        (Factor.ACTIVITY, "velocity"),
        (Factor.IMPACT, "severity"),
        (Factor.IMPACT, "reach"),
        (Factor.IMPACT, "source"),
    ]


def test_what_is_no_more_negative_than_usual_is_no_risk() -> None:
    usual = event(buckets={NOW: Bucket(1000, 200.0)})
    assert assess(usual, NOW, MIXED, FORMULA).risk == 0


def test_event_without_mentions_is_no_risk() -> None:
    silent = EventState.new(NOW, FORMULA)
    assert assess(silent, NOW, MIXED, FORMULA).risk == 0


def test_windows_end_with_the_minute_and_leave_out_their_first() -> None:
    # negative 60, burst 10, velocity 30 minutes: (minute - length, minute]
    inside = {NOW - 59: 1, NOW - 29: 2, NOW - 9: 4, NOW: 8}
    outside = {NOW - 60: 16, NOW + 1: 32}
    buckets = {minute: Bucket(count, count) for minute, count in (inside | outside).items()}
    made = event(buckets=buckets, baseline=Baseline(0.0, 0.0, NOW - 10))
    terms = terms_of(assess(made, NOW, MIXED, FORMULA))
    assert terms["negative_share"].value == pytest.approx(15.4 / 17, abs=1e-6)  # 1 + 2 + 4 + 8
    assert terms["burst"].value == 12  # 4 + 8, nothing expected
    assert terms["velocity"].value == pytest.approx(2.906891, abs=1e-6)  # log₂(15 / 2)


def test_shrinking_and_fewer_than_expected_score_nothing() -> None:
    made = event(buckets={NOW - 40: Bucket(15, 15.0)})
    terms = terms_of(assess(made, NOW, MIXED, FORMULA))
    assert terms["velocity"].value == -4.0
    assert terms["burst"].value == pytest.approx(-1.5)  # (0 - 3) / 2
    assert terms["velocity"].contribution == terms["burst"].contribution == 0


def test_heat_decays_until_the_minute() -> None:
    made = event(heat=DecayingSum(12.0, NOW - 120))  # two half-lives: 3
    assert terms_of(assess(made, NOW, MIXED, FORMULA))["heat"].value == 3.0


def test_baseline_learns_minutes_that_are_settled_only() -> None:
    # settled: older than the window and the lateness (10 each)
    made = event(baseline=Baseline(0.3, 0.39, NOW - 12))
    made.buckets = {NOW - 10: Bucket(2, 2.0), NOW - 9: Bucket(50, 50.0)}
    settle(made, NOW, FORMULA)
    decay = 0.5 ** (1 / 60)
    expected = 0.3 * decay**2 + (1 - decay) * 2
    assert made.baseline.through == NOW - 10
    assert made.baseline.mean == pytest.approx(expected)


def test_buckets_that_no_window_needs_are_dropped() -> None:
    made = event()
    made.buckets = {minute: Bucket(1, 1.0) for minute in (NOW - 61, NOW - 60, NOW - 59, NOW)}
    settle(made, NOW, FORMULA)
    assert sorted(made.buckets) == [NOW - 59, NOW]


def test_unsettled_buckets_are_kept_however_short_the_windows() -> None:
    formula = parameters(
        lateness_minutes=120, negative={"window_minutes": 5}, velocity={"window_minutes": 5}
    )
    made = event(baseline=Baseline(0.3, 0.39, NOW - 200))
    made.buckets = {minute: Bucket(1, 1.0) for minute in (NOW - 120, NOW - 119)}
    settle(made, NOW, formula)
    assert sorted(made.buckets) == [NOW - 119]


def test_assessing_a_minute_again_gives_the_same() -> None:
    made = event()
    assert assess(made, NOW, MIXED, FORMULA) == assess(made, NOW, MIXED, FORMULA)


def test_risk_out_of_reach_is_seen_before_all_terms_are_worked_out() -> None:
    # negativity .5; severity .5 · .55, reach at most .3, source .2 · .8: at most 36.75
    assert may_reach(36.75, event(), NOW, MIXED, FORMULA)
    assert not may_reach(36.75 + 2 * MARGIN, event(), NOW, MIXED, FORMULA)


def test_terms_from_json_give_the_same_risk() -> None:
    assessment = assess(event(), NOW, MIXED, FORMULA)
    read = Assessment.model_validate_json(assessment.to_json())
    assert combine(read.terms) == assessment


def full_term(factor: Factor, contribution: float, name: str = "x") -> Term:
    return Term(
        name=name,
        factor=factor,
        value=1,
        unit="of it",
        score=1,
        weight=contribution,
        contribution=contribution,
    )


def test_combine_multiplies_the_sums() -> None:
    assessment = combine(
        (
            full_term(Factor.NEGATIVITY, 0.5),
            full_term(Factor.ACTIVITY, 0.25),
            full_term(Factor.ACTIVITY, 0.5),
            full_term(Factor.IMPACT, 0.8),
        )
    )
    assert assessment.likelihood == 0.375
    assert assessment.impact == 0.8
    assert assessment.risk == 30.0


def test_rounded_contributions_do_not_push_a_factor_above_one() -> None:
    thirds = tuple(full_term(Factor.IMPACT, 0.333334) for _ in range(3))
    assessment = combine(
        (full_term(Factor.NEGATIVITY, 1.0), full_term(Factor.ACTIVITY, 1.0), *thirds)
    )
    assert (assessment.risk, assessment.impact) == (100.0, 1.0)


def test_risk_above_a_hundred_would_be_refused() -> None:
    with pytest.raises(ValidationError):
        Assessment(risk=100.1, likelihood=1, impact=1, terms=())


@given(
    counts=st.dictionaries(
        st.integers(-100, 0), st.tuples(st.integers(1, 10_000), st.floats(0, 1)), max_size=8
    ),
    heat=st.floats(0, 1e9),
    mean=st.floats(0, 1e3),
    variance=st.floats(0, 1e6),
    severity=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    authors=st.lists(st.integers(0, 10**12), max_size=5),
    depth=st.integers(0, 2),
    source=st.floats(0, 1),
)
def test_any_event_has_a_valid_risk_that_its_terms_recompute(
    counts: dict[int, tuple[int, float]],
    heat: float,
    mean: float,
    variance: float,
    severity: tuple[float, float, float],
    authors: list[int],
    depth: int,
    source: float,
) -> None:
    made = EventState.new(NOW, FORMULA)
    made.baseline = Baseline(mean, mean**2 + variance, NOW - 120)
    made.buckets = {
        NOW + offset: Bucket(count, share * count) for offset, (count, share) in counts.items()
    }
    made.heat = DecayingSum(heat, NOW)
    spread = Spread(depth=depth, source_weight=source)
    for number, followers in enumerate(authors):
        spread.authors.add(str(number), followers)
    made.spreads[NOW // FORMULA.reach.window_minutes] = spread
    sides = dict(zip(("reputation", "trust", "regulator"), severity, strict=True))
    assessment = assess(made, NOW, Severity(**sides), FORMULA)
    assert combine(Assessment.model_validate_json(assessment.to_json()).terms) == assessment
    for term in assessment.terms:
        assert term.contribution == pytest.approx(term.weight * term.score, abs=1e-6)
    assert may_reach(assessment.risk, made, NOW, Severity(**sides), FORMULA)


def test_situation_tells_the_totals() -> None:
    made = EventState.new(NOW, FORMULA)
    for fields in (
        {"id": "1", "platform": "zhihu", "author": {"id": "a", "followers": 7}, "emotion": "sad"},
        {"id": "2", "platform": "weibo", "author": {"id": "a", "followers": 9}, "negative": 0.0},
        {"id": "3", "platform": "weibo", "dedupe": "duplicate", "parent_id": "2"},
    ):
        add_mention(made, scored(**fields), clock=NOW, parameters=FORMULA)
    add_mention(made, scored(-30, id="4"), clock=NOW, parameters=FORMULA)
    told = situation(made, NOW + 60, FORMULA)
    assert (told.mentions, told.updates, told.late) == (4, 0, 1)
    assert (told.negative, told.clusters, told.depth) == (3, 3, 1)
    assert (told.authors, told.audience) == (1, 9)
    assert list(told.platforms.items()) == [("weibo", 3), ("zhihu", 1)]
    assert list(told.emotions.items()) == [("neutral", 3), ("sad", 1)]
    # persons weigh .5: three now and one half an hour ago, an hour (a half-life) later
    assert told.heat == pytest.approx(0.5 * (1.5 + 0.5 * 2**-0.5), abs=1e-6)
    assert told.first_at.isoformat() == "2026-03-02T07:30:00+00:00"
    assert told.last_at.isoformat() == "2026-03-02T08:00:00+00:00"
