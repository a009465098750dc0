from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.training.builders import even_weights, item
from wanglou.models.network import EMOTION, INSTITUTION_NEGATIVE, POLARITY
from wanglou.models.ngrams import PAIRS, NgramTerm
from wanglou.models.pieces import stack
from wanglou.models.training.drawing import Item, padded_length
from wanglou.models.training.ngram_fit import CHUNK, fit_ngrams, ngram_matrix

PIECES = 12
BAD, PLAIN, GOOD = 4, 5, 6
SHIFTED = {BAD: 0, PLAIN: 1, GOOD: 2}


def texts(head: str = POLARITY, count: int = 30) -> list[Item]:
    """One piece decides the label, two others say nothing."""
    return [
        item({head: label}, pieces=(8 + number % 3, piece, 9))
        for number in range(count)
        for piece, label in SHIFTED.items()
    ]


def answers(weights: Tensor, rows: list[Item], head: str = POLARITY) -> list[int]:
    inputs = stack([row.window for row in rows], padded_length(rows))
    said = NgramTerm({head: weights})(inputs["input_ids"], inputs["attention_mask"])
    return [int(label) for label in said[head].argmax(dim=1)]


def fit(rows: list[Item], head: str = POLARITY) -> Tensor:
    return fit_ngrams(rows, head, even_weights(rows), PIECES)


def test_it_learns_which_piece_decides() -> None:
    weights = fit(texts())
    unseen = [item(pieces=(10, piece, 11)) for piece in SHIFTED]
    assert answers(weights, unseen) == [0, 1, 2]


def test_it_learns_from_the_order_of_neighbours() -> None:
    rows = [item({POLARITY: 0}, pieces=(4, 5)), item({POLARITY: 2}, pieces=(5, 4))] * 30
    assert answers(fit(rows), rows[:2]) == [0, 2]


@pytest.mark.parametrize(
    "other",
    [
        item({POLARITY: 2}, pieces=(8, BAD, 9), two_class=True),
        item({POLARITY: 2}, pieces=(8, BAD, 9), institution="和兴银行"),
        item({EMOTION: 2}, pieces=(8, BAD, 9)),
        item({}, pieces=(8, BAD, 9)),
    ],
    ids=["two classes", "marked as well as not", "another head", "no label"],
)
def test_it_learns_nothing_from(other: Item) -> None:
    rows = texts(count=3)
    torch.testing.assert_close(fit([*rows, *[other] * 50]), fit(rows))


def test_the_weights_of_the_loss_decide_what_a_doubtful_piece_means() -> None:
    rows = [
        item({POLARITY: 0}, pieces=(BAD,), source="论坛"),
        item({POLARITY: 2}, pieces=(BAD,), source="银行"),
    ] * 20
    for heavy, label in (("论坛", 0), ("银行", 2)):
        weights = {key: 5.0 if key[0] == heavy else 1.0 for key in even_weights(rows)}
        assert answers(fit_ngrams(rows, POLARITY, weights, PIECES), rows[:1]) == [label]


def test_two_labels_of_many_leave_the_rest_at_nothing() -> None:
    rows = [one for one in texts(EMOTION) if one.labels[EMOTION] != 1]
    weights = fit(rows, EMOTION)
    assert answers(weights, [item(pieces=(10, BAD)), item(pieces=(10, GOOD))], EMOTION) == [0, 2]
    assert not weights[:, [1, 3, 4, 5]].any()


@pytest.mark.parametrize("labels", [[], [1]])
def test_a_head_with_nothing_to_tell_apart_adds_nothing(labels: list[int]) -> None:
    rows = [item({INSTITUTION_NEGATIVE: label}) for label in labels] * 5
    weights = fit(rows, INSTITUTION_NEGATIVE)
    assert weights.shape == (PIECES + PAIRS, 2)
    assert not weights.any()


def test_the_matrix_of_many_chunks_is_that_of_each_text() -> None:
    rows = [item(pieces=[4 + number % 7] * (1 + number % 5)) for number in range(CHUNK + 3)]
    whole = ngram_matrix(rows, PIECES)
    for number in (0, 4, CHUNK - 1, CHUNK, CHUNK + 2):
        alone = ngram_matrix([rows[number]], PIECES)
        assert abs(whole[number] - alone).max() < 1e-6
