"""The pictures of a period: how long things took, and what came of deadlines and measures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, TypeVar

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from wanglou.models.case_plot import days, set_dates
from wanglou.models.response.figures import Kept
from wanglou.models.response.period import Part, Row, middle
from wanglou.models.response.report.canvas import ACCENT, INK, LINE, MIST, STEEL, drawing, tidy
from wanglou.models.response.words import share, span
from wanglou.schemas.base import CHINA
from wanglou.schemas.evaluation import EffectVerdict
from wanglou.schemas.response import Act

Outcome = TypeVar("Outcome", Kept, EffectVerdict)

TICKS: Final = (1, 10, 60, 6 * 60, 24 * 60, 7 * 24 * 60)
"""Minutes that are told beside the axis."""

TIMES: Final = (
    ("首条提及 → 首次预警", "to_alert"),
    ("首次预警 → 确认", "to_acknowledgement"),
    ("首次预警 → 首次发布", "to_statement"),
)

KEPT_COLOURS: Final = {Kept.KEPT: STEEL, Kept.LATE: MIST, Kept.MISSED: ACCENT}

VERDICT_COLOURS: Final = {
    EffectVerdict.HELPED: INK,
    EffectVerdict.NO_VISIBLE_EFFECT: STEEL,
    EffectVerdict.WORSE: ACCENT,
    EffectVerdict.NOT_SEPARABLE: MIST,
    EffectVerdict.TOO_EARLY: LINE,
}


def times(rows: Sequence[Row], parts: Sequence[Part]) -> bytes:
    """How long it took in each case, as dots, and the median of each week or month, as lines."""
    with drawing(4.4) as made:
        panels = made.figure.subplots(len(TIMES), 1, sharex=True)
        for axes, (title, name) in zip(panels, TIMES, strict=True):
            axes.set_title(title)
            _draw_times(axes, rows, parts, name)
        set_dates(panels[-1], _midnight(parts[0].first), _midnight(parts[-1].last, 1))
    return made.svg


def _draw_times(axes: Axes, rows: Sequence[Row], parts: Sequence[Part], name: str) -> None:
    told = [(row.alerted_at, took) for row in rows if (took := getattr(row, name)) is not None]
    axes.plot(
        [days(at) for at, _ in told],
        [_minutes(took) for _, took in told],
        "o",
        markersize=3.5,
        color=STEEL,
        alpha=0.7,
        markeredgewidth=0,
    )
    for part in parts:
        half = middle(getattr(row, name) for row in part.rows)
        if half is not None:
            begin, end = days(_midnight(part.first)), days(_midnight(part.last, 1))
            axes.hlines(_minutes(half), begin, end, color=INK, linewidth=1.8)
            axes.annotate(
                span(half),
                ((begin + end) / 2, _minutes(half)),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=7,
            )
    highest = max([60.0, *(_minutes(took) for _, took in told)])
    axes.set_yscale("log")
    axes.set_ylim(0.7, 2.5 * highest)
    shown = [minutes for minutes in TICKS if minutes <= 2.5 * highest]
    axes.set_yticks(shown, [span(timedelta(minutes=one)) for one in shown])
    axes.yaxis.set_minor_locator(NullLocator())
    tidy(axes)


def _minutes(took: timedelta) -> float:
    """At least one: less cannot be told apart."""
    return max(took / timedelta(minutes=1), 1.0)


def _midnight(day: date, later: int = 0) -> datetime:
    return datetime.combine(day + timedelta(days=later), time(), CHINA)


def deadlines(departments: Mapping[str, Counter[Kept]]) -> bytes:
    """A bar a department: deadlines that were kept, late and missed."""
    with drawing(0.6 + 0.24 * len(departments)) as made:
        axes = made.figure.subplots()
        _bars(axes, list(departments), list(departments.values()), KEPT_COLOURS)
        for row, counts in enumerate(departments.values()):
            axes.annotate(
                share(counts[Kept.KEPT], counts.total()),
                (counts.total(), row),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
    return made.svg


def effects(acts: Mapping[Act, Counter[EffectVerdict]]) -> bytes:
    """A bar a kind of measure: what evaluations say of it."""
    with drawing(0.6 + 0.26 * len(acts)) as made:
        axes = made.figure.subplots()
        _bars(axes, [act.chinese for act in acts], list(acts.values()), VERDICT_COLOURS)
    return made.svg


def _bars(
    axes: Axes,
    names: Sequence[str],
    counted: Sequence[Mapping[Outcome, int]],
    colours: Mapping[Outcome, str],
) -> None:
    lefts = [0] * len(names)
    for outcome, colour in colours.items():
        widths = [counts.get(outcome, 0) for counts in counted]
        if not any(widths):
            continue
        bars = axes.barh(
            range(len(names)),
            widths,
            left=lefts,
            height=0.62,
            color=colour,
            edgecolor="white",
            label=outcome.chinese,
        )
        dark = colour in (INK, STEEL, ACCENT)
        axes.bar_label(
            bars,
            [str(width) if width else "" for width in widths],
            label_type="center",
            color="white" if dark else INK,
            fontsize=7,
        )
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_xticks([])
    axes.margins(x=0.08)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(colours), borderaxespad=0)
