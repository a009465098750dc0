"""Agent 2, dedupe: accepted mentions → originals, near-duplicates, counter updates."""

from __future__ import annotations

from collections.abc import Mapping

from wanglou.agents.changelog import Changelog
from wanglou.agents.metrics import Metrics
from wanglou.agents.record import Emission, Record, decode
from wanglou.agents.settings import Settings
from wanglou.agents.stage import RecordStage
from wanglou.models.dedupe import DedupeStep, Seen
from wanglou.models.rules import Rules
from wanglou.models.state import KeyedState
from wanglou.schemas.control import AGAIN_HEADER
from wanglou.schemas.mention import DedupeKind, Mention
from wanglou.schemas.topics import ACCEPTED, DEAD_LETTERS, DEDUPE_STATE, DEDUPED, RAW


class Dedupe(RecordStage[DedupeStep, Seen]):
    """Drops repeats; gives every other mention its near-duplicate cluster."""

    name = "dedupe"
    upstream = RAW
    source = ACCEPTED
    output = DEDUPED
    writes = (DEDUPED, DEAD_LETTERS)
    state_topic = DEDUPE_STATE
    outcomes = ("repeat", *DedupeKind)

    def __init__(
        self, settings: Settings, rules: Rules, metrics: Metrics, counts: Mapping[str, int]
    ) -> None:
        changelog = Changelog(DEDUPE_STATE, Seen, settings.broker)
        super().__init__(
            metrics, changelog, counts, settings.dead_letters, settings.worker.batch_messages
        )
        self._rules = rules

    def new_state(self) -> KeyedState[Seen]:
        return self._rules.dedupe_state()

    def new_step(self, state: KeyedState[Seen]) -> DedupeStep:
        return self._rules.dedupe_step(state)

    def handle(self, step: DedupeStep, record: Record) -> list[Emission]:
        again = record.header(AGAIN_HEADER) is not None
        deduped = step.process(decode(record, Mention), position=record.position, again=again)
        if deduped is None:
            self.count("repeat")
            return []
        self.count(deduped.dedupe.value)
        return [self.emit_mention(record, deduped.cluster_id, deduped)]
