"""The rules that an analyst edits, loaded together and checked against each other."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from wanglou.models.dedupe import DedupeStep, Seen
from wanglou.models.event import EventState
from wanglou.models.intake import IntakeStep, Thread
from wanglou.models.playbooks import Playbooks
from wanglou.models.regulator import Regulator
from wanglou.models.risk import RiskStep
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.rules_file import RulesFile
from wanglou.models.state import KeyedState
from wanglou.models.taxonomy import Taxonomy
from wanglou.models.watchlist import Watchlist

THREAD_MINUTES = 7 * 24 * 60
"""How long after a post its comments and reposts still find its institution."""

SEEN_MINUTES = 3 * 24 * 60
"""How long after a mention its repeats, updates and near-duplicates are still known."""


@dataclass(frozen=True)
class Rules:
    """What to watch for, and how to judge it; builds each step for one partition's state."""

    watchlist: Watchlist
    taxonomy: Taxonomy
    risk: RiskParameters
    playbooks: Playbooks
    regulator: Regulator

    @classmethod
    def load(
        cls, watchlist: Path, taxonomy: Path, risk: Path, playbooks: Path, regulator: Path
    ) -> Rules:
        """Read the five files. Raises ``RulesError``."""
        topics = RulesFile.read(taxonomy, Taxonomy).rules
        plans = RulesFile.read(playbooks, Playbooks)
        plans.check(plans.rules.problems(topics))
        reports = RulesFile.read(regulator, Regulator)
        reports.check(reports.rules.problems(topics))
        return cls(
            RulesFile.read(watchlist, Watchlist).rules,
            topics,
            RulesFile.read(risk, RiskParameters).rules,
            plans.rules,
            reports.rules,
        )

    @cached_property
    def version(self) -> str:
        """A fingerprint: the same for files that say the same, whatever their comments and order.

        The first 12 hexadecimal digits of the SHA-256 of the rules as JSON.
        """
        text = json.dumps(list(self.content().values()), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def content(self) -> dict[str, Any]:
        """What the rules say, by the name of the file, as JSON takes it."""
        return {one.name: getattr(self, one.name).model_dump(mode="json") for one in fields(self)}

    def intake_state(self) -> KeyedState[Thread]:
        """Empty state of an intake partition."""
        return KeyedState(THREAD_MINUTES)

    def dedupe_state(self) -> KeyedState[Seen]:
        """Empty state of a dedupe partition."""
        return KeyedState(SEEN_MINUTES)

    def risk_state(self) -> KeyedState[EventState]:
        """Empty state of a risk partition."""
        return KeyedState(self.risk.event_retention_minutes)

    def intake_step(self, author_key: bytes, state: KeyedState[Thread] | None = None) -> IntakeStep:
        """Intake over a state, or over an empty one."""
        state = self.intake_state() if state is None else state
        return IntakeStep(self.watchlist, author_key, state)

    def dedupe_step(self, state: KeyedState[Seen] | None = None) -> DedupeStep:
        """Dedupe over a state, or over an empty one."""
        return DedupeStep(self.taxonomy, self.dedupe_state() if state is None else state)

    def risk_step(
        self, state: KeyedState[EventState] | None = None, *, takes_snapshots: bool = True
    ) -> RiskStep:
        """Risk over a state, or over an empty one."""
        state = self.risk_state() if state is None else state
        return RiskStep(
            self.watchlist,
            self.taxonomy,
            self.risk,
            self.playbooks,
            self.regulator,
            state,
            self.version,
            takes_snapshots,
        )
