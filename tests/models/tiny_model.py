"""A tokenizer and a network so small that a test makes its own."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig

from wanglou.models.network import EMOTION, EVENT_TYPE, HEADS, INSTITUTION_NEGATIVE, POLARITY
from wanglou.models.network import OpinionNetwork as Network
from wanglou.models.ngrams import PAIRS, save_ngrams
from wanglou.models.training.checkpoint import save_network

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
KNOWN = "好坏银行取钱"
PIECES = 96
"""What one forward reads, unless a test wants less."""

NO_TEMPERATURE = dict.fromkeys(HEADS, 1.0)

SAID: Mapping[str, tuple[int, ...]] = {
    POLARITY: (1, 2, 5),
    EMOTION: (5, 1, 2, 4, 1, 3),
    EVENT_TYPE: (1,) * 18 + (4,) + (1,) * 3,  # 提现困难
    INSTITUTION_NEGATIVE: (1, 3),
}
"""Of how many each label gets how much from a constant network."""


def tokenizer(piece: str = "") -> Tokenizer:
    """A character a piece, six of them known; or pieces that match a regular expression.

    As the real one it also cuts, fills up and adds special pieces, where nobody prevents it.
    """
    vocabulary = {one: number for number, one in enumerate([*SPECIAL, *KNOWN])}
    made = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = Split(Regex(piece) if piece else "", "isolated")
    made.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    made.enable_truncation(12)
    made.enable_padding(pad_id=1, pad_token="<pad>")
    return made


def save_tokenizer(folder: Path, piece: str = "") -> Path:
    """Write ``tokenizer.json``."""
    tokenizer(piece).save(str(folder / "tokenizer.json"))
    return folder


def save_model(
    folder: Path,
    *,
    constant: bool = False,
    pieces: int = PIECES,
    temperatures: Mapping[str, float] = NO_TEMPERATURE,
) -> Path:
    """A BERT of one layer that tells texts apart; ``constant`` always answers as in ``SAID``."""
    torch.manual_seed(20260302)
    network = Network(
        BertConfig(
            vocab_size=len(SPECIAL) + len(KNOWN),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=PIECES,
            initializer_range=0.4,
        )
    )
    if constant:
        with torch.no_grad():
            for name, head in network.heads.items():
                assert isinstance(head, torch.nn.Linear)
                head.weight.zero_()
                head.bias.copy_(torch.tensor([log(share) for share in SAID[name]]))
    save_network(folder, network, pieces, temperatures=dict(temperatures))
    size = 0.0 if constant else 0.4
    vocabulary = len(SPECIAL) + len(KNOWN)
    save_ngrams(
        folder,
        {
            head: size * torch.randn(vocabulary + PAIRS, len(HEADS[head]))
            for head in (POLARITY, EMOTION)
        },
    )
    return save_tokenizer(folder)
