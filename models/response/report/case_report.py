"""The report of a case (案例复盘报告)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from wanglou.models.page import clock
from wanglou.models.response.dossier import Dossier
from wanglou.models.response.figures import Figures, Kept, figures_of, lives_of
from wanglou.models.response.lessons import Judgement, lessons_of
from wanglou.models.response.questions import questions_of
from wanglou.models.response.report import public_sections, work_sections
from wanglou.models.response.report.document import (
    Block,
    Column,
    Document,
    Mark,
    Paragraph,
    Point,
    Points,
    Questions,
    Section,
    Table,
    Tile,
    Tiles,
    Tone,
)
from wanglou.models.response.report.timeline import timeline
from wanglou.models.response.report.writing import Format, write
from wanglou.models.response.words import NOTHING, moment, share, span
from wanglou.schemas.evaluation import EffectVerdict

NUMBERS = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "")


def write_report(
    dossier: Dossier, folder: Path, formats: Iterable[Format] = (Format.HTML,)
) -> list[Path]:
    """Write the report of a case into a folder, which is made; the documents' paths.

    They are named after the case, e.g. ``hexing-bank.run.html``; Markdown has its pictures in a
    folder beside it. Raises ``PdfUnavailable`` where PDF is asked for and cannot be made here.
    """
    return write(case_document(dossier), folder, formats)


def case_document(dossier: Dossier) -> Document:
    """The report of a case, before it has a format."""
    case = dossier.case
    figures = [figures_of(dossier, life) for life in lives_of(case)]
    numbered = list(enumerate(sorted(case.measures, key=lambda one: one.at), 1))
    marks = [(number, one.at) for number, one in numbered]
    titled: list[tuple[str, Sequence[Block]]] = [
        ("摘要", _summary(dossier, figures)),
        ("时间线", [timeline(dossier, figures)]),
        ("热度与风险曲线", public_sections.course(dossier, marks)),
        ("传播渠道", public_sections.channels(dossier, marks)),
        ("主要观点", public_sections.viewpoints(dossier)),
        ("情绪变化", public_sections.emotions(dossier, marks)),
        ("处置措施与效果", work_sections.measures(figures, numbered, dossier)),
        ("时限执行情况", work_sections.deadlines(figures)),
        ("做得好的与需要改进的", _lessons(dossier)),
        ("待人工回答的问题", [Questions(questions_of(dossier))]),
        ("附录　数据口径与校验", _basis(dossier)),
    ]
    return Document(
        name=case.id,
        sort="舆情处置复盘报告",
        title=f"{case.institution.name}　{case.topic.name}",
        subtitle=f"{moment(figures[0].alerted_at)} 首次预警，{_ending(dossier)}",
        facts=[
            ("案卷编号", case.id),
            ("最高级别", Mark(case.highest.chinese, Tone.of(case.highest))),
            ("状态", case.status.chinese),
            ("负责人", case.owner or NOTHING),
            ("危机处理小组", "、".join(case.team) or NOTHING),
            ("编制时间", moment(dossier.as_of)),
        ],
        sections=[
            Section(f"{number}　{title}" if number else title, blocks)
            for number, (title, blocks) in zip(NUMBERS, titled, strict=True)
        ],
    )


def _ending(dossier: Dossier) -> str:
    case = dossier.case
    if case.closed_at is not None:
        return f"{moment(case.closed_at)} 结案"
    return f"截至 {moment(dossier.as_of)} {case.status.chinese}"


def _summary(dossier: Dossier, figures: Sequence[Figures]) -> list[Block]:
    case, last = dossier.case, figures[-1]
    total, negative = sum(dossier.mentions.values()), sum(dossier.negative.values())
    judged = [one for each in figures for one in each.deadlines if one.is_judged]
    kept = sum(one.kept is Kept.KEPT for one in judged)
    peak = dossier.course.peak
    tiles = [
        Tile("提及总量", f"{total:,} 条", f"负面 {share(negative, total)}"),
        Tile(
            "最高风险值",
            f"{peak.assessment.risk:.0f}" if peak else NOTHING,
            clock(peak.assessed_at) if peak else "",
        ),
        Tile("首条提及 → 首次预警", span(last.to_alert), f"预警 {clock(last.alerted_at)}"),
        Tile("预警 → 确认", span(last.to_acknowledgement), _limit(last)),
        Tile("预警 → 首次发布", span(last.to_statement), _when(last.stated_at)),
        Tile("处置措施", f"{len(case.measures)} 项", _verdicts(figures)),
        Tile(
            "任务按时",
            f"{kept} / {len(judged)}",
            "按时完成 / 到期",
            Tone.BAD if kept < len(judged) else Tone.PLAIN,
        ),
        Tile("复盘结论", last.review.verdict.chinese if last.review else "待复盘", "对预警的评价"),
    ]
    return [Paragraph(_story(dossier, figures)), Tiles(tiles)]


def _story(dossier: Dossier, figures: Sequence[Figures]) -> str:
    """The case in a few sentences."""
    case, first, last = dossier.case, figures[0], figures[-1]
    total = sum(dossier.mentions.values())
    begun = (
        f"{moment(first.first_mention_at)} 出现首条提及，{span(first.to_alert)}后首次预警"
        if first.first_mention_at is not None and first.to_alert is not None
        else f"{moment(first.alerted_at)} 首次预警"
    )
    said = [
        f"{case.institution.name}“{case.topic.name}”舆情于 {begun}，"
        f"最高达到{case.highest.chinese}，共 {total:,} 条提及。"
    ]
    if case.measures:
        acts = Counter(one.act.chinese for one in case.measures)
        told = "、".join(f"{name} {count} 次" for name, count in acts.items())
        said.append(f"期间采取措施 {len(case.measures)} 项：{told}。")
    else:
        said.append("期间没有采取措施的记录。")
    if last.to_statement is not None:
        said.append(f"首次发布在预警后 {span(last.to_statement)}。")
    if any(each.effects for each in figures):
        said.append(f"效果评估：{_verdicts(figures)}。")
    if len(figures) > 1:
        said.append(f"结案后重新打开 {len(figures) - 1} 次，下列用时为最近一次的。")
    return "".join(said)


def _verdicts(figures: Sequence[Figures]) -> str:
    counted = Counter(one.verdict for each in figures for one in each.effects)
    return "，".join(f"{one.chinese} {counted[one]}" for one in EffectVerdict if counted[one])


def _limit(figures: Figures) -> str:
    due = figures.acknowledge_due_at
    return "" if due is None else f"时限 {clock(due)}"


def _when(at: datetime | None) -> str:
    return "未发布" if at is None else f"发布 {clock(at)}"


def _lessons(dossier: Dossier) -> list[Block]:
    found = lessons_of(dossier)
    titles = {
        Judgement.GOOD: ("做得好的", Tone.GOOD),
        Judgement.BAD: ("需要改进的", Tone.BAD),
        Judgement.NEUTRAL: ("供参考", Tone.QUIET),
    }
    blocks: list[Block] = [
        Points(title, tone, [Point(one.rule, one.text) for one in found if one.judgement is how])
        for how, (title, tone) in titles.items()
        if any(one.judgement is how for one in found)
    ]
    note = "以上由规则根据案卷记录逐条判定，不评价个人；规则看不到的由第十节的问题补充。"
    return [*blocks, Paragraph(note, quiet=True)]


def _basis(dossier: Dossier) -> list[Block]:
    versions = dict.fromkeys(one.rules_version or "未记录" for one in dossier.case.alerts)
    chain = dossier.chain
    return [
        Table(
            (Column("口径", 20), Column("说明", 80)),
            [
                ["提及", "原创与转载，不含计数更新；按发布时间计入所在分钟。时间均为北京时间。"],
                ["负面", "对该机构评价为负面的概率不低于一半的提及。"],
                ["热度", "互动量取对数加权、随时间衰减之和，无单位。"],
                ["风险值", "负面程度 × 活跃程度 × 影响程度，0–100；级别按规则版本中的阈值。"],
                ["首条提及", "事件本次出现以来的第一条；结案后重新打开的，从结案之后算起。"],
                ["确认时限", "橙色、红色预警后值班规则规定的分钟数。"],
                ["效果", "以措施前的走势推算没有措施时的负面提及，与实际相比；区间为 90%。"],
            ],
        ),
        Table(
            (Column("校验", 20), Column("值", 80)),
            [
                ["规则版本", "、".join(versions) or NOTHING],
                ["存档记录", f"{chain.records:,} 条" if chain else "未提供"],
                ["链头哈希", chain.head if chain else "未提供"],
                ["数据截至", moment(dossier.as_of)],
            ],
        ),
    ]
