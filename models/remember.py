"""Remember what came of a text: posts come again with every copy, answer and repost."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

R = TypeVar("R")

REMEMBERED_CHARACTERS = 280
"""A longer text hardly comes twice, and would fill the memory."""


def remembers(texts: int) -> Callable[[Callable[[str], R]], Callable[[str], R]]:
    """Let a pure function of a text remember its results for the last so many short ones.

    >>> @remembers(texts=2)
    ... def shout(text):
    ...     print("asked")
    ...     return text.upper()
    >>> shout("a"), shout("a")
    asked
    ('A', 'A')
    """

    def decorate(function: Callable[[str], R]) -> Callable[[str], R]:
        remembered = lru_cache(texts)(function)

        @wraps(function)
        def of(text: str) -> R:
            return remembered(text) if len(text) <= REMEMBERED_CHARACTERS else function(text)

        return of

    return decorate
