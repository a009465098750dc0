"""What a stage needs to go on where it was stopped, and what it leaves when it is done."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from wanglou.models.adapter import ADAPTER
from wanglou.models.network import HEADS, OpinionNetwork

WEIGHTS = "model.safetensors"
SOFT_LABELS = "soft_labels.safetensors"


def save_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write beside ``path`` and rename, so that an interruption leaves the old file or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    write(beside)
    os.replace(beside, path)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint."""
    save_atomically(path, lambda beside: torch.save(state, beside))


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """A checkpoint, or None where there is none."""
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


def save_network(folder: Path, network: OpinionNetwork, pieces: int, **more: Any) -> None:
    """Write configuration and weights, these in half precision.

    The configuration also gets the heads' labels, the pieces that one forward reads, and ``more``.

    The configuration says float32, so that a plain load computes in it: a CPU is slow and coarse in
    float16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    heads = {head: list(labels) for head, labels in HEADS.items()}
    network.config.update({"heads": heads, "pieces": pieces, **more})
    network.config.save_pretrained(folder)
    halves = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    save_atomically(folder / WEIGHTS, lambda beside: save_file(halves, beside, {"format": "pt"}))


def save_adapter(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Write an adapter, which `wanglou.models.adapter` merges into the network that it changes."""
    save_atomically(folder / ADAPTER, lambda beside: save_file(tensors, beside))


def save_soft_labels(folder: Path, keys: Tensor, logits: Tensor) -> None:
    """Write logits (texts × labels of all heads) under the keys of their texts."""
    tensors = {"keys": keys, "logits": logits.half().contiguous()}
    save_atomically(folder / SOFT_LABELS, lambda beside: save_file(tensors, beside))


def load_soft_labels(folder: Path) -> dict[int, Tensor]:
    """Logits by key."""
    tensors = load_file(folder / SOFT_LABELS)
    rows = tensors["logits"].float()
    return {int(key): rows[number] for number, key in enumerate(tensors["keys"].tolist())}
