"""An event's memory: what is kept of its mentions, and how one is folded in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from wanglou.models.burst import Baseline
from wanglou.models.channels import Origin, add_spreader, earliest, kept_url
from wanglou.models.heat import DecayingSum, heat_gain
from wanglou.models.levels import LevelState
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.scoring import NEGATIVE_FROM
from wanglou.models.spread import Spreads, opened
from wanglou.models.timeline import Timeline
from wanglou.models.viewpoints import Cluster, add_viewpoint
from wanglou.schemas.base import minute_of
from wanglou.schemas.mention import DedupeKind, ScoredMention
from wanglou.schemas.risk import Evidence

NEVER = datetime.min.replace(tzinfo=UTC)

MAX_EVIDENCE = 3
EVIDENCE_CHARACTERS = 140

MAX_PLATFORMS = 12
MAX_REGIONS = 40
"""Names that are counted one by one: 34 provinces and some countries. All after the first of them
are counted together, as `OTHER`."""

OTHER = "other"


@dataclass(slots=True)
class Bucket:
    """One tumbling minute: mentions, and the sum of their probabilities of negative."""

    mentions: int = 0
    negative: float = 0.0


@dataclass(slots=True)
class EventState:
    """Everything the risk step remembers of one event (institution × risk topic)."""

    first_minute: int
    baseline: Baseline
    assessed_through: int
    last_minute: int = 0
    sequence: int = 0
    received_at: datetime = NEVER
    """When the broker took the latest of its mentions."""
    levels: LevelState = field(default_factory=LevelState)
    buckets: dict[int, Bucket] = field(default_factory=dict)
    heat: DecayingSum = field(default_factory=DecayingSum)
    spreads: Spreads = field(default_factory=dict)
    platforms: Counter[str] = field(default_factory=Counter)
    emotions: Counter[str] = field(default_factory=Counter)
    mentions: int = 0
    updates: int = 0
    late: int = 0
    negative: int = 0
    clusters: int = 0
    depth: int = 0
    evidence: dict[str, Evidence] = field(default_factory=dict)
    """The hottest mention of each of the hottest clusters, by cluster id."""
    behind: bool = False
    """Whether a mention came for a minute that had been closed."""
    regions: Counter[str] = field(default_factory=Counter)
    first_source: Origin | None = None
    spreaders: dict[str, Origin] = field(default_factory=dict)
    """The authors who reached most, by their hash."""
    timeline: Timeline = field(default_factory=Timeline)
    viewpoints: list[Cluster] = field(default_factory=list)

    @classmethod
    def new(cls, minute: int, parameters: RiskParameters) -> EventState:
        """An event whose first mention is of ``minute``."""
        baseline = Baseline.prior(parameters.burst, minute)
        return cls(minute, baseline, assessed_through=minute - 1, last_minute=minute)


def depth_of(mention: ScoredMention) -> int:
    """Steps from the root, as far as it tells: 0 a post, 1 answers it, 2 answers an answer."""
    if mention.parent_id is None and mention.root_id is None:
        return 0
    return 1 if mention.parent_id in (None, mention.root_id) or mention.root_id is None else 2


def negativity(mention: ScoredMention) -> float:
    """Probability that a mention speaks ill of its institution.

    That of the text being negative about the institution where the text names it; otherwise, as in
    a comment that names nobody, that of the text being negative at all.
    """
    towards = mention.institution_negative_probability
    if towards is None or mention.inherited:
        return mention.polarity_probabilities.negative
    return towards


def add_mention(
    event: EventState, mention: ScoredMention, *, clock: int, parameters: RiskParameters
) -> bool:
    """Fold a scored mention into its event; True if it is too late for the minutes' counts.

    ``clock`` is the event minute that the partition has come to. Counters that were read later
    count from then on.
    """
    minute = min(minute_of(mention.event_time), clock)
    event.received_at = max(event.received_at, mention.received_at)
    author = mention.author
    tier_weight = parameters.tiers[author.tier] if author else min(parameters.tiers.values())
    new = mention.dedupe is not DedupeKind.UPDATE
    gain = heat_gain(
        mention.engagement,
        mention.engagement_change,
        new=new,
        tier_weight=tier_weight,
        parameters=parameters.heat,
    )
    event.heat.add(gain, minute=minute, half_life=parameters.heat.half_life_minutes)
    event.first_minute = min(event.first_minute, minute)
    event.last_minute = max(event.last_minute, minute)
    _keep_evidence(event, mention, gain)
    add_spreader(event.spreaders, mention)
    if not new:
        event.updates += 1
        return False
    event.mentions += 1
    platform = _counted(event.platforms, mention.platform, MAX_PLATFORMS)
    if mention.region is not None:
        _counted(event.regions, mention.region, MAX_REGIONS)
    event.first_source = earliest(event.first_source, mention)
    add_viewpoint(event.viewpoints, mention, minute, parameters.viewpoints)
    event.emotions[mention.emotion.value] += 1
    event.clusters += mention.dedupe is DedupeKind.ORIGINAL
    depth = depth_of(mention)
    event.depth = max(event.depth, depth)
    is_negative = negativity(mention) >= NEGATIVE_FROM
    event.negative += is_negative
    window = parameters.reach.window_minutes
    for spread in opened(event.spreads, minute=minute, clock=clock, window_minutes=window):
        _counted(spread.platforms, mention.platform, MAX_PLATFORMS)
        spread.depth = max(spread.depth, depth)
        if author is not None:
            spread.authors.add(author.id, author.followers)
        if is_negative:
            spread.source_weight = max(spread.source_weight, tier_weight)
    if minute < clock - parameters.lateness_minutes:
        event.late += 1
        return True
    event.timeline.add(minute, platform, mention.emotion.value)
    bucket = event.buckets.setdefault(minute, Bucket())
    bucket.mentions += 1
    bucket.negative += negativity(mention)
    event.behind = event.behind or minute < clock
    return False


def _counted(counts: Counter[str], name: str, most: int) -> str:
    """Count a name, or `OTHER` if there are too many already; which of the two."""
    counted = name if name in counts or len(counts) < most else OTHER
    counts[counted] += 1
    return counted


def _keep_evidence(event: EventState, mention: ScoredMention, gain: float) -> None:
    heat = round(gain, 6)
    before = event.evidence.get(mention.cluster_id)
    if before is not None and before.heat >= gain:
        return
    if before is None and len(event.evidence) == MAX_EVIDENCE:
        coolest = min((one.heat, cluster_id) for cluster_id, one in event.evidence.items())
        if (heat, mention.cluster_id) < coolest:
            return
        del event.evidence[coolest[1]]
    event.evidence[mention.cluster_id] = Evidence.model_construct(
        id=mention.id,
        platform=mention.platform,
        kind=mention.kind,
        published_at=mention.published_at,
        polarity=mention.polarity,
        emotion=mention.emotion,
        heat=heat,
        text=mention.text[:EVIDENCE_CHARACTERS],
        url=kept_url(mention.url),
    )
