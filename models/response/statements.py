"""Templates of statements 声明模板: one for each risk topic and kind, with gaps to fill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class StatementKind(StrEnum):
    """What a statement is for."""

    FIRST = "first"  # 首次声明
    PROGRESS = "progress"  # 进展
    CORRECTION = "correction"  # 更正/澄清
    ANSWERS = "answers"  # 答客问


@dataclass(frozen=True, slots=True)
class Filled:
    """A text, and the names of the gaps that are still open in it."""

    text: str
    open_gaps: tuple[str, ...]


def fill(template: str, values: Mapping[str, str]) -> Filled:
    """Put values into the gaps ``{…}`` of a template; what has none stays open."""
    raise NotImplementedError


class Statements:
    """``deploy/statements.yaml``."""

    def template(self, topic: str, kind: StatementKind) -> str:
        """The text for a topic and kind. Raises ``KeyError`` for a topic that has none."""
        raise NotImplementedError
