"""Reach (传播范围): how many distinct people spoke, to how many, where, and how deep."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, log1p

from datasketches import (
    PyDoublesSerDe,
    TuplePolicy,
    compact_tuple_sketch,
    tuple_union,
    update_tuple_sketch,
)

from wanglou.models.risk_parameters import ReachParameters

LOG2_AUTHORS = 10
"""Authors kept: exact up to 1,024 distinct ones; above, a standard error of 3.1 % on authors, and
more on the audience, as heavy-tailed as followers are."""


class _LargestFollowers(TuplePolicy):  # type: ignore[misc]  # the package has no types
    """Of several follower counts of one author keep the largest."""

    def create_summary(self) -> float:
        return 0.0

    def update_summary(self, summary: float, update: float) -> float:
        return max(summary, update)

    def __call__(self, summary: float, update: float) -> float:
        return max(summary, update)


@dataclass(frozen=True, slots=True)
class Audience:
    """Estimates over distinct authors."""

    authors: float
    followers: float


class AuthorSketch:
    """Distinct authors and their followers, each author once (a tuple sketch).

    The result is that of the 1,024 authors with the smallest hashes, whatever the order of adding
    and however often the sketch was stored between: a replay gives the same number.
    https://datasketches.apache.org/docs/Tuple/TupleOverview.html
    """

    def __init__(self, stored: bytes | None = None) -> None:
        self._policy = _LargestFollowers()
        self._recent = update_tuple_sketch(self._policy, LOG2_AUTHORS)
        self._stored = (
            compact_tuple_sketch.deserialize(stored, PyDoublesSerDe()) if stored else None
        )
        self._audience: Audience | None = None  # kept until the next author

    def add(self, author: str, followers: int) -> None:
        """Count an author; a second time counts only if the follower count is larger."""
        self._recent.update(author, float(followers))
        self._audience = None

    def audience(self) -> Audience:
        """Estimated distinct authors, and the sum of their followers."""
        if self._audience is None:
            result = self._result()
            followers = fsum(entry[1] for entry in result) / result.theta
            self._audience = Audience(result.get_estimate(), followers)
        return self._audience

    def to_bytes(self) -> bytes:
        """At most 16 KiB, for ``stored``."""
        return bytes(self._result().serialize(PyDoublesSerDe()))

    def _result(self) -> compact_tuple_sketch:
        union = tuple_union(self._policy, LOG2_AUTHORS)
        if self._stored is not None:
            union.update(self._stored)
        union.update(self._recent)
        return union.get_result()


def reach(audience: Audience, platforms: float, depth: float, parameters: ReachParameters) -> float:
    """Mean of four scores in [0, 1]: audience and authors by their logarithm, platforms, depth.

    >>> parameters = ReachParameters(window_minutes=360,
    ...     full_audience=999_999, full_authors=999, full_platforms=4, full_depth=2)
    >>> round(reach(Audience(authors=31, followers=999), 2, 1, parameters), 4)
    0.5004
    """
    scores = (
        _log_share(audience.followers, parameters.full_audience),
        _log_share(audience.authors, parameters.full_authors),
        min(1.0, platforms / parameters.full_platforms),
        min(1.0, depth / parameters.full_depth),
    )
    return sum(scores) / len(scores)


def _log_share(value: float, full: float) -> float:
    return min(1.0, log1p(value) / log1p(full))
