"""Templates of statements 声明模板: one for each risk topic and kind, with gaps to fill."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wanglou.models.response.draft import Concern, Wording, check_draft
from wanglou.models.rules_file import RulesFile
from wanglou.models.taxonomy import Taxonomy
from wanglou.schemas.problems import Location, Problem, check
from wanglou.schemas.response import MAX_TEXT

BODY = "正文"
"""The gap of a frame into which the topic's text goes."""

_GAP = re.compile(r"\{([^{}\n]*)\}")


class StatementKind(StrEnum):
    """What a statement is for."""

    FIRST = "first"
    PROGRESS = "progress"
    CORRECTION = "correction"
    ANSWERS = "answers"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            StatementKind.FIRST: "首次声明",
            StatementKind.PROGRESS: "进展",
            StatementKind.CORRECTION: "更正",
            StatementKind.ANSWERS: "答客问",
        }[self]


@dataclass(frozen=True, slots=True)
class Filled:
    """A text, and the names of the gaps that are still open in it, each once, in their order."""

    text: str
    open_gaps: tuple[str, ...]


def fill(template: str, values: Mapping[str, str]) -> Filled:
    """Put values into the gaps ``{…}`` of a template; a gap without a value, or a blank one, stays.

    Raises ``ValueError`` for a value whose gap the template does not have.

    >>> fill("{机构}于{时间}关注到。{机构}", {"机构": "和兴银行"})
    Filled(text='和兴银行于{时间}关注到。和兴银行', open_gaps=('时间',))
    """
    gaps = tuple(dict.fromkeys(_GAP.findall(template)))
    for name in values:
        if name not in gaps:
            raise ValueError(f"the template has no gap {name!r}; it has {', '.join(gaps)}")
    filled = {name: value for name, value in values.items() if value.strip()}
    text = _GAP.sub(lambda match: filled.get(match[1], match[0]), template)
    return Filled(text, tuple(name for name in gaps if name not in filled))


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT // 2)]


class Texts(_Section):
    """A text of each kind."""

    first: Text
    progress: Text
    correction: Text
    answers: Text

    def of(self, kind: StatementKind) -> str:
        """The text of a kind."""
        text: str = getattr(self, kind.value)
        return text


class Statements(_Section):
    """The whole file."""

    gaps: dict[Annotated[str, Field(min_length=1, max_length=20)], Text]
    frames: Texts
    topics: dict[str, Texts] = Field(min_length=1)

    @model_validator(mode="after")
    def _gaps_fit(self) -> Self:
        check(self._problems())
        return self

    def template(self, topic: str, kind: StatementKind) -> str:
        """The text for a topic and kind. Raises ``KeyError`` for a topic that has none."""
        return self.frames.of(kind).replace(f"{{{BODY}}}", self.topics[topic].of(kind))

    def _texts(self) -> Iterator[tuple[Location, str]]:
        for kind in StatementKind:
            yield ("frames", kind.value), self.frames.of(kind)
            for topic, texts in self.topics.items():
                yield ("topics", topic, kind.value), texts.of(kind)

    def _problems(self) -> Iterator[Problem]:
        used: set[str] = set()
        for where, text in self._texts():
            names = _GAP.findall(text)
            used.update(names)
            if len(names) != text.count("{") or len(names) != text.count("}"):
                yield where, "has a { or } that belongs to no gap: write {name}, on one line"
            for name in dict.fromkeys(names):
                if name not in self.gaps and name != BODY:
                    known = ", ".join(self.gaps)
                    yield where, f"{{{name}}} is no gap of this file; those are {known}"
            wanted = int(where[0] == "frames")
            if names.count(BODY) != wanted:
                rule = "once in each frame, for the topic's text, and in no topic"
                yield where, f"{{{BODY}}} stands {rule}; here {names.count(BODY)} times"
        for name in self.gaps:
            if name == BODY:
                yield ("gaps", name), f"{name!r} is where the topic's text goes: leave it out"
            elif name not in used:
                yield ("gaps", name), f"{name!r} stands in no text: leave it out"

    def problems(self, taxonomy: Taxonomy, wording: Wording) -> list[Problem]:
        """What does not fit the other files: a topic without texts, and the other way round; what
        the check of drafts warns of, but for the gaps."""
        names = {topic.id: topic.name for topic in taxonomy.topics}
        found: list[Problem] = [
            (("topics",), f"no texts for the topic {id!r} ({name}) of the taxonomy")
            for id, name in names.items()
            if id not in self.topics
        ]
        for topic in self.topics:
            where: Location = ("topics", topic)
            if topic not in names:
                text = f"{topic!r} is no topic of the taxonomy; those are {', '.join(names)}"
                found.append((where, text))
            for kind in StatementKind:
                for one in check_draft(self.template(topic, kind), wording):
                    if one.concern is not Concern.GAP:
                        text = f"{one.words!r} is {one.concern.chinese}: {one.instead}"
                        found.append(((*where, kind.value), text))
        return found


def load_statements(path: Path, taxonomy: Taxonomy, wording: Wording) -> Statements:
    """Read the file. Raises ``RulesError`` with everything that is wrong."""
    file = RulesFile.read(path, Statements)
    file.check(file.rules.problems(taxonomy, wording))
    return file.rules
