"""Scoring: what a mention says, read from the text of its cluster's original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel

from wanglou.models.opinion import Opinion, OpinionModel, Passage
from wanglou.models.taxonomy import Taxonomy, TopicFinder
from wanglou.models.watchlist import Watchlist
from wanglou.schemas.mention import DedupedMention, Emotion, Polarity, ScoredMention

L = TypeVar("L", bound=StrEnum)

MOST_KNOWN = 8192
"""Scores that are remembered: a storm, or a day's talk, says the same few hundred texts again."""

LEAST_SHOWN = 0.01
"""Event types and risk topics below this probability are left out of a message."""

NEGATIVE_FROM = 0.5
"""Probability from which a text counts as negative about an institution."""


def most_probable(labels: type[L], probabilities: BaseModel) -> L:
    """The label with the highest probability; ties go to the first listed.

    >>> from wanglou.schemas.mention import PolarityProbabilities
    >>> tie = PolarityProbabilities(negative=0.4, neutral=0.4, positive=0.2)
    >>> most_probable(Polarity, tie).value
    'negative'
    """
    return max(labels, key=lambda label: getattr(probabilities, label))


def likeliest(probabilities: Mapping[str, float]) -> str:
    """The name with the highest probability; ties go to the first.

    >>> likeliest({"其他": 0.2, "提现困难": 0.7, "涉嫌欺诈": 0.1})
    '提现困难'
    """
    return max(probabilities, key=lambda name: probabilities[name])


def shown(probabilities: Mapping[str, float]) -> dict[str, float]:
    """The probabilities that are worth a place in a message, highest first."""
    worth = [item for item in probabilities.items() if item[1] >= LEAST_SHOWN]
    return dict(sorted(worth, key=lambda item: -item[1]))


def scored_text(mention: DedupedMention) -> str:
    """The text that stands for a mention: that of its cluster's original."""
    return mention.text if mention.original_text is None else mention.original_text


def scored_context(mention: DedupedMention) -> str | None:
    """What that text answers."""
    return mention.context if mention.original_text is None else mention.original_context


class ScoringStep:
    """Scores mentions; without state, so that a mention has one score wherever it is made."""

    def __init__(self, watchlist: Watchlist, taxonomy: Taxonomy, model: OpinionModel) -> None:
        self._names = {one.id: one.normalised_names for one in watchlist.institutions}
        self._topics = TopicFinder(taxonomy)
        self._model = model
        self._known: dict[tuple[Passage, str | None], tuple[Opinion, dict[str, Any]]] = {}

    def process(self, mentions: Sequence[DedupedMention]) -> list[ScoredMention]:
        """The same mentions in the same order, scored; blocking, for an executor thread."""
        passages = [self._passage(mention) for mention in mentions]
        opinions = self._model.read(passages)
        scored = []
        for mention, passage, opinion in zip(mentions, passages, opinions, strict=True):
            scores = self._scores(passage, scored_context(mention), opinion)
            scored.append(ScoredMention.extending(mention, scores))
        return scored

    def _passage(self, mention: DedupedMention) -> Passage:
        return Passage(scored_text(mention), self._names.get(mention.institution, ()))

    def _scores(self, passage: Passage, context: str | None, opinion: Opinion) -> dict[str, Any]:
        """What a scored mention has beside the deduped one; many share it."""
        key = passage, self._topics.find(passage.text, context)  # the context decides nothing else
        before, scores = self._known.get(key, (None, {}))
        if before != opinion:
            if len(self._known) == MOST_KNOWN:
                del self._known[next(iter(self._known))]
            scores = self._score(passage.text, context, opinion)
            self._known[key] = opinion, scores
        return scores

    def _score(self, text: str, context: str | None, opinion: Opinion) -> dict[str, Any]:
        topics = self._topics.probabilities(text, context, opinion.event_type)
        negative = opinion.institution_negative
        return {
            "polarity": most_probable(Polarity, opinion.polarity),
            "polarity_probabilities": opinion.polarity,
            "emotion": most_probable(Emotion, opinion.emotion),
            "emotion_probabilities": opinion.emotion,
            "event_type": likeliest(opinion.event_type),
            "event_type_probabilities": shown(opinion.event_type),
            "risk_topic": likeliest(topics),
            "risk_topic_probabilities": shown(topics),
            "institution_negative": None if negative is None else negative >= NEGATIVE_FROM,
            "institution_negative_probability": negative,
            "viewpoint": opinion.viewpoint,
        }
