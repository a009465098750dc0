"""What a later stage of training learned, kept beside the weights as low-rank changes of them.

A change of rank r to a layer of m × n weights is ``up @ down``, m × r and r × n (Hu et al. 2021,
"LoRA"), so that a model that has learned something new costs a small file, not all weights anew.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from wanglou.models.opinion import ModelError

ADAPTER = "adapter.safetensors"

DOWN, UP = ".down", ".up"
"""Ends of the names of a change's two factors, after the name of its layer."""


@torch.no_grad()
def merge_adapter(network: nn.Module, folder: Path) -> None:
    """Change the network as the folder's adapter says; other tensors of it replace their like.

    Raises `ModelError` where it is the adapter of another network.
    """
    tensors = load_file(folder / ADAPTER)
    try:
        for name in [name for name in tensors if name.endswith(UP)]:
            layer = name.removesuffix(UP)
            change = tensors.pop(name).float() @ tensors.pop(layer + DOWN).float()
            network.get_parameter(f"{layer}.weight").add_(change)
        for name, tensor in tensors.items():
            network.get_parameter(name).copy_(tensor)
    except (AttributeError, RuntimeError) as error:  # no such layer, or of another size
        raise ModelError(f"{folder / ADAPTER}: is not of these weights: {error}") from error
