"""Evaluation: how right a model's answers about labelled texts are, and how well it knows it.

All matrices are confusion matrices of counts: a row a true label, a column a predicted one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wanglou.models.opinion import Opinion

HEADS = {
    "polarity": "情感极性",
    "emotion": "情绪",
    "event_type": "事件类型",
    "institution_negative": "对机构是否负面",
}
"""What a model is asked, with its name in Chinese."""

NEGATIVE, NOT_NEGATIVE = "true", "false"
"""The labels of ``institution_negative``."""

LEVEL = 0.95
"""Share of the resamples that lie inside an interval."""

RESAMPLES = 1000
"""Resamples of an interval: its ends then have 25 resamples beyond them."""

BINS = 15
"""Bins of confidence of equal width, as Guo et al. use."""

Counts = NDArray[np.int64]
Values = NDArray[np.float64]


def probabilities_by_head(opinion: Opinion) -> dict[str, dict[str, float]]:
    """Head → label → probability; without ``institution_negative`` where it was not asked.

    The graver label stands first where two could tie.
    """
    probabilities = {
        "polarity": dict(opinion.polarity),
        "emotion": dict(opinion.emotion),
        "event_type": opinion.event_type,
    }
    if (negative := opinion.institution_negative) is not None:
        probabilities["institution_negative"] = {NEGATIVE: negative, NOT_NEGATIVE: 1 - negative}
    return probabilities


def confusion_matrix(
    truth: Sequence[Hashable], predicted: Sequence[Hashable], labels: Sequence[Hashable]
) -> Counts:
    """Counts, labels × labels: texts of each true label (row) by predicted label (column).

    Raises ``ValueError`` where there are no texts, the lengths differ, or a label is unknown.

    >>> confusion_matrix(["a", "a", "b"], ["a", "b", "b"], ["a", "b"]).tolist()
    [[1, 1], [0, 1]]
    """
    cells = _cells(truth, predicted, labels)
    size = len(labels)
    return np.bincount(cells, minlength=size * size).reshape(size, size)


def f1_by_label(matrix: Counts | Values) -> Values:
    """F1 of each label, 2·hits / (true + predicted), as an array of (…, labels).

    ``matrix`` is (…, labels, labels). NaN for a label that the truth never has.
    """
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    true, predicted = matrix.sum(axis=-1), matrix.sum(axis=-2)
    f1: Values = np.full(hits.shape, np.nan)
    np.divide(2 * hits, true + predicted, out=f1, where=true > 0)
    return f1


def macro_f1(
    truth: Sequence[Hashable], predicted: Sequence[Hashable], labels: Sequence[Hashable]
) -> float:
    """The mean of the labels' F1, each counting the same.

    A label that the truth never has does not enter the mean; predicting it still costs, as a miss
    of the true one. Raises as `confusion_matrix` does.

    >>> macro_f1(["a", "a", "c", "c"], ["a", "b", "c", "c"], ["a", "b", "c"])  # (2/3 + 1) / 2
    0.8333333333333333
    """
    return float(_macro(confusion_matrix(truth, predicted, labels)))


def accuracy(matrix: Counts) -> float:
    """Share of right answers.

    >>> accuracy(confusion_matrix(["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "b"]))
    0.75
    """
    return float(np.trace(matrix) / matrix.sum())


def macro_f1_interval(
    truth: Sequence[Hashable],
    predicted: Sequence[Hashable],
    labels: Sequence[Hashable],
    texts: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
) -> tuple[float, float]:
    """Bootstrap percentile interval of `macro_f1` (Efron & Tibshirani 1993, chapter 13).

    Draws as many texts as there are, with replacement, `RESAMPLES` times; the ends are the
    quantiles that leave `LEVEL` between them. ``texts`` names the text of each answer: all
    answers about one text are drawn together, as they are not independent; without it each
    answer has its own. Raises as `confusion_matrix` does.

    Texts that count alike are interchangeable, so what is drawn is how many there are of each
    kind: a multinomial over the kinds, of which there are few.

    >>> macro_f1_interval(["a", "b"] * 50, ["a", "b"] * 50, ["a", "b"])
    (1.0, 1.0)
    """
    cells = _cells(truth, predicted, labels)
    by_text: defaultdict[Hashable, list[int]] = defaultdict(list)
    for text, cell in zip(range(len(cells)) if texts is None else texts, cells, strict=True):
        by_text[text].append(cell)
    kinds = sorted(Counter(tuple(sorted(own)) for own in by_text.values()).items())
    size = len(labels)
    counted = np.zeros((len(kinds), size * size))
    for row, (own, _) in zip(counted, kinds, strict=True):
        np.add.at(row, list(own), 1)
    shares = np.array([count for _, count in kinds]) / len(by_text)
    draws = np.random.default_rng(seed).multinomial(len(by_text), shares, size=RESAMPLES)
    resampled = (draws.astype(np.float64) @ counted).reshape(RESAMPLES, size, size)
    low, high = np.quantile(_macro(resampled), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Answers whose confidence is in (``low``, ``high``]: how sure, and how often right."""

    low: float
    high: float
    answers: int
    confidence: float
    accuracy: float


def reliability_bins(right: Sequence[bool], confidence: Sequence[float]) -> list[ReliabilityBin]:
    """The bins that hold answers, of `BINS` of equal width over (0, 1]; 0 is in the first.

    ``confidence`` is the probability of the answer given, the highest of its head.

    >>> [(one.answers, one.accuracy) for one in reliability_bins([True, False, True], [1, 1, 0.5])]
    [(1, 1.0), (2, 0.5)]
    """
    edges = np.linspace(0, 1, BINS + 1)
    hits, sure = np.array(right, dtype=bool), np.array(confidence, dtype=np.float64)
    number = np.digitize(sure, edges[1:-1], right=True)
    return [
        ReliabilityBin(
            low=float(edges[one]),
            high=float(edges[one + 1]),
            answers=int(inside.sum()),
            confidence=float(sure[inside].mean()),
            accuracy=float(hits[inside].mean()),
        )
        for one in np.unique(number)
        for inside in [number == one]
    ]


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """How far confidence and accuracy are apart: the mean over the bins, weighted by answers.

    In [0, 1]. Guo, Pleiss, Sun & Weinberger 2017, "On Calibration of Modern Neural Networks",
    equation 3, with their 15 bins of equal width of the confidence in the answer given.

    >>> round(expected_calibration_error(reliability_bins([True, False], [0.9, 0.9])), 3)
    0.4
    """
    answers = sum(one.answers for one in bins)
    return sum(one.answers / answers * abs(one.accuracy - one.confidence) for one in bins)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said of a labelled text; ``where`` is the text's file and line."""

    where: str
    source: str
    text: str
    institution: str | None
    truth: str
    predicted: str
    confidence: float


def worst_mistakes(answers: Sequence[Answer], number: int) -> list[Answer]:
    """The wrong answers of which the model was surest, surest first."""
    wrong = (answer for answer in answers if answer.predicted != answer.truth)
    return sorted(wrong, key=lambda answer: -answer.confidence)[:number]


@dataclass(frozen=True, slots=True)
class Measurement:
    """How good some answers are; of F1, confusion and reliability see the functions above."""

    answers: int
    macro_f1: float
    macro_f1_interval: tuple[float, float]
    accuracy: float
    calibration_error: float
    f1: dict[str, float | None]
    confusion: list[list[int]]
    reliability: list[ReliabilityBin]


@dataclass(frozen=True, slots=True)
class HeadReport:
    """How good a head is, by source and on everything. ``labels`` orders the confusion matrices."""

    head: str
    labels: tuple[str, ...]
    sources: dict[str, Measurement]
    overall: Measurement


def report_head(
    head: str, answers: Sequence[Answer], labels: Sequence[str], *, seed: int = 0
) -> HeadReport:
    """Measure the answers of a head. ``labels`` are the model's.

    True labels that the model does not have are put behind them; their texts are always a miss.
    """
    known = (*labels, *sorted({answer.truth for answer in answers} - set(labels)))
    by_source: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_source[answer.source].append(answer)
    return HeadReport(
        head=head,
        labels=known,
        sources={source: _measure(own, known, seed) for source, own in sorted(by_source.items())},
        overall=_measure(answers, known, seed),
    )


def _measure(answers: Sequence[Answer], labels: Sequence[str], seed: int) -> Measurement:
    truth = [answer.truth for answer in answers]
    predicted = [answer.predicted for answer in answers]
    matrix = confusion_matrix(truth, predicted, labels)
    bins = reliability_bins(
        [answer.truth == answer.predicted for answer in answers],
        [answer.confidence for answer in answers],
    )
    f1 = f1_by_label(matrix).tolist()
    texts = [answer.where for answer in answers]
    return Measurement(
        answers=len(answers),
        macro_f1=float(_macro(matrix)),
        macro_f1_interval=macro_f1_interval(truth, predicted, labels, texts, seed=seed),
        accuracy=accuracy(matrix),
        calibration_error=expected_calibration_error(bins),
        f1={
            label: value if any(row) else None
            for label, value, row in zip(labels, f1, matrix.tolist(), strict=True)
        },
        confusion=matrix.tolist(),
        reliability=bins,
    )


def _cells(
    truth: Sequence[Hashable], predicted: Sequence[Hashable], labels: Sequence[Hashable]
) -> list[int]:
    """The cell of each answer in its confusion matrix, counted along the rows."""
    if not truth:
        raise ValueError("no texts: nothing to measure")
    index = {label: number for number, label in enumerate(labels)}
    try:
        return [
            index[true] * len(labels) + index[said]
            for true, said in zip(truth, predicted, strict=True)
        ]
    except KeyError as error:
        raise ValueError(f"label {error} is none of {', '.join(map(str, labels))}") from None


def _macro(matrix: Counts | Values) -> Any:
    """Mean F1 over the labels that the truth has: (…, labels, labels) → (…)."""
    return np.nanmean(f1_by_label(matrix), axis=-1)
