"""Fits the n-gram term: logistic regression on the labelled texts, each head by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from wanglou.models.network import HEADS
from wanglou.models.ngrams import PAIRS, ngrams
from wanglou.models.pieces import stack
from wanglou.models.training.drawing import Item, padded_length

INVERSE_REGULARISATION = 1.0
"""C of the logistic regression; 4 did as well."""

ITERATIONS = 300

CHUNK = 256
"""Texts whose n-grams are listed at once."""


def fit_ngrams(
    items: Sequence[Item],
    head: str,
    weights: Mapping[tuple[str, str, int], float],
    pieces: int,
) -> Tensor:
    """Weights, n-grams × labels of ``head``, learned from items that could have any of its labels.

    ``weights`` are those of the loss, ``pieces`` the size of the vocabulary. A label that no
    text has gets 0 everywhere, as all do where fewer than two occur.
    """
    chosen = [
        item
        for item in items
        if head in item.labels and not item.two_class and item.institution is None
    ]
    labels = [item.labels[head] for item in chosen]
    result = torch.zeros(pieces + PAIRS, len(HEADS[head]))
    if len(set(labels)) < 2:
        return result
    regression = LogisticRegression(
        C=INVERSE_REGULARISATION, fit_intercept=False, max_iter=ITERATIONS
    ).fit(
        ngram_matrix(chosen, pieces),
        labels,
        sample_weight=[
            weights[item.source, head, label] for item, label in zip(chosen, labels, strict=True)
        ],
    )
    coefficients = torch.from_numpy(regression.coef_).float()
    if len(coefficients) == 1:  # of two classes scikit-learn gives the second's only
        coefficients = torch.cat([-coefficients, coefficients]) / 2
    result[:, regression.classes_.tolist()] = coefficients.T
    return result


def ngram_matrix(items: Sequence[Item], pieces: int) -> csr_matrix:
    """The n-grams of items as a sparse matrix, items × n-grams."""
    blocks = []
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK]
        inputs = stack([item.window for item in chunk], padded_length(chunk))
        columns, values = ngrams(inputs["input_ids"], inputs["attention_mask"], pieces)
        rows = np.repeat(np.arange(len(chunk)), columns.shape[1])
        there = (values > 0).flatten().numpy()
        blocks.append(
            csr_matrix(
                (
                    values.flatten().numpy()[there],
                    (rows[there], columns.flatten().numpy()[there]),
                ),
                shape=(len(chunk), pieces + PAIRS),
            )
        )
    return vstack(blocks, format="csr")
