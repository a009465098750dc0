from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.models.tiny_model import save_model
from wanglou.models.bert_opinion import BertOpinion
from wanglou.models.opinion import Passage
from wanglou.models.precision import computes_bfloat16, fast_autocast


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    computes_bfloat16.cache_clear()
    yield
    computes_bfloat16.cache_clear()


def pretend(monkeypatch: pytest.MonkeyPatch, **features: bool) -> None:
    """A CPU with these features; what PyTorch then computes with is the real one."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx2": True, "avx512_f": False, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, False),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": True, "amx_bf16": True}, True),
        ({"neon": True, "bf16": False}, False),
        ({"neon": True, "bf16": True}, True),
    ],
    ids=["AVX2", "AVX-512", "AVX-512 BF16", "AMX", "Arm", "Arm BF16"],
)
def test_a_cpu_computes_bfloat16_if_its_instructions_for_it_are_fast(
    monkeypatch: pytest.MonkeyPatch, features: dict[str, bool], expected: bool
) -> None:
    pretend(monkeypatch, **features)
    assert computes_bfloat16("cpu") is expected


def test_a_gpu_computes_it_whatever_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, avx2=True)
    assert computes_bfloat16("cuda")


@pytest.mark.parametrize("native", [False, True])
def test_training_leaves_float32_only_where_that_is_faster(
    monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    pretend(monkeypatch, amx_bf16=native)
    with fast_autocast(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if native else torch.float32)


@pytest.mark.parametrize("native", [False, True])
def test_auto_is_the_faster_of_the_two(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, native: bool
) -> None:
    folder = save_model(tmp_path)
    passages = [Passage("银行坏", ("银行",)), Passage("好", ())]
    pretend(monkeypatch, amx_bf16=native)
    named = BertOpinion(folder, precision="bfloat16" if native else "float32").read(passages)
    other = BertOpinion(folder, precision="float32" if native else "bfloat16").read(passages)
    assert BertOpinion(folder).read(passages) == named != other
