"""The effect of a measure: before, after, what would have come without it, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, hypot, log, sqrt

from wanglou.models.response.counterfactual import LEAST_BEFORE, Forecast, forecast, load_table
from wanglou.models.response.series import Counts, Measure, Series
from wanglou.schemas.base import CHINA, time_of
from wanglou.schemas.evaluation import Counterfactual, EffectVerdict, Evaluation, Interval

SPANS = (60, 6 * 60, 24 * 60, 72 * 60)
"""Minutes of event time after a measure at which its effect is evaluated."""

SETTLING = 6 * 60
"""Minutes that an earlier measure may need until it takes effect."""

NORMAL_90 = 1.645
"""Standard deviations on each side of a normal distribution's middle 90 %."""


def evaluation_id(measure: Measure, span: int) -> str:
    """The id of an evaluation: the same measure and span always have the same.

    >>> from wanglou.schemas.response import Act
    >>> evaluation_id(Measure("r-1", 0, Act.STATEMENT), 60)
    'r-1.60'
    """
    return f"{measure.id}.{span}"


def evaluate(series: Series, measure: Measure, others: Sequence[Measure], span: int) -> Evaluation:
    """Evaluate a measure after ``span`` minutes, one of ``SPANS``; deterministic.

    ``others`` are the other measures of the case that the public can notice (``EVALUATED`` in
    ``schemas.response``); the measure itself may be among them. Before the span is over the verdict
    is too early. Raises ValueError for another span.
    """
    if span not in SPANS:
        raise ValueError(f"a span of {span} minutes: choose one of {', '.join(map(str, SPANS))}")
    begin, end = measure.minute, measure.minute + span
    seen = min(max(begin, series.through), end)
    every, negative = (
        forecast(counts, begin, span, load_table()) for counts in (series.mentions, series.negative)
    )
    expected = effect = None
    if every is not None and negative is not None:
        expected = Counterfactual(mentions=_count(every), negative=_count(negative))
        if seen == end:
            effect = Counterfactual(
                mentions=ratio(series.mentions.between(begin, end), every),
                negative=ratio(series.negative.between(begin, end), negative),
            )
    near = _near(measure, others, span)
    verdict = _verdict(effect, near)
    return Evaluation(
        id=evaluation_id(measure, span),
        response_id=measure.id,
        event_id=series.event_id,
        span_minutes=span,
        before=series.trend(begin - span, begin),
        after=series.trend(begin, seen),
        evaluated_at=time_of(seen),
        expected=expected,
        effect=effect,
        verdict=verdict,
        reason=_reason(verdict, series.negative, measure, span, expected, effect, near),
        not_separable_from=tuple(other.id for other in near),
    )


def _count(expected: Forecast) -> Interval:
    return Interval(estimate=expected.median - 1, low=expected.low - 1, high=expected.high - 1)


def ratio(came: int, expected: Forecast) -> Interval:
    """What came over what would have come.

    The ends are those of the forecast, and wider where the measure's own effect on few mentions is
    a matter of chance: of n mentions each of which comes with probability r, the logarithm of those
    that come has a variance of about (1 - r) / (n r). One more at the upper end and half a one in
    the estimate keep them above 0 where nothing came.

    >>> ratio(50, Forecast(81, 101, 126))
    Interval(estimate=0.5025, low=0.3798, high=0.6703)
    >>> ratio(0, Forecast(1, 1.5, 4))
    Interval(estimate=0.5, low=0.0, high=3.0541)
    """
    low, median, high = (max(quantile - 1, 0.0) for quantile in expected)
    estimate = (came + 0.5) / (median + 0.5)
    chance = NORMAL_90 * sqrt(abs(1 - estimate) / (came + 1))
    below, above = came / max(high, 0.5) / estimate, (came + 1) / max(low, 0.5) / estimate
    return Interval(
        estimate=round(estimate, 4),
        low=round(estimate * exp(-hypot(log(below), chance)), 4) if below else 0.0,
        high=round(estimate * exp(hypot(log(above), chance)), 4),
    )


def _near(measure: Measure, others: Sequence[Measure], span: int) -> list[Measure]:
    """Measures whose effect may show in the span, or in what the forecast goes out from."""
    begin, end = measure.minute - max(span, SETTLING), measure.minute + span
    near = (one for one in others if one.id != measure.id and begin < one.minute < end)
    return sorted(near, key=lambda one: (one.minute, one.id))


def _verdict(effect: Counterfactual | None, near: Sequence[Measure]) -> EffectVerdict:
    if effect is None:
        return EffectVerdict.TOO_EARLY
    if effect.negative.low <= 1 <= effect.negative.high:
        return EffectVerdict.NO_VISIBLE_EFFECT
    if near:
        return EffectVerdict.NOT_SEPARABLE
    return EffectVerdict.HELPED if effect.negative.high < 1 else EffectVerdict.WORSE


def _reason(
    verdict: EffectVerdict,
    negative: Counts,
    measure: Measure,
    span: int,
    expected: Counterfactual | None,
    effect: Counterfactual | None,
    near: Sequence[Measure],
) -> str:
    """Why, in one sentence for operators."""
    if expected is None:
        return f"措施前 7 天内负面讨论不足 {LEAST_BEFORE} 条,无法推算没有措施时的走势"
    if effect is None:
        return f"措施后未满 {span // 60} 小时"
    came = negative.between(measure.minute, measure.minute + span)
    likely = expected.negative
    text = (
        f"措施后 {span // 60} 小时有负面讨论 {came} 条,没有措施时估计 {likely.estimate:.0f} 条"
        f"(90% 区间 {likely.low:.0f}–{likely.high:.0f})"
    )
    if verdict is EffectVerdict.NOT_SEPARABLE:
        acts = "、".join(f"{one.act.chinese}({_clock(one)})" for one in near)
        way = "减少" if effect.negative.high < 1 else "增多"
        return f"{text},确有{way},但同期另有{acts}"
    if verdict is EffectVerdict.NO_VISIBLE_EFFECT:
        return f"{text},差别在自然波动之内"
    way = "少" if verdict is EffectVerdict.HELPED else "多"
    return f"{text},明显偏{way}"


def _clock(measure: Measure) -> str:
    return time_of(measure.minute).astimezone(CHINA).strftime("%m-%d %H:%M")
