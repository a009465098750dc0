from __future__ import annotations

import json
import re
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
from wanglou.models.sentiment import BertPolarity, Precision
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
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
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
        initializer_range=0.4,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    model = BertForSequenceClassification(configuration)  # type: ignore[no-untyped-call]
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


def open_model(folder: Path, precision: Precision = "float32") -> BertPolarity:
    return BertPolarity(folder, precision=precision, threads=1)


def watched(model: BertPolarity) -> list[tuple[int, int, int]]:
    """Texts, rows and pieces of each batch that the network is given from now on."""
    shapes: list[tuple[int, int, int]] = []

    def see(network: object, arguments: object, given: dict[str, Any], output: object) -> None:
        ids = given["input_ids"]
        texts = int((ids[:, 0] == SPECIAL.index("[CLS]")).sum())
        shapes.append((texts, *ids.shape))

    model._model.register_forward_hook(see, with_kwargs=True)
    return shapes


def texts_read(shapes: list[tuple[int, int, int]]) -> int:
    return sum(texts for texts, _, _ in shapes)


def numbers(row: PolarityProbabilities) -> tuple[float, float, float]:
    return row.negative, row.neutral, row.positive


def test_probabilities_go_to_the_labels_of_the_model(constant: Path) -> None:
    row = open_model(constant).probabilities(["取钱"])[0]
    assert numbers(row) == (0.125, 0.25, 0.625)


def test_usual_precision_is_good_to_two_digits(constant: Path) -> None:
    row = BertPolarity(constant, threads=1).probabilities(["取钱"])[0]
    assert numbers(row) == pytest.approx((0.125, 0.25, 0.625), abs=0.005)


TEXTS = ["坏" * 9, "好", "取钱" * 20, "银行坏", "", "银行", "好坏", "坏" * 15, "坏" * 30]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_row_of_a_text_does_not_depend_on_its_batch(random: Path, precision: Precision) -> None:
    alone = [open_model(random, precision=precision).probabilities([text])[0] for text in TEXTS]
    assert len({numbers(row) for row in alone}) == len(TEXTS)  # the model tells them apart
    filling = ["取" * length for length in range(1, 40)]
    model = open_model(random, precision=precision)
    assert model.probabilities(TEXTS) == alone
    model = open_model(random, precision=precision)
    assert model.probabilities([*filling, *reversed(TEXTS)])[len(filling) :] == alone[::-1]


def test_every_batch_has_one_of_few_shapes(random: Path) -> None:
    model = open_model(random)
    shapes = watched(model)
    texts = ["坏" * length for length in range(300)]
    model.probabilities(texts)
    assert {rows for _, rows, _ in shapes} == {sentiment.ROWS}
    assert {pieces for _, _, pieces in shapes} == {16, 32, 48, 64, 80, 96}
    assert texts_read(shapes) == len(texts)


def test_rows_sum_to_one(random: Path) -> None:
    for row in open_model(random).probabilities(["好", "坏", "取钱"]):
        assert sum(numbers(row)) == pytest.approx(1, abs=2e-4)


def test_no_texts_no_rows(constant: Path) -> None:
    assert open_model(constant).probabilities([]) == []


def test_equal_texts_are_read_once(random: Path) -> None:
    model = open_model(random)
    shapes = watched(model)
    first = model.probabilities(["好", "坏", "好", "好"])
    again = model.probabilities(["坏", "好"])
    assert texts_read(shapes) == 2
    assert first[0] == first[2] == first[3] == again[1]
    assert again[0] == first[1] != first[0]


def test_cache_keeps_the_texts_used_last(random: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentiment, "CACHED_TEXTS", 2)
    model = open_model(random)
    shapes = watched(model)
    model.probabilities(["好", "坏"])
    model.probabilities(["好"])  # now 坏 is the oldest
    model.probabilities(["取"])
    assert texts_read(shapes) == 3
    model.probabilities(["好"])
    assert texts_read(shapes) == 3
    model.probabilities(["坏"])
    assert texts_read(shapes) == 4


def test_batch_larger_than_the_cache_is_answered_whole(
    random: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentiment, "CACHED_TEXTS", 1)
    texts = ["好", "坏", "取"]
    expected = [open_model(random).probabilities([text])[0] for text in texts]
    assert open_model(random).probabilities(texts) == expected


def test_long_text_is_cut_to_its_head(random: Path) -> None:
    model = open_model(random)
    head = ("好坏取" * 40)[: sentiment.MAX_PIECES - 2]  # two stand around them
    assert model.probabilities([head + "钱" * 60_000]) == model.probabilities([head])


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_missing_file_is_named(constant: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(constant, folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=re.escape(f"has no {name}")):
        BertPolarity(folder)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere has no config\.json"):
        BertPolarity(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "labels", [{}, {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}, {"negative": 0, "positive": 1}]
)
def test_other_labels_are_named(constant: Path, tmp_path: Path, labels: dict[str, int]) -> None:
    folder = tmp_path / "model"
    shutil.copytree(constant, folder)
    configuration = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(configuration | {"label2id": labels}))
    with pytest.raises(ModelError, match=r"labels are .*, not \['negative', 'neutral'"):
        BertPolarity(folder)
