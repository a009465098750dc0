"""Risk at the close of a minute: 100 × negativity × activity × impact, with every term."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import fsum

from wanglou.models.burst import fold
from wanglou.models.channels import channels
from wanglou.models.event import OTHER, Bucket, EventState
from wanglou.models.likelihood import negative_score, negative_share
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.spread import Spread, spread_at
from wanglou.models.taxonomy import Severity
from wanglou.models.terms import (
    DECIMALS,
    burst_term,
    combine,
    factors_of,
    heat_term,
    negative_share_term,
    reach_term,
    severity_term,
    source_term,
    velocity_term,
)
from wanglou.models.viewpoints import viewpoints
from wanglou.schemas.base import time_of
from wanglou.schemas.risk import Assessment, Factor, Situation, Term

TOLD_REGIONS = 10

MARGIN = 0.01
"""By more than this, rounding moves no risk."""


def assess(
    event: EventState, minute: int, severity: Severity, parameters: RiskParameters
) -> Assessment:
    """Risk of an event at the close of ``minute``, once it is `settled` there.

    Each factor is the sum of its terms' contributions, a contribution is weight × score.
    Likelihood is negativity × activity.
    """
    return combine(
        (
            _negativity(event, minute, parameters),
            *_activity(event, minute, parameters),
            *_impact(event, minute, severity, parameters),
        )
    )


def settle(event: EventState, minute: int, parameters: RiskParameters) -> None:
    """Advance the baseline to what ``minute`` needs, and drop the buckets that no window needs."""
    settled = minute - max(parameters.burst.window_minutes, parameters.lateness_minutes)
    old = [one for one in event.buckets if one <= settled]
    new = {one: event.buckets[one].mentions for one in old if one > event.baseline.through}
    fold(event.baseline, new, settled, parameters.burst)
    longest = max(parameters.negative.window_minutes, 2 * parameters.velocity.window_minutes)
    for one in old:
        if one <= minute - longest:
            del event.buckets[one]


def may_reach(
    risk: float, event: EventState, minute: int, severity: Severity, parameters: RiskParameters
) -> bool:
    """Whether the risk at the close of ``minute`` may be as high: all other terms at their most.

    Most events are nowhere near a level most of the time, and this is seen from one cheap term, or
    from three.
    """
    negative, mentions = _negative(event, minute, parameters)
    share = negative_share(negative, mentions, parameters.negative)
    likelihood = negative_score(share, parameters.negative)
    if 100 * likelihood < risk - MARGIN:  # the impact is at most 1
        return False
    known = (
        _severity(severity, parameters),
        _source(_spread(event, minute, parameters), parameters),
    )
    impact = factors_of(known)[Factor.IMPACT] + parameters.impact_weights.reach
    return 100 * likelihood * impact >= risk - MARGIN


def _window(event: EventState, minute: int, length: int) -> list[Bucket]:
    """The buckets of the ``length`` minutes up to ``minute``."""
    before = minute - length
    return [bucket for one, bucket in event.buckets.items() if before < one <= minute]


def _mentions(buckets: Iterable[Bucket]) -> int:
    return sum(bucket.mentions for bucket in buckets)


def _negative(event: EventState, minute: int, parameters: RiskParameters) -> tuple[float, int]:
    """The sum of the negativities of the window's mentions, and how many these are."""
    recent = _window(event, minute, parameters.negative.window_minutes)
    return fsum(bucket.negative for bucket in recent), _mentions(recent)


def _negativity(event: EventState, minute: int, parameters: RiskParameters) -> Term:
    negative, mentions = _negative(event, minute, parameters)
    return negative_share_term(parameters, negative=negative, mentions=mentions)


def _activity(event: EventState, minute: int, parameters: RiskParameters) -> list[Term]:
    length = parameters.velocity.window_minutes
    baseline = event.baseline
    busyness = baseline.busyness(minute, parameters.burst)
    return [
        heat_term(
            parameters, heat=event.heat.at(minute, half_life=parameters.heat.half_life_minutes)
        ),
        burst_term(
            parameters,
            mentions=_mentions(_window(event, minute, parameters.burst.window_minutes)),
            mean=busyness * baseline.mean,
            variance=busyness * baseline.variance,
        ),
        velocity_term(
            parameters,
            now=_mentions(_window(event, minute, length)),
            before=_mentions(_window(event, minute - length, length)),
        ),
    ]


def _impact(
    event: EventState, minute: int, severity: Severity, parameters: RiskParameters
) -> list[Term]:
    spread = _spread(event, minute, parameters)
    audience = spread.authors.audience()
    reach = reach_term(
        parameters,
        followers=audience.followers,
        authors=audience.authors,
        platforms=len(spread.platforms),
        depth=spread.depth,
    )
    return [_severity(severity, parameters), reach, _source(spread, parameters)]


def _spread(event: EventState, minute: int, parameters: RiskParameters) -> Spread:
    return spread_at(event.spreads, minute, parameters.reach.window_minutes)


def _severity(severity: Severity, parameters: RiskParameters) -> Term:
    return severity_term(
        parameters,
        reputation=severity.reputation,
        trust=severity.trust,
        regulator=severity.regulator,
    )


def _source(spread: Spread, parameters: RiskParameters) -> Term:
    return source_term(parameters, tier_weight=spread.source_weight)


def situation(event: EventState, minute: int, parameters: RiskParameters) -> Situation:
    """What is known of the event at the close of ``minute``."""
    first_source, spreaders = channels(event.first_source, event.spreaders.values())
    audience = _spread(event, minute, parameters).authors.audience()
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
        viewpoints=viewpoints(event.viewpoints, minute, parameters.viewpoints),
        regions=_commonest(event.regions),
        first_source=first_source,
        spreaders=spreaders,
        timeline=event.timeline.told(),
    )


def brief_situation(event: EventState, minute: int, parameters: RiskParameters) -> Situation:
    """The same without what is too long for an alert: spreaders and the course over time."""
    whole = situation(event, minute, parameters)
    return whole.model_copy(update={"spreaders": (), "timeline": ()})


def _commonest(regions: Counter[str]) -> dict[str, int]:
    """The commonest regions, and all others together."""
    named = sorted(
        (name for name in regions if name != OTHER), key=lambda name: (-regions[name], name)
    )
    told = {name: regions[name] for name in named[:TOLD_REGIONS]}
    rest = regions.total() - sum(told.values())
    return told | ({OTHER: rest} if rest else {})
