"""The regulator's clock (监管报告时限): which first reports an alert starts, due when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from wanglou.models.taxonomy import Taxonomy
from wanglou.schemas.playbook import TO_BE_CONFIRMED, RegulatorReport
from wanglou.schemas.problems import Problem
from wanglou.schemas.risk import Level, LevelName

Line = Annotated[str, Field(min_length=1, max_length=400)]


class RegulatorRule(BaseModel):
    """A rule that asks for a report."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: Line
    issuer: Line
    number: Line | None = Field(None, description="Document number, where it has one.")
    issued_on: date
    article: Line | None = Field(None, description="Null where the article is not known for sure.")
    asks: Line = Field(description="What is to be reported to whom.")
    topics: tuple[str, ...] = Field(min_length=1, description="Risk topics that it may apply to.")
    from_level: LevelName = Field(description="The level that starts the clock.")
    within_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 60)] = Field(
        description="When the first report is due; 0 is 立即, where the rule gives no number."
    )
    checked: Line = Field(description="How it was checked, and what remains open.")
    confirmed: bool = Field(description="Whether the user's compliance department confirmed it.")

    def report(self, at: datetime) -> RegulatorReport:
        """What is due, if the clock starts at a time."""
        return RegulatorReport(
            rule=self.name,
            issuer=self.issuer,
            number=self.number,
            issued_on=self.issued_on,
            article=self.article,
            asks=self.asks,
            due_at=at + timedelta(minutes=self.within_minutes),
            note=None if self.confirmed else TO_BE_CONFIRMED,
        )


class Regulator(BaseModel):
    """All rules that ask for reports."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[RegulatorRule, ...] = ()

    def problems(self, taxonomy: Taxonomy) -> Iterator[Problem]:
        """Topics that the taxonomy does not have."""
        known = [topic.id for topic in taxonomy.topics]
        for index, rule in enumerate(self.rules):
            for position, topic in enumerate(rule.topics):
                if topic not in known:
                    text = f"{topic!r} is no topic of the taxonomy; those are {', '.join(known)}"
                    yield ("rules", index, "topics", position), text

    def reports(
        self, topic: str, before: Level | None, after: Level | None, at: datetime
    ) -> tuple[RegulatorReport, ...]:
        """The first reports whose clock a change of level starts, the most urgent first.

        A clock starts when the level of its rule is reached from below. So a further rise does not
        start it again, and a fall starts none.
        """
        due = [
            rule.report(at)
            for rule in self.rules
            if topic in rule.topics and (before or 0) < rule.from_level <= (after or 0)
        ]
        return tuple(sorted(due, key=lambda one: one.due_at))
