"""One labelled text, as every corpus gives it."""

from __future__ import annotations

from dataclasses import dataclass, field

from wanglou.models.network import HEADS
from wanglou.models.opinion import ModelError


class CorpusError(ModelError):
    """A file of a corpus is missing or not as described; the message names file, line, field."""


@dataclass(frozen=True, slots=True)
class Example:
    """A normalised text with the labels that its corpus gives it.

    ``labels`` maps a head to an index into its labels. ``two_class`` says that the corpus knows no
    neutral texts, so that nothing is said about that class. ``institution`` is a name to mark.
    """

    text: str
    source: str
    labels: dict[str, int] = field(default_factory=dict)
    institution: str | None = None
    two_class: bool = False


def label_index(head: str, label: str, where: str) -> int:
    """The index of a label in a head. Raises `CorpusError` naming ``where``.

    >>> label_index("polarity", "neutral", "train.jsonl:1")
    1
    """
    try:
        return HEADS[head].index(label)
    except ValueError:
        choice = ", ".join(HEADS[head])
        raise CorpusError(f"{where}: {head} {label!r} is none of {choice}") from None
