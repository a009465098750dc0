"""Polarity by a fine-tuned BERT, loaded with ``transformers`` from a folder."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from wanglou.models.scoring import ModelError
from wanglou.schemas.mention import Polarity, PolarityProbabilities

MAX_PIECES = 128
"""Pieces of a text that are read: its head, which for posts is all of it."""

CACHED_TEXTS = 20_000
"""Texts whose probabilities are kept: one inference for all near-duplicates of an original."""

DECIMALS = 4
"""Digits of a probability; more would differ with the batch that a text happens to be in."""

Precision = Literal["float32", "bfloat16"]


class BertPolarity:
    """A sequence classifier whose labels are negative, neutral, positive.

    ``folder`` holds a ``transformers`` configuration, weights and tokenizer. Raises ``ModelError``
    when something is missing or the labels are others. Not thread-safe: one thread at a time.
    """

    def __init__(
        self,
        folder: Path,
        *,
        precision: Precision = "bfloat16",
        batch_size: int = 32,
        threads: int | None = None,
    ) -> None:
        _check_folder(folder)
        disable_progress_bar()
        if threads is not None:
            torch.set_num_threads(threads)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, dtype=getattr(torch, precision)
        )
        self._model = model.eval()
        self._columns = [model.config.label2id[polarity.value] for polarity in Polarity]
        self._batch_size = batch_size
        self._cache: OrderedDict[str, PolarityProbabilities] = OrderedDict()

    def probabilities(self, texts: Sequence[str]) -> list[PolarityProbabilities]:
        """One row of probabilities a text, in order; equal texts are read once."""
        unknown = list(dict.fromkeys(text for text in texts if text not in self._cache))
        fresh = dict(self._infer(unknown))
        rows = [fresh[text] if text in fresh else self._cache[text] for text in texts]
        self._cache.update(fresh)
        for text in texts:
            self._cache.move_to_end(text)
        while len(self._cache) > CACHED_TEXTS:
            self._cache.popitem(last=False)
        return rows

    def _infer(self, texts: Sequence[str]) -> Iterator[tuple[str, PolarityProbabilities]]:
        """Batches of similar length, so that little is padding."""
        if not texts:
            return
        pieces = self._tokenizer(list(texts), truncation=True, max_length=MAX_PIECES)["input_ids"]
        order = sorted(range(len(texts)), key=lambda index: len(pieces[index]))
        for start in range(0, len(order), self._batch_size):
            chunk = order[start : start + self._batch_size]
            batch = self._tokenizer.pad(
                {"input_ids": [pieces[index] for index in chunk]}, return_tensors="pt"
            )
            with torch.inference_mode():
                logits = self._model(**batch).logits.float()
            for index, row in zip(chunk, logits.softmax(dim=-1).tolist(), strict=True):
                values = [round(row[column], DECIMALS) for column in self._columns]
                yield texts[index], PolarityProbabilities(
                    **{polarity.value: value for polarity, value in zip(Polarity, values)}
                )


def _check_folder(folder: Path) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ModelError(f"model folder {folder} has no {name}")
    labels = set(json.loads((folder / "config.json").read_text()).get("label2id", {}))
    expected = {polarity.value for polarity in Polarity}
    if labels != expected:
        raise ModelError(
            f"model folder {folder}: labels are {sorted(labels)}, not {sorted(expected)}"
        )
