"""What a text says, as a model answers: the questions, the answers, and who may answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from wanglou.schemas.mention import EmotionProbabilities, PolarityProbabilities


class ModelError(ValueError):
    """A model, or what one is trained with, that cannot be used; the message says why."""


class Passage(NamedTuple):
    """A normalised text, and the names of the institution in question as they may stand in it."""

    text: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opinion:
    """The answers about a passage, as probabilities.

    ``event_type`` has all types by their Chinese names; they sum to 1. ``institution_negative`` is
    the probability that the text is negative about the institution, None where none was named.
    ``viewpoint`` is the code of what the text says (``models.viewpoints``), None without vectors.
    """

    polarity: PolarityProbabilities
    emotion: EmotionProbabilities
    event_type: dict[str, float]
    institution_negative: float | None
    viewpoint: str | None = None


class OpinionModel(Protocol):
    """Anything that reads passages."""

    def read(self, passages: Sequence[Passage]) -> list[Opinion]:
        """One opinion a passage, in order."""
        ...


def read_each(model: OpinionModel, passages: Sequence[Passage]) -> Sequence[Opinion | Exception]:
    """All at once; if that fails, each alone, so that one bad text costs no other."""
    try:
        return model.read(passages)
    except Exception as error:
        if len(passages) == 1:
            return [error]
        return [one for passage in passages for one in read_each(model, [passage])]


NO_EVENT = "其他"
"""The event type of a text about no event."""


class NoModel:
    """Calls every text neutral and about nothing: for measuring everything but the model."""

    def read(self, passages: Sequence[Passage]) -> list[Opinion]:
        """All neutral."""
        nothing = Opinion(
            polarity=PolarityProbabilities(negative=0.0, neutral=1.0, positive=0.0),
            emotion=EmotionProbabilities(
                happy=0.0, angry=0.0, sad=0.0, fear=0.0, surprise=0.0, neutral=1.0
            ),
            event_type={NO_EVENT: 1.0},
            institution_negative=None,
        )
        return [nothing] * len(passages)
