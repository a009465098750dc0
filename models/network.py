"""The network: one Chinese BERT encoder and four heads that read its one pass."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, BertPreTrainedModel
from transformers.utils.logging import disable_progress_bar

from wanglou.models.adapter import ADAPTER, merge_adapter
from wanglou.models.taxonomy import EVENT_TYPES

POLARITY = "polarity"
EMOTION = "emotion"
EVENT_TYPE = "event_type"
INSTITUTION_NEGATIVE = "institution_negative"

HEADS: dict[str, tuple[str, ...]] = {
    POLARITY: ("negative", "neutral", "positive"),
    EMOTION: ("happy", "angry", "sad", "fear", "surprise", "neutral"),
    EVENT_TYPE: EVENT_TYPES,
    INSTITUTION_NEGATIVE: ("false", "true"),
}
"""The labels of each head, in the order of its outputs."""

VIEWPOINT = "viewpoint"

OUTSIDE, INSTITUTION = 0, 1
"""Token types: pieces of the institution's names are marked, all else is not. BERT adds a learned
vector for a piece's type, so the encoder knows whom it is asked about without an extra token."""


class OpinionNetwork(BertPreTrainedModel):
    """BERT with a linear head for each of `HEADS` on the mean over the pieces.

    The head of ``institution_negative`` also gets the mean over the institution's pieces (over all
    pieces, where none is marked).
    """

    base_model_prefix = "bert"

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        width = config.hidden_size
        self.heads = nn.ModuleDict(
            {
                name: nn.Linear(2 * width if name == INSTITUTION_NEGATIVE else width, len(labels))
                for name, labels in HEADS.items()
            }
        )
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        viewpoints: bool = False,
    ) -> dict[str, Tensor]:
        """Logits of each head, texts × labels; the first three arguments are texts × pieces.

        With ``viewpoints`` also, as `VIEWPOINT`, the vectors of what the texts say, texts × width:
        the mean over the pieces that are not the institution's, a third of the way up. Above that
        the layers tell the labels of the heads apart, and viewpoints less and less
        (models/README.md has the figures).
        """
        output = self.bert(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            output_hidden_states=viewpoints,
        )
        marked = token_type_ids * attention_mask
        named = torch.where(marked.any(dim=1, keepdim=True), marked, attention_mask)
        vectors = self.dropout(_means(output.last_hidden_state, attention_mask, named))
        answers: dict[str, Tensor] = {
            name: head(vectors.flatten(1) if name == INSTITUTION_NEGATIVE else vectors[:, 0])
            for name, head in self.heads.items()
        }
        if viewpoints:
            states = output.hidden_states[self.config.num_hidden_layers // 3]
            answers[VIEWPOINT] = _means(states, attention_mask - marked)[:, 0]
        return answers


def _means(states: Tensor, *chosen: Tensor) -> Tensor:
    """Means over several choices of pieces, texts × choices × width."""
    weights = torch.stack(chosen, dim=1).to(states.dtype)
    sums: Tensor = weights @ states
    return sums / weights.sum(dim=2, keepdim=True)


def load_network(folder: Path, precision: torch.dtype) -> OpinionNetwork:
    """The network of a folder, changed by its adapter if it has one, ready to predict."""
    disable_progress_bar()
    network: OpinionNetwork = OpinionNetwork.from_pretrained(
        folder,
        local_files_only=True,
        dtype=torch.float32,
        attn_implementation="eager",  # on texts this short faster than the fused one
    )
    if (folder / ADAPTER).is_file():
        merge_adapter(network, folder)
    network.to(precision)  # type: ignore[arg-type]
    network.eval()
    return network
