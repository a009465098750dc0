"""Risk at the close of a minute: 100 × negativity × activity × impact, with every term."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum

from wanglou.models.burst import burst, fold
from wanglou.models.event import EventState
from wanglou.models.heat import saturate
from wanglou.models.likelihood import negative_score, negative_share, velocity, velocity_score
from wanglou.models.reach import reach
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.taxonomy import Severity
from wanglou.schemas.base import time_of
from wanglou.schemas.risk import Assessment, Factor, Situation, Term

DECIMALS = 6
"""Digits of the numbers in alerts: enough to recompute, few enough to read."""


def assess(
    event: EventState, minute: int, severity: Severity, parameters: RiskParameters
) -> Assessment:
    """Risk of an event at the close of ``minute``.

    Each factor is the sum of its terms' contributions, a contribution is weight × score.
    Likelihood is negativity × activity. Advances the event's baseline, and drops the buckets that
    no window needs any more.
    """
    counts = {one: bucket.mentions for one, bucket in event.buckets.items()}
    settled = minute - max(parameters.burst.window_minutes, parameters.lateness_minutes)
    fold(event.baseline, counts, settled, parameters.burst)
    terms = (
        _negativity(event, minute, parameters),
        *_activity(event, counts, minute, parameters),
        *_impact(event, severity, parameters),
    )
    longest = max(parameters.negative.window_minutes, 2 * parameters.velocity.window_minutes)
    for one in [one for one in counts if one <= min(minute - longest, settled)]:
        del event.buckets[one]
    return combine(terms)


def combine(terms: tuple[Term, ...]) -> Assessment:
    """The risk that follows from its terms; a reader of an alert gets the same from the alert's."""
    factors = {
        factor: min(1.0, fsum(term.contribution for term in terms if term.factor is factor))
        for factor in Factor
    }
    likelihood = factors[Factor.NEGATIVITY] * factors[Factor.ACTIVITY]
    return Assessment(
        risk=round(100 * likelihood * factors[Factor.IMPACT], DECIMALS),
        likelihood=round(likelihood, DECIMALS),
        impact=round(factors[Factor.IMPACT], DECIMALS),
        terms=terms,
    )


def _term(factor: Factor, name: str, value: float, unit: str, score: float, weight: float) -> Term:
    return Term(
        name=name,
        factor=factor,
        value=round(value, DECIMALS),
        unit=unit,
        score=round(score, DECIMALS),
        weight=weight,
        contribution=round(weight * score, DECIMALS),
    )


def _within(minute: int, length: int, one: int) -> bool:
    return minute - length < one <= minute


def _negativity(event: EventState, minute: int, parameters: RiskParameters) -> Term:
    length = parameters.negative.window_minutes
    recent = [bucket for one, bucket in event.buckets.items() if _within(minute, length, one)]
    share = negative_share(
        fsum(bucket.negative for bucket in recent),
        sum(bucket.mentions for bucket in recent),
        parameters.negative,
    )
    score = negative_score(share, parameters.negative)
    return _term(Factor.NEGATIVITY, "negative_share", share, "share", score, 1.0)


def _activity(
    event: EventState, counts: Mapping[int, int], minute: int, parameters: RiskParameters
) -> list[Term]:
    def mentions(until: int, length: int) -> int:
        return sum(count for one, count in counts.items() if _within(until, length, one))

    weights, length = parameters.activity_weights, parameters.velocity.window_minutes
    heat = event.heat.at(minute, half_life=parameters.heat.half_life_minutes)
    deviations = burst(
        mentions(minute, parameters.burst.window_minutes), event.baseline, parameters.burst
    )
    doublings = velocity(mentions(minute, length), mentions(minute - length, length))
    heat_score = saturate(heat, parameters.heat.half_saturation)
    burst_score = saturate(deviations, parameters.burst.half_saturation)
    speed = velocity_score(doublings, parameters.velocity)
    doublings_unit = f"doublings in {length} minutes"
    return [
        _term(Factor.ACTIVITY, "heat", heat, "heat", heat_score, weights.heat),
        _term(Factor.ACTIVITY, "burst", deviations, "deviations", burst_score, weights.burst),
        _term(Factor.ACTIVITY, "velocity", doublings, doublings_unit, speed, weights.velocity),
    ]


def _impact(event: EventState, severity: Severity, parameters: RiskParameters) -> list[Term]:
    weights, sides = parameters.impact_weights, parameters.severity_weights
    severe = (
        sides.reputation * severity.reputation
        + sides.trust * severity.trust
        + sides.regulator * severity.regulator
    )
    audience = event.authors.audience()
    reached = reach(audience, len(event.platforms), event.depth, parameters.reach)
    source = event.source_weight
    return [
        _term(Factor.IMPACT, "severity", severe, "severity", severe, weights.severity),
        _term(Factor.IMPACT, "reach", audience.followers, "followers", reached, weights.reach),
        _term(Factor.IMPACT, "source", source, "tier weight", source, weights.source),
    ]


def situation(event: EventState, minute: int, parameters: RiskParameters) -> Situation:
    """The event's totals at the close of ``minute``."""
    audience = event.authors.audience()
    heat = event.heat.at(minute, half_life=parameters.heat.half_life_minutes)
    return Situation(
        mentions=event.mentions,
        updates=event.updates,
        late=event.late,
        negative=event.negative,
        clusters=event.clusters,
        heat=round(heat, DECIMALS),
        authors=round(audience.authors, DECIMALS),
        audience=round(audience.followers, DECIMALS),
        platforms=dict(sorted(event.platforms.items())),
        emotions=dict(sorted(event.emotions.items())),
        depth=event.depth,
        first_at=time_of(event.first_minute),
        last_at=time_of(event.last_minute),
    )
