"""How an event goes, minute by minute: what a picture of it is drawn from."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Self

from wanglou.schemas.risk import Event, Level


class Moment(NamedTuple):
    """An open event at the close of a minute."""

    at: datetime
    risk: float
    heat: float
    level: Level | None

    @classmethod
    def of(cls, event: Event) -> Self:
        """What an event's snapshot says of its minute."""
        risk, heat = event.assessment.risk, event.situation.heat
        return cls(event.assessed_at, risk, heat, event.level)
