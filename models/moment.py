"""How an event goes, minute by minute: what a picture of it is drawn from."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Self

from wanglou.models.risk import Assessed
from wanglou.schemas.risk import Event, Level


class Moment(NamedTuple):
    """An open event at the close of a minute."""

    at: datetime
    risk: float
    heat: float
    level: Level | None

    @classmethod
    def assessed(cls, one: Assessed) -> Self:
        """What an assessment says of its minute."""
        heat = next(term.value for term in one.assessment.terms if term.name == "heat")
        return cls(one.assessed_at, one.assessment.risk, heat, one.level)

    @classmethod
    def of(cls, event: Event) -> Self:
        """What an event's snapshot says of its minute."""
        risk, heat = event.assessment.risk, event.situation.heat
        return cls(event.assessed_at, risk, heat, event.level)
