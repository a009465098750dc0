"""Reading a rules file: what is wrong with it is told with file, line and field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from wanglou.schemas.problems import Location, Problem, check, describe

M = TypeVar("M", bound=BaseModel)


class RulesError(ValueError):
    """A rules file that cannot be used; the message names file, line, field and value."""


@dataclass(frozen=True)
class RulesFile(Generic[M]):
    """A YAML file that fits its model, and where in it each field stands."""

    path: Path
    rules: M
    _root: yaml.Node | None

    @classmethod
    def read(cls, path: Path, model: type[M]) -> RulesFile[M]:
        """Read a file into its model. Raises ``RulesError`` with everything that is wrong."""
        try:
            loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
            root = loader.get_single_node()
            content = None if root is None else loader.construct_document(root)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise RulesError(f"{path}: line {line}: cannot be read: {error.problem}") from error
        except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: not UTF-8, 2026-02-30
            raise RulesError(f"{path}: cannot be read: {error}") from error
        try:
            check(_names_twice(root, ()))
            return cls(path, model.model_validate(content), root)
        except ValidationError as error:
            raise RulesError(_message(path, error, root)) from error

    def check(self, problems: Iterable[Problem]) -> None:
        """Raise ``RulesError`` with problems that showed beside other files, if there are any."""
        try:
            check(problems)
        except ValidationError as error:
            raise RulesError(_message(self.path, error, self._root)) from error


def _message(path: Path, error: ValidationError, root: yaml.Node | None) -> str:
    return f"{path}: {describe(error, line_of=lambda location: line_of(root, location))}"


def line_of(root: yaml.Node | None, location: Location) -> int:
    """The line, from 1, on which a field stands; of what is missing, where it should.

    >>> root = yaml.compose("a:\\n  b: 1\\n  c:\\n  - 2\\n  - {d: 3}\\n")
    >>> [line_of(root, one) for one in (("a", "b"), ("a", "c", 1, "d"), ("a", "c", 7), ("e",))]
    [2, 5, 3, 1]
    """
    line, node = 1, root
    for part in location:
        found = next((pair for pair in _children(node) if pair[0] == part), None)
        if found is None:
            break
        _, mark, node = found
        line = mark.line + 1
    return line


def with_values(text: str, values: Mapping[Location, float]) -> str:
    """A rules file's text with other numbers in some places; all else stays, comments too.

    Raises ``KeyError`` for a place that the text does not have.

    >>> with_values("a: {b: 1, c: 2}  # why", {("a", "b"): 0.5})
    'a: {b: 0.5, c: 2}  # why'
    """
    root = yaml.compose(text, yaml.SafeLoader)
    spans = []
    for place, value in values.items():
        node: yaml.Node | None = root
        for part in place:
            node = next((child for name, _, child in _children(node) if name == part), None)
        if node is None:
            raise KeyError(".".join(map(str, place)))
        spans.append((node.start_mark.index, node.end_mark.index, f"{value:g}"))
    for start, end, written in sorted(spans, reverse=True):
        text = text[:start] + written + text[end:]
    return text


def _children(node: yaml.Node | None) -> Iterator[tuple[int | str, yaml.Mark, yaml.Node]]:
    """What stands in a node: index or name, the mark where it begins, its value."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield index, item.start_mark, item
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), key.start_mark, value


def _names_twice(node: yaml.Node | None, location: Location) -> Iterator[Problem]:
    """Names that stand twice in one mapping: YAML would keep the last and say nothing."""
    first: dict[int | str, int] = {}
    for part, mark, value in _children(node):
        line = first.setdefault(part, mark.line + 1)
        if line != mark.line + 1:
            text = f"stands twice, on line {line} and on line {mark.line + 1}: leave one out"
            yield (*location, part), text
        yield from _names_twice(value, (*location, part))
