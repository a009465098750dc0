"""What an epoch trains on: which examples, in which batches, with which marks."""

from __future__ import annotations

import copy
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wanglou.models.network import INSTITUTION, INSTITUTION_NEGATIVE, OUTSIDE
from wanglou.models.opinion import Passage
from wanglou.models.pieces import SPECIAL, PieceEncoder, Pieces, window_start
from wanglou.models.training.example import Example
from wanglou.models.training.recipe import Recipe

POOL = 2048
"""Texts that are sorted by length together: little padding, order still random."""

LONGEST_MARK = 4
"""Pieces of a mark set at random, about a name's."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a batch: the window, the example's labels and whom it is about, as marked."""

    window: Pieces
    labels: dict[str, int]
    source: str
    two_class: bool
    text: str
    institution: str | None


@dataclass(frozen=True, slots=True)
class Share:
    """How a source takes part: examples an epoch (all for None), and weight in the loss."""

    rows: int | None = None
    weight: float = 1.0


class Drawer:
    """Draws the batches of each epoch, the same for the same seed."""

    def __init__(
        self,
        examples: Sequence[Example],
        encoder: PieceEncoder,
        recipe: Recipe,
        shares: Mapping[str, Share],
    ) -> None:
        self._examples = examples
        self._recipe = recipe
        self._shares = shares
        self._pieces = encoder.encode(
            [Passage(row.text, (row.institution,) if row.institution else ()) for row in examples]
        )

    def of(self, sources: Collection[str]) -> Drawer:
        """One that draws only of some sources."""
        chosen = copy.copy(self)
        pairs = zip(self._examples, self._pieces, strict=True)
        kept = [(example, pieces) for example, pieces in pairs if example.source in sources]
        chosen._examples = [example for example, _ in kept]
        chosen._pieces = [pieces for _, pieces in kept]
        return chosen

    def heads(self) -> set[str]:
        """Those that some text has a label of."""
        return {head for example in self._examples for head in example.labels}

    def batches(self, epoch: int, pieces: int, unlabelled: bool = False) -> list[list[Item]]:
        """The batches of an epoch, in random order: texts of similar length, ``pieces`` in all.

        Texts without a label take part only where a teacher has labelled them, ``unlabelled``.
        """
        generator = random.Random(f"{self._recipe.seed} {epoch}")
        items = [self._item(number, generator) for number in self._draw(generator, unlabelled)]
        batches = [
            batch
            for start in range(0, len(items), POOL)
            for batch in _batches(items[start : start + POOL], pieces)
        ]
        generator.shuffle(batches)
        return batches

    def variants(self) -> Iterator[Item]:
        """Each example as it is marked and, where that is another, unmarked: to label softly."""
        for number, example in enumerate(self._examples):
            yield self._as(number, marked=True)
            if example.institution is not None:
                yield self._as(number, marked=False)

    def _draw(self, generator: random.Random, unlabelled: bool) -> list[int]:
        by_source: defaultdict[str, list[int]] = defaultdict(list)
        for number, example in enumerate(self._examples):
            if unlabelled or example.labels:
                by_source[example.source].append(number)
        drawn: list[int] = []
        for source, numbers in by_source.items():
            rows = self._shares.get(source, Share()).rows
            drawn += numbers if rows is None else generator.sample(numbers, min(rows, len(numbers)))
        generator.shuffle(drawn)
        return drawn

    def _item(self, number: int, generator: random.Random) -> Item:
        example = self._examples[number]
        if example.institution is not None:
            others = example.labels.keys() - {INSTITUTION_NEGATIVE}
            return self._as(number, not (others and generator.random() < self._recipe.unmark))
        item = self._as(number, marked=False)
        if generator.random() < self._recipe.mark_at_random:
            length = len(item.window.ids)
            start = generator.randrange(max(1, length))
            end = start + generator.randint(1, LONGEST_MARK)
            item.window.types[start:end] = [INSTITUTION] * len(item.window.types[start:end])
        return item

    def _as(self, number: int, marked: bool) -> Item:
        example, pieces, size = self._examples[number], self._pieces[number], self._recipe.pieces
        window = pieces.window(window_start(pieces, size), size)
        labels = example.labels
        if not marked:
            window = Pieces(window.ids, [OUTSIDE] * len(window.types))
            labels = {head: label for head, label in labels.items() if head != INSTITUTION_NEGATIVE}
        institution = example.institution if marked else None
        return Item(window, labels, example.source, example.two_class, example.text, institution)


def padded_length(items: Sequence[Item]) -> int:
    """Pieces of the longest window, special ones included."""
    return max(len(item.window.ids) for item in items) + SPECIAL


def class_weights(
    examples: Sequence[Example], power: float, shares: Mapping[str, Share]
) -> dict[tuple[str, str, int], float]:
    """A loss weight for each (source, head, label): inverse frequency to the ``power``.

    Frequencies are within the source, and the weights of a source's texts have the mean 1 times
    the source's own weight, so that balancing classes does not unbalance sources.

    >>> rows = [Example("a", "x", {"polarity": 0})] + [Example("b", "x", {"polarity": 1})] * 4
    >>> {key[2]: round(value, 3) for key, value in class_weights(rows, 0.5, {}).items()}
    {0: 1.667, 1: 0.833}
    """
    counts = Counter(
        (row.source, head, label) for row in examples for head, label in row.labels.items()
    )
    texts: Counter[tuple[str, str]] = Counter()
    total: defaultdict[tuple[str, str], float] = defaultdict(float)
    for (source, head, _), count in counts.items():
        texts[source, head] += count
        total[source, head] += count ** (1 - power)
    return {
        (source, head, label): count**-power
        * texts[source, head]
        / total[source, head]
        * shares.get(source, Share()).weight
        for (source, head, label), count in counts.items()
    }


def _batches(pool: Sequence[Item], pieces: int) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in sorted(pool, key=lambda item: len(item.window.ids)):
        if batch and padded_length([item]) * (len(batch) + 1) > pieces:
            yield batch
            batch = []
        batch.append(item)
    yield batch
