"""A tiny encoder for all tests of training; hypothesis without deadlines, as for the models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.training.builders import save_encoder, write_data
from wanglou.models.pieces import PieceEncoder

settings.register_profile(
    "training", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("training")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Threads that wait for a core take far longer than these tiny sums."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def pieces(encoder_folder: Path) -> PieceEncoder:
    return PieceEncoder(encoder_folder)


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny corpora, not to be changed."""
    return write_data(tmp_path_factory.mktemp("data"))
