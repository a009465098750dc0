"""The held-out figures that are shown as training goes on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from rich.table import Table
from torch import nn

from wanglou.models.evaluation import accuracy, confusion_matrix, macro_f1
from wanglou.models.network import HEADS
from wanglou.models.pieces import PieceEncoder
from wanglou.models.training.drawing import Drawer, Item
from wanglou.models.training.example import Example
from wanglou.models.training.predicting import by_head, predict
from wanglou.models.training.recipe import Recipe

FEWEST = 30
"""Texts below which a figure says too little to be shown."""


class HeldOut:
    """The held-out examples, cut and marked once.

    Where an example has an institution, its event is told twice: with it marked, and without, as
    the pipeline meets texts that name nobody.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        encoder: PieceEncoder,
        recipe: Recipe,
        device: torch.device,
        threads: int,
    ) -> None:
        variants = Drawer(examples, encoder, recipe, {}).variants()
        self.items: list[Item] = [item for item in variants if item.labels]
        self._device, self._threads = device, threads

    def figures(self, network: nn.Module) -> dict[tuple[str, str], tuple[int, float, float]]:
        """By head and source: texts, macro-F1, accuracy."""
        predicted = {
            head: rows.argmax(dim=1).tolist()
            for head, rows in by_head(
                predict(network, self.items, self._device, self._threads)
            ).items()
        }
        pairs: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for number, item in enumerate(self.items):
            marked = item.institution is not None
            source = f"{item.source}, marked" if marked else item.source
            for head, label in item.labels.items():
                pairs[head, source].append((label, predicted[head][number]))
        figures = {}
        for (head, source), rows in sorted(pairs.items()):
            if len(rows) < FEWEST:
                continue
            truth, answers = zip(*rows, strict=True)
            names = range(len(HEADS[head]))
            figures[head, source] = (
                len(rows),
                macro_f1(truth, answers, names),
                accuracy(confusion_matrix(truth, answers, names)),
            )
        return figures

    def table(self, network: nn.Module, title: str) -> Table:
        """The figures as a table, a row a head and source."""
        table = Table("head", "source", "texts", "macro-F1", "accuracy", title=title)
        for (head, source), (texts, f1, right) in self.figures(network).items():
            table.add_row(head, source, f"{texts:,}", f"{f1:.3f}", f"{right:.3f}")
        return table
