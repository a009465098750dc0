from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.builders import network
from wanglou.models.training.schedule import (
    WARMUP_SHARE,
    WEIGHT_DECAY,
    parameter_groups,
    rate_at,
)


@given(st.integers(1, 3000))
def test_rate_climbs_to_1_and_falls_to_0(steps: int) -> None:
    rates = [rate_at(step, steps) for step in range(steps)]
    top = rates.index(1)
    assert top + 1 == max(1, round(steps * WARMUP_SHARE))
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rate_at(steps, steps) == 0


def test_rate_falls_with_each_layer_down_and_matrices_decay() -> None:
    net = network()
    net.bert.embeddings.word_embeddings.requires_grad_(False)
    found = {}
    for group in parameter_groups(net, 0.1, 0.5):
        assert group["lr"] == group["peak"]
        for parameter in group["params"]:
            assert id(parameter) not in found
            found[id(parameter)] = group["lr"], group["weight_decay"]
    for name, parameter in net.named_parameters():
        if "word_embeddings" in name:
            assert id(parameter) not in found
            continue
        rate, decay = found.pop(id(parameter))
        steps_down = {"heads": 0, "layer.1": 1, "layer.0": 2, "embeddings": 3}
        assert rate == pytest.approx(
            next(0.1 * 0.5**steps for part, steps in steps_down.items() if part in name)
        )
        is_bare = "LayerNorm" in name or name.endswith("bias")
        assert decay == (0 if is_bare else WEIGHT_DECAY)
    assert not found
