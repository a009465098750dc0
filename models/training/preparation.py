"""From corpora to what is trained on: held-out texts kept apart, doubts removed, labels joined."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from wanglou.models.near_duplicate import CandidateIndex, bigrams, jaccard
from wanglou.models.network import POLARITY
from wanglou.models.training.example import Example

MIN_BIGRAMS = 8
"""Shorter texts are compared exactly: two of them are near-duplicates too easily."""

NEAR = 0.8
"""Jaccard of bigrams from which a training text is too near to a held-out one."""

DEV_PERCENT = 10
"""Share of a corpus that is held out where it comes without a dev file."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Training examples, held-out examples, and how many were dropped for which reason."""

    train: list[Example]
    dev: list[Example]
    dropped: dict[str, int]


def comparison_key(text: str) -> str:
    """The form under which two normalised texts count as the same.

    >>> comparison_key("A股 大涨") == comparison_key("a股大涨")
    True
    """
    return "".join(text.casefold().split())


def split(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Training and held-out part of a corpus; a text is in one of them, whatever else changes."""
    train: list[Example] = []
    dev: list[Example] = []
    for example in examples:
        digest = hashlib.sha256(comparison_key(example.text).encode()).digest()
        held_out = int.from_bytes(digest[:4], "big") % 100 < DEV_PERCENT
        (dev if held_out else train).append(example)
    return train, dev


def prepare(train: Iterable[Example], dev: Iterable[Example]) -> Prepared:
    """Join, resolve and separate.

    The same text about the same institution becomes one example with the labels of all heads. Where
    labels of a head contradict each other the majority decides, and in a tie that label goes. A
    training text that is a held-out one, or nearly, goes.
    """
    dropped: Counter[str] = Counter()
    held_out = _joined(dev, dropped)
    apart = _Apart(example.text for example in held_out)
    kept: list[Example] = []
    for example in _joined(train, dropped):
        if reason := apart.reason(example.text):
            dropped[reason] += 1
        else:
            kept.append(example)
    return Prepared(kept, held_out, dict(dropped))


def _joined(examples: Iterable[Example], dropped: Counter[str]) -> list[Example]:
    groups: defaultdict[tuple[str, str | None], list[Example]] = defaultdict(list)
    for example in examples:
        groups[comparison_key(example.text), example.institution].append(example)
    joined: list[Example] = []
    for group in groups.values():
        dropped["repeated"] += len(group) - 1
        labels: dict[str, int] = {}
        for head in dict.fromkeys(head for example in group for head in example.labels):
            votes = Counter(
                example.labels[head] for example in group if head in example.labels
            ).most_common(2)
            if len(votes) > 1 and votes[0][1] == votes[1][1]:
                dropped[f"contradicting {head}"] += 1
            else:
                labels[head] = votes[0][0]
        if labels or not group[0].labels:
            blind = [example.two_class for example in group if POLARITY in example.labels]
            two_class = bool(blind) and all(blind)  # one corpus that knows neutral is enough
            joined.append(replace(group[0], labels=labels, two_class=two_class))
    return joined


class _Apart:
    """Held-out texts, to be asked whether another text is one of them."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._keys: set[str] = set()
        self._index = CandidateIndex()
        self._shingles: list[frozenset[str]] = []
        for text in texts:
            self._keys.add(comparison_key(text))
            shingles = bigrams(text)
            if len(shingles) >= MIN_BIGRAMS:
                self._index.add(len(self._shingles), self._index.signature(shingles))
                self._shingles.append(shingles)

    def reason(self, text: str) -> str | None:
        """Why a text must not be trained on, or None."""
        if comparison_key(text) in self._keys:
            return "held out"
        shingles = bigrams(text)
        if len(shingles) < MIN_BIGRAMS:
            return None
        near = self._index.candidates(self._index.signature(shingles))
        if any(jaccard(shingles, self._shingles[number]) >= NEAR for number in near):
            return "near a held-out text"
        return None
