from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.training.builders import even_weights, items, network
from wanglou.models.network import OpinionNetwork
from wanglou.models.pieces import stack
from wanglou.models.training.adversarial import adversarial_backward
from wanglou.models.training.drawing import padded_length
from wanglou.models.training.objective import hard_loss

SIZE = 0.25


class Watched:
    """A loss that keeps what it was computed from: the embeddings, and its values."""

    def __init__(self, net: OpinionNetwork) -> None:
        self.rows = items(5)
        self.inputs = stack([row.window for row in self.rows], padded_length(self.rows))
        self.embedded: list[Tensor] = []
        self.values: list[float] = []
        self._network = net
        net.bert.embeddings.LayerNorm.register_forward_pre_hook(self._keep)

    def _keep(self, _: object, arguments: tuple[Tensor]) -> None:
        self.embedded.append(arguments[0].detach().clone())

    def __call__(self) -> Tensor:
        logits = self._network(**self.inputs)
        loss = hard_loss(logits, self.rows, even_weights(self.rows), 0.0)
        self.values.append(float(loss.detach()))
        return loss


@pytest.fixture
def net() -> OpinionNetwork:
    return network()


@pytest.fixture(params=[True, False], ids=["embeddings learn", "embeddings stay"])
def watched(net: OpinionNetwork, request: pytest.FixtureRequest) -> Watched:
    net.bert.embeddings.word_embeddings.requires_grad_(request.param)
    return Watched(net)


def test_each_text_is_moved_by_a_step_of_the_length_asked_for(
    net: OpinionNetwork, watched: Watched
) -> None:
    adversarial_backward(net, watched, SIZE)
    first, second = watched.embedded
    moves = (second - first).flatten(1).norm(dim=1)
    torch.testing.assert_close(moves, torch.full_like(moves, SIZE))


def test_the_move_makes_the_loss_worse_and_both_are_told(
    net: OpinionNetwork, watched: Watched
) -> None:
    told = adversarial_backward(net, watched, SIZE)
    plain, worse = watched.values
    assert worse > plain
    assert told == pytest.approx(plain + worse)


def test_gradients_are_the_sum_of_both(net: OpinionNetwork, watched: Watched) -> None:
    watched().backward()
    query = net.get_parameter("bert.encoder.layer.0.attention.self.query.weight")
    assert query.grad is not None
    plain = query.grad.clone()
    net.zero_grad()
    adversarial_backward(net, watched, 1e-6)
    torch.testing.assert_close(query.grad, 2 * plain, rtol=1e-3, atol=1e-4)


def test_afterwards_the_network_is_as_it_was(net: OpinionNetwork, watched: Watched) -> None:
    before = float(watched().detach())
    adversarial_backward(net, watched, SIZE)
    assert float(watched().detach()) == before
