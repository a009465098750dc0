"""What a stage minimises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import kl_div

from wanglou.models.network import HEADS, POLARITY
from wanglou.models.training.drawing import Item
from wanglou.models.training.predicting import by_head

NOTHING = -100
"""Label of a text that a head learns nothing from."""

ABSENT = -30.0
"""Logit of a class that a corpus does not know."""

NEUTRAL = HEADS[POLARITY].index("neutral")


def hard_loss(
    logits: Mapping[str, Tensor],
    items: Sequence[Item],
    weights: Mapping[tuple[str, str, int], float],
    smoothing: float,
) -> Tensor:
    """Sum over texts and heads of the weighted cross-entropy, smoothed.

    Of a corpus with two classes nothing is learned about neutral: its logit is left out.
    """
    total = torch.zeros((), device=logits[POLARITY].device)
    for head, values in logits.items():
        labels = [item.labels.get(head, NOTHING) for item in items]
        rows = [row for row, label in enumerate(labels) if label != NOTHING]
        if not rows:
            continue
        chosen = values[rows].float()
        known = torch.ones_like(chosen)
        if head == POLARITY:
            blind = [position for position, row in enumerate(rows) if items[row].two_class]
            known[blind, NEUTRAL] = 0
        log_likelihood = chosen.masked_fill(known == 0, ABSENT).log_softmax(dim=1)
        truth = torch.tensor([labels[row] for row in rows], device=chosen.device)
        spread = (log_likelihood * known).sum(dim=1) / known.sum(dim=1)
        hit = log_likelihood.gather(1, truth[:, None])[:, 0]
        losses = -(1 - smoothing) * hit - smoothing * spread
        scale = [weights[items[row].source, head, labels[row]] for row in rows]
        total = total + (losses * torch.tensor(scale, device=chosen.device)).sum()
    return total


def soft_loss(logits: Mapping[str, Tensor], soft: Tensor, temperature: float) -> Tensor:
    """Sum over texts and heads of the Kullback-Leibler divergence from the teacher's labels.

    ``soft`` are the teacher's logits, texts × labels of all heads in order, NaN where it knows
    nothing; both sides are divided by the temperature, and the loss multiplied by its square
    (Hinton et al. 2015).
    """
    losses = []
    for head, part in by_head(soft).items():
        known = ~part[:, 0].isnan()
        losses.append(
            kl_div(
                (logits[head][known].float() / temperature).log_softmax(dim=1),
                (part[known] / temperature).log_softmax(dim=1),
                reduction="sum",
                log_target=True,
            )
        )
    return torch.stack(losses).sum() * temperature**2
