"""The effect of a measure: before, after, what would have come without it, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from wanglou.models.response.series import Measure, Series
from wanglou.schemas.base import time_of
from wanglou.schemas.evaluation import EffectVerdict, Evaluation

SPANS = (60, 6 * 60, 24 * 60, 72 * 60)
"""Minutes of event time after a measure at which its effect is evaluated."""


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
    ``schemas.response``); the measure itself may be among them. Raises ValueError for another span.
    """
    if span not in SPANS:
        raise ValueError(f"a span of {span} minutes: choose one of {', '.join(map(str, SPANS))}")
    begin, end = measure.minute, measure.minute + span
    seen = min(max(begin, series.through), end)
    return Evaluation(
        id=evaluation_id(measure, span),
        response_id=measure.id,
        event_id=series.event_id,
        span_minutes=span,
        before=series.trend(begin - span, begin),
        after=series.trend(begin, seen),
        evaluated_at=time_of(seen),
        verdict=EffectVerdict.TOO_EARLY,
    )
