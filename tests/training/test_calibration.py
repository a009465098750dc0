from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.training.builders import item
from wanglou.models.network import EMOTION, HEADS, POLARITY
from wanglou.models.training.calibration import HIGHEST, LOWEST, temperatures
from wanglou.models.training.drawing import Item
from wanglou.models.training.predicting import by_head

WIDTH = sum(map(len, HEADS.values()))


def drawn_logits(texts: int) -> Tensor:
    return torch.randn(texts, WIDTH, generator=torch.Generator().manual_seed(5)) * 2


def sampled(logits: Tensor, true_temperatures: dict[str, float]) -> list[Item]:
    """Items whose labels are drawn from the logits at given temperatures."""
    generator = torch.Generator().manual_seed(6)
    labels = {
        head: torch.multinomial(
            (by_head(logits)[head] / temperature).softmax(dim=1), 1, generator=generator
        )[:, 0].tolist()
        for head, temperature in true_temperatures.items()
    }
    rows = range(len(logits))
    return [item({head: drawn[number] for head, drawn in labels.items()}) for number in rows]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_of_sampled_labels_is_found(temperature: float) -> None:
    logits = drawn_logits(8000)
    fitted = temperatures(logits, sampled(logits, {POLARITY: temperature, EMOTION: 1.5}))
    assert fitted[POLARITY] == pytest.approx(temperature, rel=0.07)
    assert fitted[EMOTION] == pytest.approx(1.5, rel=0.07)
    assert {fitted[head] for head in HEADS if head not in {POLARITY, EMOTION}} == {1}


def test_only_texts_with_a_label_count() -> None:
    logits = drawn_logits(2000)
    rows = sampled(logits, {POLARITY: 2})
    fitted = temperatures(logits, rows)
    without = torch.full((500, WIDTH), 9.0)
    assert temperatures(torch.cat([without, logits]), [item()] * 500 + rows) == fitted


def test_one_without_labels() -> None:
    assert temperatures(drawn_logits(3), [item()] * 3) == dict.fromkeys(HEADS, 1.0)
    assert temperatures(drawn_logits(0), []) == dict.fromkeys(HEADS, 1.0)


def test_temperature_stays_within_its_bounds() -> None:
    logits = drawn_logits(100)
    polarity = by_head(logits)[POLARITY]
    right = [item({POLARITY: label}) for label in polarity.argmax(dim=1).tolist()]
    wrong = [item({POLARITY: label}) for label in polarity.argmin(dim=1).tolist()]
    assert temperatures(logits, right)[POLARITY] == pytest.approx(LOWEST, abs=1e-3)
    assert temperatures(logits, wrong)[POLARITY] == pytest.approx(HIGHEST, abs=1e-3)
