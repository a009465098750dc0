"""Heat (热度): log-damped weighted engagement of a source's tier, decaying exponentially.

The shape is that of the WeChat and Weibo communication indices (WCI, BCI): each counter enters by
its logarithm, so that the tenth thousand of likes weighs less than the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log1p

from wanglou.models.risk_parameters import HeatParameters
from wanglou.schemas.mention import Engagement


def engagement_score(engagement: Engagement, parameters: HeatParameters) -> float:
    """Σ weight · ln(1 + counter) over the known counters; no unit, 0 without engagement."""
    return _score(_counters(engagement), parameters)


def _counters(engagement: Engagement) -> tuple[int, int, int, int]:
    return (
        engagement.reads or 0,
        engagement.likes or 0,
        engagement.comments or 0,
        engagement.reposts or 0,
    )


def _score(counters: Iterable[int], parameters: HeatParameters) -> float:
    reads, likes, comments, reposts = counters
    return (
        parameters.reads * log1p(reads)
        + parameters.likes * log1p(likes)
        + parameters.comments * log1p(comments)
        + parameters.reposts * log1p(reposts)
    )


def heat_gain(
    engagement: Engagement,
    change: Engagement,
    *,
    new: bool,
    tier_weight: float,
    parameters: HeatParameters,
) -> float:
    """Heat that one mention or update brings; never negative.

    ``engagement`` are the totals, ``change`` how far they rose since the last ones of the same id,
    ``new`` whether the id is seen for the first time. Because logarithms of totals are subtracted,
    ten updates bring what one would have brought.
    """
    base, changes = parameters.mention if new else 0.0, _counters(change)
    if not any(changes):
        return tier_weight * base
    totals = _counters(engagement)
    before = [max(0, now - up) for now, up in zip(totals, changes, strict=True)]
    rise = _score(totals, parameters) - _score(before, parameters)
    return tier_weight * (base + max(0.0, rise))


@dataclass(slots=True)
class DecayingSum:
    """A sum whose items halve every ``half_life`` minutes of event time.

    >>> total = DecayingSum()
    >>> total.add(8.0, minute=0, half_life=60)
    >>> total.add(1.0, minute=120, half_life=60)
    >>> total.at(120, half_life=60), total.at(180, half_life=60)
    (3.0, 1.5)

    The order of items does not matter, a late one enters decayed:

    >>> total.add(4.0, minute=60, half_life=60)
    >>> total.at(120, half_life=60)
    5.0
    """

    value: float = 0.0
    minute: int = 0

    def add(self, amount: float, *, minute: int, half_life: float) -> None:
        """Add ``amount`` that happened at ``minute``."""
        if minute > self.minute:
            self.value = self.at(minute, half_life=half_life)
            self.minute = minute
        self.value += amount * 0.5 ** ((self.minute - minute) / half_life)

    def at(self, minute: int, *, half_life: float) -> float:
        """The sum as it stands at ``minute``, not before the last item."""
        return float(self.value * 0.5 ** (max(0, minute - self.minute) / half_life))


def saturate(value: float, half_saturation: float) -> float:
    """Map [0, ∞) to [0, 1): value / (value + half_saturation); negative values to 0.

    >>> saturate(5, 5), saturate(-1, 5)
    (0.5, 0.0)
    """
    return max(0.0, value) / (max(0.0, value) + half_saturation)
