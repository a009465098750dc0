"""The picture of a case: what the public did, what Wanglou saw in it, and when it said so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby, zip_longest
from math import nan
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from wanglou.models.moment import Moment
from wanglou.models.plots import BLUE, DOTS_PER_INCH, GREY, PALE, STYLE, VERMILION
from wanglou.models.risk_parameters import LevelParameters
from wanglou.models.verdict import Case
from wanglou.schemas.base import CHINA, minute_of, time_of
from wanglou.schemas.risk import Level

BEFORE, AFTER = timedelta(hours=6), timedelta(hours=6)
"""What is drawn before and after the incident."""

BAR_MINUTES = 10

LEVEL_COLOURS = {
    Level.BLUE: "#56B4E9",
    Level.YELLOW: "#F0E442",
    Level.ORANGE: "#E69F00",
    Level.RED: "#D55E00",
}
"""Of the palette of Okabe & Ito."""


def draw_case(
    case: Case,
    title: str,
    mentions: Mapping[int, int],
    trail: Sequence[Moment],
    levels: LevelParameters,
    path: Path,
) -> None:
    """Mentions of the institution (by minute), heat and risk of the event, and its levels.

    ``trail`` is how the event went; from where it was resolved to where it rose again the lines
    have a gap.
    """
    start, end = case.incident.start - BEFORE, case.incident.end + AFTER
    shown = [one for one in trail if start <= one.at <= end]
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 6), layout="constrained")
        upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=[2, 2, 3])
        figure.suptitle(title, x=0.01, horizontalalignment="left", fontsize=12)
        _draw_mentions(upper, mentions, start, end)
        draw_line(middle, shown, [one.heat for one in shown], BLUE)
        middle.set_ylabel("heat 热度")
        _draw_risk(lower, shown, levels)
        for axes in (upper, middle, lower):
            for edge in (case.incident.start, case.incident.end):
                axes.axvline(days(edge), color=GREY, linestyle=":", linewidth=1)
            axes.grid(axis="y", color=PALE)
            axes.set_axisbelow(True)
        set_dates(lower, start, end)
        figure.savefig(path, dpi=DOTS_PER_INCH)


def set_dates(axes: Axes, start: datetime, end: datetime) -> None:
    """Let the axis go from one time to another, with the clock of China."""
    axes.set_xlim(days(start), days(end))
    locator = AutoDateLocator(tz=CHINA)
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=CHINA)
    formatter.formats = ["%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%S"]
    formatter.zero_formats = ["", "%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M"]
    formatter.offset_formats = ["", "%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d %H:%M"]
    axes.xaxis.set_major_formatter(formatter)


def _draw_mentions(axes: Axes, mentions: Mapping[int, int], start: datetime, end: datetime) -> None:
    bars: dict[int, int] = {}
    for minute in range(minute_of(start), minute_of(end)):
        bar = minute // BAR_MINUTES * BAR_MINUTES
        bars[bar] = bars.get(bar, 0) + mentions.get(minute, 0)
    axes.bar(
        [days(time_of(bar)) for bar in bars],
        list(bars.values()),
        width=BAR_MINUTES / (24 * 60),
        align="edge",
        color=GREY,
    )
    axes.set_ylabel(f"mentions 提及\nin {BAR_MINUTES} minutes")


def draw_line(axes: Axes, shown: Sequence[Moment], values: Sequence[float], colour: str) -> None:
    """Draw a value of each moment; the line has a gap from where the event was resolved."""
    times: list[float] = []
    line: list[float] = []
    for moment, value in zip(shown, values, strict=True):
        times.append(days(moment.at))
        line.append(value)
        if moment.level is None:
            times.append(days(moment.at))
            line.append(nan)
    axes.plot(times, line, color=colour, linewidth=1.3)
    axes.set_ylim(bottom=0)


def _draw_risk(axes: Axes, shown: Sequence[Moment], levels: LevelParameters) -> None:
    draw_bands(axes, shown)
    draw_line(axes, shown, [one.risk for one in shown], VERMILION)
    for level, colour in LEVEL_COLOURS.items():
        enter = levels.threshold(level).enter
        axes.axhline(enter, color=colour, linewidth=1)
        axes.annotate(
            f"{level.chinese} {enter:g}",
            (1, enter),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=8,
        )
    highest = max([one.risk for one in shown], default=0.0)
    axes.set_ylim(0, max(highest, levels.red.enter) * 1.1)
    axes.set_ylabel("risk 风险值")


def draw_bands(axes: Axes, shown: Sequence[Moment]) -> None:
    """Colour the time by the level that was in force."""
    for level, begin, end in level_runs(shown):
        axes.axvspan(days(begin), days(end), color=LEVEL_COLOURS[level], alpha=0.35, linewidth=0)


def level_runs(shown: Sequence[Moment]) -> Iterator[tuple[Level, datetime, datetime]]:
    """From when to when each level was in force."""
    runs = [list(run) for _, run in groupby(shown, key=lambda one: one.level)]
    for run, following in zip_longest(runs, runs[1:]):
        if run[0].level is not None:
            yield run[0].level, run[0].at, following[0].at if following else run[-1].at


def days(time: datetime) -> float:
    """Days since 1970 in UTC: matplotlib's dates."""
    return time.timestamp() / (24 * 60 * 60)
