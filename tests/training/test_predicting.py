from __future__ import annotations

import torch

from tests.training.builders import items, network
from wanglou.models.network import HEADS
from wanglou.models.training.predicting import BATCH, by_head, predict

CPU = torch.device("cpu")
ITEMS = items(2 * BATCH + 5)


def test_rows_come_in_the_order_of_the_items() -> None:
    net = network()
    together = predict(net, ITEMS, CPU, 2)
    for number in (0, 7, len(ITEMS) - 1):
        alone = predict(net, [ITEMS[number]], CPU, 1)
        torch.testing.assert_close(together[number], alone[0], rtol=0.05, atol=0.05)
    assert len(together.unique(dim=0)) == len(ITEMS)


def test_threads_and_dropout_change_nothing() -> None:
    net = network()
    expected = predict(net, ITEMS, CPU, 1)
    assert torch.equal(predict(net.train(), ITEMS, CPU, 3), expected)
    assert expected.dtype == torch.float32
    assert not expected.requires_grad


def test_progress_is_told_of_every_item() -> None:
    told: list[int] = []
    predict(network(), ITEMS, CPU, 2, told.append)
    assert sum(told) == len(ITEMS)
    assert len(told) == 3


def test_nothing_to_predict() -> None:
    assert predict(network(), [], CPU, 1).shape == (0, sum(map(len, HEADS.values())))


def test_heads_get_their_columns_in_order() -> None:
    columns = torch.arange(sum(map(len, HEADS.values())))[None]
    split = by_head(columns)
    assert list(split) == list(HEADS)
    assert torch.equal(torch.cat(list(split.values()), dim=1), columns)
    assert all(split[head].shape == (1, len(labels)) for head, labels in HEADS.items())
