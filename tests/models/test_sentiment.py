from __future__ import annotations

import json
import shutil
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from wanglou.models import sentiment
from wanglou.models.scoring import ModelError
from wanglou.models.sentiment import BertPolarity
from wanglou.schemas.mention import PolarityProbabilities

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LABELS = ["positive", "negative", "neutral"]  # another order than that of Polarity


def tokenizer() -> PreTrainedTokenizerFast:
    """A character a piece; six of them known."""
    pieces = Tokenizer(
        WordLevel({one: n for n, one in enumerate([*SPECIAL, *"好坏银行取钱"])}, unk_token="[UNK]")
    )
    pieces.pre_tokenizer = Split("", "isolated")
    pieces.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


def save_model(folder: Path, *, constant: bool) -> Path:
    """A BERT of one layer; ``constant`` answers 5/8, 1/8, 2/8 (in the order of LABELS)."""
    torch.manual_seed(20260302)
    configuration = BertConfig(
        vocab_size=10,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=sentiment.MAX_PIECES,
        initializer_range=1.0,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    model = BertForSequenceClassification(configuration)
    if constant:
        with torch.no_grad():
            model.classifier.weight.zero_()
            model.classifier.bias.copy_(torch.tensor([log(5), log(1), log(2)]))
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def constant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("constant"), constant=True)


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("random"), constant=False)


def open_model(folder: Path, **settings: Any) -> BertPolarity:
    return BertPolarity(folder, **{"precision": "float32", "threads": 1} | settings)


def batches_of(model: BertPolarity) -> list[int]:
    """Sizes of the batches that the network is given from now on."""
    sizes: list[int] = []
    model._model.register_forward_hook(
        lambda network, arguments, given, output: sizes.append(len(given["input_ids"])),
        with_kwargs=True,
    )
    return sizes


def numbers(row: PolarityProbabilities) -> tuple[float, float, float]:
    return row.negative, row.neutral, row.positive


def test_probabilities_go_to_the_labels_of_the_model(constant: Path) -> None:
    row = open_model(constant).probabilities(["取钱"])[0]
    assert numbers(row) == (0.125, 0.25, 0.625)


def test_usual_precision_is_good_to_two_digits(constant: Path) -> None:
    row = BertPolarity(constant, threads=1).probabilities(["取钱"])[0]
    assert numbers(row) == pytest.approx((0.125, 0.25, 0.625), abs=0.005)


def test_rows_come_in_the_order_of_texts_whatever_the_batches(random: Path) -> None:
    texts = ["坏" * 9, "好", "取钱" * 20, "银行坏", "", "银行", "好坏"]
    alone = [open_model(random).probabilities([text])[0] for text in texts]
    assert len({numbers(row) for row in alone}) == len(texts)  # the model tells them apart
    for batch_size in (1, 2, 3, 32):
        together = open_model(random, batch_size=batch_size).probabilities(texts)
        for row, expected in zip(together, alone, strict=True):
            assert numbers(row) == pytest.approx(numbers(expected), abs=2e-4)


def test_rows_sum_to_one(random: Path) -> None:
    for row in open_model(random).probabilities(["好", "坏", "取钱"]):
        assert sum(numbers(row)) == pytest.approx(1, abs=2e-4)


def test_no_texts_no_rows(constant: Path) -> None:
    assert open_model(constant).probabilities([]) == []


def test_equal_texts_are_read_once(random: Path) -> None:
    model = open_model(random)
    sizes = batches_of(model)
    first = model.probabilities(["好", "坏", "好", "好"])
    again = model.probabilities(["坏", "好"])
    assert sizes == [2]
    assert first[0] == first[2] == first[3] == again[1]
    assert again[0] == first[1] != first[0]


def test_batches_are_as_large_as_told(random: Path) -> None:
    model = open_model(random, batch_size=2)
    sizes = batches_of(model)
    model.probabilities(["好", "坏", "取", "钱", "银"])
    assert sizes == [2, 2, 1]


def test_cache_keeps_the_texts_used_last(random: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentiment, "CACHED_TEXTS", 2)
    model = open_model(random)
    sizes = batches_of(model)
    model.probabilities(["好", "坏"])
    model.probabilities(["好"])  # now 坏 is the oldest
    model.probabilities(["取"])
    assert sizes == [2, 1]
    model.probabilities(["好"])
    assert sizes == [2, 1]
    model.probabilities(["坏"])
    assert sizes == [2, 1, 1]


def test_batch_larger_than_the_cache_is_answered_whole(
    random: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentiment, "CACHED_TEXTS", 1)
    texts = ["好", "坏", "取"]
    expected = [open_model(random).probabilities([text])[0] for text in texts]
    rows = open_model(random).probabilities(texts)
    for row, one in zip(rows, expected, strict=True):
        assert numbers(row) == pytest.approx(numbers(one), abs=2e-4)


def test_long_text_is_cut_to_its_head(random: Path) -> None:
    model = open_model(random)
    head = "好坏取" * 42  # 126 pieces, and two around them
    assert model.probabilities([head + "钱" * 60_000]) == model.probabilities([head])


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_missing_file_is_named(constant: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(constant, folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"has no {name}"):
        BertPolarity(folder)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere has no config.json"):
        BertPolarity(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "labels", [{}, {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}, {"negative": 0, "positive": 1}]
)
def test_other_labels_are_named(constant: Path, tmp_path: Path, labels: dict[str, int]) -> None:
    folder = tmp_path / "model"
    shutil.copytree(constant, folder)
    configuration = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(configuration | {"label2id": labels}))
    with pytest.raises(ModelError, match="labels are .* not \\['negative', 'neutral', 'positive'"):
        BertPolarity(folder)
