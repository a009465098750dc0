"""Sections on what was done: measures and their effects, and deadlines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

from wanglou.models.page import clock
from wanglou.models.response.case_file import Taken
from wanglou.models.response.dossier import Dossier
from wanglou.models.response.figures import Deadline, Effect, Figures, Kept
from wanglou.models.response.report import case_pictures
from wanglou.models.response.report.document import (
    Block,
    Cell,
    Column,
    Mark,
    Paragraph,
    Picture,
    Table,
    Tone,
)
from wanglou.models.response.words import NOTHING, cut, share, span
from wanglou.schemas.evaluation import EffectVerdict, Evaluation

TEXT = 120
"""Characters of what was released or said; the whole text is in the archive."""

VERDICTS = {
    EffectVerdict.HELPED: Tone.GOOD,
    EffectVerdict.WORSE: Tone.BAD,
    EffectVerdict.NO_VISIBLE_EFFECT: Tone.PLAIN,
    EffectVerdict.NOT_SEPARABLE: Tone.PLAIN,
    EffectVerdict.TOO_EARLY: Tone.QUIET,
}

KEPT = {
    Kept.KEPT: Tone.GOOD,
    Kept.LATE: Tone.BAD,
    Kept.MISSED: Tone.BAD,
    Kept.DROPPED: Tone.PLAIN,
    Kept.PENDING: Tone.QUIET,
}

Numbered = Sequence[tuple[int, Taken]]
"""Measures with the numbers that the report gives them."""


def measures(figures: Sequence[Figures], numbered: Numbered, dossier: Dossier) -> list[Block]:
    """处置措施与效果: each measure, its verdict, and what was expected without it."""
    if not numbered:
        return [Paragraph("没有采取措施的记录。", quiet=True)]
    effects = {one.measure.response_id: one for each in figures for one in each.effects}
    told = [
        (number, effects[one.response_id]) for number, one in numbered if one.response_id in effects
    ]
    pictures = [
        Picture(
            f"effect-{number}",
            case_pictures.effect(dossier, effect, number),
            f"措施 {number}（{effect.measure.act.chinese}）：{effect.verdict.chinese}。",
        )
        for number, effect in told
        if any(one.effect is not None for one in effect.evaluations)
    ]
    note = (
        "左：实线为措施后实际的负面提及累计（对数刻度）；虚线和浅色带为没有该措施时的预期及其 "
        "90% 区间，评估时点之间以直线相连，仅为示意。"
        "右：实际与预期之比及其 90% 区间，100% 为没有效果。"
    )
    return [
        Table(
            (
                Column("编号", 6),
                Column("时间", 12),
                Column("措施", 20),
                Column("内容", 46),
                Column("评估结论", 16),
            ),
            [_measure_row(number, one, effects.get(one.response_id)) for number, one in numbered],
        ),
        *([Paragraph(note, quiet=True)] if pictures else []),
        *pictures,
        Table(
            (
                Column("编号", 6),
                Column("评估时点", 12),
                Column("前 / 后提及", 14, number=True),
                Column("前 / 后负面占比", 16, number=True),
                Column("结论与理由", 52),
            ),
            [_evaluation_row(number, one) for number, effect in told for one in effect.evaluations],
            title="评估明细",
            empty="尚无评估。",
        ),
    ]


def _measure_row(number: int, one: Taken, effect: Effect | None) -> list[Cell]:
    where = f"（{one.channel}）" if one.channel else ""
    verdict = (
        Mark("不评估", Tone.QUIET)
        if effect is None
        else Mark(effect.verdict.chinese, VERDICTS[effect.verdict])
    )
    what = one.act.chinese + where
    return [str(number), clock(one.at), what, cut(one.text, TEXT), verdict]


def _evaluation_row(number: int, one: Evaluation) -> list[Cell]:
    before, after = one.before, one.after
    verdict = one.verdict or EffectVerdict.TOO_EARLY
    return [
        str(number),
        f"{span(timedelta(minutes=one.span_minutes))}后",
        f"{before.mentions:,} / {after.mentions:,}",
        f"{before.negative_share:.0%} / {after.negative_share:.0%}",
        f"{verdict.chinese}。{cut(one.reason, TEXT)}" if one.reason else verdict.chinese,
    ]


def deadlines(figures: Sequence[Figures]) -> list[Block]:
    """时限执行情况: by department, and task by task."""
    found = [one for each in figures for one in each.deadlines]
    found.sort(key=lambda one: one.task.due_at)
    departments = Counter(one.task.department for one in found)
    return [
        Table(
            (
                Column("部门", 40),
                Column("任务", 15, number=True),
                Column("按时", 15, number=True),
                Column("逾期", 15, number=True),
                Column("按时率", 15, number=True),
            ),
            [department_row(name, found) for name, _ in departments.most_common()],
            title="按部门",
            empty="预案没有要求任务。",
        ),
        Table(
            (
                Column("期限", 12),
                Column("部门", 16),
                Column("任务", 44),
                Column("完成", 12),
                Column("结果", 16),
            ),
            [
                [
                    clock(one.task.due_at),
                    one.task.department,
                    cut(one.task.text, TEXT),
                    clock(one.task.done_at) if one.task.done_at else NOTHING,
                    Mark(one.kept.chinese, KEPT[one.kept]),
                ]
                for one in found
            ],
            title="逐项",
        ),
    ]


def department_row(name: str, found: Iterable[Deadline]) -> list[Cell]:
    """A department's tasks: how many, kept, late, and the share of those kept."""
    own = [one for one in found if one.task.department == name]
    judged = [one for one in own if one.is_judged]
    kept = sum(one.kept is Kept.KEPT for one in judged)
    late = str(len(judged) - kept)
    return [
        name,
        str(len(own)),
        str(kept),
        Mark(late, Tone.BAD) if late != "0" else late,
        share(kept, len(judged)),
    ]
