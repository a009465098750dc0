from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.builders import items, network
from wanglou.models.adapter import merge_adapter
from wanglou.models.network import HEADS, OpinionNetwork
from wanglou.models.opinion import ModelError
from wanglou.models.pieces import stack
from wanglou.models.training.checkpoint import save_adapter
from wanglou.models.training.drawing import padded_length
from wanglou.models.training.low_rank import LowRankLinear, adapt, adapter_of

RANK = 3


@pytest.fixture
def inputs() -> dict[str, Tensor]:
    rows = items(6)
    return stack([row.window for row in rows], padded_length(rows))


def answers(net: OpinionNetwork, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    with torch.inference_mode():
        said: dict[str, Tensor] = net.eval()(**inputs)
    return said


def adapted() -> OpinionNetwork:
    """With changes that are not none."""
    net = network()
    adapt(net, RANK, seed=1)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, LowRankLinear):
                module.up.normal_(std=0.2)
        for parameter in net.heads.parameters():
            parameter.add_(0.1)
    return net


def test_an_adapter_begins_as_no_change(inputs: dict[str, Tensor]) -> None:
    net = network()
    before = answers(net, inputs)
    adapt(net, RANK, seed=1)
    torch.testing.assert_close(answers(net, inputs), before)


def test_only_the_changes_and_the_heads_learn() -> None:
    net = network()
    linear = sum(isinstance(module, torch.nn.Linear) for module in net.bert.encoder.modules())
    adapt(net, RANK, seed=1)
    learning = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    factors = {name for name in learning if name.endswith((".down", ".up"))}
    assert len(factors) == 2 * linear
    assert learning - factors == {
        f"heads.{head}.{part}" for head in HEADS for part in ("weight", "bias")
    }


def test_all_factors_get_a_gradient_once_there_is_a_change(inputs: dict[str, Tensor]) -> None:
    net = adapted()
    sum(rows.square().sum() for rows in net(**inputs).values()).backward()
    for name, parameter in net.named_parameters():
        if name.endswith((".down", ".up")):
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name


def test_merged_from_its_file_the_network_says_the_same(
    tmp_path: Path, inputs: dict[str, Tensor]
) -> None:
    learned = adapted()
    save_adapter(tmp_path, adapter_of(learned))
    fresh = network()
    before = answers(fresh, inputs)
    merge_adapter(fresh, tmp_path)
    after = answers(fresh, inputs)
    for head, rows in answers(learned, inputs).items():
        torch.testing.assert_close(after[head], rows, atol=2e-2, rtol=2e-2)  # halves
        assert not torch.allclose(after[head], before[head], atol=5e-2)


def test_a_change_is_of_the_rank_asked_for(tmp_path: Path) -> None:
    save_adapter(tmp_path, adapter_of(adapted()))
    base, fresh = network(), network()
    merge_adapter(fresh, tmp_path)
    for name, weight in fresh.bert.encoder.named_parameters():
        change = weight.detach() - base.bert.encoder.get_parameter(name).detach()
        if change.ndim == 2:
            assert int(torch.linalg.matrix_rank(change, rtol=1e-3)) == RANK, name
        else:
            assert not change.any(), name


@pytest.mark.parametrize("other", [{"num_hidden_layers": 1}, {"intermediate_size": 16}])
def test_the_adapter_of_another_network_is_refused(tmp_path: Path, other: dict[str, int]) -> None:
    save_adapter(tmp_path, adapter_of(adapted()))
    with pytest.raises(ModelError, match=r"adapter\.safetensors: is not of these weights: "):
        merge_adapter(network(**other), tmp_path)


def test_the_same_seed_begins_with_the_same_factors() -> None:
    downs = []
    for seed in (1, 1, 2):
        net = network()
        adapt(net, RANK, seed=seed)
        downs.append(adapter_of(net)["bert.encoder.layer.0.attention.self.query.down"])
    assert torch.equal(downs[0], downs[1])
    assert not torch.equal(downs[0], downs[2])
