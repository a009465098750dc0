"""The likelihood terms besides burst: negative share and velocity."""

from __future__ import annotations

from math import log2

from wanglou.models.risk_parameters import NegativeParameters, VelocityParameters


def negative_share(negative: float, mentions: float, parameters: NegativeParameters) -> float:
    """Share of negative mentions with a prior, in [0, 1].

    ``negative`` is the sum of the probabilities of negative over ``mentions`` mentions. The prior
    counts as ``prior_mentions`` mentions of ``prior_share``, so that three posts are not 100 %.

    >>> parameters = NegativeParameters(
    ...     window_minutes=60, prior_share=0.3, prior_mentions=10, full_share=0.65)
    >>> negative_share(0, 0, parameters), round(negative_share(3, 3, parameters), 3)
    (0.3, 0.462)
    """
    prior = parameters.prior_mentions
    return (negative + prior * parameters.prior_share) / (mentions + prior)


def negative_score(share: float, parameters: NegativeParameters) -> float:
    """The share between the prior and ``full_share``, mapped to [0, 1].

    What is no more negative than usual is 0, and 1 is what incidents are at their worst: people
    also ask, deny and joke, and calibrated probabilities of a model that errs are not all 1.

    >>> parameters = NegativeParameters(
    ...     window_minutes=60, prior_share=0.2, prior_mentions=10, full_share=0.7)
    >>> [round(negative_score(share, parameters), 3) for share in (0.1, 0.45, 0.9)]
    [0.0, 0.5, 1.0]
    """
    usual, full = parameters.prior_share, parameters.full_share
    return min(1.0, max(0.0, (share - usual) / (full - usual)))


def velocity(now: float, before: float) -> float:
    """Doublings from one window's mentions to the next one's: log₂((now + 1) / (before + 1)).

    >>> velocity(7, 0), velocity(0, 3)
    (3.0, -2.0)
    """
    return log2((now + 1) / (before + 1))


def velocity_score(doublings: float, parameters: VelocityParameters) -> float:
    """Doublings mapped to [0, 1]; shrinking is 0."""
    return min(1.0, max(0.0, doublings / parameters.saturation_doublings))
