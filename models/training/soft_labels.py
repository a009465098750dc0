"""Soft labels: a teacher's logits for every text, small enough to keep."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from wanglou.models.training.drawing import Item


def soft_key(text: str, institution: str | None) -> int:
    """A key of 63 bits for a text with an institution marked, or none."""
    digest = hashlib.sha256(f"{institution or ''}\n{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def soft_rows(soft: Mapping[int, Tensor], items: Sequence[Item]) -> Tensor:
    """The soft labels of items, items × labels. Raises `KeyError` for a text without."""
    return torch.stack([soft[soft_key(item.text, item.institution)] for item in items])


def average(teachers: Iterable[Mapping[int, Tensor]]) -> dict[int, Tensor]:
    """The mean of several teachers' logits, for the texts that all of them know."""
    first, *others = teachers
    return {
        key: torch.stack([row, *(other[key] for other in others)]).mean(dim=0)
        for key, row in first.items()
        if all(key in other for other in others)
    }
