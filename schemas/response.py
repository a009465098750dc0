"""What was done about an alert, and whether it helped."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from wanglou.schemas.base import Contract, Count, Identifier, Share, Timestamp


class Measure(StrEnum):
    """An act on an event."""

    ACKNOWLEDGEMENT = "acknowledgement"
    STATEMENT = "statement"  # 信息发布
    EXPLANATION = "explanation"  # 沟通与解释
    GUIDANCE = "guidance"  # 舆情引导
    CRISIS_TEAM = "crisis-team"  # 危机处理小组


class Response(Contract):
    """An acknowledgement, or a measure taken (topic ``responses``)."""

    id: Identifier = Field(description="Unique id of the response.")
    event_id: Identifier = Field(description="The event it is about.", examples=["hexing-bank.run"])
    alert_id: Identifier | None = Field(None, description="The alert it answers, if one.")
    measure: Measure = Field(description="What was done.")
    by: Identifier = Field(description="Person or system that acted.")
    at: Timestamp = Field(description="When it was done.")
    text: str | None = Field(None, max_length=8192, description="Statement or remark.")


class Trend(Contract):
    """What an event looked like in a span of event time."""

    mentions: Count = Field(description="Mentions in the span.")
    negative_share: Share = Field(description="Share of negative mentions.")
    risk: float = Field(ge=0, le=100, description="Mean risk, 0 to 100.")


class Evaluation(Contract):
    """The trend before and after a measure (topic ``evaluations``)."""

    id: Identifier = Field(description="Derived from the response and the span.")
    response_id: Identifier = Field(description="The measure that is evaluated.")
    event_id: Identifier = Field(description="The event.")
    span_minutes: Count = Field(description="Length of each span, in minutes of event time.")
    before: Trend = Field(description="The span that ends with the measure.")
    after: Trend = Field(description="The span that begins with it.")
    evaluated_at: Timestamp = Field(description="Event time of the evaluation.")
