"""A dashboard as a picture: what its panels show, drawn by matplotlib, not by Grafana."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from wanglou.deploy.grafana.panels import (
    COLUMNS,
    LEVEL_COLORS,
    NEUTRAL,
    Dashboard,
    Panel,
    Query,
    Step,
)
from wanglou.models.plots import GREY, MARGIN_INCHES, PALE, STYLE

HEADING = "rendering, not Grafana"

COLORS = {
    "green": "#3A9D5D",
    "blue": "#3274D9",
    "yellow": "#E0B400",
    "orange": "#F2762E",
    "red": "#D8344B",
}
"""Grafana's names of colours."""

LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#767676")
"""Colours of series that are named after no level: Okabe and Ito's, and two more."""

WIDTH_INCHES, PANEL_INCHES, ROW_INCHES, TOP_INCHES = 14.0, 2.1, 0.85, 0.55
BAR_NAME_INCHES = 0.75
DOTS_PER_INCH = 90

MOST_COLORS = 128
"""Of a picture, so that it is a small file."""

MOST_LABELS = 8
"""Series that a legend names; it says how many more there are."""

MOST_CHARACTERS = 30


@dataclass(frozen=True, slots=True)
class Series:
    """A series: the labels, and values by time in seconds since the picture's begin."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]

    @property
    def last(self) -> float:
        """The latest value."""
        return self.samples[-1][1]

    @property
    def highest(self) -> float:
        """The highest value."""
        return max(value for _, value in self.samples)


Answers = Mapping[Query, Sequence[Series]]
"""What Prometheus answered: of each query the series that have samples."""


def draw(dashboard: Dashboard, answers: Answers, note: str, path: Path) -> None:
    """Draw a dashboard with what Prometheus answered; ``note`` says of what it is."""
    height = TOP_INCHES + len(dashboard.rows) * (PANEL_INCHES + ROW_INCHES)
    with rc_context({**STYLE, "font.size": 7.5, "axes.titlesize": 8.5}):
        figure = Figure(figsize=(WIDTH_INCHES, height))
        left = MARGIN_INCHES / WIDTH_INCHES
        figure.text(left, 1 - 0.28 / height, dashboard.title, fontsize=13)
        figure.text(
            1 - left, 1 - 0.28 / height, f"{HEADING}; {note}", color=COLORS["red"], ha="right"
        )
        for number, row in enumerate(dashboard.rows):
            top = height - TOP_INCHES - number * (PANEL_INCHES + ROW_INCHES)
            figure.text(left, (top - 0.12) / height, row.title, fontsize=9.5, color=GREY)
            grid = GridSpec(
                1,
                COLUMNS,
                figure,
                left=0.045,
                right=0.99,
                top=(top - 0.42) / height,
                bottom=(top - 0.42 - PANEL_INCHES + 0.3) / height,
                wspace=2.2,
            )
            begin = 0
            for panel in row.panels:
                axes = figure.add_subplot(grid[0, begin : begin + panel.width])
                _draw_panel(axes, panel, answers)
                begin += panel.width
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=DOTS_PER_INCH)
    Image.open(drawn).convert("RGB").quantize(MOST_COLORS).save(path, optimize=True)


def _draw_panel(axes: Axes, panel: Panel, answers: Answers) -> None:
    axes.set_title(panel.title)
    named = [
        (legend(query.legend, series.labels), series)
        for query in panel.queries
        for series in answers[query]
    ]
    if len(named) > MOST_LABELS:
        named.sort(key=lambda one: -one[1].highest)
    if not named:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no data", ha="center", color=COLORS["red"], fontsize=14)
    elif panel.kind == "stat":
        _draw_stat(axes, panel, named[0][1].last)
    elif panel.kind == "bars":
        _draw_bars(axes, panel, {name: series.highest for name, series in named})
    else:
        _draw_lines(axes, panel, named)


def _draw_stat(axes: Axes, panel: Panel, value: float) -> None:
    axes.set(xticks=[], yticks=[], facecolor=color_of(value, panel.thresholds))
    axes.spines[:].set_visible(False)
    axes.text(0.5, 0.5, shown(value, panel.unit), ha="center", va="center", fontsize=26, color="w")


def _draw_bars(axes: Axes, panel: Panel, values: Mapping[str, float]) -> None:
    axes.set_title(f"{panel.title}, peak 峰值")
    place = axes.get_position()
    place.x0 += BAR_NAME_INCHES / WIDTH_INCHES
    axes.set_position(place)
    names = sorted(values, key=lambda name: values[name])
    lengths = [values[name] for name in names]
    axes.barh(names, lengths, color=[color_of(one, panel.thresholds) for one in lengths])
    axes.set_xlim(0, max(*lengths, 0) * 1.25 or 1)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    for name, value in values.items():
        axes.annotate(
            shown(value, panel.unit), (value, name), (3, 0), textcoords="offset points", va="center"
        )


def _draw_lines(axes: Axes, panel: Panel, named: Sequence[tuple[str, Series]]) -> None:
    names, series = [one for one, _ in named], [one for _, one in named]
    fixed = [COLORS[LEVEL_COLORS[name]] if name in LEVEL_COLORS else None for name in names]
    colors = [color or LINES[number % len(LINES)] for number, color in enumerate(fixed)]
    if panel.kind == "stack":
        times = sorted({at for one in series for at, _ in one.samples})
        heights = [[dict(one.samples).get(at, 0.0) for at in times] for one in series]
        areas = axes.stackplot(times, heights, colors=colors, alpha=0.75)
        highest = max(float(sum(column)) for column in zip(*heights, strict=True))
        handles: Sequence[Artist] = areas
    else:
        handles = [
            axes.plot(*zip(*one.samples, strict=True), color=color, linewidth=1.1)[0]
            for one, color in zip(series, colors, strict=True)
        ]
        highest = max(one.highest for one in series)
    axes.set_ylim(0, highest * 1.15 or 1)
    if panel.thresholds != NEUTRAL:
        for step in panel.thresholds[1:]:
            if step.value is not None and step.value <= highest * 1.15:
                axes.axhline(step.value, color=COLORS[step.color], linestyle="--", linewidth=0.8)
    axes.set_xlim(0, max(at for one in series for at, _ in one.samples))
    counts = panel.unit == "short" and highest >= 1
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=counts))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, panel.unit)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} s"))
    axes.grid(color=PALE, linewidth=0.6)
    more = len(names) - MOST_LABELS
    axes.legend(
        handles[:MOST_LABELS],
        [*names[: MOST_LABELS - 1], names[MOST_LABELS - 1] + f" … + {more}"] if more > 0 else names,
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.1),
        ncols=4,
        fontsize=6,
        frameon=False,
        handlelength=0.9,
        columnspacing=0.9,
        labelspacing=0.25,
    )


def legend(pattern: str, labels: Mapping[str, str]) -> str:
    """The name of a series, as Grafana makes it of a pattern; cut if it is long.

    >>> legend("{{agent}}/{{partition}}", {"agent": "risk", "partition": "3"})
    'risk/3'
    """
    name = re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), pattern)
    name = name.removeprefix("wanglou.")
    return name if len(name) <= MOST_CHARACTERS else name[: MOST_CHARACTERS - 1] + "…"


def color_of(value: float, steps: Sequence[Step]) -> str:
    """The colour of a value: that of the last step that it reaches."""
    reached = [one for one in steps if one.value is None or value >= one.value]
    return COLORS[reached[-1].color]


def shown(value: float, unit: str) -> str:
    """A value as a reader wants it, after Grafana's units.

    >>> shown(0.25, "percentunit"), shown(3 << 20, "bytes"), shown(0.02, "s"), shown(1200, "short")
    ('25%', '3 MiB', '20 ms', '1.2k')
    """
    if unit == "percentunit":
        return f"{value * 100:.3g}%"
    if unit == "bytes":
        return f"{value / (1 << 20):.0f} MiB"
    if unit == "s" and 0 < value < 1:
        return f"{value * 1000:.3g} ms"
    number = f"{value / 1000:.3g}k" if abs(value) >= 1000 else f"{value:.3g}"
    suffix = {"s": " s", "m": " min", "mps": "/s", "cpm": "/min"}.get(unit, "")
    return number + suffix
