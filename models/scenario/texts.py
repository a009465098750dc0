"""What a scenario's mentions say: the project's own texts, about other institutions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from random import Random

from wanglou.models.opinion import NO_EVENT
from wanglou.models.taxonomy import OTHER, Taxonomy, TopicFinder
from wanglou.models.text import normalise
from wanglou.models.training.bank_texts import BankText, bank_texts
from wanglou.schemas.mention import Emotion, Polarity

TEXTS_PER_TEMPLATE = 12

SHORT = 24
"""Characters of an answer that names nobody, at most."""


@dataclass(frozen=True, slots=True)
class Label:
    """What is true of a text; ``negative`` says of each institution that it names."""

    polarity: Polarity
    emotion: Emotion
    event_type: str
    negative: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text with its label, as it stands in a scenario."""

    text: str
    label: Label

    def about(self, *names: str) -> LabelledText:
        """The same about other institutions, in the order in which the label has them."""
        text = self.text
        for number, (before, _) in enumerate(self.label.negative):
            text = text.replace(before, f"\0{number}\0")
        for number, name in enumerate(names):
            text = text.replace(f"\0{number}\0", name)
        negative = tuple(
            (name, is_negative)
            for name, (_, is_negative) in zip(names, self.label.negative, strict=True)
        )
        return LabelledText(text, replace(self.label, negative=negative))


class Library:
    """All texts, by what they are needed for; each draw names its own source of chance."""

    def __init__(self, taxonomy: Taxonomy, seed: int) -> None:
        self._finder = TopicFinder(taxonomy)
        self._topic_of = {
            event_type: topic.id for topic in taxonomy.topics for event_type in topic.event_types
        }
        self.trouble = defaultdict[str, list[LabelledText]](list)
        """Negative about the one institution that they name, by topic."""
        self.answers = defaultdict[tuple[str, Polarity], list[LabelledText]](list)
        """Naming nobody, by topic (``other``: of none) and polarity."""
        self.everyday: dict[Polarity, list[LabelledText]] = {one: [] for one in Polarity}
        """Not negative about the one institution that they name."""
        self.comparisons: list[LabelledText] = []
        """Negative about the first institution, not about the second."""
        texts: dict[str, list[BankText]] = {}
        for one in bank_texts(seed=seed, limit_per_template=TEXTS_PER_TEMPLATE):
            texts.setdefault(one.text, []).append(one)
        for same in texts.values():
            self._take(same)

    def _take(self, same: list[BankText]) -> None:
        first = same[0]
        named = [
            (one.institution, bool(one.institution_negative)) for one in same if one.institution
        ]
        named.sort(key=lambda pair: not pair[1])
        polarity = Polarity(first.polarity)
        label = Label(
            polarity,
            Emotion(first.emotion or Emotion.NEUTRAL),
            first.event_type or NO_EVENT,
            tuple(named),
        )
        text = LabelledText(first.text, label)
        topic = self._topic(first)
        match [is_negative for _, is_negative in named]:
            case []:
                if len(first.text) <= SHORT or topic != OTHER:
                    self.answers[topic, polarity].append(text)
            case [True]:
                self.trouble[topic].append(text)
            case [False]:
                self.everyday[polarity].append(text)
            case [True, False]:
                self.comparisons.append(text)

    def _topic(self, text: BankText) -> str:
        """What an analyst would say: the event's topic, else that of the terms."""
        topic = self._topic_of.get(text.event_type or NO_EVENT)
        return topic or self._finder.find(normalise(text.text)) or OTHER

    def answer(self, topic: str, polarity: Polarity, rng: Random) -> LabelledText:
        """An answer in a thread about a topic; of no topic where there are none of that."""
        choice = self.answers.get((topic, polarity)) or self.answers[OTHER, polarity]
        return rng.choice(choice)
