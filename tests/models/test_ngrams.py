from __future__ import annotations

from math import exp, sqrt
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.models.tiny_model import KNOWN, SPECIAL, save_model
from wanglou.models.network import EMOTION, HEADS, POLARITY, load_network
from wanglou.models.ngrams import (
    NGRAMS,
    PAIRS,
    NgramTerm,
    load_model,
    load_ngrams,
    ngrams,
    save_ngrams,
)
from wanglou.models.opinion import ModelError
from wanglou.models.pieces import Pieces, stack

PIECES = 10
VOCABULARY = len(SPECIAL) + len(KNOWN)


def batch(*texts: list[int], length: int = 8) -> dict[str, Tensor]:
    return stack([Pieces(ids, [0] * len(ids)) for ids in texts], length)


def listed(ids: list[int], length: int = 8) -> dict[int, float]:
    """The rows of a text that count, with the sum of their values."""
    inputs = batch(ids, length=length)
    rows, values = ngrams(inputs["input_ids"], inputs["attention_mask"], PIECES)
    sums: dict[int, float] = {}
    for row, value in zip(rows[0].tolist(), values[0].tolist(), strict=True):
        if value:
            sums[row] = sums.get(row, 0.0) + value
    return sums


def weights(seed: int = 1, *heads: str) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {head: torch.randn(PIECES + PAIRS, len(HEADS[head])) for head in heads or (POLARITY,)}


def test_a_text_has_its_pieces_and_its_pairs_of_neighbours() -> None:
    rows = listed([5, 6])  # with <s> 0 and </s> 2: four pieces, three pairs
    assert {row for row in rows if row < PIECES} == {0, 5, 6, 2}
    assert len([row for row in rows if row >= PIECES]) == 3
    assert list(rows.values()) == pytest.approx([1 / sqrt(7)] * 7)


def test_what_stands_twice_counts_twice() -> None:
    rows = listed([5, 5, 5])
    assert rows[5] == pytest.approx(3 / sqrt(9))


def test_the_order_of_two_pieces_makes_another_pair() -> None:
    first, second = listed([5, 6]), listed([6, 5])
    assert len(first.keys() - second.keys()) == len(second.keys() - first.keys()) == 3


def test_pairs_share_rows_no_more_than_by_chance() -> None:
    ids = torch.cartesian_prod(torch.arange(100), torch.arange(100, 200))
    rows, _ = ngrams(ids, torch.ones_like(ids), 200)
    pairs = rows[:, 2]
    assert int(pairs.min()) >= 200
    assert int(pairs.max()) < 200 + PAIRS
    # Of n balls in m boxes, m (1 − e^(−n / m)) boxes are hit.
    assert len(pairs.unique()) > 0.98 * PAIRS * (1 - exp(-len(ids) / PAIRS))


def test_padding_and_company_change_nothing() -> None:
    term = NgramTerm(weights())
    alone = batch([5, 6, 7], length=5)
    filled = batch([5, 6, 7], [8], [], length=12)
    said = term(alone["input_ids"], alone["attention_mask"])[POLARITY][0]
    again = term(filled["input_ids"], filled["attention_mask"])[POLARITY][0]
    torch.testing.assert_close(said, again)


def test_the_term_is_the_sum_of_the_weights_over_the_root_of_their_number() -> None:
    table = torch.zeros(PIECES + PAIRS, 3)
    table[5], table[6] = torch.tensor([1.0, 0, 0]), torch.tensor([0, 2.0, 0])
    inputs = batch([5, 6, 6])
    said = NgramTerm({POLARITY: table})(inputs["input_ids"], inputs["attention_mask"])
    torch.testing.assert_close(said[POLARITY][0], torch.tensor([1.0, 4.0, 0]) / 3)


def test_heads_come_back_from_the_folder_each_with_its_own(tmp_path: Path) -> None:
    made = weights(1, EMOTION, POLARITY)
    save_ngrams(tmp_path, made)
    inputs = batch([5, 6, 7])
    expected = NgramTerm({head: rows.half() for head, rows in made.items()})
    said = load_ngrams(tmp_path, PIECES)(inputs["input_ids"], inputs["attention_mask"])
    assert said.keys() == {POLARITY, EMOTION}
    for head, values in expected(inputs["input_ids"], inputs["attention_mask"]).items():
        torch.testing.assert_close(said[head], values)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_model_says_the_sum_of_both(tmp_path: Path, precision: torch.dtype) -> None:
    folder = save_model(tmp_path)
    inputs = batch([4, 5, 6], [7, 8])
    with torch.inference_mode():
        deep = load_network(folder, precision)(**inputs)
        wide = load_ngrams(folder, VOCABULARY)(inputs["input_ids"], inputs["attention_mask"])
        both = load_model(folder, precision)(**inputs)
    for head in HEADS:
        torch.testing.assert_close(
            both[head], deep[head] + wide[head] if head in wide else deep[head]
        )
    assert both[POLARITY].dtype == torch.float32


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (
            {"mood": torch.zeros(VOCABULARY + PAIRS, 3)},
            f"mood is {VOCABULARY + PAIRS} × 3: not a head",
        ),
        ({POLARITY: torch.zeros(VOCABULARY + PAIRS, 2)}, f"polarity is {VOCABULARY + PAIRS} × 2"),
        ({POLARITY: torch.zeros(PAIRS, 3)}, f"or not {VOCABULARY} pieces and {PAIRS} pairs"),
    ],
)
def test_a_file_of_another_model_is_named(
    tmp_path: Path, weights: dict[str, Tensor], problem: str
) -> None:
    folder = save_model(tmp_path)
    save_ngrams(folder, weights)
    with pytest.raises(ModelError, match=rf"{NGRAMS}: .*{problem}"):
        load_model(folder, torch.float32)
