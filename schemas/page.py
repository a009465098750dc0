"""What a receiver was told of a case, for the record."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from wanglou.schemas.base import Contract, Count, Identifier, Timestamp


class PageOutcome(StrEnum):
    """What became of a page."""

    SENT = "sent"
    IN_SUMMARY = "in-summary"
    GIVEN_UP = "given-up"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            PageOutcome.SENT: "已送达",
            PageOutcome.IN_SUMMARY: "汇总送达",
            PageOutcome.GIVEN_UP: "未送达",
        }[self]


class PageRecord(Contract):
    """A page that a receiver was told, or could not be (topic ``pages``)."""

    id: Identifier = Field(description="Derived from alert, call and receiver: drop repeats by it.")
    event_id: Identifier = Field(description="The event.", examples=["hexing-bank.run"])
    alert_id: Identifier = Field(description="The alert that it tells.")
    receiver: Identifier = Field(description="Who was to be told, as the pager's rules name it.")
    call: Count = Field(description="Which call of the rota it was; 0 for what everybody gets.")
    outcome: PageOutcome = Field(description="What became of it.")
    at: Timestamp = Field(description="When, on the pager's clock.")
    error: str | None = Field(None, description="Why it was given up.")
