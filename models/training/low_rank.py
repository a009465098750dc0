"""Training an adapter: the encoder's weights stay, low-rank changes of them and the heads learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wanglou.models.adapter import DOWN, UP
from wanglou.models.network import OpinionNetwork

SCALE = 2.0
"""Factor on the changes (LoRA's α / r)."""


class LowRankLinear(nn.Module):
    """A linear layer that stays as it is, and a change that learns; at first there is none."""

    def __init__(self, base: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base
        spread = base.in_features**-0.5
        down = torch.randn(rank, base.in_features, generator=generator) * spread
        self.down = nn.Parameter(down)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, states: Tensor) -> Tensor:
        """Of texts × pieces × width."""
        changed: Tensor = self.base(states) + (states @ self.down.T) @ self.up.T * SCALE
        return changed


def adapt(network: OpinionNetwork, rank: int, seed: int) -> None:
    """Let a network learn changes of this rank to the layers of its encoder, and its heads."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.bert.parameters():
        parameter.requires_grad_(False)
    places = [
        (parent, name, child)
        for parent in network.bert.encoder.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear)
    ]
    for parent, name, child in places:
        setattr(parent, name, LowRankLinear(child, rank, generator))


def adapter_of(network: OpinionNetwork) -> dict[str, Tensor]:
    """What the adapted network learned, as `merge_adapter` reads it, in half precision."""
    tensors: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if isinstance(module, LowRankLinear):
            tensors[name + DOWN], tensors[name + UP] = module.down, module.up * SCALE
    tensors |= {f"heads.{name}": tensor for name, tensor in network.heads.named_parameters()}
    return {name: tensor.detach().cpu().half().contiguous() for name, tensor in tensors.items()}
