"""Pictures of an evaluation: reliability diagrams and confusion matrices, as PNG files.

Colours are of Okabe & Ito's palette and of one hue from light to dark, so that none are confused
by colour-blind readers. Noto Sans SC (SIL Open Font License 1.1) sets the Chinese.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from pylopdf_fonts_zh_cn import sans_path

from wanglou.models.evaluation import BINS, HEADS, HeadReport
from wanglou.schemas.mention import Emotion

fontManager.addfont(sans_path())

BLUE, VERMILION, GREY, PALE = "#0072B2", "#D55E00", "#767676", "#E4E4E4"

DOTS_PER_INCH = 160

STYLE: dict[Any, Any] = {  # matplotlib's own type for it lists every key
    "font.family": [FontProperties(fname=sans_path()).get_name(), "DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "text.parse_math": False,  # names come from files: a dollar in one is a dollar
}

LABELS = {
    "polarity": {"negative": "负面", "neutral": "中性", "positive": "正面"},
    "emotion": {one.value: one.chinese for one in Emotion},
    "institution_negative": {"true": "负面", "false": "非负面"},
}
"""What the labels are called in Chinese."""

MAX_LABEL = 18
"""Characters of a label or source that are drawn."""

PANEL_INCHES = 3.2
"""Width of a reliability diagram."""

MATRIX_INCHES, MIN_CELL_INCHES, MAX_CELL_INCHES = 3.0, 0.42, 0.8
"""Side of a confusion matrix, and the least and most that a cell of it has: room for ``100``."""

LEFT_INCHES, RIGHT_INCHES, TOP_INCHES, BOTTOM_INCHES = 1.9, 0.3, 0.6, 1.2
"""Room around a confusion matrix for its labels and title."""

MARGIN_INCHES = 0.15
HEADING_INCHES = 0.5
LINE_SPACING = 1.4

MIN_PANEL_INCHES = 4.4
"""Least width of a panel: its title must fit."""

ROW_INCHES = 19.0
"""Width beyond which confusion matrices go on in the next row."""

DARK = 0.7
"""Share of a row from which a cell is so dark that its number is white."""


def draw_reliability(reports: Sequence[HeadReport], path: Path) -> None:
    """One panel a head, all sources together: accuracy by confidence, answers by confidence.

    The larger a dot, the more answers it stands for.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(PANEL_INCHES * len(reports) + 0.6, 4.7), layout="constrained")
        panels = figure.subplots(
            2, len(reports), squeeze=False, sharex=True, height_ratios=[3.2, 1]
        )
        figure.suptitle(
            "Reliability 可靠性: accuracy by confidence",
            x=MARGIN_INCHES / figure.get_figwidth(),
            horizontalalignment="left",
            fontsize=12,
        )
        for report, upper, lower in zip(reports, panels[0], panels[1], strict=True):
            _reliability_panel(report, upper, lower)
        panels[0, 0].set_ylabel("accuracy 正确率")
        panels[1, 0].set_ylabel("answers 条数")
        figure.savefig(path, dpi=DOTS_PER_INCH)


def _reliability_panel(report: HeadReport, upper: Axes, lower: Axes) -> None:
    measured = report.overall
    bins = measured.reliability
    confidence = [one.confidence for one in bins]
    right = [one.accuracy for one in bins]
    upper.plot([0, 1], [0, 1], linestyle="--", linewidth=1, color=GREY, label="ideal 理想")
    upper.vlines(confidence, confidence, right, color=VERMILION, linewidth=2, label="gap 差距")
    upper.plot(confidence, right, linewidth=0.8, color=BLUE)
    highest = max(one.answers for one in bins)
    upper.scatter(
        confidence,
        right,
        s=[6 + 50 * one.answers / highest for one in bins],
        color=BLUE,
        label="model 模型",
        clip_on=False,
        zorder=3,
    )
    upper.set(xlim=(0, 1), ylim=(0, 1))
    upper.set_title(
        f"{_head(report)}\nn = {measured.answers:,}, ECE {measured.calibration_error:.3f}",
        linespacing=LINE_SPACING,
    )
    upper.grid(color=PALE)
    upper.legend(loc="upper left", frameon=False, fontsize=8)
    for one in bins:
        middle = (one.low + one.high) / 2
        lower.bar(middle, one.answers, width=0.9 / BINS, color=BLUE)
        lower.annotate(
            f"{one.answers:,}",
            (middle, one.answers),
            xytext=(0, 2),
            textcoords="offset points",
            rotation=90,
            fontsize=6.5,
            horizontalalignment="center",
            verticalalignment="bottom",
        )
    lower.set(ylim=(0, highest * 1.75), yticks=[])
    lower.spines["left"].set_visible(False)
    lower.set_xlabel("confidence in the answer 置信度")


