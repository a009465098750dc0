"""What a report consists of: sections of a few kinds of blocks, the same for every format.

All texts are plain: how they are set, and what must be escaped, the format knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from wanglou.schemas.risk import Level


class Tone(StrEnum):
    """What a text tells beside its words."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    QUIET = "quiet"
    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"

    @classmethod
    def of(cls, level: Level | None) -> Tone:
        """That of a level."""
        return cls.QUIET if level is None else cls(level.label)


@dataclass(frozen=True, slots=True)
class Mark:
    """A word that stands out."""

    text: str
    tone: Tone


Cell = str | Mark


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str
    quiet: bool = False
    kind: str = field(default="paragraph", init=False)


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that is to be seen at once: what it is, the figure, and a word on it."""

    name: str
    value: str
    note: str = ""
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Tiles:
    """Figures side by side."""

    tiles: Sequence[Tile]
    kind: str = field(default="tiles", init=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``width`` in hundredths of the line, 0 for what is left."""

    name: str
    width: int = 0
    number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``empty`` is said where it has no rows."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    empty: str = "无记录。"
    kind: str = field(default="table", init=False)


@dataclass(frozen=True, slots=True)
class Point:
    """A sentence, and what it is about."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Points:
    """Sentences of one tone under a heading."""

    title: str
    tone: Tone
    points: Sequence[Point]
    kind: str = field(default="points", init=False)


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions with room for an answer."""

    questions: Sequence[str]
    kind: str = field(default="questions", init=False)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as SVG; its name is a part of a file's."""

    name: str
    svg: bytes
    caption: str
    kind: str = field(default="picture", init=False)


Block = Paragraph | Tiles | Table | Points | Questions | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """A section; it begins on a new page where it would not fit well."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Document:
    """A report. ``name`` is that of its files, without an ending."""

    name: str
    sort: str
    title: str
    subtitle: str
    facts: Sequence[tuple[str, Cell]]
    sections: Sequence[Section]

    @property
    def pictures(self) -> list[Picture]:
        """All its pictures."""
        blocks = (block for section in self.sections for block in section.blocks)
        return [block for block in blocks if isinstance(block, Picture)]
