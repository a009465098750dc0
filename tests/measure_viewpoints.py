"""Print how well codes tell viewpoints apart, on the labelled check; for models/README.md.

python tests/measure_viewpoints.py

Per layer of the encoder, the mean over all pieces and over those that are not the institution's:
the chance that two texts of one viewpoint are nearer than two of different viewpoints of the same
event (area under the ROC curve), seen from the middle of the event. Then, for codes of different
sizes, this and how far the clusters of the pipeline agree with the labels (adjusted Rand index,
mean over four events in twenty orders): 1 is agreement, 0 what chance would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, roc_auc_score

from wanglou.agents.settings import DEPLOY, WEIGHTS
from wanglou.models import viewpoints
from wanglou.models.network import load_network
from wanglou.models.opinion import Passage
from wanglou.models.pieces import SPECIAL, PieceEncoder, stack
from wanglou.models.risk_parameters import RiskParameters, ViewpointParameters
from wanglou.models.rules import RulesFile
from wanglou.models.text import normalise
from wanglou.models.viewpoints import Cluster, add_viewpoint, decode, encode
from wanglou.schemas.mention import Polarity, ScoredMention

CASES = Path(__file__).parent / "models" / "viewpoint_cases.yaml"
ORDERS = 20

Matrix = NDArray[np.float64]


def load_cases() -> list[tuple[list[Passage], list[str]]]:
    """The passages of each event, and the viewpoint of each."""
    events = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    return [
        (
            [
                Passage(normalise(text), (event["institution"],))
                for texts in event["viewpoints"].values()
                for text in texts
            ],
            [name for name, texts in event["viewpoints"].items() for _ in texts],
        )
        for event in events
    ]


def layers(passages: Sequence[Passage]) -> Matrix:
    """Means of each layer, over all pieces and without the name: texts × layers × 2 × width."""
    network, encoder = load_network(WEIGHTS, torch.float32), PieceEncoder(WEIGHTS)
    rows = []
    for pieces in encoder.encode(passages):
        inputs = stack([pieces], len(pieces.ids) + SPECIAL)
        with torch.inference_mode():
            states = network.bert(**inputs, output_hidden_states=True).hidden_states
        unnamed = inputs["token_type_ids"][0] == 0
        rows.append([[one[0].mean(0).numpy(), one[0][unnamed].mean(0).numpy()] for one in states])
    return np.array(rows, dtype=np.float64)


def separation(vectors: Matrix, labels: Sequence[str]) -> float:
    """Area under the ROC curve of the cosines from the middle, same viewpoint against different."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors - vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.triu_indices(len(labels), 1)
    same = np.array(labels)[first] == np.array(labels)[second]
    return float(roc_auc_score(same, (vectors @ vectors.T)[first, second]))


def agreement(
    codes: Sequence[str],
    passages: Sequence[Passage],
    labels: Sequence[str],
    parameters: ViewpointParameters,
) -> float:
    """Mean adjusted Rand index: each text belongs to the cluster that is nearest at the end."""
    vectors = np.array([decode(code) for code in codes], dtype=np.float64)
    found = []
    for seed in range(ORDERS):
        clusters: list[Cluster] = []
        for number in Random(seed).sample(range(len(codes)), len(codes)):
            mention = ScoredMention.model_construct(
                id=str(number),
                text=passages[number].text,
                polarity=Polarity.NEUTRAL,
                viewpoint=codes[number],
            )
            add_viewpoint(clusters, mention, 0, parameters)
        means = np.array([one.total / one.mentions for one in clusters]) - vectors.mean(axis=0)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        nearest = ((vectors - vectors.mean(axis=0)) @ means.T).argmax(axis=1)
        found.append(adjusted_rand_score(labels, nearest))
    return float(np.mean(found))


def main() -> None:
    """Read the check with the shipped model and print both tables."""
    parameters = RulesFile.read(DEPLOY / "risk.yaml", RiskParameters).rules.viewpoints
    cases = load_cases()
    events = [(layers(passages), labels) for passages, labels in cases]
    count = events[0][0].shape[1]
    print("| Layer | all pieces | without the name |\n|---|---|---|")
    for layer in range(count):
        all_pieces, unnamed = (
            np.mean([separation(rows[:, layer, which], labels) for rows, labels in events])
            for which in (0, 1)
        )
        print(f"| {layer} | {all_pieces:.3f} | {unnamed:.3f} |")
    print("\n| Layer | Numbers in a code | separation | agreement |\n|---|---|---|---|")
    for layer, size in ((2, 384), (2, 128), (2, 64), (2, 32), (count - 1, 384), (count - 1, 128)):
        viewpoints.DIMENSIONS = size
        coded = [([encode(row) for row in rows[:, layer, 1]], labels) for rows, labels in events]
        separations = [
            separation(np.array([decode(code) for code in codes], dtype=np.float64), labels)
            for codes, labels in coded
        ]
        agreements = [
            agreement(codes, passages, labels, parameters)
            for (codes, labels), (passages, _) in zip(coded, cases, strict=True)
        ]
        print(f"| {layer} | {size} | {np.mean(separations):.3f} | {np.mean(agreements):.3f} |")


if __name__ == "__main__":
    main()
