"""Whether a measure helped (措施效果评估): before, after, and what would have come without it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from wanglou.schemas.base import Contract, Count, Identifier, Share, Timestamp


class EffectVerdict(StrEnum):
    """What an evaluation says of a measure (评估结论)."""

    HELPED = "helped"
    NO_VISIBLE_EFFECT = "no-visible-effect"
    WORSE = "worse"
    TOO_EARLY = "too-early"
    NOT_SEPARABLE = "not-separable"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            EffectVerdict.HELPED: "有效",
            EffectVerdict.NO_VISIBLE_EFFECT: "未见明显效果",
            EffectVerdict.WORSE: "反而加剧",
            EffectVerdict.TOO_EARLY: "为时尚早",
            EffectVerdict.NOT_SEPARABLE: "无法与其他措施区分",
        }[self]


class Trend(Contract):
    """What an event looked like in a span of event time."""

    mentions: Count = Field(description="Mentions in the span.")
    negative_share: Share = Field(description="Share of negative mentions; 0 without mentions.")
    risk: float = Field(ge=0, le=100, description="Mean risk, 0 to 100.")
    negative: Count | None = Field(None, description="Negative mentions in the span.")
    heat: float | None = Field(
        None, ge=0, description="Mean heat 热度; null where the event was not assessed."
    )
    authors: float | None = Field(
        None, ge=0, description="Mean of the distinct authors lately; null as heat."
    )
    audience: float | None = Field(
        None, ge=0, description="Mean of the followers of these authors; null as heat."
    )
    emotions: dict[str, Share] = Field(
        {},
        description="Share of each emotion 情绪 among the mentions.",
        examples=[{"fear": 0.7, "angry": 0.3}],
    )


class Interval(Contract):
    """An estimate and where the truth lies with a probability of 90 %."""

    estimate: float = Field(ge=0, description="The median.", examples=[120.0])
    low: float = Field(ge=0, description="Lower end.", examples=[80.0])
    high: float = Field(ge=0, description="Upper end.", examples=[210.0])


class Counterfactual(Contract):
    """An interval for all mentions, and one for the negative ones."""

    mentions: Interval = Field(description="Of all mentions.")
    negative: Interval = Field(description="Of the negative mentions, on which the verdict rests.")


class Evaluation(Contract):
    """The trend before and after a measure (topic ``evaluations``)."""

    id: Identifier = Field(description="Derived from the response and the span.")
    response_id: Identifier = Field(description="The measure that is evaluated.")
    event_id: Identifier = Field(description="The event.")
    span_minutes: Count = Field(description="Length of each span, in minutes of event time.")
    before: Trend = Field(description="The span that ends with the measure.")
    after: Trend = Field(description="The span that begins with it.")
    evaluated_at: Timestamp = Field(description="Event time of the evaluation.")
    expected: Counterfactual | None = Field(
        None,
        description="Mentions that would have come in the span without the measure; null where "
        "too little came before it to tell.",
    )
    effect: Counterfactual | None = Field(
        None,
        description="What came, as a ratio to what would have come: 1 is no effect, 0.5 half as "
        "many; null as expected, and before the span is over.",
    )
    verdict: EffectVerdict | None = Field(None, description="What it says of the measure 评估结论.")
    reason: str | None = Field(None, description="Why, in one Chinese sentence.")
    not_separable_from: tuple[Identifier, ...] = Field(
        (), description="Ids of other measures so near that the effect may be theirs."
    )
