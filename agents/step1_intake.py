"""Agent 1, intake: raw mentions → accepted mentions, one per institution named."""

from __future__ import annotations

from collections.abc import Mapping

from wanglou.agents.changelog import Changelog
from wanglou.agents.metrics import Metrics
from wanglou.agents.record import Emission, Record, Rejected
from wanglou.agents.settings import Settings
from wanglou.agents.stage import RecordStage
from wanglou.models.intake import IntakeStep, Rejection, Thread
from wanglou.models.rules import Rules
from wanglou.models.state import KeyedState
from wanglou.schemas.control import AGAIN_HEADER
from wanglou.schemas.topics import ACCEPTED, DEAD_LETTERS, INTAKE_STATE, RAW, RISK_STATE


class Intake(RecordStage[IntakeStep, Thread]):
    """Validates, normalises, finds institutions; answers inherit those of their root."""

    name = "intake"
    upstream = None
    source = RAW
    output = ACCEPTED
    writes = (RAW, ACCEPTED, DEAD_LETTERS)
    state_topic = INTAKE_STATE
    follows = (RISK_STATE,)
    outcomes = ("accepted", "irrelevant")

    def __init__(
        self, settings: Settings, rules: Rules, metrics: Metrics, counts: Mapping[str, int]
    ) -> None:
        changelog = Changelog(INTAKE_STATE, Thread, settings.broker)
        super().__init__(
            metrics,
            changelog,
            counts,
            settings.dead_letters,
            settings.worker.batch_messages,
            settings.worker.window_messages,
        )
        self._rules = rules
        self._author_key = settings.load_author_key()

    def new_state(self) -> KeyedState[Thread]:
        return self._rules.intake_state()

    def new_step(self, state: KeyedState[Thread]) -> IntakeStep:
        return self._rules.intake_step(self._author_key, state)

    def handle(self, step: IntakeStep, record: Record) -> list[Emission]:
        mentions = step.process(
            record.value, position=record.position, received_at=record.timestamp
        )
        if isinstance(mentions, Rejection):
            raise Rejected(mentions.reason, mentions.error)
        if not mentions:
            self.count("irrelevant")
        again = record.header(AGAIN_HEADER)
        emissions = [
            self.emit_mention(record, mention.institution, mention, part=part)
            for part, mention in enumerate(mentions)
            if again in (None, mention.institution.encode())
        ]
        for _ in emissions:
            self.count("accepted")
        return emissions
