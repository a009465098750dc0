"""Agent 1, intake: raw mentions → accepted mentions, one per institution named."""

from __future__ import annotations

from wanglou.agents.changelog import Changelog
from wanglou.agents.metrics import Metrics
from wanglou.agents.settings import Settings
from wanglou.agents.stage import Emission, Record, Rejected, StatefulStage
from wanglou.models.intake import IntakeStep, Rejection, Thread
from wanglou.models.rules import Rules
from wanglou.models.state import KeyedState
from wanglou.schemas.topics import ACCEPTED, DEAD_LETTERS, INTAKE_STATE, RAW


class Intake(StatefulStage[IntakeStep, Thread]):
    """Validates, normalises, finds institutions; answers inherit those of their root."""

    name = "intake"
    source = RAW
    writes = (ACCEPTED, DEAD_LETTERS)
    state_topic = INTAKE_STATE

    def __init__(self, settings: Settings, rules: Rules, metrics: Metrics) -> None:
        super().__init__(metrics, Changelog(INTAKE_STATE, Thread, settings.broker))
        self._rules = rules
        self._author_key = settings.load_author_key()

    def new_state(self) -> KeyedState[Thread]:
        return self._rules.intake_state()

    def new_step(self, state: KeyedState[Thread]) -> IntakeStep:
        return self._rules.intake_step(self._author_key, state)

    def handle(self, step: IntakeStep, record: Record) -> list[Emission]:
        mentions = step.process(record.value, offset=record.offset, received_at=record.timestamp)
        if isinstance(mentions, Rejection):
            raise Rejected(mentions.reason, mentions.error)
        if not mentions:
            self.count("irrelevant")
        for _ in mentions:
            self.count("accepted")
        return [
            self.emit(record, ACCEPTED, mention.institution, mention, part=mention.institution)
            for mention in mentions
        ]
