"""What pieces and pairs of neighbours say by themselves, added to what the network says.

A linear model over n-grams errs on other texts than BERT, so that their sum errs on fewer: a wide
part beside a deep one (Cheng et al. 2016, "Wide & Deep Learning for Recommender Systems").
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from wanglou.models.network import HEADS, OpinionNetwork, load_network
from wanglou.models.opinion import ModelError

NGRAMS = "ngrams.safetensors"

PAIRS = 2**16
"""Rows for pairs of neighbours, which share them by hash: there are more pairs than rows."""

_FIRST, _MIX = 1_000_003, -7_046_029_254_386_353_131
"""A large prime, and 2⁶⁴ divided by the golden ratio as a signed number (Knuth, TAOCP 3, 6.4)."""

_SHIFT = 40
"""The product's middle bits depend on all of both ids."""


def ngrams(ids: Tensor, mask: Tensor, pieces: int) -> tuple[Tensor, Tensor]:
    """Rows of the n-grams of texts and their values, both texts × n-grams.

    ``ids`` and ``mask`` are texts × pieces. The first ``pieces`` rows are the pieces themselves,
    the next `PAIRS` those of neighbours. A text of n n-grams has each with 1/√n, padding with 0.
    """
    mixed = (ids[:, :-1] * _FIRST + ids[:, 1:]) * _MIX
    rows = torch.cat([ids, pieces + ((mixed >> _SHIFT) & (PAIRS - 1))], dim=1)
    values = torch.cat([mask, mask[:, 1:]], dim=1).float()
    return rows, values / values.sum(dim=1, keepdim=True).sqrt()


class NgramTerm(nn.Module):
    """A weight for each n-gram and label, of some heads; ``weights`` are n-grams × labels."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._labels = {head: rows.shape[1] for head, rows in weights.items()}
        self.table: Tensor
        self.register_buffer("table", torch.cat([rows.float() for rows in weights.values()], dim=1))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """What to add to the logits of each head, texts × labels."""
        rows, values = ngrams(input_ids, attention_mask, len(self.table) - PAIRS)
        sums = embedding_bag(rows, self.table, mode="sum", per_sample_weights=values)
        return dict(zip(self._labels, sums.split(list(self._labels.values()), dim=1), strict=True))


class WideAndDeep(nn.Module):
    """The network and the n-gram term: a model as it is used."""

    def __init__(self, deep: OpinionNetwork, wide: NgramTerm) -> None:
        super().__init__()
        self.deep, self.wide = deep, wide

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        viewpoints: bool = False,
    ) -> dict[str, Tensor]:
        """As `OpinionNetwork.forward`, with the n-gram term added."""
        answers: dict[str, Tensor] = self.deep(
            input_ids, attention_mask, token_type_ids, viewpoints
        )
        for head, values in self.wide(input_ids, attention_mask).items():
            answers[head] = answers[head] + values
        return answers


def save_ngrams(folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Write the weights of an `NgramTerm` in half precision."""
    halves = {head: rows.half().contiguous() for head, rows in weights.items()}
    save_file(halves, folder / NGRAMS)


def load_ngrams(folder: Path, pieces: int) -> NgramTerm:
    """The n-gram term of a folder, for a vocabulary of this size. Raises `ModelError`."""
    weights = load_file(folder / NGRAMS)
    for head, table in weights.items():
        if head not in HEADS or table.shape != (pieces + PAIRS, len(HEADS[head])):
            raise ModelError(
                f"{folder / NGRAMS}: {head} is {' × '.join(map(str, table.shape))}: "
                f"not a head of this model, or not {pieces} pieces and {PAIRS} pairs × its labels"
            )
    return NgramTerm({head: weights[head] for head in HEADS if head in weights})


def load_model(folder: Path, precision: torch.dtype) -> WideAndDeep:
    """The model of a folder, ready to predict; the n-gram term is always in float32.

    Raises `ModelError` where its files do not belong together.
    """
    network = load_network(folder, precision)
    model = WideAndDeep(network, load_ngrams(folder, network.config.vocab_size))
    model.eval()
    return model
