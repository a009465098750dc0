from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import BertModel

from tests.training.builders import network
from wanglou.models.training.build import from_encoder, from_network
from wanglou.models.training.recipe import RecipeError


def same(left: nn.Module, right: nn.Module) -> bool:
    mine, other = left.state_dict(), right.state_dict()
    return mine.keys() == other.keys() and all(
        torch.equal(mine[name], other[name]) for name in mine
    )


@pytest.mark.parametrize("layers", [[0, 1], [1], [1, 0, 1]])
def test_layers_are_those_of_the_encoder(encoder_folder: Path, layers: list[int]) -> None:
    encoder = BertModel.from_pretrained(encoder_folder, add_pooling_layer=False)
    built = from_encoder(encoder_folder, layers, seed=1)
    assert same(built.bert.embeddings, encoder.embeddings)
    assert built.config.num_hidden_layers == len(built.bert.encoder.layer) == len(layers)
    for kept, index in zip(built.bert.encoder.layer, layers, strict=True):
        assert same(kept, encoder.encoder.layer[index])


def test_seed_decides_the_heads(encoder_folder: Path) -> None:
    first, again, other = (from_encoder(encoder_folder, [0], seed) for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first.heads, other.heads)


def test_layers_and_heads_of_a_trained_network_are_kept() -> None:
    whole = network()
    built = from_network(whole, [1])
    assert same(built.bert.embeddings, whole.bert.embeddings)
    assert same(built.bert.encoder.layer[0], whole.bert.encoder.layer[1])
    assert same(built.heads, whole.heads)
    assert len(whole.bert.encoder.layer) == whole.config.num_hidden_layers == 2


@pytest.mark.parametrize("layers", [[0, 2], []])
def test_layers_that_are_not_there_are_named(encoder_folder: Path, layers: list[int]) -> None:
    problem = f"has 0 to 1, not {layers}"
    with pytest.raises(RecipeError, match=re.escape(f"layers: {encoder_folder} {problem}")):
        from_encoder(encoder_folder, layers, seed=1)
    with pytest.raises(RecipeError, match=re.escape(f"layers: earlier stage {problem}")):
        from_network(network(), layers)
