"""Evaluations on courses with a known effect; `make effects` makes the full tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from courses import EFFECTS, NONE, cases
from hypothesis import given
from hypothesis import strategies as st
from other_courses import recorded_cases
from report_effects import Key, Tally, merged, tallies

from wanglou.models.response.counterfactual import DEFAULT, LEAST_BEFORE, load_table
from wanglou.models.response.effect import SPANS, evaluate
from wanglou.models.response.series import Counts, Measure, Series
from wanglou.models.rules_file import RulesError
from wanglou.schemas.base import time_of
from wanglou.schemas.evaluation import EffectVerdict
from wanglou.schemas.response import Act

NOON = 29_000_160
"""2025-02-20 08:00 in Beijing."""

STATEMENT = Measure("r-1", NOON, Act.STATEMENT)
SEED = 103
CASCADES = Path(__file__).parents[3] / "shared" / "data" / "stream" / "weibo_cascades.jsonl"
EVERY_MINUTE = range(NOON - 600, NOON)


def series(*minutes: int, through: int = NOON + SPANS[-1]) -> Series:
    counts = Counts(Counter(minutes))
    return Series("hexing-bank.run", through, counts, counts)


def then(per_hour: int, hours: int = 6) -> list[int]:
    """So many mentions an hour from the measure on."""
    return [NOON + hour * 60 + one % 60 for hour in range(hours) for one in range(per_hour)]


@pytest.fixture(scope="module")
def known() -> dict[Key, Tally]:
    effects = [one for one in EFFECTS if one.name in ("none", "50 % fewer", "80 % fewer")]
    return tallies(cases(SEED, 100), effects, SEED)


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("effect", ["none", "50 % fewer", "80 % fewer"])
def test_intervals_cover_the_truth(known: dict[Key, Tally], effect: str, span: int) -> None:
    total = merged(known, effect, span)
    assert total.evaluated > 200
    assert total.covered >= 0.9 * total.evaluated


@pytest.mark.parametrize("span", SPANS)
def test_where_nothing_was_done_help_is_hardly_seen(known: dict[Key, Tally], span: int) -> None:
    total = merged(known, NONE.name, span)
    assert total.helped <= 0.05 * total.evaluated
    assert total.fewer_than_before > 0.1 * total.evaluated  # what a naive comparison would say


def test_a_strong_effect_on_a_large_event_is_seen(known: dict[Key, Tally]) -> None:
    total = merged(known, "80 % fewer", 60, "peak", 1000)
    assert total.helped >= 0.6 * total.evaluated


@pytest.fixture(scope="module")
def recorded() -> dict[Key, Tally]:
    if not CASCADES.exists():
        pytest.skip(f"no recorded cascades in {CASCADES}")
    return tallies(recorded_cases(CASCADES, half=1, seed=SEED), (NONE,), SEED)


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("phase", ["rising", "peak", "decaying"])
def test_recorded_cascades_that_end_by_themselves_are_hardly_called_helped(
    recorded: dict[Key, Tally], phase: str, span: int
) -> None:
    total = merged(recorded, NONE.name, span, phase)
    assert total.evaluated >= 50
    assert total.helped <= 0.05 * total.evaluated
    assert total.covered >= 0.9 * total.evaluated


def test_silence_after_a_steady_storm_is_help() -> None:
    result = evaluate(series(*EVERY_MINUTE), STATEMENT, (), 360)
    assert result.verdict is EffectVerdict.HELPED
    assert result.effect is not None
    assert result.effect.negative.high < 1
    assert (result.before.mentions, result.after.mentions) == (360, 0)
    assert (result.id, result.response_id) == ("r-1.360", "r-1")
    assert result.evaluated_at == time_of(NOON + 360)


def test_ten_times_as_much_is_worse() -> None:
    result = evaluate(series(*EVERY_MINUTE, *then(3000)), STATEMENT, (), 360)
    assert result.verdict is EffectVerdict.WORSE


def test_as_before_is_no_visible_effect() -> None:
    result = evaluate(series(*EVERY_MINUTE, *then(55)), STATEMENT, (), 360)
    assert result.verdict is EffectVerdict.NO_VISIBLE_EFFECT
    assert result.reason is not None
    assert "330 条" in result.reason


def test_before_the_span_is_over_it_is_too_early_and_the_forecast_stands() -> None:
    over = evaluate(series(*EVERY_MINUTE), STATEMENT, (), 360)
    result = evaluate(series(*EVERY_MINUTE, through=NOON + 359), STATEMENT, (), 360)
    assert result.verdict is EffectVerdict.TOO_EARLY
    assert result.effect is None
    assert result.expected == over.expected
    assert result.evaluated_at == time_of(NOON + 359)


def test_a_measure_in_the_future_is_too_early() -> None:
    result = evaluate(series(*EVERY_MINUTE, through=NOON - 5), STATEMENT, (), 60)
    assert result.verdict is EffectVerdict.TOO_EARLY
    assert result.after.mentions == 0


@pytest.mark.parametrize("before", range(0, LEAST_BEFORE, 3))
def test_after_a_handful_of_mentions_nothing_is_expected(before: int) -> None:
    result = evaluate(series(*range(NOON - before, NOON), *then(60)), STATEMENT, (), 60)
    assert result.verdict is EffectVerdict.TOO_EARLY
    assert (result.expected, result.effect) == (None, None)
    assert result.after.mentions == 60


@pytest.mark.parametrize(("apart", "near"), [(-361, False), (-359, True), (0, True), (359, True)])
def test_an_effect_beside_another_measure_is_not_separable(apart: int, near: bool) -> None:
    other = Measure("r-2", NOON + apart, Act.GUIDANCE)
    result = evaluate(series(*EVERY_MINUTE), STATEMENT, (STATEMENT, other), 360)
    expected = EffectVerdict.NOT_SEPARABLE if near else EffectVerdict.HELPED
    assert result.verdict is expected
    assert result.not_separable_from == (("r-2",) if near else ())
    assert ("舆情引导" in (result.reason or "")) == near


def test_nothing_to_see_stays_so_beside_another_measure() -> None:
    other = Measure("r-2", NOON + 5, Act.GUIDANCE)
    result = evaluate(series(*EVERY_MINUTE, *then(55)), STATEMENT, (other,), 360)
    assert result.verdict is EffectVerdict.NO_VISIBLE_EFFECT
    assert result.not_separable_from == ("r-2",)


def test_another_span_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of 60, 360, 1440, 4320"):
        evaluate(series(), STATEMENT, (), 61)


pasts = st.lists(st.integers(NOON - 12_000, NOON - 1), max_size=400)
futures = st.lists(st.integers(NOON, NOON + 4319), max_size=400)


@given(pasts, futures, st.sampled_from(SPANS))
def test_what_is_expected_does_not_depend_on_what_came(
    before: list[int], after: list[int], span: int
) -> None:
    with_it = evaluate(series(*before, *after), STATEMENT, (), span)
    assert with_it.expected == evaluate(series(*before), STATEMENT, (), span).expected


@given(pasts, futures, st.sampled_from(SPANS), st.integers(1, 50))
def test_more_negative_mentions_never_make_it_better(
    before: list[int], after: list[int], span: int, more: int
) -> None:
    less = evaluate(series(*before, *after), STATEMENT, (), span)
    worse = evaluate(series(*before, *after, *[NOON] * more), STATEMENT, (), span)
    if less.effect is None or worse.effect is None:
        assert less.effect == worse.effect
    else:
        for one in (less.effect.negative, worse.effect.negative):
            assert 0 <= one.low <= one.estimate <= one.high
        assert worse.effect.negative.estimate > less.effect.negative.estimate
        order = (EffectVerdict.HELPED, EffectVerdict.NO_VISIBLE_EFFECT, EffectVerdict.WORSE)
        assert worse.verdict is not None
        assert less.verdict is not None
        assert order.index(worse.verdict) >= order.index(less.verdict)


def test_a_broken_table_is_refused_with_file_and_field(tmp_path: Path) -> None:
    broken = tmp_path / "counterfactual.yaml"
    text = DEFAULT.read_text(encoding="utf-8").replace("  60:", "  sixty:")
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(RulesError, match=r"counterfactual.yaml: .*sixty"):
        load_table(broken)
