"""Draw what the dashboards show of a replay: one PNG a dashboard. A rendering, not Grafana.

Runs broker, worker and Prometheus, replays the demo's stream, asks Prometheus the panels' queries::

    python deploy/grafana/render.py    # two days in about a minute; writes *.png beside this file
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from wanglou.deploy.grafana.generate import DASHBOARDS
from wanglou.deploy.grafana.observed import Observation, observed_replay
from wanglou.deploy.grafana.panels import (
    LEVEL_COLORS,
    NEUTRAL,
    Dashboard,
    Panel,
    Query,
    Row,
)
from wanglou.deploy.grafana.prometheus_server import Series
from wanglou.models.plots import STYLE

FOLDER = Path(__file__).resolve().parent
SPEED = 2700
DOTS_PER_INCH = 90
WIDTH_INCHES, ROW_INCHES, HEADING_INCHES = 16.0, 2.7, 0.9
MOST_IN_LEGEND = 8
NOTE = (
    "A rendering by deploy/grafana/render.py of a replay of the demo's two days, not Grafana. "
    "The pager's numbers are made up by a stand-in."
)

COLORS = {
    "green": "#3C9D5B",
    "blue": "#0072B2",
    "yellow": "#E0B400",
    "orange": "#E67E22",
    "red": "#C0392B",
}
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#767676", "#7B4FA3")

Drawn = Sequence[tuple[str, Series]]
"""Series with what they are called."""

Shown = Callable[[Panel], Drawn]


def called(query: Query, labels: Mapping[str, str]) -> str:
    """What a series is called.

    >>> called(Query("up", "{{agent}}/{{partition}}"), {"agent": "risk", "partition": "2"})
    'risk/2'
    """
    text = query.legend
    for name, value in labels.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def shown(observation: Observation, dashboard: Dashboard, panel: Panel) -> Drawn:
    """The series of a panel, with what they are called."""
    return [
        (called(query, series.labels), series)
        for query in panel.queries
        for series in observation.series(dashboard, query)
    ]


def number(value: float, unit: str) -> str:
    """A value as a person reads it.

    >>> number(0.254, "percentunit"), number(0.003, "s"), number(1536 * 2**20, "bytes")
    ('25 %', '3 ms', '1.5 GiB')
    >>> number(1234, "mps"), number(12.5, "m"), number(0, "short")
    ('1,234/s', '12.5 min', '0')
    """
    if unit == "percentunit":
        return f"{100 * value:.3g} %" if value < 0.1 else f"{100 * value:.0f} %"
    if unit == "bytes":
        return f"{value / 2**30:.1f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"
    if unit == "s":
        return _seconds(value)
    after = {"mps": "/s", "cpm": "/min", "m": " min"}.get(unit, "")
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}") + after


def _seconds(value: float) -> str:
    if value >= 3600:
        return f"{value / 3600:.3g} h"
    return f"{1000 * value:.3g} ms" if 0 < value < 1 else f"{value:.3g} s"


def draw(dashboard: Dashboard, started: float, series: Shown, path: Path) -> None:
    """Draw a dashboard; times are minutes since ``started`` (Unix, seconds)."""
    with rc_context({**STYLE, "axes.titlesize": 9.5, "font.size": 8}):
        height = HEADING_INCHES + ROW_INCHES * len(dashboard.rows)
        figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
        heights = [HEADING_INCHES, *[ROW_INCHES] * len(dashboard.rows)]
        parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        heading, *others = parts
        heading.text(0.008, 0.7, dashboard.title, fontsize=15, verticalalignment="center")
        heading.text(0.008, 0.2, NOTE, fontsize=9, color="#767676", verticalalignment="center")
        for part, row in zip(others, dashboard.rows, strict=True):
            part.suptitle(row.title, x=0.008, horizontalalignment="left", fontsize=11)
            _draw_row(row, part.subplots(1, len(row.panels), squeeze=False)[0], started, series)
        figure.savefig(path, dpi=DOTS_PER_INCH, pil_kwargs={"optimize": True})


def _draw_row(row: Row, places: Sequence[Axes], started: float, series: Shown) -> None:
    for panel, axes in zip(row.panels, places, strict=True):
        axes.set_title(panel.title)
        kind = {"stat": _stat, "bars": _bars, "stack": _stack, "series": _lines}[panel.kind]
        kind(axes, panel, series(panel), started)


def _stat(axes: Axes, panel: Panel, drawn: Drawn, started: float) -> None:
    value = drawn[0][1].points[-1][1]
    axes.set_facecolor(_color(panel, value))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    text = number(value, panel.unit)
    axes.text(
        0.5,
        0.5,
        text,
        transform=axes.transAxes,
        fontsize=30,
        color="white",
        horizontalalignment="center",
        verticalalignment="center",
    )


def _color(panel: Panel, value: float) -> str:
    reached = [one.color for one in panel.thresholds if one.value is None or value >= one.value]
    return COLORS[reached[-1]]


def _bars(axes: Axes, panel: Panel, drawn: Drawn, started: float) -> None:
    """The highest of the replay: at its end most are 0 again."""
    highest = {name: max(value for _, value in one.points) for name, one in drawn}
    bars = sorted(highest.items(), key=lambda one: one[1])[-10:]
    values = [value for _, value in bars]
    held = axes.barh(
        [name for name, _ in bars], values, color=[_color(panel, value) for value in values]
    )
    axes.bar_label(held, [number(value, panel.unit) for value in values], padding=3)
    axes.spines[:].set_visible(False)
    axes.margins(x=0.15)
    axes.tick_params(length=0)
    axes.set_xticks([])
    axes.set_xlabel("highest of the replay")


def _lines(axes: Axes, panel: Panel, drawn: Drawn, started: float) -> None:
    for place, (name, one) in enumerate(_highest_first(drawn)):
        minutes = [(at - started) / 60 for at, _ in one.points]
        label = name if place < MOST_IN_LEGEND else None
        color = _series_color(name, place)
        axes.plot(minutes, [value for _, value in one.points], label=label, color=color, lw=1.2)
    _finish(axes, panel, drawn)


def _stack(axes: Axes, panel: Panel, drawn: Drawn, started: float) -> None:
    times = sorted({at for _, one in drawn for at, _ in one.points})
    rows = [[dict(one.points).get(at, 0.0) for at in times] for _, one in drawn]
    names = [name for name, _ in drawn]
    colors = [_series_color(name, place) for place, name in enumerate(names)]
    minutes = [(at - started) / 60 for at in times]
    axes.stackplot(minutes, rows, labels=names, colors=colors, alpha=0.8)
    _finish(axes, panel, drawn)


def _highest_first(drawn: Drawn) -> Drawn:
    return sorted(drawn, key=lambda one: -max(value for _, value in one[1].points))


def _series_color(name: str, place: int) -> str:
    level = name.rpartition(" ")[2]
    return COLORS[level] if level in LEVEL_COLORS else CYCLE[place % len(CYCLE)]


def _finish(axes: Axes, panel: Panel, drawn: Drawn) -> None:
    lowest, highest = 0.0, axes.get_ylim()[1]
    highest = highest if highest > 0.01 else 1.0
    if panel.unit == "percentunit":
        highest = max(highest, 1.0) if highest > 0.3 else highest
    axes.set_ylim(lowest, highest)
    axes.margins(x=0)
    if panel.thresholds != NEUTRAL:
        _thresholds(axes, panel, highest)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, panel.unit)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} min"))
    axes.grid(color="#EDEDED")
    axes.set_axisbelow(True)
    title = f"and {len(drawn) - MOST_IN_LEGEND} more" if len(drawn) > MOST_IN_LEGEND else None
    axes.legend(
        loc="upper left", fontsize=7, title=title, title_fontsize=7, framealpha=0.75, edgecolor="w"
    )


def _thresholds(axes: Axes, panel: Panel, highest: float) -> None:
    for before, step in pairwise(panel.thresholds):
        if step.value is not None and step.value <= highest:
            worse = before if panel.thresholds[0].color == "red" else step
            axes.axhline(step.value, color=COLORS[worse.color], linewidth=0.9, linestyle="--")


def main() -> None:
    """Replay, and draw all."""
    with (
        tempfile.TemporaryDirectory() as folder,
        observed_replay(Path(folder), SPEED) as observation,
    ):
        for dashboard in DASHBOARDS:
            path = FOLDER / f"{dashboard.name}.png"
            draw(dashboard, observation.started, partial(shown, observation, dashboard), path)
            print(path)


if __name__ == "__main__":
    main()
