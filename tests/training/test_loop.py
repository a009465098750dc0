from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.builders import (
    FILLING,
    STUDENT,
    TEACHER,
    bert_config,
    network,
    recipe,
    silent,
)
from wanglou.models.network import HEADS, POLARITY, OpinionNetwork
from wanglou.models.pieces import PieceEncoder
from wanglou.models.training import loop
from wanglou.models.training.drawing import Drawer, class_weights
from wanglou.models.training.example import Example
from wanglou.models.training.loop import Machine, StageRun
from wanglou.models.training.measuring import HeldOut
from wanglou.models.training.predicting import by_head, predict
from wanglou.models.training.recipe import RecipeError, Stage
from wanglou.models.training.soft_labels import soft_key

CPU = torch.device("cpu")
WORDS = "坏平好"
EXAMPLES = [
    Example(
        WORDS[number % 3] * 3 + FILLING[number % 12 : 12 + number % 7],
        "论坛",
        {POLARITY: number % 3},
    )
    for number in range(90)
]


def stage_run(
    pieces: PieceEncoder,
    net: OpinionNetwork,
    examples: Sequence[Example] = EXAMPLES,
    *,
    soft: dict[int, torch.Tensor] | None = None,
    replicas: int = 2,
    **fields: Any,
) -> StageRun:
    stage = Stage.model_validate(TEACHER | fields)
    drawer = Drawer(examples, pieces, recipe(), {})
    weights = class_weights(examples, 0.5, {})
    return StageRun(net, stage, drawer, weights, soft or {}, Machine(CPU, replicas), seed=1)


def trained(run: StageRun, pieces: PieceEncoder, folder: Path) -> OpinionNetwork:
    held_out = HeldOut(EXAMPLES, pieces, recipe(), CPU, 1)
    return run.run(folder / "checkpoint.pt", held_out, silent())


def accuracy(net: OpinionNetwork, pieces: PieceEncoder) -> float:
    held_out = HeldOut(EXAMPLES, pieces, recipe(), CPU, 1)
    return held_out.figures(net)[POLARITY, "论坛"][2]


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights go into their mean after two steps."""
    monkeypatch.setattr(loop, "AVERAGED_STEPS", 2)


def test_a_stage_learns(pieces: PieceEncoder, tmp_path: Path) -> None:
    net = network()
    before = accuracy(net, pieces)
    run = stage_run(pieces, net, epochs=6, learning_rate=2e-2)
    assert accuracy(trained(run, pieces, tmp_path), pieces) > 0.8 > before + 0.3


@pytest.mark.usefixtures("looks_often")
@pytest.mark.parametrize("embeddings", [False, True])
def test_word_embeddings_are_trained_only_where_wanted(
    pieces: PieceEncoder, tmp_path: Path, embeddings: bool
) -> None:
    net = network()
    run = stage_run(pieces, net, epochs=1, train_embeddings=embeddings)
    changed = {
        name: not torch.equal(tensor, network().state_dict()[name])
        for name, tensor in trained(run, pieces, tmp_path).state_dict().items()
    }
    assert changed["bert.embeddings.word_embeddings.weight"] == embeddings
    assert changed["bert.embeddings.token_type_embeddings.weight"]
    assert changed["bert.encoder.layer.0.output.dense.weight"]


@pytest.mark.usefixtures("looks_often")
def test_what_is_kept_is_a_running_mean_of_the_weights(
    pieces: PieceEncoder, tmp_path: Path
) -> None:
    net = network()
    start = net.heads[POLARITY].weight.detach().clone()
    run = stage_run(pieces, net, epochs=2, batch_pieces=4096)  # a step an epoch
    kept = trained(run, pieces, tmp_path).heads[POLARITY].weight
    end = net.heads[POLARITY].weight
    assert not torch.equal(start, end)
    torch.testing.assert_close(kept, (start + 10 * end) / 11)


@pytest.mark.usefixtures("looks_often")
def test_without_averaging_the_last_look_is_kept(pieces: PieceEncoder, tmp_path: Path) -> None:
    net = network()
    run = stage_run(pieces, net, epochs=2, batch_pieces=4096, averaging=0)
    kept = trained(run, pieces, tmp_path)
    assert torch.equal(kept.heads[POLARITY].weight, net.heads[POLARITY].weight)


def test_texts_without_labels_are_borne(pieces: PieceEncoder, tmp_path: Path) -> None:
    unlabelled = [Example(FILLING[: number % 20 + 1], "微博") for number in range(100)]
    run = stage_run(pieces, network(), [*EXAMPLES[:1], *unlabelled])
    trained(run, pieces, tmp_path)


def test_a_student_learns_from_soft_labels_alone(pieces: PieceEncoder, tmp_path: Path) -> None:
    rows = [Example(example.text, "微博") for example in EXAMPLES]
    soft = {}
    for example in EXAMPLES:
        logits = torch.zeros(sum(map(len, HEADS.values())))
        logits[example.labels[POLARITY]] = 5
        soft[soft_key(example.text, None)] = logits
    alone = {"teachers": ["teacher"], "weight": 1}
    fields = STUDENT | {"distillation": alone, "epochs": 6, "learning_rate": 2e-2}
    run = stage_run(pieces, network(), rows, soft=soft, **fields)
    assert accuracy(trained(run, pieces, tmp_path), pieces) > 0.8


def test_replicas_give_nearly_the_result_of_one(pieces: PieceEncoder, tmp_path: Path) -> None:
    results = []
    for replicas in (1, 2):
        net = OpinionNetwork(bert_config(hidden_dropout_prob=0.0))
        net.load_state_dict(network().state_dict())
        run = stage_run(pieces, net, replicas=replicas, learning_rate=1e-4)
        kept = trained(run, pieces, tmp_path / str(replicas))
        held_out = HeldOut(EXAMPLES, pieces, recipe(), CPU, 1)
        results.append(by_head(predict(kept, held_out.items, CPU, 1))[POLARITY])
    torch.testing.assert_close(*results, rtol=0.1, atol=0.1)


def test_other_number_of_cores_than_that_of_the_checkpoint_is_refused(
    pieces: PieceEncoder, tmp_path: Path
) -> None:
    trained(stage_run(pieces, network(), replicas=2), pieces, tmp_path)
    problem = f"{tmp_path / 'checkpoint.pt'}: was left by a run with other --cores"
    with pytest.raises(RecipeError, match=re.escape(problem)):
        trained(stage_run(pieces, network(), replicas=1), pieces, tmp_path)
