"""The terms of the risk formula: from what was counted to a value, a score, a contribution.

A term is computed from its inputs as an alert tells them, rounded, so that a reader gets the same
numbers to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable
from math import fsum

from wanglou.models.burst import burst
from wanglou.models.heat import saturate
from wanglou.models.likelihood import negative_score, negative_share, velocity, velocity_score
from wanglou.models.reach import Audience, reach
from wanglou.models.risk_parameters import RiskParameters
from wanglou.schemas.risk import Assessment, Factor, Term

DECIMALS = 6
"""Digits of the numbers in alerts: enough to recompute, few enough to read."""


def combine(terms: tuple[Term, ...]) -> Assessment:
    """The risk that follows from its terms; a reader of an alert gets the same from the alert's."""
    factors = factors_of(terms)
    likelihood = factors[Factor.NEGATIVITY] * factors[Factor.ACTIVITY]
    return Assessment(
        risk=round(100 * likelihood * factors[Factor.IMPACT], DECIMALS),
        likelihood=round(likelihood, DECIMALS),
        impact=round(factors[Factor.IMPACT], DECIMALS),
        terms=terms,
    )


def factors_of(terms: tuple[Term, ...]) -> dict[Factor, float]:
    """Each factor: the sum of its terms' contributions, at most 1."""
    return {
        factor: min(1.0, fsum(term.contribution for term in terms if term.factor is factor))
        for factor in Factor
    }


def negative_share_term(parameters: RiskParameters, *, negative: float, mentions: float) -> Term:
    """``negative``: sum of the negativities of the window's ``mentions``."""
    inputs = _rounded(negative=negative, mentions=mentions)
    share = negative_share(inputs["negative"], inputs["mentions"], parameters.negative)
    return _term(
        Factor.NEGATIVITY,
        "negative_share",
        share,
        "share",
        lambda value: negative_score(value, parameters.negative),
        1.0,
        inputs,
    )


def heat_term(parameters: RiskParameters, *, heat: float) -> Term:
    """``heat``: decayed to the minute."""
    return _term(
        Factor.ACTIVITY,
        "heat",
        heat,
        "heat",
        lambda value: saturate(value, parameters.heat.half_saturation),
        parameters.activity_weights.heat,
        _rounded(heat=heat),
    )


def burst_term(
    parameters: RiskParameters, *, mentions: float, mean: float, variance: float
) -> Term:
    """``mentions`` of the window; ``mean`` and ``variance`` of mentions a minute usual then."""
    inputs = _rounded(mentions=mentions, mean=mean, variance=variance)
    return _term(
        Factor.ACTIVITY,
        "burst",
        burst(parameters=parameters.burst, **inputs),
        "deviations",
        lambda value: saturate(value, parameters.burst.half_saturation),
        parameters.activity_weights.burst,
        inputs,
    )


def velocity_term(parameters: RiskParameters, *, now: float, before: float) -> Term:
    """Mentions of the window that ends ``now``, and of the one ``before``."""
    return _term(
        Factor.ACTIVITY,
        "velocity",
        velocity(now, before),
        f"doublings in {parameters.velocity.window_minutes} minutes",
        lambda value: velocity_score(value, parameters.velocity),
        parameters.activity_weights.velocity,
        _rounded(now=now, before=before),
    )


def severity_term(
    parameters: RiskParameters, *, reputation: float, trust: float, regulator: float
) -> Term:
    """The three sides of the risk topic's severity, each in [0, 1]."""
    inputs = _rounded(reputation=reputation, trust=trust, regulator=regulator)
    sides = parameters.severity_weights
    severity = fsum(
        (
            sides.reputation * inputs["reputation"],
            sides.trust * inputs["trust"],
            sides.regulator * inputs["regulator"],
        )
    )
    return _term(
        Factor.IMPACT,
        "severity",
        severity,
        "severity",
        _itself,
        parameters.impact_weights.severity,
        inputs,
    )


def reach_term(
    parameters: RiskParameters, *, followers: float, authors: float, platforms: float, depth: float
) -> Term:
    """Followers of the distinct authors, these, the platforms, and the depth of reposting."""
    inputs = _rounded(followers=followers, authors=authors, platforms=platforms, depth=depth)
    audience = Audience(inputs["authors"], inputs["followers"])
    reached = reach(audience, inputs["platforms"], inputs["depth"], parameters.reach)
    return _term(
        Factor.IMPACT,
        "reach",
        followers,
        "followers",
        lambda _: reached,
        parameters.impact_weights.reach,
        inputs,
    )


def source_term(parameters: RiskParameters, *, tier_weight: float) -> Term:
    """``tier_weight``: of the highest tier that spoke negatively."""
    return _term(
        Factor.IMPACT,
        "source",
        tier_weight,
        "tier weight",
        _itself,
        parameters.impact_weights.source,
        _rounded(tier_weight=tier_weight),
    )


TERMS: dict[str, Callable[..., Term]] = {
    "negative_share": negative_share_term,
    "heat": heat_term,
    "burst": burst_term,
    "velocity": velocity_term,
    "severity": severity_term,
    "reach": reach_term,
    "source": source_term,
}
"""How each term is computed from its inputs, in the order in which an alert tells them."""


def _itself(value: float) -> float:
    return value


def _rounded(**inputs: float) -> dict[str, float]:
    return {name: round(float(value), DECIMALS) for name, value in inputs.items()}


def _term(
    factor: Factor,
    name: str,
    value: float,
    unit: str,
    score: Callable[[float], float],
    weight: float,
    inputs: dict[str, float],
) -> Term:
    shown = round(float(value), DECIMALS)
    scored = round(score(shown), DECIMALS)
    return Term.trusted(
        name=name,
        factor=factor,
        value=shown,
        unit=unit,
        score=scored,
        weight=weight,
        contribution=round(weight * scored, DECIMALS),
        inputs=inputs,
    )
