"""Viewpoints (主要观点): codes of what texts say, and the few clusters that an event's codes form.

A code is the encoder's vector of a text, cut down so that every mention can carry it. Clusters are
formed as mentions come: each begins one of its own, those that are near enough become one, and
while there are too many the two nearest do (Guedalia, London and Werman, "An on-line agglomerative
clustering method for nonstationary data", Neural Computation 11, 1999). Which are nearest is seen
from the middle of the event: that all its texts are about one institution and one risk says nothing
about how they differ.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from random import Random
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator

from wanglou.models.dedupe import MIN_BIGRAMS
from wanglou.models.heat import DecayingSum
from wanglou.models.near_duplicate import bigrams
from wanglou.models.risk_parameters import ViewpointParameters
from wanglou.schemas.base import time_of
from wanglou.schemas.mention import Polarity, ScoredMention
from wanglou.schemas.risk import Viewpoint

DIMENSIONS = 128
"""Numbers in a code; models/README.md has what fewer would cost."""

MAX_VIEWPOINTS = 8
TEXT_CHARACTERS = 140
DECIMALS = 4

LEAST_SHARE = 0.01
"""A viewpoint with less of the weight is not told."""

AGED = 0.5
"""Mentions, older ones weighing less: one below this leaves when another needs its place."""

LEVEL = 32
"""The standard deviation of the numbers in a code: seldom cut at 127, rounding does not matter."""

SIGNS_SEED = 20260302

TINY = 1e-9
"""In place of a length of zero, which a row has that stands in the middle itself."""

Vector = NDArray[np.float32]
Matrix = NDArray[np.float64]

StoredVector = Annotated[
    Vector,
    PlainValidator(
        lambda value: (
            value if isinstance(value, np.ndarray) else np.frombuffer(b64decode(value), "<f4")
        )
    ),
    PlainSerializer(
        lambda vector: b64encode(vector.astype("<f4").tobytes()).decode(), return_type=str
    ),
]
"""A vector that is base64 in JSON."""


def encode(vector: Sequence[float]) -> str:
    """The code of a vector of any width: 128 signed bytes in base64.

    Its numbers, each with a fixed random sign, are added up into 128 sums: a count sketch, which on
    average keeps the angles between vectors (Charikar, Chen and Farach-Colton, "Finding Frequent
    Items in Data Streams", 2002). Its length is not kept.
    """
    padded = np.zeros(-(-len(vector) // DIMENSIONS) * DIMENSIONS)
    padded[: len(vector)] = np.multiply(vector, _signs(len(vector)))
    sums = padded.reshape(-1, DIMENSIONS).sum(axis=0)
    length = sqrt(float((sums * sums).sum())) or 1.0
    levels = np.rint(sums * (LEVEL * sqrt(DIMENSIONS) / length)).clip(-127, 127)
    return b64encode(levels.astype(np.int8).tobytes()).decode()


@cache
def _signs(width: int) -> tuple[float, ...]:
    return tuple(Random(SIGNS_SEED).choices((-1.0, 1.0), k=width))


def decode(code: str) -> Vector:
    """The 128 numbers of a code."""
    return np.frombuffer(b64decode(code), np.int8).astype(np.float32)


@dataclass(slots=True, eq=False)  # vectors have no equality of their own
class Cluster:
    """Mentions of an event that say the like."""

    total: StoredVector
    """Sum of their codes: whole numbers, so that float32 adds them exactly up to 2²⁴."""
    mentions: int
    weights: dict[Polarity, DecayingSum]
    first_minute: int
    last_minute: int
    code: str
    """Of the representative: the mention nearest to the middle."""
    mention_id: str
    text: str

    @classmethod
    def of(cls, mention: ScoredMention, code: str, minute: int) -> Cluster:
        """A mention alone."""
        return cls(
            total=decode(code),
            mentions=1,
            weights={mention.polarity: DecayingSum(1.0, minute)},
            first_minute=minute,
            last_minute=minute,
            code=code,
            mention_id=mention.id,
            text=mention.text[:TEXT_CHARACTERS],
        )

    def weight(self, minute: int, half_life: float) -> float:
        """Its mentions, each halved every ``half_life`` minutes."""
        return sum(
            self.weights[one].at(minute, half_life=half_life)
            for one in Polarity
            if one in self.weights
        )


def add_viewpoint(
    clusters: list[Cluster], mention: ScoredMention, minute: int, parameters: ViewpointParameters
) -> None:
    """Fold in a mention of an event ``minute``.

    One without a code changes nothing, and neither does one that says as little as 转发微博 or
    太可怕了: thousands of such would be an event's first viewpoint.
    """
    if mention.viewpoint is None or len(bigrams(mention.text)) < MIN_BIGRAMS:
        return
    clusters.append(Cluster.of(mention, mention.viewpoint, minute))
    _drop_aged(clusters, parameters.half_life_minutes)
    while len(clusters) > 1:
        totals = np.array([one.total for one in clusters], dtype=np.float64)
        products = totals @ totals.T  # of whole numbers, so exact in any order of adding
        first, second, similarity = _nearest(products)
        if similarity < parameters.similarity:
            if len(clusters) <= MAX_VIEWPOINTS:
                return
            first, second, _ = _nearest(_from_the_middle(products, clusters))
        clusters[first] = _merged(clusters[first], clusters.pop(second), parameters)


def _drop_aged(clusters: list[Cluster], half_life: float) -> None:
    if len(clusters) <= MAX_VIEWPOINTS:
        return
    now = max(one.last_minute for one in clusters)
    quiet = [one for one in clusters if now - one.last_minute > half_life]  # the others weigh more
    lightest = min(quiet, key=lambda one: one.weight(now, half_life), default=None)
    if lightest is not None and lightest.weight(now, half_life) < AGED:
        clusters.remove(lightest)


def _from_the_middle(products: Matrix, clusters: Sequence[Cluster]) -> Matrix:
    """Products of the clusters' means, less the mean of all, of the products of their totals."""
    counts = np.array([one.mentions for one in clusters], dtype=np.float64)
    means: Matrix = products / counts[:, None] / counts
    with_middle: Matrix = products.sum(axis=1) / (counts * counts.sum())
    middle = float(products.sum() / counts.sum() ** 2)
    centred: Matrix = means - with_middle[:, None] - with_middle[None, :] + middle
    return centred


def _nearest(products: Matrix) -> tuple[int, int, float]:
    """The first two rows, in order, with the highest cosine; this, of the products of all rows."""
    lengths = np.sqrt(np.maximum(products.diagonal(), TINY))
    cosines = products / lengths[:, None] / lengths
    np.fill_diagonal(cosines, -np.inf)
    first, second = sorted(divmod(int(cosines.argmax()), len(cosines)))  # rounding: not symmetric
    return first, second, float(cosines[first, second])


def _merged(older: Cluster, newer: Cluster, parameters: ViewpointParameters) -> Cluster:
    total = older.total + newer.total
    nearest = max(older, newer, key=lambda one: float(decode(one.code) @ total))
    weights = dict(older.weights)
    for polarity, added in newer.weights.items():
        weight = weights.setdefault(polarity, DecayingSum())
        weight.add(added.value, minute=added.minute, half_life=parameters.half_life_minutes)
    return Cluster(
        total=total,
        mentions=older.mentions + newer.mentions,
        weights=weights,
        first_minute=min(older.first_minute, newer.first_minute),
        last_minute=max(older.last_minute, newer.last_minute),
        code=nearest.code,
        mention_id=nearest.mention_id,
        text=nearest.text,
    )


def viewpoints(
    clusters: Sequence[Cluster], minute: int, parameters: ViewpointParameters
) -> tuple[Viewpoint, ...]:
    """What is mainly said as it stands at ``minute``, the largest share first."""
    half_life = parameters.half_life_minutes
    weights = [one.weight(minute, half_life) for one in clusters]
    total = sum(weights)
    told = [
        Viewpoint(
            text=cluster.text,
            mention_id=cluster.mention_id,
            share=round(weight / total, DECIMALS),
            mentions=cluster.mentions,
            polarities={
                polarity.value: round(held.at(minute, half_life=half_life) / weight, DECIMALS)
                for polarity, held in sorted(cluster.weights.items())
            },
            first_at=time_of(cluster.first_minute),
            last_at=time_of(cluster.last_minute),
        )
        for cluster, weight in zip(clusters, weights, strict=True)
        if weight >= LEAST_SHARE * total > 0
    ]
    return tuple(sorted(told, key=lambda one: -one.share))
