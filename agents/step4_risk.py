"""Agent 4, risk: scored mentions → events with a level, and the alerts of their life."""

from __future__ import annotations

from collections import Counter

from wanglou.agents.changelog import Changelog
from wanglou.agents.kafka import Message
from wanglou.agents.metrics import Metrics
from wanglou.agents.settings import Settings
from wanglou.agents.stage import Emission, Record, StatefulStage, decode
from wanglou.models.event import EventState
from wanglou.models.risk import RiskStep
from wanglou.models.rules import Rules
from wanglou.models.state import KeyedState
from wanglou.schemas.mention import ScoredMention
from wanglou.schemas.risk import Level
from wanglou.schemas.topics import ALERTS, DEAD_LETTERS, EVENTS, RISK_STATE, SCORED


class Risk(StatefulStage[RiskStep, EventState]):
    """Folds mentions into events, and decides their level when a minute closes."""

    name = "risk"
    source = SCORED
    writes = (EVENTS, ALERTS, DEAD_LETTERS)
    state_topic = RISK_STATE

    def __init__(self, settings: Settings, rules: Rules, metrics: Metrics) -> None:
        super().__init__(metrics, Changelog(RISK_STATE, EventState, settings.broker))
        self._rules = rules

    def new_state(self) -> KeyedState[EventState]:
        return self._rules.risk_state()

    def new_step(self, state: KeyedState[EventState]) -> RiskStep:
        return self._rules.risk_step(state)

    def handle(self, step: RiskStep, record: Record) -> list[Emission]:
        decision = step.process(decode(record, ScoredMention), offset=record.offset)
        self.count("assessed")
        emissions = []
        for alert in decision.alerts:
            self.count(f"alert-{alert.kind.value}")
            emission = self.emit(
                record,
                ALERTS,
                alert.event_id,
                alert,
                part=alert.id,
                received_at=alert.received_at,
            )
            emissions.append(emission)
        for event in decision.events:
            emissions.append(self.emit(record, EVENTS, event.id, event, part=event.id))
        return emissions

    def changes(self) -> list[Message]:
        levels = Counter(level for step in self.steps() for level in step.open_levels())
        for level in Level:
            self.metrics.open_events.labels(level.label).set(levels[level])
        return super().changes()