def draw_confusion(reports: Sequence[HeadReport], path: Path) -> None:
    """One panel a head and source: of each true label, what share got which answer."""
    rows = [
        row
        for report in reports
        for row in _rows([_panel(report, source) for source in report.sources])
    ]
    width = max(sum(panel.width for panel in row) for row in rows)
    height = sum(map(_height, rows)) + HEADING_INCHES
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        figure.text(
            MARGIN_INCHES / width,
            1 - MARGIN_INCHES / height,
            "Confusion 混淆矩阵: % of each true label",
            fontsize=12,
            verticalalignment="top",
        )
        top = height - HEADING_INCHES
        for row in rows:
            left = 0.0
            for panel in row:
                _confusion_panel(figure, panel, left, top)
                left += panel.width
            top -= _height(row)
        figure.savefig(path, dpi=DOTS_PER_INCH)


@dataclass(frozen=True, slots=True)
class _Panel:
    """A confusion matrix of counts to draw: only labels that were true or answered."""

    head: str
    titles: tuple[str, str]
    labels: list[str]
    counts: NDArray[np.int64]

    @property
    def side(self) -> float:
        """Inches of the matrix alone."""
        cells = len(self.labels)
        return cells * min(max(MATRIX_INCHES / cells, MIN_CELL_INCHES), MAX_CELL_INCHES)

    @property
    def width(self) -> float:
        return max(LEFT_INCHES + self.side + RIGHT_INCHES, MIN_PANEL_INCHES)

    @property
    def height(self) -> float:
        return TOP_INCHES + self.side + BOTTOM_INCHES


def _panel(report: HeadReport, source: str) -> _Panel:
    measured = report.sources[source]
    counts = np.array(measured.confusion)
    seen = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    size = f"n = {measured.answers:,}, macro-F1 {measured.macro_f1:.3f}"
    return _Panel(
        head=report.head,
        titles=(_head(report), f"{_short(source)}: {size}"),
        labels=[report.labels[index] for index in seen],
        counts=counts[np.ix_(seen, seen)],
    )


def _rows(panels: Sequence[_Panel]) -> list[list[_Panel]]:
    rows: list[list[_Panel]] = [[]]
    for panel in panels:
        if rows[-1] and sum(one.width for one in (*rows[-1], panel)) > ROW_INCHES:
            rows.append([])
        rows[-1].append(panel)
    return rows


def _height(row: Sequence[_Panel]) -> float:
    """Inches: a source may have fewer labels than its neighbour."""
    return max(panel.height for panel in row)


def _confusion_panel(figure: Figure, panel: _Panel, left: float, top: float) -> None:
    """Draw a panel whose upper left corner is at (``left``, ``top``) inches of the figure."""
    width, height = figure.get_size_inches()
    figure.text(
        (left + MARGIN_INCHES) / width,
        top / height,
        "\n".join(panel.titles),
        fontsize=10,
        linespacing=LINE_SPACING,
        verticalalignment="top",
    )
    corner = (left + LEFT_INCHES) / width, (top - TOP_INCHES - panel.side) / height
    axes = figure.add_axes((*corner, panel.side / width, panel.side / height))
    texts = panel.counts.sum(axis=1)
    shares = panel.counts / np.maximum(texts, 1)[:, np.newaxis]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(panel.counts), strict=True):
        axes.text(
            column,
            row,
            f"{100 * shares[row, column]:.0f}",
            color="white" if shares[row, column] > DARK else "black",
            fontsize=8,
            horizontalalignment="center",
            verticalalignment="center",
        )
    places = range(len(panel.labels))
    names = [_label(panel.head, label) for label in panel.labels]
    counted = [f"{name} ({count:,})" for name, count in zip(names, texts, strict=True)]
    axes.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, counted)
    edges = np.arange(len(panel.labels) + 1) - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color=PALE, linewidth=0.8)
    for place in places:
        axes.add_patch(
            Rectangle((place - 0.5, place - 0.5), 1, 1, fill=False, edgecolor=GREY, zorder=3)
        )
    axes.tick_params(which="both", length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("answer 预测")
    axes.set_ylabel("truth 真实 (n)")


def _head(report: HeadReport) -> str:
    return f"{report.head} {HEADS[report.head]}"


def _label(head: str, label: str) -> str:
    chinese = LABELS.get(head, {}).get(label)
    return _short(label) if chinese is None else f"{label} {chinese}"


def _short(name: str) -> str:
    return name if len(name) <= MAX_LABEL else f"{name[: MAX_LABEL - 1]}…"
