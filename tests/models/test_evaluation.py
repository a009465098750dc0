from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import f1_score

from wanglou.models.evaluation import (
    Answer,
    accuracy,
    confusion_matrix,
    expected_calibration_error,
    f1_by_label,
    macro_f1,
    macro_f1_interval,
    probabilities_by_head,
    reliability_bins,
    report_head,
    worst_mistakes,
)
from wanglou.models.opinion import Opinion
from wanglou.schemas.mention import EmotionProbabilities, PolarityProbabilities

LABELS = ["a", "b", "c", "d"]
PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1)


def answer(truth: str, predicted: str, confidence: float = 0.9, **fields: str) -> Answer:
    named = {"where": "f:1", "source": "f", "text": "字", "institution": None, **fields}
    return Answer(truth=truth, predicted=predicted, confidence=confidence, **named)


def drawn(texts: int, labels: int, right: float) -> tuple[list[int], list[int]]:
    """True and predicted labels of texts, of which about a share is right."""
    generator = np.random.default_rng(7)
    truth = generator.integers(0, labels, texts)
    other = generator.integers(0, labels, texts)
    return truth.tolist(), np.where(generator.random(texts) < right, truth, other).tolist()


def test_confusion_matrix_counts_true_rows_and_predicted_columns() -> None:
    matrix = confusion_matrix(list("aabbbc"), list("abbbca"), list("abc"))
    assert matrix.tolist() == [[1, 1, 0], [0, 2, 1], [1, 0, 0]]
    assert accuracy(matrix) == pytest.approx(3 / 6)


def test_f1_of_a_label_is_the_harmonic_mean_of_precision_and_recall() -> None:
    # a: 1 hit, 2 true, 2 predicted; b: 2 hits, 3 true, 3 predicted; c: no hit of 1
    f1 = f1_by_label(confusion_matrix(list("aabbbc"), list("abbbca"), list("abc")))
    assert f1 == pytest.approx([1 / 2, 2 / 3, 0])
    assert macro_f1(list("aabbbc"), list("abbbca"), list("abc")) == pytest.approx(7 / 18)


def test_a_label_that_the_truth_never_has_is_not_in_the_mean_but_costs_a_miss() -> None:
    f1 = f1_by_label(confusion_matrix(list("aabb"), list("acbb"), list("abc")))
    assert f1 == pytest.approx([2 / 3, 1, np.nan], nan_ok=True)
    assert macro_f1(list("aabb"), list("acbb"), list("abc")) == pytest.approx(5 / 6)


@given(PAIRS)
def test_the_figures_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = [one for one, _ in pairs], [one for _, one in pairs]
    matrix = confusion_matrix(truth, predicted, LABELS)
    assert matrix.tolist() == sklearn_confusion(truth, predicted, labels=LABELS).tolist()
    present = sorted(set(truth))
    options = {"labels": present, "zero_division": 0}
    expected = f1_score(truth, predicted, average="macro", **options)
    assert macro_f1(truth, predicted, LABELS) == pytest.approx(expected)
    by_label = f1_by_label(matrix)[[LABELS.index(label) for label in present]]
    assert by_label == pytest.approx(f1_score(truth, predicted, average=None, **options))


