from __future__ import annotations

from math import exp, log, nan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.training.builders import even_weights, item, items
from wanglou.models.network import HEADS, INSTITUTION_NEGATIVE, POLARITY
from wanglou.models.training.objective import NEUTRAL, hard_loss, soft_loss
from wanglou.models.training.predicting import by_head

WIDTH = sum(map(len, HEADS.values()))
SEEDS = st.integers(0, 10**6)


def drawn_logits(texts: int, seed: int = 1) -> dict[str, Tensor]:
    """Random logits of all heads, which want a gradient."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(texts, WIDTH, generator=generator) * 3
    return {head: row.clone().requires_grad_() for head, row in by_head(rows).items()}


@given(SEEDS, st.floats(0, 0.9), st.integers(1, 8))
def test_plain_loss_is_torchs_cross_entropy(seed: int, smoothing: float, texts: int) -> None:
    rows, logits = items(texts, seed), drawn_logits(texts, seed)
    expected = sum(
        cross_entropy(
            values,
            torch.tensor([row.labels[head] for row in rows]),
            label_smoothing=smoothing,
            reduction="sum",
        )
        for head, values in logits.items()
    )
    loss = hard_loss(logits, rows, even_weights(rows), smoothing)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)  # type: ignore[union-attr]


def test_each_text_weighs_by_its_source_and_label() -> None:
    rows = [
        item({POLARITY: 0}),
        item({POLARITY: 2}),
        item({POLARITY: 0}, source="微博"),
    ]
    keys = [("论坛", POLARITY, 0), ("论坛", POLARITY, 2), ("微博", POLARITY, 0)]
    weights = dict(zip(keys, (0.5, 2.0, 3.0), strict=True))
    logits = drawn_logits(3)
    single = cross_entropy(logits[POLARITY], torch.tensor([0, 2, 0]), reduction="none")
    expected = single @ torch.tensor([0.5, 2.0, 3.0])
    assert hard_loss(logits, rows, weights, 0).item() == pytest.approx(expected.item(), rel=1e-6)


@given(SEEDS, st.floats(0, 0.9), st.sampled_from([0, 2]))
def test_two_class_text_says_nothing_about_neutral(seed: int, smoothing: float, label: int) -> None:
    rows, logits = [item({POLARITY: label}, two_class=True)], drawn_logits(1, seed)
    loss = hard_loss(logits, rows, even_weights(rows), smoothing)
    two = cross_entropy(
        logits[POLARITY][:, [0, 2]], torch.tensor([label // 2]), label_smoothing=smoothing
    )
    assert loss.item() == pytest.approx(two.item(), rel=1e-5, abs=1e-5)
    loss.backward()
    gradient = logits[POLARITY].grad
    assert gradient is not None
    assert gradient[0, NEUTRAL] == 0
    assert gradient.sum().item() == pytest.approx(0, abs=1e-5)


def test_two_class_text_leaves_others_of_its_batch_alone() -> None:
    logits = drawn_logits(2)
    rows = [item({POLARITY: 0}, two_class=True), item({POLARITY: 1})]
    weights = even_weights(rows)
    hard_loss(logits, rows, weights, 0.1).backward()
    alone = drawn_logits(2)
    hard_loss(alone, [item(), rows[1]], weights, 0.1).backward()
    assert torch.equal(logits[POLARITY].grad[1], alone[POLARITY].grad[1])  # type: ignore[index]


def test_two_class_text_learns_its_other_heads_as_any() -> None:
    logits, rows = drawn_logits(1), [item({INSTITUTION_NEGATIVE: 1}, two_class=True)]
    expected = cross_entropy(logits[INSTITUTION_NEGATIVE], torch.tensor([1]))
    loss = hard_loss(logits, rows, even_weights(rows), 0)
    assert loss.item() == pytest.approx(expected.item())


def test_texts_without_label_give_nothing() -> None:
    assert hard_loss(drawn_logits(2), [item(), item()], {}, 0.1) == 0
    logits, rows = drawn_logits(2), [item(), item({POLARITY: 1})]
    hard_loss(logits, rows, even_weights(rows), 0.1).backward()
    gradient = logits[POLARITY].grad
    assert gradient is not None
    assert not gradient[0].any()
    assert gradient[1].any()
    assert all(logits[head].grad is None for head in HEADS if head != POLARITY)


@given(SEEDS, st.floats(1, 10))
def test_equal_logits_have_no_soft_loss(seed: int, temperature: float) -> None:
    logits = drawn_logits(3, seed)
    soft = torch.cat(list(logits.values()), dim=1).detach() + 5  # a shift says nothing
    assert soft_loss(logits, soft, temperature).item() == pytest.approx(0, abs=1e-3)


def test_soft_loss_is_the_divergence_from_the_teacher() -> None:
    logits = {head: torch.zeros(1, len(labels)) for head, labels in HEADS.items()}
    logits[POLARITY] = torch.tensor([[0.0, 0.0, 2 * log(2)]])  # student at 2: 1/4 1/4 1/2
    soft = torch.zeros(1, WIDTH)
    soft[0, :3] = torch.tensor([2 * log(3), 0.0, 0.0])  # teacher at 2: 3/5 1/5 1/5
    teacher, student = (3 / 5, 1 / 5, 1 / 5), (1 / 4, 1 / 4, 1 / 2)
    divergence = sum(p * log(p / q) for p, q in zip(teacher, student, strict=True))
    assert soft_loss(logits, soft, 2).item() == pytest.approx(4 * divergence, rel=1e-5)


def test_nothing_is_learned_where_the_teacher_knows_nothing() -> None:
    logits = drawn_logits(2)
    soft = torch.cat(list(drawn_logits(2, 5).values()), dim=1).detach()
    of_first = soft_loss({head: rows[:1] for head, rows in logits.items()}, soft[:1], 2).item()
    of_polarity = soft_loss(logits, soft, 2)
    soft[1:] = nan
    assert soft_loss(logits, soft, 2).item() == pytest.approx(of_first)
    by_head(soft)[POLARITY].fill_(nan)
    loss = soft_loss(logits, soft, 2)
    assert 0 < loss.item() < of_polarity.item()
    loss.backward()  # type: ignore[no-untyped-call]  # of torch
    assert logits[POLARITY].grad is not None
    assert not logits[POLARITY].grad.any()


@given(SEEDS, SEEDS, st.floats(1, 10))
def test_soft_loss_sums_over_texts_and_heads(seed: int, other: int, temperature: float) -> None:
    logits = drawn_logits(3, seed)
    soft = torch.cat(list(drawn_logits(3, other).values()), dim=1).detach()
    expected = 0.0
    for head, teacher in by_head(soft).items():
        for left, right in zip(logits[head].tolist(), teacher.tolist(), strict=True):
            student, truth = ([exp(one / temperature) for one in side] for side in (left, right))
            expected += temperature**2 * sum(
                p / sum(truth) * log((p / sum(truth)) / (q / sum(student)))
                for p, q in zip(truth, student, strict=True)
            )
    loss = soft_loss(logits, soft, temperature).item()
    assert loss == pytest.approx(expected, rel=1e-3, abs=1e-3)
