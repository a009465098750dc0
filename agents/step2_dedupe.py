"""Agent 2, dedupe: accepted mentions → originals, near-duplicates, counter updates."""

from __future__ import annotations

from wanglou.agents.changelog import Changelog
from wanglou.agents.metrics import Metrics
from wanglou.agents.settings import Settings
from wanglou.agents.stage import Emission, Record, StatefulStage, decode
from wanglou.models.dedupe import DedupeStep, Seen
from wanglou.models.rules import Rules
from wanglou.models.state import KeyedState
from wanglou.schemas.mention import Mention
from wanglou.schemas.topics import ACCEPTED, DEAD_LETTERS, DEDUPE_STATE, DEDUPED


class Dedupe(StatefulStage[DedupeStep, Seen]):
    """Drops repeats; gives every other mention its near-duplicate cluster."""

    name = "dedupe"
    source = ACCEPTED
    writes = (DEDUPED, DEAD_LETTERS)
    state_topic = DEDUPE_STATE

    def __init__(self, settings: Settings, rules: Rules, metrics: Metrics) -> None:
        super().__init__(metrics, Changelog(DEDUPE_STATE, Seen, settings.broker))
        self._rules = rules

    def new_state(self) -> KeyedState[Seen]:
        return self._rules.dedupe_state()

    def new_step(self, state: KeyedState[Seen]) -> DedupeStep:
        return self._rules.dedupe_step(state)

    def handle(self, step: DedupeStep, record: Record) -> list[Emission]:
        deduped = step.process(decode(record, Mention), offset=record.offset)
        if deduped is None:
            self.count("repeat")
            return []
        self.count(deduped.dedupe.value)
        return [self.emit(record, DEDUPED, deduped.cluster_id, deduped)]
