"""What would have come without a measure: a forecast from what came before it.

Log-linear in what came lately (Szabo and Huberman, *Predicting the popularity of online content*,
CACM 53(8), 2010), as quantile regressions (Koenker and Bassett, 1978) that are corrected in groups
of events so that they hold as often as they say: conformalized quantile regression (Romano,
Patterson and Candès, 2019), group by group (Mondrian; Vovk, Gammerman and Shafer, 2005). All
numbers stand in ``counterfactual.yaml``, learnt from generated courses without measures and from
recorded cascades by ``tests/effects/fit_counterfactual.py``.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from math import exp, fsum, log1p, sqrt
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from wanglou.models.burst import HOURS_PER_DAY, MINUTES_PER_HOUR, hour_of
from wanglou.models.response.series import Counts
from wanglou.models.rules_file import RulesFile

DEFAULT = Path(str(files("wanglou.models.response"))) / "counterfactual.yaml"

MEMORY = 7 * HOURS_PER_DAY * MINUTES_PER_HOUR
"""Minutes before a measure that are looked at: older mentions say nothing about the next days."""

LEAST_BEFORE = 10
"""Mentions in the memory from which a forecast is made."""

FEATURES = (
    "constant",
    "hour",
    "quarter",
    "quarter_rises",
    "three_hours",
    "three_hours_rise",
    "half_day",
    "week",
    "height",
    "height_squared",
    "age",
    "age_squared",
    "few",
    "small",
    "rhythm",
)
"""What a quantile is linear in; `features` says what each is."""

SETTLED, HIGH = 0.3, 0.8
"""Shares of the busiest hour by which groups are told apart."""

SMALL, LARGE = 50, 500
"""Mentions in the memory by which groups are told apart."""

GROUPS = 9


class Past(NamedTuple):
    """What is known at the minute of a measure; all before it."""

    minute: int
    quarter: int
    hour: int
    three_hours: int
    half_day: int
    week: int
    busiest_hour: int
    age: int
    """Minutes since half of the mentions in the memory had come."""

    @property
    def group(self) -> int:
        """Where the course stands (far below its busiest hour, below it, at it), by its size."""
        share = (self.hour + 1) / (self.busiest_hour + 1)
        course = (share >= SETTLED) + (share >= HIGH)
        return course * 3 + (self.week >= SMALL) + (self.week >= LARGE)


def past(counts: Counts, minute: int) -> Past:
    """What is known of mentions at the begin of a minute."""
    quarter, hour, three_hours, half_day, week = (
        counts.between(minute - back, minute) for back in (15, 60, 180, 720, MEMORY)
    )
    return Past(
        minute,
        quarter,
        hour,
        three_hours,
        half_day,
        week,
        counts.busiest(minute - MEMORY, minute, MINUTES_PER_HOUR),
        minute - counts.middle(minute - MEMORY, minute),
    )


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Coefficients = Annotated[tuple[float, ...], Field(min_length=len(FEATURES), max_length=20)]
Corrections = Annotated[tuple[float, ...], Field(min_length=GROUPS, max_length=GROUPS)]


class SpanTable(_Part):
    """Of one span: coefficients of the logarithm's quantiles, and how far each group's ends move.

    A positive correction widens the interval.
    """

    low: Coefficients
    median: Coefficients
    high: Coefficients
    low_corrections: Corrections
    high_corrections: Corrections


class Table(_Part):
    """Everything that was learnt."""

    hours: Annotated[tuple[float, ...], Field(min_length=HOURS_PER_DAY, max_length=HOURS_PER_DAY)]
    ranges: Annotated[tuple[tuple[float, float], ...], Field(min_length=len(FEATURES))]
    """Least and most of each feature among what was learnt from; beyond it nothing is known."""
    spans: dict[int, SpanTable]


@cache
def load_table(path: Path = DEFAULT) -> Table:
    """Read the table once. Raises ``RulesError`` with everything that is wrong."""
    return RulesFile.read(path, Table).rules


def busyness(hours: tuple[float, ...], begin: int, end: int) -> float:
    """How busy the hours of day from minute ``begin`` to ``end`` usually are, on the average.

    >>> night_and_day = (1.0,) * 12 + (3.0,) * 12
    >>> busyness(night_and_day, 4 * 60, 6 * 60), busyness(night_and_day, 0, 1440)
    (3.0, 2.0)
    """
    begins = [begin, *range((begin // 60 + 1) * 60, end, 60)]
    ends = [*begins[1:], end]
    weights = (
        (until - since) * hours[hour_of(since)] for since, until in zip(begins, ends, strict=True)
    )
    return fsum(weights) / (end - begin)


def features(known: Past, span: int, hours: tuple[float, ...]) -> tuple[float, ...]:
    """The values of ``FEATURES``; trends are logarithms of ratios of rates, so 0 is steady."""
    hour, three_hours = log1p(known.hour), log1p(known.three_hours)
    half_day, week = log1p(known.half_day), log1p(known.week)
    quarter = log1p(4 * known.quarter) - hour
    rises = log1p(3 * known.hour) - three_hours
    height = hour - log1p(known.busiest_hour)
    age = log1p(known.age / 30)
    usual = busyness(hours, known.minute - MINUTES_PER_HOUR, known.minute)
    ahead = busyness(hours, known.minute, known.minute + span)
    return (
        1.0,
        hour,
        quarter,
        max(0.0, quarter),
        rises,
        max(0.0, rises),
        log1p(4 * known.three_hours) - half_day,
        half_day - week,
        height,
        height**2,
        age,
        age**2,
        1 / sqrt(1 + known.hour),
        1 / sqrt(1 + known.week),
        log1p(ahead / usual),
    )


class Forecast(NamedTuple):
    """Quantiles of one more than the mentions that would come: low and high, and the median."""

    low: float
    median: float
    high: float


def forecast(counts: Counts, minute: int, span: int, table: Table) -> Forecast | None:
    """What would come in ``span`` minutes from ``minute`` on; None where too little came before."""
    known = past(counts, minute)
    if known.week < LEAST_BEFORE:
        return None
    values = [
        min(max(value, least), most)
        for value, (least, most) in zip(
            features(known, span, table.hours), table.ranges, strict=True
        )
    ]
    rules = table.spans[span]

    def quantile(coefficients: tuple[float, ...], correction: float = 0.0) -> float:
        terms = (one * value for one, value in zip(coefficients, values, strict=True))
        return max(fsum(terms) + correction, 0.0)

    median = quantile(rules.median)
    return Forecast(
        exp(min(quantile(rules.low, -rules.low_corrections[known.group]), median)),
        exp(median),
        exp(max(quantile(rules.high, rules.high_corrections[known.group]), median)),
    )
