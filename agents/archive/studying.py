"""What tuning learns from: the archived mentions of every event, taken through the risk step again.

One event after the other, so memory holds the mentions of one event and the courses of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from wanglou.agents.archive.database import reading
from wanglou.agents.archive.entries import Kind, to_microseconds, to_time
from wanglou.agents.archive.recording import POSITION
from wanglou.agents.archive.sealing import ERASED
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import records
from wanglou.models.order import Position
from wanglou.models.response.case_file import CaseFile
from wanglou.models.rules import Rules
from wanglou.models.tuning.course import Course, Placed, alerts_of, course_of
from wanglou.models.tuning.setting import MOST_OF_A_LEVEL
from wanglou.schemas.mention import ScoredMention
from wanglou.schemas.risk import Alert

KEPT_FROM = 0.5
"""Share of the least risk that may enter blue, from which an event's course is kept: with other
weights it may be twice as high."""

WEIGHTLESS = ("context", "original_text", "original_context", "url", "viewpoint")
"""Sealed fields of a mention that have no part in the risk, as its text."""

Advance = Callable[[], None]
"""Told when an event was gone through."""


@dataclass(frozen=True, slots=True)
class Archived:
    """What is archived of an event."""

    mentions: list[Placed]
    """In the order of their positions."""
    through: datetime
    """How far the event is known."""
    erased: int
    """Mentions whose author was erased: they are taken as of nobody known."""


class Stream:
    """The mentions that were archived since a time, event by event. Raises ``ArchiveError``."""

    def __init__(self, archive: Archive, since: datetime | None) -> None:
        self._archive = archive
        self._since = since
        self._known = _events(archive, since)

    @property
    def events(self) -> list[str]:
        """Ids of the events that have mentions."""
        return list(self._known)

    def of(self, event_id: str) -> Archived | None:
        """What is archived of an event; None if mentions of it were purged."""
        found: list[Placed] = []
        erased = 0
        for record in self._archive.records(event_id, [Kind.MENTION], since=self._since):
            if record.fields is None:
                return None
            erased += record.fields.get("author") == ERASED
            found.append(_placed(record.fields))
        through = max(self._known[event_id], *(one.mention.event_time for one in found))
        return Archived(sorted(found, key=lambda one: one.position), through, erased)


def _events(archive: Archive, since: datetime | None) -> dict[str, datetime]:
    """The events that have mentions, by id; how far each is known."""
    known = (Kind.MENTION, Kind.EVENT, Kind.ALERT)
    mentions = func.count().filter(records.c.kind == str(Kind.MENTION))
    query = (
        select(records.c.chain, func.max(records.c.at))
        .where(records.c.kind.in_([str(one) for one in known]))
        .group_by(records.c.chain)
        .having(mentions > 0)
        .order_by(records.c.chain)
    )
    if since is not None:
        query = query.where(records.c.at >= to_microseconds(since))
    with reading(archive.engine) as connection:
        return {chain: to_time(last) for chain, last in connection.execute(query)}


def _placed(fields: dict[str, Any]) -> Placed:
    position = Position(*fields.pop(POSITION))
    author = fields.get("author")
    given = {
        **fields,
        **dict.fromkeys(WEIGHTLESS),
        "text": "",
        "author": None if author == ERASED else author,
    }
    return Placed(position, ScoredMention.model_validate(given))


@dataclass(slots=True)
class Studied:
    """All events of a stream under the rules in force."""

    courses: dict[str, Course] = field(default_factory=dict)
    alerts: dict[str, list[Alert]] = field(default_factory=dict)
    """Of each event, in order of time."""
    mentions: int = 0
    erased: int = 0
    purged: list[str] = field(default_factory=list)
    """Events that are left out, as mentions of them were purged."""


def study(stream: Stream, rules: Rules, advance: Advance) -> Studied:
    """Take all events through the rules in force, and keep their courses."""
    studied = Studied()
    enter = KEPT_FROM * rules.risk.levels.blue.enter / MOST_OF_A_LEVEL
    for event_id in stream.events:
        one = stream.of(event_id)
        if one is None:
            studied.purged.append(event_id)
        else:
            studied.mentions += len(one.mentions)
            studied.erased += one.erased
            course = course_of(event_id, one.mentions, one.through, rules, enter)
            is_calm = len(course.minutes) == 0
            studied.courses[event_id] = course
            studied.alerts[event_id] = [] if is_calm else _alerts(one, rules)
        advance()
    return studied


def back_test(stream: Stream, rules: Rules, advance: Advance) -> dict[str, list[Alert]]:
    """The alerts of all events under other rules, by event."""
    found: dict[str, list[Alert]] = {}
    for event_id in stream.events:
        one = stream.of(event_id)
        found[event_id] = [] if one is None else _alerts(one, rules)
        advance()
    return found


def _alerts(one: Archived, rules: Rules) -> list[Alert]:
    return alerts_of(one.mentions, one.through, rules)


def recorded_again(
    cases: Iterable[CaseFile], alerts: Mapping[str, Iterable[Alert]], version: str
) -> tuple[int, int]:
    """Of the alerts that were recorded under a version of the rules, how many a back-test under it
    gave again; and how many there are. Only of cases whose events are in ``alerts``."""
    recorded = {
        raised.alert_id
        for case in cases
        if case.id in alerts
        for raised in case.alerts
        if raised.rules_version == version
    }
    given = {alert.id for told in alerts.values() for alert in told}
    return len(recorded & given), len(recorded)
