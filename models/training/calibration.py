"""One temperature a head, so that .9 means nine in ten."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from wanglou.models.training.drawing import Item
from wanglou.models.training.predicting import by_head

LOWEST, HIGHEST = 0.25, 4.0
"""Temperatures beyond these would say that something else is wrong."""

STEPS = 40
"""Of the golden section: the temperature is then exact to ten digits."""

_GOLDEN = (5**0.5 - 1) / 2


def temperatures(logits: Tensor, items: Sequence[Item]) -> dict[str, float]:
    """The temperature of each head that makes the labels of ``items`` likeliest, 1 without labels.

    ``logits`` are items × labels of all heads. Logits are divided by it (Guo et al. 2017).
    """
    return {
        head: round(_fit(rows, [item.labels.get(head) for item in items]), 4)
        for head, rows in by_head(logits).items()
    }


def _fit(logits: Tensor, labels: Sequence[int | None]) -> float:
    known = [number for number, label in enumerate(labels) if label is not None]
    if not known:
        return 1.0
    rows = logits[known].double()
    truth = torch.tensor([label for label in labels if label is not None])

    def loss(log_temperature: float) -> float:
        return float(cross_entropy(rows / exp(log_temperature), truth))

    low, high = log(LOWEST), log(HIGHEST)  # the loss has one valley in log temperature
    for _ in range(STEPS):
        width = (high - low) * _GOLDEN
        if loss(high - width) < loss(low + width):
            high = low + width
        else:
            low = high - width
    return exp((low + high) / 2)
