"""Labelled incidents: what should be found in a recorded stream, and what should not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from wanglou.models.rules import Rules
from wanglou.schemas.problems import Problem
from wanglou.schemas.risk import LevelName


class Span(BaseModel):
    """A time that belongs to an institution; in YAML it is ``from`` and ``to``."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    institution: Annotated[str, Field(min_length=1)]
    kind: str = ""
    start: AwareDatetime = Field(alias="from")
    end: AwareDatetime = Field(alias="to")

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.end <= self.start:
            raise ValueError(
                f"to ({self.end.isoformat()}) must be after from ({self.start.isoformat()})"
            )
        return self


class Incident(Span):
    """An event (institution × risk topic) that must be found, at this level or above."""

    topic: Annotated[str, Field(min_length=1)]
    expected: LevelName

    @property
    def event_id(self) -> str:
        """The id that the event has in alerts."""
        return f"{self.institution}.{self.topic}"


class Incidents(BaseModel):
    """All incidents of a stream, and the spans that look like one and are none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    incidents: tuple[Incident, ...] = Field(min_length=1)
    harmless: tuple[Span, ...] = ()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        ordered = sorted(self.incidents, key=lambda one: (one.event_id, one.start))
        for before, after in pairwise(ordered):
            if before.event_id == after.event_id and after.start <= before.end:
                raise ValueError(
                    f"incidents: two of {after.event_id} overlap at {after.start.isoformat()}; "
                    "make them one"
                )
        return self

    def problems(self, rules: Rules) -> Iterator[Problem]:
        """Institutions that are not watched, and topics that the taxonomy does not have."""
        watched = {one.id for one in rules.watchlist.institutions}
        known = [one.id for one in rules.taxonomy.topics]
        for name, spans in (("incidents", self.incidents), ("harmless", self.harmless)):
            for index, one in enumerate(spans):
                if one.institution not in watched:
                    text = f"{one.institution!r} is not in the watch list"
                    yield (name, index, "institution"), text
        for index, incident in enumerate(self.incidents):
            if incident.topic not in known:
                text = f"{incident.topic!r} is no topic of the taxonomy; those are "
                yield ("incidents", index, "topic"), text + ", ".join(known)
