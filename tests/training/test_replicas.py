from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from tests.training.builders import even_weights, item, items, network
from wanglou.models.network import OpinionNetwork
from wanglou.models.pieces import stack
from wanglou.models.training.drawing import Item, padded_length
from wanglou.models.training.objective import hard_loss
from wanglou.models.training.replicas import Replicas, SeededDropout

CPU = torch.device("cpu")
BATCH = items(10)


def logits(net: OpinionNetwork, rows: Sequence[Item]) -> dict[str, Tensor]:
    answers: dict[str, Tensor] = net(**stack([row.window for row in rows], padded_length(rows)))
    return answers


def learn(net: OpinionNetwork, rows: Sequence[Item]) -> float:
    """The loss of some items, after its backward pass."""
    if not rows:
        return 0.0
    loss = hard_loss(logits(net, rows), rows, even_weights(rows), 0.1)
    loss.backward()
    return float(loss.detach())


def gradients(net: OpinionNetwork) -> dict[str, Tensor | None]:
    return {name: parameter.grad for name, parameter in net.named_parameters()}


@pytest.mark.parametrize("count", [2, 3])
def test_gradients_are_those_of_one_replica_over_the_whole_batch(count: int) -> None:
    alone = network(hidden_dropout_prob=0.0)
    together = copy.deepcopy(alone)
    loss = Replicas(alone, 1, seed=1).map(learn, [BATCH])
    parts = [BATCH[number::count] for number in range(count)]
    assert Replicas(together, count, seed=1).map(learn, parts) == pytest.approx(loss, rel=1e-5)
    for name, expected in gradients(alone).items():
        assert expected is not None
        torch.testing.assert_close(gradients(together)[name], expected, rtol=1e-4, atol=1e-5)


def test_no_gradient_is_left_from_the_batch_before() -> None:
    net = network(hidden_dropout_prob=0.0)
    replicas = Replicas(net, 2, seed=1)
    replicas.map(learn, [BATCH[:5], BATCH[5:]])
    first = {name: gradient.clone() for name, gradient in gradients(net).items()}  # type: ignore[union-attr]
    net.zero_grad()
    replicas.map(learn, [BATCH[:5], BATCH[5:]])
    for name, gradient in gradients(net).items():
        assert torch.equal(gradient, first[name])  # type: ignore[arg-type]


def test_replica_without_texts_or_heads_without_labels_are_borne() -> None:
    net = network(hidden_dropout_prob=0.0)
    row = item({"polarity": 1})
    for parts in ([[row], []], [[], [row]]):
        net.zero_grad()
        assert Replicas(net, 2, seed=1).map(learn, parts) > 0
        assert gradients(net)["heads.polarity.weight"] is not None
        assert gradients(net)["heads.emotion.weight"] is None


def test_replicas_share_weights_as_they_change() -> None:
    net = network(hidden_dropout_prob=0.0)
    replicas = Replicas(net, 2, seed=1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.01)
    seen: list[Tensor] = []

    def see(replica: OpinionNetwork, rows: list[Item]) -> float:
        seen.append(logits(replica, rows)["polarity"])
        return 0.0

    replicas.map(see, [BATCH, BATCH])
    assert torch.equal(*seen)


def test_failure_of_a_replica_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        Replicas(network(), 2, seed=1).map(lambda net, part: 1 / part, [1, 0])


def trained_states(replicas: Replicas) -> list[Tensor]:
    """What each replica answers with its dropout on."""
    replicas.train()
    states: list[Tensor] = []
    for number in range(len(replicas)):

        def see(net: OpinionNetwork, mine: bool) -> float:
            if mine:
                states.append(logits(net, BATCH)["polarity"])
            return 0.0

        replicas.map(see, [number == other for other in range(len(replicas))])
    return states


def test_each_replica_draws_its_own_dropout_and_the_seed_decides() -> None:
    one, same, other = (Replicas(network(), 2, seed) for seed in (1, 1, 2))
    first, again, different = map(trained_states, (one, same, other))
    assert not torch.equal(*first)
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, different))


def test_random_state_goes_on_where_it_was_taken() -> None:
    replicas = Replicas(network(), 2, seed=1)
    trained_states(replicas)
    state = replicas.random_state()
    expected = trained_states(replicas)
    later = Replicas(network(), 2, seed=9)
    later.set_random_state(state)
    assert all(map(torch.equal, trained_states(later), expected))


@pytest.mark.parametrize("probability", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_dropout_drops_its_share_and_keeps_the_mean(probability: float, kind: torch.dtype) -> None:
    ones = torch.ones(200, 1001, dtype=kind)  # of no multiple of 8
    dropped = SeededDropout(probability, 1, CPU)(ones)
    assert dropped.dtype == kind
    # five standard deviations, and the rounding of the probability
    bound = 5 * (probability * (1 - probability) / ones.numel()) ** 0.5 + 1 / 512
    assert float((dropped == 0).float().mean()) == pytest.approx(probability, abs=bound)
    assert float(dropped.float().mean()) == pytest.approx(1, abs=2.5 * bound + 0.004)
    assert len(dropped.unique()) == 2


def test_dropout_decides_about_each_number_by_itself() -> None:
    zeros = SeededDropout(0.5, 1, CPU)(torch.ones(1000, 64)) == 0
    share = (zeros[:, 1:] & zeros[:, :-1]).float().mean()  # of neighbours both dropped
    assert float(share) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    "still", [lambda dropout: dropout.eval(), lambda dropout: SeededDropout(0, 1, CPU)]
)
def test_no_dropout_when_predicting_or_at_probability_0(
    still: Callable[[SeededDropout], SeededDropout],
) -> None:
    ones = torch.ones(100)
    assert torch.equal(still(SeededDropout(0.5, 1, CPU))(ones), ones)


def test_gradient_flows_only_where_nothing_was_dropped() -> None:
    ones = torch.ones(1000, requires_grad=True)
    dropped = SeededDropout(0.5, 1, CPU)(ones)
    dropped.sum().backward()
    assert torch.equal(ones.grad, dropped.detach())  # type: ignore[arg-type]
