"""The risk step: scored mentions in; at the close of each minute levels, alerts, events out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import NamedTuple
from uuid import UUID, uuid5

from wanglou.models.assessment import assess, brief_situation, may_reach, settle, situation
from wanglou.models.event import EventState, add_mention
from wanglou.models.levels import advance
from wanglou.models.order import Position
from wanglou.models.playbooks import Playbooks
from wanglou.models.regulator import Regulator
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.state import KeyedState
from wanglou.models.taxonomy import Severity, Taxonomy
from wanglou.models.watchlist import Institution, Watchlist
from wanglou.schemas.base import minute_of, time_of
from wanglou.schemas.mention import ScoredMention
from wanglou.schemas.risk import (
    Alert,
    AlertKind,
    Assessment,
    Event,
    Evidence,
    Level,
    Subject,
)

ALERT_NAMESPACE = UUID("6f1c9d5e-2c0b-5f0e-9c58-77616e676c6f")
"""Namespace of alert ids (UUID version 5)."""


class Assessed(NamedTuple):
    """An event that is open, or was closed just now, as last assessed."""

    id: str
    level: Level | None
    assessed_at: datetime
    assessment: Assessment


@dataclass(frozen=True, slots=True)
class Decision:
    """What the close of minutes brought, in order; whether the mention was late."""

    alerts: tuple[Alert, ...] = ()
    assessed: tuple[Assessed, ...] = ()
    events: tuple[Event, ...] = ()
    """Snapshots of what was assessed, where the step takes them."""
    late: bool = False


NOTHING = Decision()


@dataclass(frozen=True, slots=True)
class OpenEvent:
    """An event with a level, and its risk at the close of the last minute."""

    institution: str
    topic: str
    level: Level
    risk: float


def alert_id(event_id: str, sequence: int, minute: int, kind: AlertKind) -> str:
    """The id of a transition: the same transition always has the same id."""
    return str(uuid5(ALERT_NAMESPACE, f"{event_id}/{sequence}/{minute}/{kind}"))


def alert_kind(before: Level | None, after: Level | None) -> AlertKind:
    """What a change of level is called.

    >>> alert_kind(None, Level.BLUE).value, alert_kind(Level.RED, Level.BLUE).value
    ('raised', 'de-escalated')
    """
    if after is None:
        return AlertKind.RESOLVED
    if before is None:
        return AlertKind.RAISED
    return AlertKind.ESCALATED if after > before else AlertKind.DE_ESCALATED


def alert_title(
    institution: str, topic: str, before: Level | None, after: Level | None, risk: float
) -> str:
    """The operators' line.

    >>> alert_title("和兴银行", "挤兑传言", Level.BLUE, Level.ORANGE, 47.25)
    '【橙色·重大】和兴银行:挤兑传言,由蓝色·一般升级,风险值 47.2'
    """
    if after is None:
        return f"【解除】{institution}:{topic},风险值 {risk:.1f},预警解除"
    step = {
        AlertKind.RAISED: "新预警",
        AlertKind.ESCALATED: f"由{before.chinese if before else ''}升级",
        AlertKind.DE_ESCALATED: f"由{before.chinese if before else ''}下调",
    }[alert_kind(before, after)]
    return f"【{after.chinese}】{institution}:{topic},{step},风险值 {risk:.1f}"


def in_force(
    severity: Severity, institution: Institution | None, parameters: RiskParameters
) -> Severity:
    """A topic's severity for an institution, by its size if the watch list tells it."""
    if institution is None or institution.size is None:
        return severity
    return severity.times(parameters.sizes[institution.size])


