"""Find many fixed phrases in a text in one pass (Aho–Corasick)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import ahocorasick

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """``text[start:end]`` is a phrase, and stands for ``tag``."""

    start: int
    end: int
    tag: T


class PhraseFinder(Generic[T]):
    """Phrases with a tag each; matching ignores case.

    >>> finder = PhraseFinder([("挤兑", "run"), ("挤兑传言", "run"), ("APP", "outage")])
    >>> [(match.start, match.end, match.tag) for match in finder.find("app挤兑")]
    [(0, 3, 'outage'), (3, 5, 'run')]
    """

    def __init__(self, phrases: Iterable[tuple[str, T]]) -> None:
        self._automaton = ahocorasick.Automaton()
        for phrase, tag in phrases:
            folded = phrase.lower()
            self._automaton.add_word(folded, (len(folded), tag))
        self._empty = len(self._automaton) == 0
        if not self._empty:
            self._automaton.make_automaton()

    def find(self, text: str) -> list[Match[T]]:
        """All occurrences, overlapping ones too, by where they end.

        A phrase of Latin letters or digits counts only as a word of its own: ``HXB`` is not in
        ``HXBC``.
        """
        if self._empty:
            return []
        folded = text.lower()
        return [
            Match(end + 1 - length, end + 1, tag)
            for end, (length, tag) in self._automaton.iter(folded)
            if not _cuts_word(folded, end + 1 - length, end + 1)
        ]


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _cuts_word(text: str, start: int, end: int) -> bool:
    cuts_left = start > 0 and _is_word(text[start]) and _is_word(text[start - 1])
    cuts_right = end < len(text) and _is_word(text[end - 1]) and _is_word(text[end])
    return cuts_left or cuts_right
