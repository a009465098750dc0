"""Scoring: a mention's polarity and risk topic, from the text of its cluster's original."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from wanglou.models.taxonomy import Taxonomy, TopicFinder
from wanglou.schemas.mention import (
    DedupedMention,
    Polarity,
    PolarityProbabilities,
    ScoredMention,
)


class ModelError(ValueError):
    """A model folder that cannot be used; the message says why."""


class PolarityModel(Protocol):
    """Anything that tells the polarity of texts."""

    def probabilities(self, texts: Sequence[str]) -> list[PolarityProbabilities]:
        """One row of probabilities a text, in order."""
        ...


class NoModel:
    """Calls every text neutral: for measuring everything but the model."""

    def probabilities(self, texts: Sequence[str]) -> list[PolarityProbabilities]:
        """All neutral."""
        return [PolarityProbabilities(negative=0.0, neutral=1.0, positive=0.0)] * len(texts)


def most_probable(probabilities: PolarityProbabilities) -> Polarity:
    """The polarity with the highest probability; ties go to the graver one.

    >>> most_probable(PolarityProbabilities(negative=0.4, neutral=0.4, positive=0.2)).value
    'negative'
    """
    return max(Polarity, key=lambda polarity: getattr(probabilities, polarity.value))


def scored_text(mention: DedupedMention) -> str:
    """The text that stands for a mention: that of its cluster's original."""
    return mention.text if mention.original_text is None else mention.original_text


class ScoringStep:
    """Scores mentions; without state, so that a mention has one score wherever it is made."""

    def __init__(self, taxonomy: Taxonomy, model: PolarityModel) -> None:
        self._topics = TopicFinder(taxonomy)
        self._model = model

    def process(self, mentions: Sequence[DedupedMention]) -> list[ScoredMention]:
        """The same mentions in the same order, scored; blocking, for an executor thread."""
        rows = self._model.probabilities([scored_text(mention) for mention in mentions])
        return [self._scored(mention, row) for mention, row in zip(mentions, rows, strict=True)]

    def _scored(self, mention: DedupedMention, row: PolarityProbabilities) -> ScoredMention:
        differs = mention.original_text is not None
        context = mention.original_context if differs else mention.context
        return ScoredMention.model_construct(
            **dict(mention),
            polarity=most_probable(row),
            polarity_probabilities=row,
            risk_topic=self._topics.find(scored_text(mention), context),
        )
