"""Weights, thresholds and time constants of the risk formula: ``deploy/risk.yaml``, checked."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wanglou.models.watchlist import Size
from wanglou.schemas.base import Share
from wanglou.schemas.mention import Tier
from wanglou.schemas.problems import Problem, check
from wanglou.schemas.risk import Level

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Minutes = Annotated[int, Field(ge=1, le=7 * 24 * 60)]
SUM_TOLERANCE = 1e-9


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _check_sum(section: BaseModel) -> None:
    total = sum(value for _, value in section)
    if abs(total - 1.0) > SUM_TOLERANCE:
        names = ", ".join(name for name, _ in section)
        raise ValueError(f"the weights {names} must sum to 1, not {total:.6g}")


class HeatParameters(_Section):
    """Heat: see ``models.heat``."""

    mention: Positive = Field(description="What a new mention brings without any engagement.")
    reads: Positive
    likes: Positive
    comments: Positive
    reposts: Positive
    half_life_minutes: Minutes
    half_saturation: Positive = Field(description="Heat that scores 0.5.")


class BurstParameters(_Section):
    """Burst: see ``models.burst``."""

    window_minutes: Minutes
    baseline_half_life_minutes: Minutes
    hours_half_life_minutes: Minutes = Field(
        description="After it half of what is known of an hour of day is forgotten."
    )
    hours_prior_mentions: Positive = Field(
        description="Mentions assumed, spread evenly over the hours of day."
    )
    prior_per_minute: Positive = Field(description="Rate assumed before anything was seen.")
    half_saturation: Positive = Field(description="Standard deviations that score 0.5.")
    storm_cap: Positive = Field(
        description="A minute enters the baseline at most this many deviations above its mean."
    )


class NegativeParameters(_Section):
    """Negative share: see ``models.likelihood``."""

    window_minutes: Minutes
    prior_share: Annotated[float, Field(ge=0, lt=1)]
    prior_mentions: Positive
    full_share: Annotated[float, Field(gt=0, le=1)] = Field(description="Share that scores 1.")

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.full_share <= self.prior_share:
            raise ValueError(
                f"full_share ({self.full_share}) must be above prior_share ({self.prior_share})"
            )
        return self


class VelocityParameters(_Section):
    """Velocity: see ``models.likelihood``."""

    window_minutes: Minutes
    saturation_doublings: Positive = Field(description="Doublings that score 1.")


class ActivityWeights(_Section):
    """Weights of heat, burst and velocity in the activity; they sum to 1."""

    heat: Share
    burst: Share
    velocity: Share

    @model_validator(mode="after")
    def _sum(self) -> Self:
        _check_sum(self)
        return self


class ImpactWeights(_Section):
    """Weights of the impact terms; they sum to 1."""

    severity: Share
    reach: Share
    source: Share

    @model_validator(mode="after")
    def _sum(self) -> Self:
        _check_sum(self)
        return self


class SeverityWeights(_Section):
    """Weights of the three sides of a severity; they sum to 1."""

    reputation: Share
    trust: Share
    regulator: Share

    @model_validator(mode="after")
    def _sum(self) -> Self:
        _check_sum(self)
        return self


class ReachParameters(_Section):
    """Reach: see ``models.reach`` and ``models.spread``."""

    window_minutes: Minutes = Field(
        description="Who spoke in the last one to two of these is counted."
    )
    full_audience: Positive = Field(description="Audience that scores 1.")
    full_authors: Positive = Field(description="Distinct authors that score 1.")
    full_platforms: Positive = Field(description="Platforms that score 1.")
    full_depth: Positive = Field(description="Depth of reposting that scores 1.")


class ViewpointParameters(_Section):
    """Viewpoints: see ``models.viewpoints``."""

    half_life_minutes: Minutes
    similarity: Annotated[float, Field(gt=0, le=1)] = Field(
        description="Cosine from which two viewpoints are one."
    )


class Threshold(_Section):
    """A level is entered at ``enter`` and left below ``leave`` (risk, 0 to 100)."""

    enter: Annotated[float, Field(gt=0, lt=100)]
    leave: Annotated[float, Field(gt=0, lt=100)]

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.leave >= self.enter:
            raise ValueError(f"leave ({self.leave}) must be below enter ({self.enter})")
        return self


class LevelParameters(_Section):
    """When a level changes: see ``models.levels``."""

    blue: Threshold
    yellow: Threshold
    orange: Threshold
    red: Threshold
    dwell_minutes: Minutes = Field(description="Least time between two changes.")
    calm_minutes: Minutes = Field(description="Time below `leave` before a level is lowered.")
    quiet_minutes: Minutes = Field(description="Time below blue's `leave` before it is resolved.")
    rest_minutes: Minutes = Field(
        description="Time after a fall in which a level rises only above the one it fell from."
    )

    @model_validator(mode="after")
    def _order(self) -> Self:
        problems: list[Problem] = []
        for low, high in (("blue", "yellow"), ("yellow", "orange"), ("orange", "red")):
            for side in ("enter", "leave"):
                if getattr(getattr(self, low), side) >= getattr(getattr(self, high), side):
                    text = f"{low}.{side} must be below {high}.{side}"
                    problems.append(((high, side), text))
        if self.quiet_minutes < self.calm_minutes:
            text = "quiet_minutes must be at least calm_minutes"
            problems.append((("quiet_minutes",), text))
        check(problems)
        return self

    def threshold(self, level: Level) -> Threshold:
        """The thresholds of a level."""
        return (self.blue, self.yellow, self.orange, self.red)[level - 1]


class RiskParameters(_Section):
    """Everything the risk step can be told."""

    lateness_minutes: Minutes = Field(
        description="A mention later than this counts in totals only, not in bursts."
    )
    event_retention_minutes: Annotated[int, Field(ge=1440)] = Field(
        description="An event with no mention for this long is forgotten."
    )
    tiers: dict[Tier, Share] = Field(description="Weight of each source tier 信源级别.")
    heat: HeatParameters
    burst: BurstParameters
    negative: NegativeParameters
    velocity: VelocityParameters
    reach: ReachParameters
    viewpoints: ViewpointParameters
    severity_weights: SeverityWeights
    sizes: dict[Size, Annotated[float, Field(gt=0, le=2)]] = Field(
        description="What the severity is multiplied by for an institution of this size 机构规模."
    )
    activity_weights: ActivityWeights
    impact_weights: ImpactWeights
    levels: LevelParameters

    @model_validator(mode="after")
    def _complete(self) -> Self:
        problems: list[Problem] = []
        if missing := [tier.value for tier in Tier if tier not in self.tiers]:
            problems.append((("tiers",), f"no weight for {', '.join(missing)}"))
        if missing := [size.value for size in Size if size not in self.sizes]:
            problems.append((("sizes",), f"no factor for {', '.join(missing)}"))
        check(problems)
        return self
