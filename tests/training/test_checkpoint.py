from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.training.builders import network
from wanglou.models.network import HEADS, load_network
from wanglou.models.training.checkpoint import (
    WEIGHTS,
    load_checkpoint,
    load_soft_labels,
    save_atomically,
    save_checkpoint,
    save_network,
    save_soft_labels,
)


def test_network_comes_back_in_half_precision(tmp_path: Path) -> None:
    saved = network()
    save_network(tmp_path / "new" / "folder", saved, 24)
    loaded = load_network(tmp_path / "new" / "folder", torch.float32)
    assert not loaded.training
    for name, tensor in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float())


def test_second_trip_loses_nothing(tmp_path: Path) -> None:
    for folder, net in (("a", network()), ("b", network(seed=4))):
        save_network(tmp_path / folder, net, 24)
    assert (tmp_path / "a" / WEIGHTS).read_bytes() != (tmp_path / "b" / WEIGHTS).read_bytes()
    save_network(tmp_path / "b", load_network(tmp_path / "a", torch.float32), 24)
    assert (tmp_path / "a" / WEIGHTS).read_bytes() == (tmp_path / "b" / WEIGHTS).read_bytes()


def test_configuration_says_what_reading_needs(tmp_path: Path) -> None:
    save_network(tmp_path, network(), 24, temperatures={"polarity": 1.5})
    written = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert written["heads"] == {head: list(labels) for head, labels in HEADS.items()}
    assert written["pieces"] == 24
    assert written["temperatures"] == {"polarity": 1.5}


def test_an_interruption_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "file"
    save_atomically(path, lambda beside: beside.write_text("old") and None)

    def interrupted(beside: Path) -> None:
        beside.write_text("ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_atomically(path, interrupted)
    assert path.read_text() == "old"
    save_atomically(path, lambda beside: beside.write_text("new") and None)
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_checkpoint_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "stage" / "checkpoint.pt"
    assert load_checkpoint(path) is None
    save_checkpoint(path, {"step": 7, "random": [torch.arange(3)]})
    state = load_checkpoint(path)
    assert state is not None
    assert state["step"] == 7
    assert torch.equal(state["random"][0], torch.arange(3))


def test_soft_labels_come_back_by_key(tmp_path: Path) -> None:
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    save_soft_labels(tmp_path, torch.tensor([7, 2**62, 1]), logits)
    loaded = load_soft_labels(tmp_path)
    assert list(loaded) == [7, 2**62, 1]
    assert torch.equal(torch.stack(list(loaded.values())), logits.half().float())
