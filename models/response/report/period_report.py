"""The report of a period (舆情处置工作报告): all cases of a month or a quarter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from wanglou.models.page import clock
from wanglou.models.response.dossier import Dossier
from wanglou.models.response.figures import Kept
from wanglou.models.response.period import (
    Part,
    Row,
    by_act,
    by_department,
    middle,
    parts_of,
    period_name,
    rows_of,
)
from wanglou.models.response.report import period_pictures
from wanglou.models.response.report.document import (
    Block,
    Cell,
    Column,
    Document,
    Mark,
    Paragraph,
    Picture,
    Section,
    Table,
    Tile,
    Tiles,
    Tone,
)
from wanglou.models.response.report.writing import Format, write
from wanglou.models.response.words import NOTHING, share, span
from wanglou.schemas.evaluation import EffectVerdict
from wanglou.schemas.response import ReviewVerdict
from wanglou.schemas.risk import Level

FAULTY = (ReviewVerdict.FALSE_ALARM, ReviewVerdict.LATE, ReviewVerdict.MISSED)


def write_period_report(
    dossiers: Iterable[Dossier],
    first: date,
    last: date,
    folder: Path,
    formats: Iterable[Format] = (Format.HTML,),
) -> list[Path]:
    """Write the report of the days from ``first`` to ``last``, both included, in China.

    ``dossiers`` are read one by one, each forgotten before the next; what was not opened in the
    period is left out. Paths and errors as of ``write_report``; raises ``ValueError`` where
    ``last`` is before ``first``.
    """
    if last < first:
        raise ValueError(f"the period ends on {last}, before it begins on {first}")
    return write(period_document(rows_of(dossiers, first, last), first, last), folder, formats)


def period_document(rows: Sequence[Row], first: date, last: date) -> Document:
    """The report of a period, before it has a format."""
    parts = parts_of(rows, first, last)
    sections = [
        Section("一　摘要", _summary(rows)),
        Section("二　案件一览", [_cases(rows)]),
        Section("三　发现与响应用时", _times(rows, parts)),
        Section("四　预警质量", [_quality(rows, parts)]),
        Section("五　时限执行情况", _deadlines(rows)),
        Section("六　措施效果", _effects(rows)),
        Section("七　反复出现的问题", [_faults(rows)]),
        Section("附录　数据口径", [_basis()]),
    ]
    return Document(
        name=f"wanglou-{first}-{last}",
        sort="舆情处置工作报告",
        title=period_name(first, last),
        subtitle=f"{first} 至 {last}（北京时间）首次预警或重新打开的案件",
        facts=[
            ("案件", f"{len(rows)} 起"),
            ("涉及机构", f"{len({row.institution for row in rows})} 家"),
            ("橙色以上", f"{sum(row.highest >= Level.ORANGE for row in rows)} 起"),
        ],
        sections=sections if rows else [Section("一　摘要", [Paragraph("期间没有案件。")])],
    )


def _summary(rows: Sequence[Row]) -> list[Block]:
    judged = sum(len(row.deadlines) for row in rows)
    kept = sum(row.kept for row in rows)
    reviewed = [row for row in rows if row.verdict is not None]
    false = sum(row.verdict is ReviewVerdict.FALSE_ALARM for row in rows)
    verdicts = [verdict for row in rows for _, verdict in row.effects]
    settled = [one for one in verdicts if one is not EffectVerdict.TOO_EARLY]
    helped = sum(one is EffectVerdict.HELPED for one in verdicts)
    levels = Counter(row.highest for row in rows)
    told = "、".join(
        f"{level.chinese} {levels[level]} 起" for level in sorted(levels, reverse=True)
    )
    topics = Counter(row.topic for row in rows).most_common(3)
    most = "、".join(f"{name} {count} 起" for name, count in topics)
    return [
        Paragraph(f"期间共 {len(rows)} 起案件：{told}。最多的主题：{most}。"),
        Tiles(
            [
                Tile("首条提及 → 首次预警", span(middle(row.to_alert for row in rows)), "中位数"),
                Tile("预警 → 确认", span(middle(row.to_acknowledgement for row in rows)), "中位数"),
                Tile("预警 → 首次发布", span(middle(row.to_statement for row in rows)), "中位数"),
                Tile("任务按时", share(kept, judged), f"{kept} / {judged} 项到期任务"),
                Tile("误报", f"{false} 起", f"已复盘 {len(reviewed)} 起"),
                Tile("措施有效", f"{helped} 项", f"已有结论 {len(settled)} 项"),
                Tile("重新打开", f"{sum(row.life > 1 for row in rows)} 起", "结案后复燃"),
                Tile("待复盘", f"{len(rows) - len(reviewed)} 起", "尚无复盘结论"),
            ]
        ),
    ]


def _cases(rows: Sequence[Row]) -> Table:
    return Table(
        (
            Column("首次预警", 11),
            Column("机构与主题", 23),
            Column("最高级别", 14),
            Column("发现", 13, number=True),
            Column("确认", 13, number=True),
            Column("发布", 13, number=True),
            Column("按时", 6, number=True),
            Column("复盘", 7),
        ),
        [
            [
                clock(row.alerted_at),
                f"{row.institution}　{row.topic}"
                + (f"（第 {row.life} 次）" if row.life > 1 else ""),
                Mark(row.highest.chinese, Tone.of(row.highest)),
                span(row.to_alert),
                span(row.to_acknowledgement),
                span(row.to_statement),
                f"{row.kept} / {len(row.deadlines)}" if row.deadlines else NOTHING,
                _verdict(row.verdict),
            ]
            for row in rows
        ],
    )


def _verdict(verdict: ReviewVerdict | None) -> Cell:
    if verdict is None:
        return Mark("待复盘", Tone.QUIET)
    return Mark(verdict.chinese, Tone.BAD) if verdict in FAULTY else verdict.chinese


def _times(rows: Sequence[Row], parts: Sequence[Part]) -> list[Block]:
    return [
        Picture(
            "times",
            period_pictures.times(rows, parts),
            "每点为一起案件，横线为各时段的中位数；纵轴为对数刻度，不到 1 分钟的画在 1 分钟处。",
        ),
        Table(
            (
                Column("时段", 20),
                Column("案件", 14, number=True),
                Column("首条提及 → 首次预警", 22, number=True),
                Column("预警 → 确认", 22, number=True),
                Column("预警 → 首次发布", 22, number=True),
            ),
            [
                [
                    part.name,
                    str(len(part.rows)),
                    span(middle(row.to_alert for row in part.rows)),
                    span(middle(row.to_acknowledgement for row in part.rows)),
                    span(middle(row.to_statement for row in part.rows)),
                ]
                for part in parts
            ],
            title="中位数",
        ),
    ]


def _quality(rows: Sequence[Row], parts: Sequence[Part]) -> Table:
    return Table(
        (
            Column("时段", 20),
            *(Column(verdict.chinese, 14, number=True) for verdict in ReviewVerdict),
            Column("待复盘", 12, number=True),
            Column("误报率", 12, number=True),
        ),
        [
            *(_quality_row(part.name, part.rows) for part in parts),
            _quality_row("合计", rows),
        ],
    )


def _quality_row(name: str, rows: Sequence[Row]) -> list[Cell]:
    counts = Counter(row.verdict for row in rows)
    reviewed = len(rows) - counts[None]
    return [
        name,
        *(str(counts[verdict]) for verdict in ReviewVerdict),
        str(counts[None]),
        share(counts[ReviewVerdict.FALSE_ALARM], reviewed),
    ]


def _deadlines(rows: Sequence[Row]) -> list[Block]:
    departments = by_department(rows)
    if not departments:
        return [Paragraph("期间没有到期任务。", quiet=True)]
    return [
        Picture(
            "deadlines",
            period_pictures.deadlines(departments),
            "到期任务的完成情况；右侧为按时率。",
        ),
        Table(
            (
                Column("部门", 25),
                Column("到期任务", 15, number=True),
                *(Column(one.chinese, 15, number=True) for one in period_pictures.KEPT_COLOURS),
                Column("按时率", 15, number=True),
            ),
            [
                [
                    name,
                    str(counts.total()),
                    *(str(counts[one]) for one in period_pictures.KEPT_COLOURS),
                    share(counts[Kept.KEPT], counts.total()),
                ]
                for name, counts in departments.items()
            ],
        ),
    ]


def _effects(rows: Sequence[Row]) -> list[Block]:
    acts = by_act(rows)
    if not acts:
        return [Paragraph("期间没有需要评估的措施。", quiet=True)]
    return [
        Picture("effects", period_pictures.effects(acts), "各类措施的评估结论（项）。"),
        Table(
            (
                Column("措施", 20),
                *(Column(one.chinese, 16, number=True) for one in period_pictures.VERDICT_COLOURS),
            ),
            [
                [act.chinese, *(str(counts[one]) for one in period_pictures.VERDICT_COLOURS)]
                for act, counts in acts.items()
            ],
        ),
    ]


def _faults(rows: Sequence[Row]) -> Table:
    counts = Counter(fault for row in rows for fault in row.faults)
    return Table(
        (
            Column("规则", 50),
            Column("案件", 25, number=True),
            Column("占全部案件", 25, number=True),
        ),
        [[name, str(count), share(count, len(rows))] for name, count in counts.most_common()],
        title="规则判定“需要改进”的案件数",
        empty="没有规则判定需要改进。",
    )


def _basis() -> Table:
    return Table(
        (Column("口径", 20), Column("说明", 80)),
        [
            ["案件", "一个事件一案；结案后重新打开的另计一起，按重新打开的时间归入期间。"],
            ["首条提及", "事件本次出现以来的第一条；结案后重新打开的，从结案之后算起。"],
            ["任务按时", "到期任务中按时完成的；未到期的和结案时尚未到期的不计。"],
            ["误报率", "误报占已复盘案件之比。"],
            ["措施有效", "最长一次已有结论的评估为“有效”的措施；方法见各案报告。"],
        ],
    )