@pytest.mark.parametrize(
    ("truth", "predicted", "says"),
    [
        ([], [], "no texts"),
        (["a"], ["x"], "label 'x' is none of a, b"),
        (["x"], ["a"], "label 'x' is none of a, b"),
        (["a", "b"], ["a"], "shorter"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    truth: list[str], predicted: list[str], says: str
) -> None:
    for measure in (confusion_matrix, macro_f1, macro_f1_interval):
        with pytest.raises(ValueError, match=says):
            measure(truth, predicted, ["a", "b"])


def resampled_one_by_one(
    truth: list[int], predicted: list[int], texts: list[int]
) -> tuple[float, float]:
    """The same interval by drawing texts in a loop, with scikit-learn's F1."""
    generator = np.random.default_rng(1)
    true, said, text = np.array(truth), np.array(predicted), np.array(texts)
    rows = [np.flatnonzero(text == one) for one in np.unique(text)]
    scores = []
    for _ in range(400):
        chosen = np.concatenate([rows[one] for one in generator.integers(0, len(rows), len(rows))])
        labels = np.unique(true[chosen])
        scores.append(f1_score(true[chosen], said[chosen], labels=labels, average="macro"))
    low, high = np.quantile(scores, [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.parametrize("texts", [list(range(300)), [one // 5 for one in range(300)]])
def test_the_interval_is_that_of_texts_drawn_one_by_one(texts: list[int]) -> None:
    truth, predicted = drawn(300, 3, 0.6)
    interval = macro_f1_interval(truth, predicted, [0, 1, 2], texts)
    assert interval == pytest.approx(resampled_one_by_one(truth, predicted, texts), abs=0.02)
    assert interval[0] < macro_f1(truth, predicted, [0, 1, 2]) < interval[1]


def test_a_text_that_asks_often_makes_the_interval_no_narrower() -> None:
    truth, predicted = drawn(200, 2, 0.5)
    once = macro_f1_interval(truth, predicted, [0, 1])
    texts = [*range(200), *range(200), *range(200)]
    assert macro_f1_interval(truth * 3, predicted * 3, [0, 1], texts) == pytest.approx(once)


def test_the_interval_depends_on_the_seed_and_on_nothing_else() -> None:
    truth, predicted = drawn(500, 3, 0.7)
    first = macro_f1_interval(truth, predicted, [0, 1, 2], seed=1)
    assert macro_f1_interval(truth[::-1], predicted[::-1], [0, 1, 2], seed=1) == first
    assert macro_f1_interval(truth, predicted, [0, 1, 2], seed=2) != first


def test_the_interval_of_twenty_thousand_texts_takes_no_time() -> None:
    truth, predicted = drawn(20_000, 22, 0.7)
    started = time.process_time()
    macro_f1_interval(truth, predicted, range(22))
    assert time.process_time() - started < 5  # a fortieth of it where the machine is idle


def test_bins_are_fifteenths_closed_above() -> None:
    bins = reliability_bins([True, False, True, True], [0.0, 1 / 15, 0.07, 1.0])
    assert [one.answers for one in bins] == [2, 1, 1]
    assert [(one.low, one.high) for one in bins] == [
        pytest.approx((0, 1 / 15)),
        pytest.approx((1 / 15, 2 / 15)),
        pytest.approx((14 / 15, 1)),
    ]
    assert bins[0].confidence == pytest.approx(1 / 30)
    assert [one.accuracy for one in bins] == [0.5, 1, 1]


def test_calibration_error_is_the_mean_gap_weighted_by_answers() -> None:
    # 3 answers of .9, of which 2 right: gap .9 - 2/3; 1 answer of .5, right: gap .5
    bins = reliability_bins([True, True, False, True], [0.9, 0.9, 0.9, 0.5])
    assert expected_calibration_error(bins) == pytest.approx(0.75 * (0.9 - 2 / 3) + 0.25 * 0.5)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1))
def test_every_answer_is_in_one_bin(answers: list[tuple[bool, float]]) -> None:
    bins = reliability_bins([right for right, _ in answers], [sure for _, sure in answers])
    assert sum(one.answers for one in bins) == len(answers)
    assert all(one.low <= one.confidence <= one.high + 1e-12 for one in bins)
    assert 0 <= expected_calibration_error(bins) <= 1


def test_the_worst_mistakes_are_those_of_which_the_model_was_surest() -> None:
    answers = [
        answer("a", "b", 0.6, text="1"),
        answer("a", "a", 0.99, text="2"),
        answer("b", "a", 0.9, text="3"),
        answer("b", "a", 0.6, text="4"),
    ]
    assert [one.text for one in worst_mistakes(answers, 2)] == ["3", "1"]
    assert [one.text for one in worst_mistakes(answers, 9)] == ["3", "1", "4"]


def test_a_head_is_measured_by_source_and_as_a_whole() -> None:
    answers = [
        answer("a", "a", 0.8, source="y"),
        answer("a", "b", 0.8, source="y"),
        answer("b", "b", 0.8, source="x"),
        answer("new", "b", 0.8, source="x"),
    ]
    report = report_head("polarity", answers, ["a", "b", "c"])
    assert report.labels == ("a", "b", "c", "new")
    assert list(report.sources) == ["x", "y"]
    y, everything = report.sources["y"], report.overall
    assert (y.answers, y.accuracy, y.macro_f1) == (2, 0.5, pytest.approx(2 / 3))
    assert y.f1 == {"a": pytest.approx(2 / 3), "b": None, "c": None, "new": None}
    assert y.calibration_error == pytest.approx(0.3)
    assert everything.answers == 4
    assert everything.f1 == {"a": pytest.approx(2 / 3), "b": 0.5, "c": None, "new": 0}
    assert everything.confusion == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert everything.macro_f1_interval[0] <= everything.macro_f1


def test_an_opinion_answers_each_head_it_was_asked() -> None:
    emotion = {"happy": 0.1, "angry": 0.5, "sad": 0.1, "fear": 0.1, "surprise": 0.1, "neutral": 0.1}
    opinion = Opinion(
        polarity=PolarityProbabilities(negative=0.7, neutral=0.2, positive=0.1),
        emotion=EmotionProbabilities(**emotion),
        event_type={"其他": 0.4, "提现困难": 0.6},
        institution_negative=0.25,
    )
    assert probabilities_by_head(opinion) == {
        "polarity": {"negative": 0.7, "neutral": 0.2, "positive": 0.1},
        "emotion": emotion,
        "event_type": {"其他": 0.4, "提现困难": 0.6},
        "institution_negative": {"true": 0.25, "false": 0.75},
    }
    silent = Opinion(opinion.polarity, opinion.emotion, opinion.event_type, None)
    assert "institution_negative" not in probabilities_by_head(silent)
