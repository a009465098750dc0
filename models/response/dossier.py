"""Everything that the report of a case is written from, small however many mentions a case has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from wanglou.models.moment import Moment
from wanglou.models.response.case_file import CaseFile
from wanglou.schemas.evaluation import Evaluation
from wanglou.schemas.page import PageRecord
from wanglou.schemas.response import Response
from wanglou.schemas.risk import Event, Level, Slot

ACKNOWLEDGE_WITHIN = {Level.ORANGE: timedelta(minutes=15), Level.RED: timedelta(minutes=5)}
"""As ``deploy/pager.yaml`` says it: how long an acknowledgement may take."""


@dataclass(frozen=True, slots=True)
class Course:
    """How the event of a case went, taken from its snapshots one by one."""

    moments: Sequence[Moment] = ()
    """Every snapshot's risk, heat and level, by time."""
    chapters: Sequence[Event] = ()
    """The last snapshot of every time that the event was there: an event that is forgotten and
    comes back counts from nothing."""
    peak: Event | None = None
    """The snapshot with the highest risk, the first of them."""

    @classmethod
    def of(cls, snapshots: Iterable[Event]) -> Self:
        """From all snapshots by time; holds at most two of them at once, and the chapters."""
        moments: list[Moment] = []
        chapters: list[Event] = []
        peak: Event | None = None
        for snapshot in snapshots:
            moments.append(Moment.of(snapshot))
            if chapters and snapshot.situation.first_at <= chapters[-1].situation.first_at:
                chapters[-1] = snapshot
            else:
                chapters.append(snapshot)
            if peak is None or snapshot.assessment.risk > peak.assessment.risk:
                peak = snapshot
        return cls(moments, chapters, peak)

    @property
    def slots(self) -> list[Slot]:
        """Platforms and emotions over time, of all chapters."""
        return [slot for one in self.chapters for slot in one.situation.timeline]


@dataclass(frozen=True, slots=True)
class Chain:
    """What the archive says of the records that the report rests on."""

    records: int
    """How many there are."""
    head: str
    """Hash of the latest, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """A case and what is known of it at a time."""

    case: CaseFile
    as_of: datetime
    """When it was put together: a task that is due later is not late."""
    mentions: Mapping[int, int] = field(default_factory=dict)
    """Mentions of the event, without counter updates, by the event minute of publication."""
    negative: Mapping[int, int] = field(default_factory=dict)
    """The negative ones among them."""
    course: Course = field(default_factory=Course)
    evaluations: Sequence[Evaluation] = ()
    """The latest of each measure and span."""
    pages: Sequence[PageRecord] = ()
    """All that receivers were told of the case, by time."""
    responses: Sequence[Response] = ()
    """All that the case took in, by time."""
    chain: Chain | None = None
    acknowledge_within: Mapping[Level, timedelta] = field(
        default_factory=lambda: dict(ACKNOWLEDGE_WITHIN)
    )
    """How long an acknowledgement may take at a level, as the pager's rules say."""
