"""The pictures of a case: its course, where it was said, how people felt, what measures did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from wanglou.models.case_plot import days, draw_bands, draw_line, level_runs, set_dates
from wanglou.models.response.dossier import Dossier
from wanglou.models.response.figures import Effect
from wanglou.models.response.report.canvas import (
    ACCENT,
    INK,
    MIST,
    MUTED,
    STEEL,
    bar_minutes,
    drawing,
    shades,
    tidy,
)
from wanglou.models.response.words import emotion, platform, span
from wanglou.schemas.base import minute_of, time_of
from wanglou.schemas.evaluation import Evaluation, Interval
from wanglou.schemas.mention import Emotion
from wanglou.schemas.risk import Slot

BEFORE: Final = timedelta(hours=6)
"""The most that is drawn before the first alert."""

MARGIN: Final = timedelta(minutes=20)

NEAR: Final = 0.025
"""Marks that are closer than this share of the width have one label."""

MOST_RATIO: Final = 4
"""An interval that goes beyond is cut at the edge."""

TITLE_PAD: Final = 14
"""Points between a picture and its title, where labels of marks stand."""

LEAST_MENTIONS: Final = 5
"""Shares of fewer mentions say nothing."""

FEELINGS: Final = (
    Emotion.FEAR,
    Emotion.ANGRY,
    Emotion.SAD,
    Emotion.SURPRISE,
    Emotion.NEUTRAL,
    Emotion.HAPPY,
)
"""From the gravest to the best."""

Marks = Sequence[tuple[int, datetime]]
"""Numbers of measures, and when they were taken."""


def course(dossier: Dossier, marks: Marks) -> bytes:
    """Mentions, heat and risk over time, with the levels as bands and the measures as lines."""
    start, end = extent(dossier)
    shown = [one for one in dossier.course.moments if start <= one.at <= end]
    with drawing(4.35) as made:
        panels = made.figure.subplots(3, 1, sharex=True, height_ratios=[2.2, 1.6, 2.6])
        upper, middle, lower = panels
        set_dates(lower, start, end)
        _draw_mentions(upper, dossier, start, end)
        draw_line(middle, shown, [one.heat for one in shown], INK)
        middle.set_title("热度")
        draw_bands(lower, shown)
        draw_line(lower, shown, [one.risk for one in shown], ACCENT)
        lower.set_title("风险值（0–100）与预警级别")
        lower.set_ylim(0, max([30.0, *(one.risk for one in shown)]) * 1.22)
        if shown:
            top = max(shown, key=lambda one: one.risk)
            _point_out(lower, top.at, top.risk, f"最高 {top.risk:.0f}")
        for level, begin, until in level_runs(shown):
            lower.axvline(days(begin), color=INK, linewidth=0.8)  # in grey the bands are alike
            if (until - begin) / (end - start) > NEAR:
                middle_of = days(begin + (until - begin) / 2)
                name = level.chinese.split("·")[0].removesuffix("色")
                transform = lower.get_xaxis_transform()
                lower.text(middle_of, 0.965, name, transform=transform, ha="center", va="top")
        for axes in panels:
            tidy(axes)
            _mark(axes, marks, start, end, labelled=axes is upper)
    return made.svg


def extent(dossier: Dossier) -> tuple[datetime, datetime]:
    """From when to when a case is drawn."""
    case, moments = dossier.case, dossier.course.moments
    opened = min([case.opened_at, *(step.at for step in case.steps)])
    first = min((time_of(one) for one in dossier.mentions), default=opened)
    begin = max(first, opened - BEFORE)
    ends = [one.at for one in case.measures] + [one.at for one in moments[-1:]]
    return min(begin, opened) - MARGIN, max([*ends, opened + timedelta(hours=1)]) + MARGIN


def _draw_mentions(axes: Axes, dossier: Dossier, start: datetime, end: datetime) -> None:
    width = bar_minutes(end - start)
    every = _bars(dossier.mentions, start, end, width)
    negative = _bars(dossier.negative, start, end, width)
    for bars, colour, name in ((every, MIST, "非负面"), (negative, INK, "负面")):
        axes.bar(
            [days(time_of(bar)) for bar in bars],
            list(bars.values()),
            width=0.86 * width / (24 * 60),
            align="edge",
            color=colour,
            label=name,
            linewidth=0,
        )
    axes.set_title(f"提及量（每 {span(timedelta(minutes=width))}）", pad=TITLE_PAD)
    axes.legend(loc="upper right", ncols=2, reverse=True, borderaxespad=0)
    axes.set_ylim(0, max([1, *every.values()]) * 1.3)
    if every:
        top = max(every, key=lambda bar: every[bar])
        _point_out(axes, time_of(top + width // 2), every[top], f"{every[top]:,} 条", dot=False)


def _bars(counts: Mapping[int, int], start: datetime, end: datetime, width: int) -> Counter[int]:
    bars = Counter[int]()
    for minute, count in counts.items():
        if minute_of(start) <= minute < minute_of(end):
            bars[minute // width * width] += count
    return bars


def _point_out(axes: Axes, at: datetime, value: float, text: str, dot: bool = True) -> None:
    if dot:
        axes.plot(days(at), value, "o", markersize=3, color=ACCENT)
    axes.annotate(
        text,
        (days(at), value),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=7,
        zorder=5,
        bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
    )


def _mark(axes: Axes, marks: Marks, start: datetime, end: datetime, labelled: bool) -> None:
    """Draw a line for each measure, and its number above; those that are near have one label."""
    groups: list[list[tuple[int, float]]] = []
    for number, at in marks:
        place = (at - start) / (end - start)
        axes.axvline(days(at), color=INK, linewidth=0.7, linestyle=(0, (4, 2)))
        if groups and place - groups[-1][-1][1] < NEAR:
            groups[-1].append((number, place))
        else:
            groups.append([(number, place)])
    for group in groups if labelled else ():
        numbers = [str(number) for number, _ in group]
        text = numbers[0] if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
        axes.annotate(
            text,
            (sum(place for _, place in group) / len(group), 1),
            xycoords="axes fraction",
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=6.5,
            color="white",
            bbox={"boxstyle": "round,pad=0.25", "facecolor": INK, "edgecolor": "none"},
            annotation_clip=False,
        )


def channels(slots: Sequence[Slot], marks: Marks) -> bytes:
    """Mentions of each platform over time, the largest platform first."""
    total = Counter[str]()
    for slot in slots:
        total.update(slot.platforms)
    names = [name for name, _ in total.most_common()]
    with drawing(2.3) as made:
        axes = made.figure.subplots()
        _stack(axes, slots, names, platform, lambda slot, name: slot.platforms.get(name, 0))
        axes.set_title(
            f"各平台提及量（每 {span(timedelta(minutes=slots[-1].minutes))}）", pad=TITLE_PAD
        )
        _finish(axes, slots, marks)
    return made.svg


def emotions(slots: Sequence[Slot], marks: Marks) -> bytes:
    """Shares of the emotions over time."""
    told = [slot for slot in slots if slot.mentions >= LEAST_MENTIONS]
    names = [one.value for one in FEELINGS if any(slot.emotions.get(one.value) for slot in told)]
    with drawing(2.3) as made:
        axes = made.figure.subplots()
        _stack(
            axes,
            told,
            names,
            emotion,
            lambda slot, name: slot.emotions.get(name, 0) / slot.mentions,
        )
        axes.set_title("情绪占比", pad=TITLE_PAD)
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        _finish(axes, slots, marks)
    return made.svg


def _stack(
    axes: Axes,
    slots: Sequence[Slot],
    names: Sequence[str],
    title: Callable[[str], str],
    height: Callable[[Slot, str], float],
) -> None:
    bottoms = [0.0] * len(slots)
    for name, colour in zip(names, shades(len(names)), strict=True):
        heights = [height(slot, name) for slot in slots]
        axes.bar(
            [days(slot.begins_at) for slot in slots],
            heights,
            width=[0.92 * slot.minutes / (24 * 60) for slot in slots],
            bottom=bottoms,
            align="edge",
            color=colour,
            label=title(name),
            linewidth=0,
        )
        bottoms = [low + more for low, more in zip(bottoms, heights, strict=True)]


def _finish(axes: Axes, slots: Sequence[Slot], marks: Marks) -> None:
    tidy(axes)
    last = slots[-1]
    start = min([slots[0].begins_at, *(at for _, at in marks)]) - MARGIN
    end = max([last.begins_at + timedelta(minutes=last.minutes), *(at for _, at in marks)]) + MARGIN
    set_dates(axes, start, end)
    _mark(axes, marks, start, end, labelled=True)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), reverse=True)


def effect(dossier: Dossier, measured: Effect, number: int) -> bytes:
    """Negative mentions since a measure, beside those that would have come without it."""
    told = [one for one in measured.evaluations if one.effect is not None]
    with drawing(1.6) as made:
        left, right = made.figure.subplots(1, 2, width_ratios=[1.75, 1])
        _draw_since(left, dossier, measured, told)
        _draw_ratios(right, told)
        name = f"措施 {number}　{measured.measure.act.chinese}"
        left.set_title(f"{name}：此后负面提及累计（横轴：小时）")
        right.set_title("实际 ÷ 无措施预期")
    return made.svg


def _draw_since(axes: Axes, dossier: Dossier, measured: Effect, told: Sequence[Evaluation]) -> None:
    begin = minute_of(measured.measure.at)
    known = minute_of(told[-1].evaluated_at)
    minutes, sums = [0.0], [0]
    for minute in sorted(one for one in dossier.negative if begin <= one < known):
        minutes.append((minute - begin) / 60)
        sums.append(sums[-1] + dossier.negative[minute])
    minutes.append((known - begin) / 60)
    sums.append(sums[-1])
    expected = [(one.span_minutes / 60, one.expected.negative) for one in told if one.expected]
    hours = [0.0, *(hour for hour, _ in expected)]
    low = [1.0, *(one.low for _, one in expected)]
    high = [1.0, *(one.high for _, one in expected)]
    middle = [1.0, *(one.estimate for _, one in expected)]
    axes.fill_between(hours, low, high, color=MIST, linewidth=0)
    axes.plot(hours, middle, color=STEEL, linewidth=1, linestyle=(0, (3, 2)))
    axes.plot(minutes, sums, color=INK, linewidth=1.5)
    axes.set_xlim(left=0)
    axes.set_yscale("log")
    axes.set_ylim(1, 1.5 * max(10.0, *sums, *high))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_minor_locator(NullLocator())
    tidy(axes)


def _draw_ratios(axes: Axes, told: Sequence[Evaluation]) -> None:
    ratios: list[tuple[str, Interval]] = [
        (span(timedelta(minutes=one.span_minutes)), one.effect.negative)
        for one in told
        if one.effect is not None
    ]
    axes.axvline(1, color=MUTED, linewidth=0.8)
    for row, (_, ratio) in enumerate(ratios):
        axes.plot([ratio.low, ratio.high], [row, row], color=INK, linewidth=1.5)
        axes.plot(ratio.estimate, row, "o", color=INK, markersize=4)
        axes.annotate(
            f"{ratio.estimate:.0%}",
            (ratio.estimate, row),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )
    axes.set_yticks(range(len(ratios)), [name for name, _ in ratios])
    axes.set_ylim(len(ratios) - 0.4, -0.7)
    axes.set_xlim(0, min(max([2.0, *(1.05 * ratio.high for _, ratio in ratios)]), MOST_RATIO))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="x", color=MIST, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
