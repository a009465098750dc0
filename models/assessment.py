"""Risk at the close of a minute: 100 × negativity × activity × impact, with every term."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import fsum

from wanglou.models.burst import fold
from wanglou.models.channels import channels
from wanglou.models.event import OTHER, EventState
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.taxonomy import Severity
from wanglou.models.terms import (
    DECIMALS,
    burst_term,
    combine,
    heat_term,
    negative_share_term,
    reach_term,
    severity_term,
    source_term,
    velocity_term,
)
from wanglou.models.viewpoints import viewpoints
from wanglou.schemas.base import time_of
from wanglou.schemas.risk import Assessment, Situation, Term

TOLD_REGIONS = 10


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


def _within(minute: int, length: int, one: int) -> bool:
    return minute - length < one <= minute


def _negativity(event: EventState, minute: int, parameters: RiskParameters) -> Term:
    length = parameters.negative.window_minutes
    recent = [bucket for one, bucket in event.buckets.items() if _within(minute, length, one)]
    return negative_share_term(
        parameters,
        negative=fsum(bucket.negative for bucket in recent),
        mentions=sum(bucket.mentions for bucket in recent),
    )


def _activity(
    event: EventState, counts: Mapping[int, int], minute: int, parameters: RiskParameters
) -> list[Term]:
    def mentions(until: int, length: int) -> int:
        return sum(count for one, count in counts.items() if _within(until, length, one))

    length = parameters.velocity.window_minutes
    baseline = event.baseline
    busyness = baseline.busyness(minute, parameters.burst)
    return [
        heat_term(
            parameters, heat=event.heat.at(minute, half_life=parameters.heat.half_life_minutes)
        ),
        burst_term(
            parameters,
            mentions=mentions(minute, parameters.burst.window_minutes),
            mean=busyness * baseline.mean,
            variance=busyness * baseline.variance,
        ),
        velocity_term(
            parameters, now=mentions(minute, length), before=mentions(minute - length, length)
        ),
    ]


def _impact(event: EventState, severity: Severity, parameters: RiskParameters) -> list[Term]:
    audience = event.authors.audience()
    return [
        severity_term(
            parameters,
            reputation=severity.reputation,
            trust=severity.trust,
            regulator=severity.regulator,
        ),
        reach_term(
            parameters,
            followers=audience.followers,
            authors=audience.authors,
            platforms=len(event.platforms),
            depth=event.depth,
        ),
        source_term(parameters, tier_weight=event.source_weight),
    ]


def situation(event: EventState, minute: int, parameters: RiskParameters) -> Situation:
    """What is known of the event at the close of ``minute``."""
    first_source, spreaders = channels(event.first_source, event.spreaders.values())
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
