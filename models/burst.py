"""Burst (突发): the rate of mentions against its own past, in standard deviations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import fsum, sqrt

from wanglou.models.risk_parameters import BurstParameters
from wanglou.schemas.base import CHINA

MINUTES_PER_HOUR = 60
HOURS_PER_DAY = 24
_AHEAD_HOURS = CHINA.utcoffset(None) // timedelta(hours=1)


def hour_of(minute: int) -> int:
    """Hour of day in China of an event minute: people sleep by the clock where they are.

    >>> hour_of(0), hour_of(16 * 60), hour_of(15 * 60 + 59)
    (8, 0, 23)
    """
    return (minute // MINUTES_PER_HOUR + _AHEAD_HOURS) % HOURS_PER_DAY


@dataclass(slots=True)
class Baseline:
    """Exponentially weighted mean and mean square of mentions a minute, up to ``through``.

    Of a usual hour: a minute's mentions are divided by how busy its hour of day usually is.
    """

    mean: float
    mean_square: float
    through: int  # the last minute that is in it
    hours: dict[int, float] = field(default_factory=dict)
    """Mentions by hour of day, decayed."""

    @classmethod
    def prior(cls, parameters: BurstParameters, before_minute: int) -> Baseline:
        """What is assumed before the first mention: a Poisson process of the prior rate."""
        rate = parameters.prior_per_minute
        return cls(rate, rate + rate**2, before_minute - 1)

    @property
    def variance(self) -> float:
        """Variance of mentions a minute; at least Poisson's, so that silence is not certainty."""
        return max(self.mean_square - self.mean**2, self.mean)

    def busyness(self, minute: int, parameters: BurstParameters) -> float:
        """How busy the hour of day of ``minute`` is, against the mean of all hours: 1 is usual.

        A prior of ``hours_prior_mentions``, spread evenly, makes it 1 until much was seen.

        >>> parameters = BurstParameters(window_minutes=10, baseline_half_life_minutes=720,
        ...     hours_half_life_minutes=10080, hours_prior_mentions=24, prior_per_minute=0.3,
        ...     half_saturation=5, storm_cap=3)
        >>> evenings = Baseline(mean=0.3, mean_square=0.39, through=0, hours={20: 72.0})
        >>> evenings.busyness(12 * 60, parameters), evenings.busyness(0, parameters)
        (18.25, 0.25)
        """
        prior = parameters.hours_prior_mentions
        seen = self.hours.get(hour_of(minute), 0.0) + prior / HOURS_PER_DAY
        return HOURS_PER_DAY * seen / (fsum(self.hours.values()) + prior)


def fold(
    baseline: Baseline, counts: Mapping[int, int], through: int, parameters: BurstParameters
) -> None:
    """Let the minutes up to ``through`` enter the baseline (``counts``: mentions by minute).

    A minute enters at most ``storm_cap`` deviations above what is usual at its hour, so that a
    storm does not become its own normal. Empty minutes only decay, in closed form.
    """
    weight = 1 - 0.5 ** (1 / parameters.baseline_half_life_minutes)
    for minute in sorted(one for one in counts if baseline.through < one <= through):
        _decay(baseline, minute - 1, parameters)
        busyness = baseline.busyness(minute, parameters)
        deviation = sqrt(busyness * baseline.variance + 1)
        count = min(counts[minute], busyness * baseline.mean + parameters.storm_cap * deviation)
        _decay(baseline, minute, parameters)
        baseline.mean += weight * count / busyness
        baseline.mean_square += weight * (count / busyness) ** 2
        if count:
            hour = hour_of(minute)
            baseline.hours[hour] = baseline.hours.get(hour, 0.0) + count
    if through > baseline.through:
        _decay(baseline, through, parameters)


def _decay(baseline: Baseline, minute: int, parameters: BurstParameters) -> None:
    """Let time pass up to a minute."""
    elapsed = minute - baseline.through
    if elapsed == 0:
        return
    factor = 0.5 ** (elapsed / parameters.baseline_half_life_minutes)
    baseline.mean *= factor
    baseline.mean_square *= factor
    factor = 0.5 ** (elapsed / parameters.hours_half_life_minutes)
    for hour in baseline.hours:
        baseline.hours[hour] *= factor
    baseline.through = minute


def burst(mentions: float, mean: float, variance: float, parameters: BurstParameters) -> float:
    """Standard deviations by which the window's mentions exceed the expected number.

    (mentions - W·mean) / √(W·variance + 1), with mean and variance of mentions a minute; the 1
    keeps it defined from the first mention on.

    >>> parameters = BurstParameters(window_minutes=10, baseline_half_life_minutes=720,
    ...     hours_half_life_minutes=10080, hours_prior_mentions=100, prior_per_minute=0.3,
    ...     half_saturation=5, storm_cap=3)
    >>> burst(13, 0.3, 0.3, parameters)
    5.0
    """
    window = parameters.window_minutes
    return (mentions - window * mean) / sqrt(window * variance + 1)
