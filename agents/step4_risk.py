"""Agent 4, risk: scored mentions → events with a level, and the alerts of their life."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from wanglou.agents.changelog import Changelog
from wanglou.agents.kafka import Message
from wanglou.agents.metrics import Metrics
from wanglou.agents.record import Emission, Record, decode
from wanglou.agents.settings import Settings
from wanglou.agents.stage import RecordStage
from wanglou.models.event import EventState, negativity
from wanglou.models.order import Position
from wanglou.models.risk import Decision, RiskStep
from wanglou.models.rules import Rules
from wanglou.models.scoring import NEGATIVE_FROM
from wanglou.models.state import KeyedState
from wanglou.models.taxonomy import OTHER
from wanglou.schemas.base import Contract
from wanglou.schemas.cloudevents import cloudevents_headers
from wanglou.schemas.mention import DedupeKind, ScoredMention
from wanglou.schemas.risk import AlertKind, Level
from wanglou.schemas.topics import (
    ALERTS,
    DEAD_LETTERS,
    DEDUPED,
    EVENTS,
    RISK_STATE,
    SCORED,
    Topic,
)

NEGATIVE = ("no", "yes")
"""Values of the label ``negative``."""


class Risk(RecordStage[RiskStep, EventState]):
    """Folds mentions into events, and decides their level when a minute closes."""

    name = "risk"
    upstream = DEDUPED
    source = SCORED
    output = None
    writes = (EVENTS, ALERTS, DEAD_LETTERS)
    state_topic = RISK_STATE
    outcomes = ("assessed", "late", *(f"alert-{kind}" for kind in AlertKind))

    def __init__(
        self, settings: Settings, rules: Rules, metrics: Metrics, counts: Mapping[str, int]
    ) -> None:
        changelog = Changelog(RISK_STATE, EventState, settings.broker)
        super().__init__(
            metrics, changelog, counts, settings.dead_letters, settings.worker.batch_messages
        )
        self._rules = rules
        self._counted: list[datetime] = []
        self._institutions = {one.id for one in rules.watchlist.institutions}
        self._topics = {one.id for one in rules.taxonomy.topics}
        for institution in self._institutions:
            for negative in NEGATIVE:
                metrics.institution_mentions.labels(institution, negative)
        for topic in self._topics:
            metrics.topic_mentions.labels(topic)

    def new_state(self) -> KeyedState[EventState]:
        return self._rules.risk_state()

    def new_step(self, state: KeyedState[EventState]) -> RiskStep:
        return self._rules.risk_step(state)

    def handle(self, step: RiskStep, record: Record) -> list[Emission]:
        mention = decode(record, ScoredMention)
        decision = step.process(mention, position=record.position)
        self.count("late" if decision.late else "assessed")
        self._counted.append(mention.received_at)
        self._count_mention(mention)
        return self._emissions(record, decision)

    def close(self, step: RiskStep, record: Record, frontier: Position) -> list[Emission]:
        return self._emissions(record, step.close(frontier))

    def _emissions(self, record: Record, decision: Decision) -> list[Emission]:
        emissions: list[Emission] = []
        for alert in decision.alerts:
            self.count(f"alert-{alert.kind.value}")
            message = _message(ALERTS, alert.id, alert.decided_at, alert.event_id, alert)
            emissions.append(Emission(record, message, alert.received_at))
        for event in decision.events:
            id = f"{event.id}/{event.assessed_at.isoformat()}"
            message = _message(EVENTS, id, event.assessed_at, event.id, event)
            emissions.append(Emission(record, message))
        return emissions

    def acknowledged(self) -> None:
        now = datetime.now(UTC)
        for received_at in self._counted:
            self.metrics.mention_latency.observe((now - received_at).total_seconds())
        self._counted.clear()

    def _count_mention(self, mention: ScoredMention) -> None:
        if mention.dedupe is DedupeKind.UPDATE:
            return
        negative = NEGATIVE[negativity(mention) >= NEGATIVE_FROM]
        institution = self._known(mention.institution, self._institutions)
        topic = self._known(mention.risk_topic, self._topics)
        self.metrics.institution_mentions.labels(institution, negative).inc()
        self.metrics.topic_mentions.labels(topic).inc()

    def _known(self, label: str, known: Collection[str]) -> str:
        """A label's value; ``other`` for what another release of the rules may have named."""
        return label if label in known else OTHER

    def measure(self, assigned: Collection[int]) -> None:
        super().measure(assigned)
        events = [event for step in self.steps(assigned) for event in step.open_events()]
        counts = Counter((one.level, self._known(one.topic, self._topics)) for one in events)
        for level in Level:
            for topic in self._topics:
                self.metrics.open_events.labels(level.label, topic).set(counts[level, topic])
        risks: defaultdict[str, float] = defaultdict(float)
        for event in events:
            risks[event.institution] = max(risks[event.institution], event.risk)
        for institution in self._institutions:
            self.metrics.institution_risk.labels(institution).set(risks[institution])


def _message(topic: Topic, id: str, time: datetime, key: str, contract: Contract) -> Message:
    """A message whose id derives from what it says, so that a repeat can be told."""
    headers = cloudevents_headers(id=id, type=topic.event_type, source="/wanglou/risk", time=time)
    return Message(topic.name, key.encode(), contract.to_json(), headers)
