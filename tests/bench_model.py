"""How many texts a second the model reads, by precision; `make bench` runs it.

The peer is what a user would build instead: one ``BertForSequenceClassification`` of the same size
for polarity alone, in batches of 32 padded texts, in float32 with all cores in one forward.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from transformers import BertForSequenceClassification

from wanglou.agents.settings import WEIGHTS
from wanglou.models.bert_opinion import rows_of
from wanglou.models.ngrams import WideAndDeep, load_model
from wanglou.models.pieces import SPECIAL, Pieces, stack

SECONDS = 10.0
"""Each line is measured for at least so long."""

PEER_ROWS = 32


def rate(forward: Callable[[], object], texts: int, threads: int) -> float:
    """Texts a second, with so many forwards at a time."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: forward(), range(2 * threads)))
        begun, rounds = time.perf_counter(), 0
        while time.perf_counter() - begun < SECONDS:
            list(pool.map(lambda _: forward(), range(4 * threads)))
            rounds += 4 * threads
        return rounds * texts / (time.perf_counter() - begun)


def inputs(pieces: int, rows: int) -> dict[str, torch.Tensor]:
    """Rows of so many pieces, none of it padding."""
    window = Pieces([7] * (pieces - SPECIAL), [0] * (pieces - SPECIAL))
    return stack([window] * rows, pieces)


@torch.inference_mode()
def forward(model: nn.Module, batch: dict[str, torch.Tensor]) -> object:
    return model(**batch)


def quantised(model: WideAndDeep) -> nn.Module:
    """The model with linear layers in int8, activations measured as they come."""
    result: nn.Module = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, torch.qint8)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--pieces", type=int, default=32)
    chosen = parser.parse_args()
    cores = os.cpu_count() or 1
    model = load_model(chosen.weights, torch.float32)
    peer = BertForSequenceClassification(model.deep.config).eval()
    batch = inputs(chosen.pieces, PEER_ROWS)
    torch.set_num_threads(cores)
    base = rate(lambda: forward(peer, batch), PEER_ROWS, 1)
    torch.set_num_threads(1)
    table = Table("model", "texts/s", "of the peer", title=f"{chosen.pieces} pieces, {cores} cores")
    table.add_row("peer: plain BERT, polarity only, float32", f"{base:.0f}", "1.00")
    rows = rows_of(chosen.pieces)
    batch = inputs(chosen.pieces, rows)
    for name, variant in (
        ("Wanglou, four heads, float32", model),
        ("Wanglou, four heads, int8", quantised(model)),
        ("Wanglou, four heads, bfloat16", load_model(chosen.weights, torch.bfloat16)),
    ):
        speed = rate(lambda variant=variant: forward(variant, batch), rows, cores)
        table.add_row(name, f"{speed:.0f}", f"{speed / base:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