class RiskStep:
    """Risk for one partition of the scored topic.

    Mentions come in the order of their positions, and a minute closes when a position of a later
    one comes, or when it is known that none of this minute will. Then every event that is open, or
    that the minute touched, is assessed: with what came before, whatever the speed.
    """

    def __init__(
        self,
        watchlist: Watchlist,
        taxonomy: Taxonomy,
        parameters: RiskParameters,
        playbooks: Playbooks,
        regulator: Regulator,
        state: KeyedState[EventState],
        rules_version: str,
        takes_snapshots: bool = True,
    ) -> None:
        self._watchlist = watchlist
        self._taxonomy = taxonomy
        self._parameters = parameters
        self._playbooks = playbooks
        self._regulator = regulator
        self._rules_version = rules_version
        self._takes_snapshots = takes_snapshots
        self._institutions = {one.id: one for one in watchlist.institutions}
        self._state = state
        self._due = {key for key, event in state.items() if self._needs_assessment(event)}
        self._risks: dict[str, float] = {}
        """Of open events, at the last close."""
        self._severity = cache(self._severity_in_force)

    def open_events(self) -> list[OpenEvent]:
        """All events with a level."""
        return [
            OpenEvent(*self._parts(key), event.levels.level, self._risk(key, event))
            for key, event in self._state.items()
            if event.levels.level is not None
        ]

    def _risk(self, key: str, event: EventState) -> float:
        """As last assessed; after a restart with the mentions that were folded in since."""
        if key not in self._risks:
            severity = self._severity(key)
            minute = event.assessed_through
            self._risks[key] = assess(event, minute, severity, self._parameters).risk
        return self._risks[key]

    def _parts(self, key: str) -> tuple[str, str]:
        """Institution and risk topic of an event."""
        institution, _, topic = key.rpartition(".")
        return institution, topic

    def _severity_in_force(self, key: str) -> Severity:
        institution, topic = self._parts(key)
        severity = self._taxonomy.topic(topic).severity
        return in_force(severity, self._institutions.get(institution), self._parameters)

    def process(self, mention: ScoredMention, *, position: Position) -> Decision:
        """Fold a mention in; if it moves the clock, first close the minutes before it."""
        key = f"{mention.institution}.{mention.risk_topic}"
        applied = self._state.applied(key) >= position
        decision = self.close(position)
        if applied:
            return decision
        clock = position.minute
        event = self._state.get(key)
        if event is None:
            minute = min(minute_of(mention.event_time), clock)
            event = EventState.new(minute, self._parameters)
        late = add_mention(event, mention, clock=clock, parameters=self._parameters)
        self._state.put(key, event, position=position, minute=event.last_minute)
        if key not in self._due and self._needs_assessment(event):
            self._due.add(key)
        return Decision(decision.alerts, decision.assessed, decision.events, late)

    def close(self, position: Position) -> Decision:
        """Close the minutes before a position: nothing more will come that is not later."""
        closed, end = self._state.clock, position.minute
        if end <= closed:
            return NOTHING
        alerts: list[Alert] = []
        found: list[Assessed] = []
        events: list[Event] = []
        for key in sorted(self._due):
            event = self._state.get(key)
            if event is None:  # expired
                self._due.discard(key)
                continue
            applied = self._state.applied(key)
            if applied >= position:  # the close had its effect before a restart
                continue
            # Before a restart the event may have come further than the clock that was kept.
            assessment, raised = self._assess(key, event, max(closed, applied.minute), end)
            alerts.extend(raised)
            if assessment is not None:
                self._risks[key] = assessment.risk
            if event.levels.level is None:
                self._risks.pop(key, None)
            if assessment is not None and (raised or event.levels.level is not None):
                at = time_of(event.assessed_through + 1)
                found.append(Assessed(key, event.levels.level, at, assessment))
                if self._takes_snapshots:
                    events.append(self._snapshot(event, found[-1]))
            self._state.put(key, event, position=position, minute=event.last_minute)
        self._state.observe(end)
        self._due = {key for key in self._due if self._is_due(key)}
        return Decision(tuple(alerts), tuple(found), tuple(events))

    def _is_due(self, key: str) -> bool:
        event = self._state.get(key)
        return event is not None and self._needs_assessment(event)

    def _needs_assessment(self, event: EventState) -> bool:
        """Whether the next close must look at an event: it is open, or has a new mention."""
        if event.levels.level is not None or event.behind:
            return True
        return max(event.buckets, default=-1) >= self._state.clock

    def _assess(
        self, key: str, event: EventState, closed: int, end: int
    ) -> tuple[Assessment | None, list[Alert]]:
        """Assess the minutes from ``closed`` to before ``end``; the last assessment, the alerts.

        A mention that came for a minute that had been closed lets the last of these be assessed
        again.
        """
        severity = self._severity(key)
        assessment, alerts = None, []
        minute = closed - event.behind
        while minute < end:
            if event.levels.level is None and not event.behind and minute not in event.buckets:
                minute = min((one for one in event.buckets if one > minute), default=end)
                continue
            event.behind = False
            settle(event, minute, self._parameters)
            event.assessed_through = minute
            before = event.levels.level
            if before is None and not self._may_be_raised(event, minute, severity):
                minute += 1
                continue
            assessment = assess(event, minute, severity, self._parameters)
            if advance(event.levels, assessment.risk, minute, self._parameters.levels):
                event.sequence += 1
                alerts.append(self._alert(key, event, before, assessment, minute))
            minute += 1
        return assessment, alerts

    def _may_be_raised(self, event: EventState, minute: int, severity: Severity) -> bool:
        lowest = self._parameters.levels.blue.enter
        return may_reach(lowest, event, minute, severity, self._parameters)

    def _subjects(self, key: str) -> tuple[Subject, Subject]:
        institution, topic = self._parts(key)
        return (
            Subject(id=institution, name=self._watchlist.name_of(institution)),
            Subject(id=topic, name=self._taxonomy.topic(topic).name),
        )

    def _alert(
        self,
        key: str,
        event: EventState,
        before: Level | None,
        assessment: Assessment,
        minute: int,
    ) -> Alert:
        institution, topic = self._subjects(key)
        after = event.levels.level
        kind = alert_kind(before, after)
        decided_at = time_of(minute + 1)
        topic_id = self._taxonomy.topic(topic.id).id  # `other` where the topic is no more
        return Alert(
            id=alert_id(key, event.sequence, minute, kind),
            kind=kind,
            sequence=event.sequence,
            event_id=key,
            institution=institution,
            topic=topic,
            level=after,
            previous_level=before,
            decided_at=decided_at,
            title=alert_title(institution.name, topic.name, before, after, assessment.risk),
            assessment=assessment,
            situation=brief_situation(event, minute, self._parameters),
            evidence=_evidence(event),
            received_at=event.received_at,
            goal=self._playbooks.goal(topic_id, after),
            measures=self._playbooks.measures(topic_id, after, decided_at),
            reports=self._regulator.reports(topic_id, before, after, decided_at),
            rules_version=self._rules_version,
        )

    def snapshot(self, one: Assessed) -> Event:
        """The event with its situation: right after the decision, before its next mention."""
        event = self._state.get(one.id)
        assert event is not None, f"{one.id} is known: it was assessed just now"
        return self._snapshot(event, one)

    def _snapshot(self, event: EventState, one: Assessed) -> Event:
        institution, topic = self._subjects(one.id)
        since = event.levels.since if event.levels.since is not None else event.first_minute
        return Event(
            id=one.id,
            institution=institution,
            topic=topic,
            level=one.level,
            since=time_of(since + 1),
            assessed_at=one.assessed_at,
            assessment=one.assessment,
            situation=situation(event, event.assessed_through, self._parameters),
            evidence=_evidence(event),
        )


def _evidence(event: EventState) -> tuple[Evidence, ...]:
    hottest = sorted(event.evidence.items(), key=lambda item: (-item[1].heat, item[0]))
    return tuple(evidence for _, evidence in hottest)
