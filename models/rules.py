"""The rules that an analyst edits, loaded together: watch list, taxonomy, risk formula."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from wanglou.models.dedupe import DedupeStep, Seen
from wanglou.models.event import EventState
from wanglou.models.intake import IntakeStep, Thread
from wanglou.models.risk import RiskStep
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.state import KeyedState
from wanglou.models.taxonomy import Taxonomy
from wanglou.models.watchlist import Watchlist
from wanglou.schemas.problems import describe

THREAD_MINUTES = 7 * 24 * 60
"""How long after a post its comments and reposts still find its institution."""

SEEN_MINUTES = 3 * 24 * 60
"""How long after a mention its repeats, updates and near-duplicates are still known."""

M = TypeVar("M", bound=BaseModel)


class RulesError(ValueError):
    """A rules file that cannot be used; the message names file, field and value."""


def load(path: Path, model: type[M]) -> M:
    """Read a YAML file into its model. Raises ``RulesError`` with everything that is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: not UTF-8, or 2026-02-30
        raise RulesError(f"{path}: cannot be read: {error}") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise RulesError(f"{path}: {describe(error)}") from error


@dataclass(frozen=True)
class Rules:
    """What to watch for, and how to judge it; builds each step for one partition's state."""

    watchlist: Watchlist
    taxonomy: Taxonomy
    risk: RiskParameters

    @classmethod
    def load(cls, watchlist: Path, taxonomy: Path, risk: Path) -> Rules:
        """Read the three files. Raises ``RulesError``."""
        return cls(load(watchlist, Watchlist), load(taxonomy, Taxonomy), load(risk, RiskParameters))

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

    def risk_step(self, state: KeyedState[EventState] | None = None) -> RiskStep:
        """Risk over a state, or over an empty one."""
        state = self.risk_state() if state is None else state
        return RiskStep(self.watchlist, self.taxonomy, self.risk, state)
