"""What people and systems do about a case: acknowledgement, measures, and the work on it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from wanglou.schemas.base import Contract, Identifier, Timestamp
from wanglou.schemas.risk import LevelName

MAX_TEXT = 8192
MAX_EVIDENCE = 20

Evidence = Annotated[str, Field(min_length=1, max_length=1024)]
"""What shows that a statement is true: a URL, a document's number, a mention's id."""


class Act(StrEnum):
    """What was done."""

    ACKNOWLEDGEMENT = "acknowledgement"
    STATEMENT = "statement"  # 信息发布
    EXPLANATION = "explanation"  # 沟通与解释
    GUIDANCE = "guidance"  # 舆情引导
    CRISIS_TEAM = "crisis-team"  # 危机处理小组
    REGULATOR_REPORT = "regulator-report"  # 监管报告
    CORRECTION = "correction"  # 更正
    DRAFT = "draft"
    APPROVAL = "approval"
    REJECTION = "rejection"
    ASSIGNMENT = "assignment"
    TASK_DONE = "task-done"
    WATCH = "watch"
    CLOSE = "close"
    REVIEW = "review"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return _CHINESE[self]


_CHINESE = {
    Act.ACKNOWLEDGEMENT: "确认",
    Act.STATEMENT: "信息发布",
    Act.EXPLANATION: "沟通解释",
    Act.GUIDANCE: "舆情引导",
    Act.CRISIS_TEAM: "危机小组决定",
    Act.REGULATOR_REPORT: "监管报告",
    Act.CORRECTION: "更正",
    Act.DRAFT: "拟稿",
    Act.APPROVAL: "签发",
    Act.REJECTION: "退回",
    Act.ASSIGNMENT: "指派",
    Act.TASK_DONE: "任务完成",
    Act.WATCH: "转观察",
    Act.CLOSE: "结案",
    Act.REVIEW: "复盘",
}

MEASURES = frozenset(
    {
        Act.STATEMENT,
        Act.EXPLANATION,
        Act.GUIDANCE,
        Act.CRISIS_TEAM,
        Act.REGULATOR_REPORT,
        Act.CORRECTION,
    }
)
"""Measures 处置措施: what is done towards the public, the regulator or within the crisis team."""

RELEASES = frozenset({Act.STATEMENT, Act.CORRECTION})
"""Measures that release a text: they need a draft that a second person has approved."""

EVALUATED = frozenset({Act.STATEMENT, Act.EXPLANATION, Act.GUIDANCE, Act.CORRECTION})
"""Measures that the public can notice: their effect is evaluated."""


class ReviewVerdict(StrEnum):
    """What a review says of the alerts of a case (复盘结论)."""

    RIGHT = "right"  # 准确
    FALSE_ALARM = "false-alarm"  # 误报
    LATE = "late"  # 偏晚
    MISSED = "missed"  # 漏报

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            ReviewVerdict.RIGHT: "准确",
            ReviewVerdict.FALSE_ALARM: "误报",
            ReviewVerdict.LATE: "偏晚",
            ReviewVerdict.MISSED: "漏报",
        }[self]


class Response(Contract):
    """An act on a case (topic ``responses``); the archive checks it and records it."""

    id: Identifier = Field(description="Unique id of the response.")
    event_id: Identifier = Field(description="The event it is about.", examples=["hexing-bank.run"])
    alert_id: Identifier | None = Field(None, description="The alert it answers, if one.")
    act: Act = Field(description="What was done.")
    by: Identifier = Field(description="Person or system that acted.")
    at: Timestamp = Field(description="When it was done.")
    text: str | None = Field(
        None,
        max_length=MAX_TEXT,
        description="Text of a draft; decision, answer or remark; why the case is watched or "
        "closed, or a draft rejected.",
    )
    draft_id: Identifier | None = Field(
        None,
        description="Id of the draft that is approved, rejected or released; of a draft, the one "
        "that it replaces.",
    )
    evidence: tuple[Evidence, ...] = Field(
        (), max_length=MAX_EVIDENCE, description="What shows that the text is true."
    )
    channel: Identifier | None = Field(
        None, description="Where it was released or said.", examples=["官方微博"]
    )
    url: str | None = Field(None, max_length=2048, description="Where it can be read.")
    task_id: Identifier | None = Field(
        None, description="The task of the case that this does, or that is assigned."
    )
    owner: Identifier | None = Field(
        None, description="Of an assignment: who leads the case, or does the task."
    )
    team: tuple[Identifier, ...] = Field(
        (), max_length=50, description="Of an assignment: the crisis team 危机处理小组."
    )
    verdict: ReviewVerdict | None = Field(
        None, description="Of a review: what it says of the alerts."
    )
    missed_from: Timestamp | None = Field(
        None, description="Of a review: when the incident began, where that was before the alerts."
    )
    expected_level: LevelName | None = Field(
        None,
        description="Of a review: the highest level that it should have had, where that is not "
        "what the verdict says.",
    )
