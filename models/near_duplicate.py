"""Near-duplicates of short Chinese texts: MinHash finds candidates, exact Jaccard decides.

SimHash, the usual choice, misses 70–99 % of edited posts of 15–140 characters; Jaccard of
character bigrams at 0.5 misses none of them. https://en.wikipedia.org/wiki/MinHash
"""

from __future__ import annotations

import re

from rensa import RMinHash, RMinHashLSH

from wanglou.models.remember import remembers

JACCARD_THRESHOLD = 0.5
"""Texts at least this similar are near-duplicates (Jaccard of their sets of character bigrams)."""

PERMUTATIONS = 96
BANDS = 32
"""32 bands of 3 rows: a pair at Jaccard J becomes a candidate with probability 1 - (1 - J³)³²:
.986 at .5, .9996 at .6, and .0003 for unrelated posts (about .02)."""

SEED = 20200123

_NOT_TEXT = re.compile(r"[\W_]+")


@remembers(texts=4096)
def bigrams(text: str) -> frozenset[str]:
    """The set of character bigrams of a text, without punctuation, spaces and emoji, in lower case.

    >>> sorted(bigrams("银行,APP!"))
    ['ap', 'pp', '行a', '银行']
    """
    letters = _NOT_TEXT.sub("", text).lower()
    return frozenset(letters[index : index + 2] for index in range(len(letters) - 1))


def jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    """Size of the intersection over size of the union, 0 for two empty sets.

    >>> jaccard(frozenset("ab"), frozenset("bc"))
    0.3333333333333333
    """
    shared = len(left & right)
    union = len(left) + len(right) - shared
    return shared / union if union else 0.0


class CandidateIndex:
    """Texts by number; asks for those that may be near-duplicates of a new one."""

    def __init__(self) -> None:
        self._bands = RMinHashLSH(JACCARD_THRESHOLD, PERMUTATIONS, BANDS)

    @staticmethod
    def signature(shingles: frozenset[str]) -> RMinHash:
        """The MinHash of a set of bigrams."""
        signature = RMinHash(PERMUTATIONS, SEED)
        signature.update(list(shingles))
        return signature

    def add(self, number: int, signature: RMinHash) -> None:
        """Enter a text under a number of the caller's choice."""
        self._bands.insert(number, signature)

    def remove(self, number: int) -> None:
        """Forget a text."""
        self._bands.remove(number)

    def candidates(self, signature: RMinHash) -> list[int]:
        """Numbers of the texts that share a band, in ascending order."""
        return sorted(set(self._bands.query(signature)))
