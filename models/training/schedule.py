"""Rates: by layer and by step."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from wanglou.models.network import OpinionNetwork

WARMUP_SHARE = 0.06
"""Share of the steps over which the rate climbs, while the new heads are still random."""

WEIGHT_DECAY = 0.01
"""AdamW's decay of weight matrices; biases and normalisation are left alone."""


def rate_at(step: int, steps: int) -> float:
    """Factor on the rate: linear up over `WARMUP_SHARE`, then linear down to 0.

    >>> [round(rate_at(step, 100), 2) for step in (0, 5, 53, 100)]
    [0.17, 1.0, 0.5, 0.0]
    """
    warmup = max(1, round(steps * WARMUP_SHARE))
    return min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))


def parameter_groups(
    network: OpinionNetwork, learning_rate: float, layer_decay: float
) -> list[dict[str, Any]]:
    """AdamW groups: the rate falls by ``layer_decay`` a layer from the heads down."""
    depth = network.config.num_hidden_layers
    groups: dict[tuple[int, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith("bert.embeddings"):
            height = 0
        elif name.startswith("bert.encoder.layer."):
            height = int(name.split(".")[3]) + 1
        else:
            height = depth + 1
        groups.setdefault((depth + 1 - height, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": (rate := learning_rate * layer_decay**below),
            "peak": rate,
            "weight_decay": WEIGHT_DECAY if is_matrix else 0.0,
        }
        for (below, is_matrix), parameters in groups.items()
    ]
