from __future__ import annotations

import pytest
import torch

from tests.training.builders import BANK, FILLING, network, recipe
from wanglou.models.network import EMOTION, EVENT_TYPE, INSTITUTION_NEGATIVE, POLARITY
from wanglou.models.network import OpinionNetwork as Network
from wanglou.models.pieces import PieceEncoder
from wanglou.models.training.example import Example
from wanglou.models.training.measuring import FEWEST, HeldOut


@pytest.fixture
def constant() -> Network:
    """A network that answers every question with label 1."""
    net = network()
    with torch.no_grad():
        for head in net.heads.values():
            head.weight.zero_()
            head.bias.zero_()
            head.bias[1] = 5
    return net


def held_out(pieces: PieceEncoder, examples: list[Example]) -> HeldOut:
    return HeldOut(examples, pieces, recipe(), torch.device("cpu"), 1)


def test_figures_are_by_head_and_source(pieces: PieceEncoder, constant: Network) -> None:
    examples = [
        Example(FILLING, "论坛", {POLARITY: int(number < 30), EMOTION: 1}) for number in range(40)
    ]
    examples += [Example(FILLING, "微博", {POLARITY: 2})] * 50
    figures = held_out(pieces, examples).figures(constant)
    # of 论坛 30 of 40 are 1: F1 of that label is 2·30/(30+40)
    assert figures == {
        (EMOTION, "论坛"): (40, 1, 1),
        (POLARITY, "微博"): (50, 0, 0),
        (POLARITY, "论坛"): (40, pytest.approx(6 / 7 / 2), 0.75),
    }


def test_event_of_an_institution_is_measured_with_and_without_its_mark(
    pieces: PieceEncoder, constant: Network
) -> None:
    labels = {EVENT_TYPE: 1, INSTITUTION_NEGATIVE: 1}
    figures = held_out(pieces, [Example(BANK, "新闻", labels, BANK)] * 30).figures(constant)
    assert set(figures) == {
        (EVENT_TYPE, "新闻"),
        (EVENT_TYPE, "新闻, marked"),
        (INSTITUTION_NEGATIVE, "新闻, marked"),
    }


def test_few_texts_are_not_shown(pieces: PieceEncoder, constant: Network) -> None:
    rows = [Example(FILLING, "论坛", {POLARITY: 1})] * FEWEST
    assert held_out(pieces, rows[1:]).figures(constant) == {}
    assert len(held_out(pieces, rows).figures(constant)) == 1


def test_table_has_a_row_a_figure(pieces: PieceEncoder, constant: Network) -> None:
    rows = [Example(FILLING, source, {POLARITY: 1}) for source in ("论坛", "微博")] * FEWEST
    table = held_out(pieces, rows).table(constant, "第一轮")
    assert table.title == "第一轮"
    assert table.row_count == 2
    assert held_out(pieces, []).table(constant, "").row_count == 0
