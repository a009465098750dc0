"""A tiny encoder, tiny corpora and small pieces of training; every text is made up."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from wanglou.models.network import EVENT_TYPE, HEADS, OUTSIDE, OpinionNetwork
from wanglou.models.pieces import Pieces
from wanglou.models.training.drawing import Item
from wanglou.models.training.recipe import Recipe

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
BANK, OTHER_BANK = "和兴银行", "云汀银行"
POLARITY_WORDS = {"坏": "negative", "平": "neutral", "好": "positive"}
FILLING = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏"
"""Characters that say nothing."""

PIECES = 24
"""What one forward reads in these tests."""

CORPORA: list[dict[str, Any]] = [
    {"train": "sentiment/train.jsonl", "dev": "sentiment/dev.jsonl", "format": "sentiment"},
    {"train": "topic/events.jsonl", "format": "event_type"},
    {"train": "topic/subjects.jsonl", "format": "negative_subject", "rows": 15},
    {"train": "extra/comments.csv", "format": "two_class", "weight": 0.5, "hold_out": False},
]

TEACHER: dict[str, Any] = {
    "name": "teacher",
    "layers": [0, 1],
    "epochs": 2,
    "batch_pieces": 512,
    "learning_rate": 5e-3,
}
STUDENT: dict[str, Any] = TEACHER | {
    "name": "student",
    "start": "teacher",
    "layers": [1],
    "distillation": {"teachers": ["teacher"], "weight": 0.5},
}

RECIPE: dict[str, Any] = {
    "seed": 7,
    "pieces": PIECES,
    "mark_at_random": 0.3,
    "unmark": 0.5,
    "corpora": CORPORA,
    "stages": [TEACHER, STUDENT],
    "ngrams": {"heads": ["polarity", "emotion"], "weight": 0.5},
}


def recipe(**fields: Any) -> Recipe:
    """The tests' recipe; keywords replace its fields."""
    return Recipe.model_validate(RECIPE | fields)


def write_recipe(path: Path, **fields: Any) -> Path:
    path.write_text(yaml.safe_dump(RECIPE | fields, allow_unicode=True), encoding="utf-8")
    return path


def bert_config(**fields: Any) -> BertConfig:
    """Two layers of width 16."""
    defaults: dict[str, Any] = {
        "vocab_size": len(vocabulary()),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 64,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": 0.2,
        "pad_token_id": SPECIAL.index("<pad>"),
        "attn_implementation": "eager",
    }
    return BertConfig(**{**defaults, **fields})


def network(seed: int = 3, **fields: Any) -> OpinionNetwork:
    """A network of random weights; keywords go to its configuration."""
    torch.manual_seed(seed)
    return OpinionNetwork(bert_config(**fields)).eval()


def vocabulary() -> dict[str, int]:
    known = dict.fromkeys(BANK + OTHER_BANK + "".join(POLARITY_WORDS) + FILLING)
    return {piece: number for number, piece in enumerate([*SPECIAL, *known])}


def save_encoder(folder: Path) -> Path:
    """A plain BERT and its tokenizer: a character a piece."""
    torch.manual_seed(20260302)
    BertModel(bert_config(), add_pooling_layer=False).save_pretrained(folder)
    pieces = Tokenizer(WordLevel(vocabulary(), unk_token="<unk>"))
    pieces.pre_tokenizer = Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )
    tokenizer.save_pretrained(folder)
    return folder


def item(
    labels: dict[str, int] | None = None,
    *,
    pieces: Sequence[int] = (4, 5, 6),
    types: Sequence[int] | None = None,
    source: str = "论坛",
    two_class: bool = False,
    text: str = "和兴",
    institution: str | None = None,
) -> Item:
    window = Pieces(list(pieces), [OUTSIDE] * len(pieces) if types is None else list(types))
    return Item(window, labels or {}, source, two_class, text, institution)


def items(count: int, seed: int = 1) -> list[Item]:
    """Items of all heads and of several lengths."""
    generator = random.Random(seed)
    return [
        item(
            {head: generator.randrange(len(labels)) for head, labels in HEADS.items()},
            pieces=generator.choices(range(4, len(vocabulary())), k=generator.randint(1, 12)),
            text=str(number),
        )
        for number in range(count)
    ]


def even_weights(rows: Iterable[Item]) -> dict[tuple[str, str, int], float]:
    """A weight of 1 for every label of the items."""
    return {(row.source, *label): 1.0 for row in rows for label in row.labels.items()}


def filling(generator: random.Random) -> str:
    return "".join(generator.choices(FILLING, k=generator.randint(4, 14)))


def write_lines(path: Path, rows: Iterable[object]) -> Path:
    """A file of JSON lines; a string is a line as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_data(folder: Path) -> Path:
    """The files of `CORPORA`: one character decides each polarity."""
    generator = random.Random(20260302)

    def posts(count: int) -> list[dict[str, str]]:
        words = list(POLARITY_WORDS)
        return [
            {
                "text": words[number % 3] * 2 + filling(generator),
                "label": POLARITY_WORDS[words[number % 3]],
                "source": "论坛",
            }
            for number in range(count)
        ]

    write_lines(folder / "sentiment/train.jsonl", posts(60))
    write_lines(folder / "sentiment/dev.jsonl", posts(36))
    types = HEADS[EVENT_TYPE]
    events = [
        {
            "text": f"{filling(generator)}{BANK}",
            "event_type": types[number % 4],
            "subject": BANK if number % 3 else None,
        }
        for number in range(40)
    ]
    write_lines(folder / "topic/events.jsonl", events)
    subjects = [
        {
            "title": "",
            "text": f"坏{BANK}{filling(generator)}好{OTHER_BANK}",
            "entities": f"{BANK};{OTHER_BANK}",
            "negative_entities": BANK,
        }
        for _ in range(20)
    ]
    write_lines(folder / "topic/subjects.jsonl", subjects)
    comments = [f"{number % 2},{'坏好'[number % 2]}{filling(generator)}" for number in range(20)]
    write_lines(folder / "extra/comments.csv", ["label,text", *comments])
    return folder


def silent() -> Console:
    return Console(file=io.StringIO(), width=200, highlight=False, markup=False, emoji=False)
