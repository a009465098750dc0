"""Polarity by a fine-tuned BERT, loaded with ``transformers`` from a folder."""

from __future__ import annotations

import json
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from wanglou.models.scoring import ModelError
from wanglou.schemas.mention import Polarity, PolarityProbabilities

MAX_PIECES = 96
"""Pieces of a text that are read: its head, as in training; for posts that is all of it."""

ROWS = 16
LENGTH_STEP = 16
"""Every forward has 16 rows of a multiple of 16 pieces, filled up with padding. In bfloat16 the
probabilities of a text differ by up to .01 with the shape of the batch it happens to be in; in
batches of one shape they do not differ at all, so a replay gives the same alerts."""

CACHED_TEXTS = 20_000
"""Texts whose probabilities are kept: one inference for all near-duplicates of an original."""

DECIMALS = 4
"""Digits of a probability."""

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
        threads: int = 1,
    ) -> None:
        _check_folder(folder)
        disable_progress_bar()  # type: ignore[no-untyped-call]
        # One thread a forward, several forwards at once: the threads of one forward wait for each
        # other, and on a core that is not free that takes many times as long.
        torch.set_num_threads(1)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="forward")
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, dtype=getattr(torch, precision)
        )
        self._model = model.eval()
        self._columns = [model.config.label2id[polarity.value] for polarity in Polarity]
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
        by_length: defaultdict[int, list[tuple[str, list[int]]]] = defaultdict(list)
        for text, pieces in zip(texts, self._pieces(texts), strict=True):
            by_length[-(-len(pieces) // LENGTH_STEP) * LENGTH_STEP].append((text, pieces))
        batches = [
            (length, rows[start : start + ROWS])
            for length, rows in by_length.items()
            for start in range(0, len(rows), ROWS)
        ]
        for (_, rows), results in zip(
            batches, self._threads.map(self._forward, batches), strict=True
        ):
            yield from zip((text for text, _ in rows), results, strict=True)

    def _pieces(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        encoded = self._tokenizer(list(texts), truncation=True, max_length=MAX_PIECES)
        return list(encoded["input_ids"])

    def _forward(
        self, batch: tuple[int, Sequence[tuple[str, list[int]]]]
    ) -> list[PolarityProbabilities]:
        """One forward of the fixed shape: the probabilities of its texts."""
        length, texts = batch
        ids = torch.full((ROWS, length), self._tokenizer.pad_token_id)
        mask = torch.zeros((ROWS, length), dtype=torch.long)
        mask[:, 0] = 1  # a row of padding alone must attend to something
        for number, (_, pieces) in enumerate(texts):
            ids[number, : len(pieces)] = torch.tensor(pieces)
            mask[number, : len(pieces)] = 1
        with torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask).logits.float()
        rows = logits.softmax(dim=-1).tolist()[: len(texts)]
        return [
            PolarityProbabilities(
                **{
                    polarity.value: round(row[column], DECIMALS)
                    for polarity, column in zip(Polarity, self._columns, strict=True)
                }
            )
            for row in rows
        ]


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
