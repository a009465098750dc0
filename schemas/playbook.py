"""What an alert asks people to do: the playbook's measures, and the regulator's clock."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import Field

from wanglou.schemas.base import Contract, Timestamp

TO_BE_CONFIRMED = "待合规部门确认"
"""Note of a rule that the user's compliance department has not confirmed."""


class MeasureKind(StrEnum):
    """What a measure is; what a response can record has the same word there."""

    FACT_FINDING = "fact-finding"  # 监测核实
    STATEMENT = "statement"  # 信息发布
    EXPLANATION = "explanation"  # 沟通与解释
    GUIDANCE = "guidance"  # 舆情引导
    CRISIS_TEAM = "crisis-team"  # 危机处理小组

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            MeasureKind.FACT_FINDING: "监测核实",
            MeasureKind.STATEMENT: "信息发布",
            MeasureKind.EXPLANATION: "沟通解释",
            MeasureKind.GUIDANCE: "舆情引导",
            MeasureKind.CRISIS_TEAM: "危机小组",
        }[self]


class PlannedMeasure(Contract):
    """A measure of the playbook, with the time by which it is to be done."""

    kind: MeasureKind = Field(description="What sort of measure it is.")
    text: str = Field(description="What to do, in Chinese.")
    department: str = Field(description="Who is responsible.", examples=["品牌公关部"])
    due_at: Timestamp = Field(description="Deadline, counted from the alert's `decided_at`.")


class RegulatorReport(Contract):
    """A first report that a rule asks for, with the time by which it is due."""

    rule: str = Field(description="Name of the rule.", examples=["个人信息保护法"])
    issuer: str = Field(description="Who issued it.")
    number: str | None = Field(
        None, description="Document number.", examples=["银监办发〔2008〕53号"]
    )
    issued_on: date = Field(description="Date of the rule.", examples=["2008-04-23"])
    article: str | None = Field(None, description="Article that asks.", examples=["第五十七条"])
    asks: str = Field(description="What is to be reported to whom, in Chinese.")
    due_at: Timestamp = Field(
        description="When it is due, counted from `decided_at`; who knew earlier counts from then."
    )
    note: str | None = Field(
        None, description=f"{TO_BE_CONFIRMED}, until the user's compliance department has done so."
    )
