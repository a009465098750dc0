"""Soft labels: a teacher's logits for every text, small enough to keep."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from wanglou.models.network import HEADS
from wanglou.models.training.drawing import Item
from wanglou.models.training.predicting import by_head

UNKNOWN = torch.full((sum(map(len, HEADS.values())),), torch.nan)
"""The soft labels of a text of which no teacher says anything."""


def soft_key(text: str, institution: str | None) -> int:
    """A key of 63 bits for a text with an institution marked, or none."""
    digest = hashlib.sha256(f"{institution or ''}\n{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def key_of(item: Item) -> int:
    """The key of an item's text with its institution, if it is marked."""
    return soft_key(item.text, item.institution)


def soft_rows(soft: Mapping[int, Tensor], items: Sequence[Item]) -> Tensor:
    """The soft labels of items, items × labels. Raises `KeyError` for a text without."""
    return torch.stack([soft[key_of(item)] for item in items])


def average(teachers: Iterable[Mapping[int, Tensor]]) -> dict[int, Tensor]:
    """The mean of the logits of the teachers that know a text, and a head."""
    rows: defaultdict[int, list[Tensor]] = defaultdict(list)
    for teacher in teachers:
        for key, row in teacher.items():
            rows[key].append(row)
    return {key: torch.stack(known).nanmean(dim=0) for key, known in rows.items()}


def leave_out(logits: Tensor, heads: Collection[str]) -> None:
    """Say of some heads that the teacher knows nothing of them: NaN."""
    for head, part in by_head(logits).items():
        if head in heads:
            part.fill_(torch.nan)
