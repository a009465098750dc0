from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from tests.models.test_evaluation import answer
from wanglou.models.evaluation import report_head
from wanglou.models.plots import draw_confusion


def test_no_confusion_matrix_lies_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **options: saved.append(figure))
    labels = [f"{number}" for number in range(12)]
    few = [answer("0", "0", source="a")]
    many = [answer(label, label, source="b") for label in labels]
    reports = [report_head(head, few + many, labels) for head in ("emotion", "event_type")]
    draw_confusion(reports, tmp_path / "confusion.png")
    (figure,) = saved
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert len(boxes) == 4
    assert not [1 for one, other in combinations(boxes, 2) if one.overlaps(other)]
    assert all(figure.bbox.containsx(box.x0) and figure.bbox.containsy(box.y0) for box in boxes)
