"""Logits of many items at once, for measuring, calibrating and labelling softly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from wanglou.models.network import HEADS
from wanglou.models.pieces import stack
from wanglou.models.precision import fast_autocast
from wanglou.models.training.drawing import Item, padded_length

BATCH = 32


def predict(
    network: nn.Module,
    items: Sequence[Item],
    device: torch.device,
    threads: int,
    advance: Callable[[int], None] = lambda _: None,
) -> Tensor:
    """Logits of all heads side by side, items × labels, in float32 on the CPU.

    ``advance`` is told of each batch how many items it had.
    """
    order = sorted(range(len(items)), key=lambda number: len(items[number].window.ids))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    result = torch.empty(len(items), sum(map(len, HEADS.values())))

    def forward(numbers: list[int]) -> Tensor:
        chosen = [items[number] for number in numbers]
        inputs = stack([item.window for item in chosen], padded_length(chosen))
        with torch.inference_mode(), fast_autocast(device):
            logits = network(**{name: tensor.to(device) for name, tensor in inputs.items()})
        return torch.cat([logits[head].float().cpu() for head in HEADS], dim=1)

    network.eval()
    with ThreadPoolExecutor(threads) as pool:
        for numbers, rows in zip(batches, pool.map(forward, batches), strict=True):
            result[numbers] = rows
            advance(len(numbers))
    return result


def by_head(logits: Tensor) -> dict[str, Tensor]:
    """Split the columns of `predict` by head."""
    sizes = [len(labels) for labels in HEADS.values()]
    return dict(zip(HEADS, logits.split(sizes, dim=1), strict=True))
