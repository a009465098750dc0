"""Burst (突发): the rate of mentions against its own past, in standard deviations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from wanglou.models.risk_parameters import BurstParameters


@dataclass(slots=True)
class Baseline:
    """Exponentially weighted mean and mean square of mentions a minute, up to ``through``."""

    mean: float
    mean_square: float
    through: int  # the last minute that is in it

    @classmethod
    def prior(cls, parameters: BurstParameters, before_minute: int) -> Baseline:
        """What is assumed before the first mention: a Poisson process of the prior rate."""
        rate = parameters.prior_per_minute
        return cls(rate, rate + rate**2, before_minute - 1)

    @property
    def variance(self) -> float:
        """Variance of mentions a minute; at least Poisson's, so that silence is not certainty."""
        return max(self.mean_square - self.mean**2, self.mean)


def fold(
    baseline: Baseline, counts: Mapping[int, int], through: int, parameters: BurstParameters
) -> None:
    """Let the minutes up to ``through`` enter the baseline (``counts``: mentions by minute).

    A minute enters at most ``storm_cap`` deviations above the mean, so that a storm does not
    become its own normal. Empty minutes only decay, in closed form.
    """
    decay = 0.5 ** (1 / parameters.baseline_half_life_minutes)
    for minute in sorted(one for one in counts if baseline.through < one <= through):
        _decay(baseline, decay ** (minute - baseline.through - 1))
        cap = baseline.mean + parameters.storm_cap * sqrt(baseline.variance + 1)
        count = min(counts[minute], cap)
        baseline.mean = decay * baseline.mean + (1 - decay) * count
        baseline.mean_square = decay * baseline.mean_square + (1 - decay) * count**2
        baseline.through = minute
    if through > baseline.through:
        _decay(baseline, decay ** (through - baseline.through))
        baseline.through = through


def _decay(baseline: Baseline, factor: float) -> None:
    baseline.mean *= factor
    baseline.mean_square *= factor


def burst(mentions: float, mean: float, variance: float, parameters: BurstParameters) -> float:
    """Standard deviations by which the window's mentions exceed the expected number.

    (mentions - W·mean) / √(W·variance + 1), with mean and variance of mentions a minute; the 1
    keeps it defined from the first mention on.

    >>> parameters = BurstParameters(window_minutes=10, baseline_half_life_minutes=720,
    ...     prior_per_minute=0.3, half_saturation=5, storm_cap=3)
    >>> burst(13, 0.3, 0.3, parameters)
    5.0
    """
    window = parameters.window_minutes
    return (mentions - window * mean) / sqrt(window * variance + 1)
