"""From a text to the pieces that the network reads, with the institution's names marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from wanglou.models.network import INSTITUTION, OUTSIDE
from wanglou.models.opinion import Passage

BEGIN, PAD, END = 0, 1, 2
"""Ids of ``<s>``, the padding and ``</s>``."""

SPECIAL = 2
"""Pieces that are put around every text."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text cut into pieces, without the special ones: their ids, and which are marked."""

    ids: list[int]
    types: list[int]

    def window(self, start: int, size: int) -> Pieces:
        """The pieces from ``start`` on that one forward of ``size`` pieces has room for."""
        end = start + size - SPECIAL
        return Pieces(self.ids[start:end], self.types[start:end])


class PieceEncoder:
    """Cuts passages into pieces with the tokenizer of a model folder."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def encode(self, passages: Sequence[Passage]) -> list[Pieces]:
        """The pieces of each passage, uncut; those that overlap one of the names are marked."""
        encodings = self._tokenizer.encode_batch(
            [passage.text for passage in passages], add_special_tokens=False
        )
        return [
            Pieces(encoding.ids, _types(passage, encoding.offsets))
            for passage, encoding in zip(passages, encodings, strict=True)
        ]


def _types(passage: Passage, offsets: Sequence[tuple[int, int]]) -> list[int]:
    spans = [
        match.span()
        for name in passage.names
        if name
        for match in re.finditer(_pattern(name), passage.text, re.IGNORECASE)
    ]
    if not spans:
        return [OUTSIDE] * len(offsets)
    return [
        INSTITUTION if any(start < right and left < end for left, right in spans) else OUTSIDE
        for start, end in offsets
    ]


def _pattern(name: str) -> str:
    """Finds a name; one of Latin letters or digits only as a word, as the watch list does."""
    before = r"(?<![A-Za-z0-9])" if re.match(r"[A-Za-z0-9]", name) else ""
    after = r"(?![A-Za-z0-9])" if re.search(r"[A-Za-z0-9]$", name) else ""
    return before + re.escape(name) + after


def window_start(pieces: Pieces, size: int) -> int:
    """Where the part of a text starts that is read, in one forward of ``size`` pieces.

    The head; where the institution is named only later, the stretch around its first name, a
    quarter of it before the name.
    """
    room = size - SPECIAL
    if len(pieces.ids) <= room or INSTITUTION not in pieces.types:
        return 0
    first = pieces.types.index(INSTITUTION)
    if first < room * 3 // 4:
        return 0
    return min(first - room // 4, len(pieces.ids) - room)


def stack(windows: Sequence[Pieces], length: int, rows: int | None = None) -> dict[str, Tensor]:
    """The network's inputs for windows of at most ``length - 2`` pieces, filled with padding.

    Each tensor is ``rows`` (one a window, where not given) × ``length``.
    """
    count = len(windows) if rows is None else rows
    ids = torch.full((count, length), PAD)
    mask = torch.zeros((count, length), dtype=torch.long)
    types = torch.full((count, length), OUTSIDE)
    mask[:, 0] = 1  # a row of padding alone must attend to something
    for row, window in enumerate(windows):
        size = len(window.ids) + SPECIAL
        ids[row, :size] = torch.tensor([BEGIN, *window.ids, END])
        types[row, 1 : size - 1] = torch.tensor(window.types, dtype=torch.long)
        mask[row, :size] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
