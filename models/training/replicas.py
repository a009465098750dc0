"""Forward and backward on several cores at once: one replica of the network a core.

The threads of one forward wait for each other; replicas that share the weights, each with a part of
the batch, do not.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor, nn

from wanglou.models.network import OpinionNetwork

T = TypeVar("T")


class SeededDropout(nn.Module):
    """Dropout with a random generator of its own, so that threads do not draw from one stream.

    The probability is rounded to a 256th.
    """

    def __init__(self, probability: float, seed: int, device: torch.device) -> None:
        super().__init__()
        self._dropped = round(probability * 256)
        self.generator = torch.Generator(device).manual_seed(seed)

    def forward(self, states: Tensor) -> Tensor:
        """Scale and zero at random when training, else the same."""
        if not self.training or not self._dropped:
            return states
        # One draw decides about eight numbers: drawing each takes a tenth of a step.
        draws = torch.empty(-(-states.numel() // 8), dtype=torch.int64, device=states.device)
        random_bytes = draws.random_(-(2**63), None, generator=self.generator).view(torch.uint8)
        kept = (random_bytes[: states.numel()] >= self._dropped).view(states.shape)
        return states * kept.to(states.dtype).mul_(256 / (256 - self._dropped))


class Replicas:
    """A network and copies that share its weights but have their own gradients and dropout."""

    def __init__(self, network: OpinionNetwork, count: int, seed: int) -> None:
        self._networks = [network, *(copy.deepcopy(network) for _ in range(count - 1))]
        device = next(network.parameters()).device
        for number, replica in enumerate(self._networks):
            for mine, shared in zip(replica.parameters(), network.parameters(), strict=True):
                mine.data = shared.data
            _seed_dropout(replica, seed * 1000 + number * 100, device)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="replica")

    def __len__(self) -> int:
        return len(self._networks)

    def train(self) -> None:
        """Switch dropout on."""
        for network in self._networks:
            network.train()

    def map(self, work: Callable[[OpinionNetwork, T], float], parts: Sequence[T]) -> float:
        """Do the work, which includes the backward pass, on a part each; the sum of its results.

        Afterwards the gradients of the first replica are the sums over all.
        """
        total = sum(self._threads.map(work, self._networks, parts))
        parameters = [list(network.parameters()) for network in self._networks]
        for first, *others in zip(*parameters, strict=True):
            for other in others:
                if other.grad is not None:
                    first.grad = other.grad if first.grad is None else first.grad.add_(other.grad)
                    other.grad = None
        return total

    def random_state(self) -> list[Tensor]:
        """The state of every dropout's generator."""
        return [dropout.generator.get_state() for dropout in self._dropouts()]

    def set_random_state(self, states: Sequence[Tensor]) -> None:
        """Go on where `random_state` was taken."""
        for dropout, state in zip(self._dropouts(), states, strict=True):
            dropout.generator.set_state(state)

    def _dropouts(self) -> list[SeededDropout]:
        return [
            module
            for network in self._networks
            for module in network.modules()
            if isinstance(module, SeededDropout)
        ]


def _seed_dropout(network: OpinionNetwork, seed: int, device: torch.device) -> None:
    places = [
        (parent, name, child)
        for parent in network.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Dropout) and child.p > 0
    ]
    for number, (parent, name, child) in enumerate(places):
        setattr(parent, name, SeededDropout(child.p, seed + number, device))
