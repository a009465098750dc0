"""Build the network of a stage from an encoder, or from another network's layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, PreTrainedConfig
from transformers.utils.logging import disable_progress_bar

from wanglou.models.network import OpinionNetwork
from wanglou.models.training.recipe import RecipeError


def from_encoder(folder: Path, layers: Sequence[int], seed: int) -> OpinionNetwork:
    """A network with new heads on some layers of a plain BERT encoder, in float32.

    Raises `RecipeError` where the encoder has no such layer.
    """
    disable_progress_bar()
    torch.manual_seed(seed)
    whole = BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False)
    network = OpinionNetwork(_config(whole.config, layers, folder))
    network.bert.embeddings.load_state_dict(whole.embeddings.state_dict())
    for kept, index in zip(network.bert.encoder.layer, layers, strict=True):
        kept.load_state_dict(whole.encoder.layer[index].state_dict())
    return network


def from_network(whole: OpinionNetwork, layers: Sequence[int]) -> OpinionNetwork:
    """Some layers of a trained network, with its heads."""
    network = OpinionNetwork(_config(whole.config, layers, Path("earlier stage")))
    network.bert.embeddings.load_state_dict(whole.bert.embeddings.state_dict())
    network.heads.load_state_dict(whole.heads.state_dict())
    for kept, index in zip(network.bert.encoder.layer, layers, strict=True):
        kept.load_state_dict(whole.bert.encoder.layer[index].state_dict())
    return network


def _config(whole: PreTrainedConfig, layers: Sequence[int], origin: Path) -> BertConfig:
    depth = whole.num_hidden_layers
    if not layers or max(layers) >= depth:
        raise RecipeError(f"layers: {origin} has 0 to {depth - 1}, not {list(layers)}")
    kept = whole.to_dict()
    kept.update(
        num_hidden_layers=len(layers),
        architectures=["OpinionNetwork"],
        attention_probs_dropout_prob=0.0,  # texts are short; it costs a seventh of a step
        bos_token_id=0,
        eos_token_id=2,
        dtype="float32",
        # PyTorch's fused attention in bfloat16 takes five times as long on texts this short.
        attn_implementation="eager",
    )
    return BertConfig(**kept)
