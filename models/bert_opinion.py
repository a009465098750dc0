"""Opinions by the fine-tuned BERT of a model folder."""

from __future__ import annotations

import json
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from wanglou.models.network import (
    EMOTION,
    EVENT_TYPE,
    HEADS,
    INSTITUTION_NEGATIVE,
    POLARITY,
    VIEWPOINT,
)
from wanglou.models.ngrams import load_model
from wanglou.models.opinion import ModelError, Opinion, Passage
from wanglou.models.pieces import SPECIAL, PieceEncoder, Pieces, stack, window_start
from wanglou.models.precision import computes_bfloat16
from wanglou.models.viewpoints import encode
from wanglou.schemas.mention import EmotionProbabilities, PolarityProbabilities

LENGTH_STEP = 16
PIECES_A_FORWARD = 512
"""Texts are filled up to a multiple of 16 pieces, and every forward of one length has the same
number of rows, empty ones included. In bfloat16 the probabilities of a text differ by up to .01
with the shape of the batch it happens to be in; in batches of one shape they do not differ at all,
so a replay gives the same alerts."""

CACHED_PASSAGES = 20_000
"""Passages whose opinions are kept: one inference for all near-duplicates of an original."""

LongTexts = Literal["name", "head"]
"""Which 128 pieces of a longer text are read: those around the institution's first name, or always
its head. The first is better; the mean over several windows is not (figures in the model card)."""

DECIMALS = 4
"""Digits of a probability."""

Precision = Literal["auto", "float32", "bfloat16"]
"""``auto`` is bfloat16 on a CPU that is faster in it, else float32."""


class BertOpinion:
    """A `WideAndDeep` loaded from a folder, with a temperature for each head.

    ``folder`` holds what ``wanglou train`` leaves at its end: a ``transformers`` configuration,
    weights and tokenizer. Raises ``ModelError`` when something is missing or the heads are others.
    Not thread-safe: one thread at a time.
    """

    def __init__(
        self,
        folder: Path,
        *,
        precision: Precision = "auto",
        threads: int = 1,
        long_texts: LongTexts = "name",
    ) -> None:
        config = _check_folder(folder)
        # One thread a forward, several forwards at once: the threads of one forward wait for each
        # other, and on a core that is not free that takes many times as long.
        torch.set_num_threads(1)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="forward")
        self._encoder = PieceEncoder(folder)
        self._seek = long_texts == "name"
        self._pieces: int = config["pieces"]
        self._temperatures: dict[str, float] = config["temperatures"]
        self._model = load_model(folder, _dtype(precision))
        self._cache: OrderedDict[Passage, Opinion] = OrderedDict()

    def read(self, passages: Sequence[Passage]) -> list[Opinion]:
        """One opinion a passage, in order; equal passages are read once."""
        unknown = list(dict.fromkeys(one for one in passages if one not in self._cache))
        fresh = dict(zip(unknown, self._infer(unknown), strict=True))
        opinions = [fresh[one] if one in fresh else self._cache[one] for one in passages]
        self._cache.update(fresh)
        for one in passages:
            self._cache.move_to_end(one)
        while len(self._cache) > CACHED_PASSAGES:
            self._cache.popitem(last=False)
        return opinions

    def _infer(self, passages: Sequence[Passage]) -> list[Opinion]:
        parts = [
            pieces.window(window_start(pieces, self._pieces) if self._seek else 0, self._pieces)
            for pieces in (self._encoder.encode(passages) if passages else ())
        ]
        return [
            _opinion(answer, bool(passage.names))
            for passage, answer in zip(passages, self._forward_all(parts), strict=True)
        ]

    def _forward_all(self, parts: Sequence[Pieces]) -> list[dict[str, Tensor]]:
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for number, part in enumerate(parts):
            size = len(part.ids) + SPECIAL
            by_length[-(-size // LENGTH_STEP) * LENGTH_STEP].append(number)
        batches = [
            (length, numbers[start : start + rows_of(length)])
            for length, numbers in by_length.items()
            for start in range(0, len(numbers), rows_of(length))
        ]
        answers: list[dict[str, Tensor]] = [{}] * len(parts)
        results = self._threads.map(
            lambda batch: self._forward([parts[number] for number in batch[1]], batch[0]), batches
        )
        for (_, numbers), result in zip(batches, results, strict=True):
            for row, number in enumerate(numbers):
                answers[number] = {head: values[row] for head, values in result.items()}
        return answers

    def _forward(self, parts: Sequence[Pieces], length: int) -> dict[str, Tensor]:
        """One forward of the fixed shape: probabilities of each head, parts × labels; viewpoints,
        parts × width."""
        with torch.inference_mode():
            inputs = stack(parts, length, rows_of(length))
            answers = self._model(**inputs, viewpoints=True)
        answers = {name: values[: len(parts)].float() for name, values in answers.items()}
        return answers | {
            head: (answers[head] / self._temperatures[head]).softmax(dim=1) for head in HEADS
        }


def _dtype(precision: Precision) -> torch.dtype:
    if precision == "auto":
        return torch.bfloat16 if computes_bfloat16("cpu") else torch.float32
    dtype: torch.dtype = getattr(torch, precision)
    return dtype


def rows_of(length: int) -> int:
    """Rows of a forward of so many pieces.

    >>> [rows_of(length) for length in (16, 32, 128, 512)]
    [32, 16, 4, 1]
    """
    return max(1, PIECES_A_FORWARD // length)


def _opinion(answers: dict[str, Tensor], named: bool) -> Opinion:
    values = {
        head: {
            label: round(value, DECIMALS)
            for label, value in zip(labels, answers[head].tolist(), strict=True)
        }
        for head, labels in HEADS.items()
    }
    return Opinion(
        polarity=PolarityProbabilities(**values[POLARITY]),
        emotion=EmotionProbabilities(**values[EMOTION]),
        event_type=values[EVENT_TYPE],
        institution_negative=values[INSTITUTION_NEGATIVE]["true"] if named else None,
        viewpoint=encode(answers[VIEWPOINT].tolist()),
    )


def _check_folder(folder: Path) -> dict[str, Any]:
    for name in ("config.json", "model.safetensors", "ngrams.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ModelError(f"model folder {folder} has no {name}")
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    heads = {head: list(labels) for head, labels in HEADS.items()}
    if config.get("heads") != heads:
        raise ModelError(
            f"model folder {folder}: config.json: heads: are not those of this version, "
            f"{', '.join(heads)} with their labels; train it again with `wanglou train`"
        )
    if "pieces" not in config or config.get("temperatures", {}).keys() != heads.keys():
        raise ModelError(
            f"model folder {folder}: config.json has no pieces, or not a temperature for each "
            "head: a stage of `wanglou train`, not the model that it leaves at its end"
        )
    return config
