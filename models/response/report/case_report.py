"""The report of a case (案例复盘报告)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from wanglou.models.page import clock
from wanglou.models.response.case_file import Taken
from wanglou.models.response.dossier import Dossier
from wanglou.models.response.figures import Deadline, Effect, Figures, Kept, figures_of, lives_of
from wanglou.models.response.lessons import Judgement, lessons_of
from wanglou.models.response.questions import questions_of
from wanglou.models.response.report import case_pictures
from wanglou.models.response.report.document import (
    Block,
    Cell,
    Column,
    Document,
    Mark,
    Paragraph,
    Picture,
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
from wanglou.models.response.words import cut, emotion, moment, platform, span
from wanglou.schemas.evaluation import EffectVerdict, Evaluation
from wanglou.schemas.response import EVALUATED, Act
from wanglou.schemas.risk import Slot, Viewpoint

NOTHING = "—"

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
    numbered = list(enumerate(case.measures, 1))
    marks = [(number, one.at) for number, one in numbered]
    titled = [
        ("摘要", _summary(dossier, figures)),
        ("时间线", [timeline(dossier, figures)]),
        ("热度与风险曲线", _course(dossier, marks, numbered)),
        ("传播渠道", _channels(dossier, marks)),
        ("主要观点", _viewpoints(dossier)),
        ("情绪变化", _emotions(dossier, marks)),
        ("处置措施与效果", _measures(dossier, figures, numbered)),
        ("时限执行情况", _deadlines(figures)),
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


NUMBERS = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "")


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
        Tile("提及总量", f"{total:,} 条", f"负面 {_share(negative, total)}"),
        Tile(
            "最高风险值",
            f"{peak.assessment.risk:.0f}" if peak else NOTHING,
            clock(peak.assessed_at) if peak else "",
        ),
        Tile("首条提及 → 首次预警", _span(last.to_alert), f"预警 {clock(last.alerted_at)}"),
        Tile("预警 → 确认", _span(last.to_acknowledgement), _limit(last)),
        Tile("预警 → 首次发布", _span(last.to_statement), _when(last.stated_at)),
        Tile("处置措施", f"{len(case.measures)} 项", _verdicts(figures)),
        Tile("任务按时", f"{kept} / {len(judged)}", "到期任务"),
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
    if last.stated_at is not None and last.to_statement is not None:
        said.append(f"首次发布在预警后 {span(last.to_statement)}。")
    said += [_effect_sentence(effect) for effect in last.effects if effect.settled is not None]
    if len(figures) > 1:
        said.append(f"结案后重新打开 {len(figures) - 1} 次，下列用时为最近一次的。")
    return "".join(said)


def _effect_sentence(effect: Effect) -> str:
    return f"{clock(effect.measure.at)} 的{effect.measure.act.chinese}：{effect.verdict.chinese}。"


def _verdicts(figures: Sequence[Figures]) -> str:
    counted = Counter(one.verdict for each in figures for one in each.effects)
    return "，".join(f"{one.chinese} {counted[one]}" for one in EffectVerdict if counted[one])


def _limit(figures: Figures) -> str:
    due = figures.acknowledge_due_at
    return "" if due is None else f"时限 {clock(due)}"


def _when(at: datetime | None) -> str:
    return "未发布" if at is None else f"发布 {clock(at)}"


def _span(time: timedelta | None) -> str:
    return NOTHING if time is None else span(time)


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else NOTHING


Numbered = Sequence[tuple[int, Taken]]


def _course(dossier: Dossier, marks: case_pictures.Marks, numbered: Numbered) -> list[Block]:
    caption = "上：提及量；中：热度；下：风险值，底色为当时的预警级别。"
    if numbered:
        caption += "虚线为处置措施，编号见第七节。"
    return [Picture("course", case_pictures.course(dossier, marks), caption)]


def _slots(dossier: Dossier) -> list[Slot]:
    return [slot for one in dossier.course.chapters for slot in one.situation.timeline]


def _channels(dossier: Dossier, marks: case_pictures.Marks) -> list[Block]:
    slots, chapters = _slots(dossier), dossier.course.chapters
    if not slots:
        return [Paragraph("没有渠道数据。", quiet=True)]
    counts = Counter[str]()
    for chapter in chapters:
        counts.update(chapter.situation.platforms)
    total = sum(counts.values())
    first = {name: slot.begins_at for slot in reversed(slots) for name in slot.platforms}
    rows = [
        [
            platform(name),
            f"{count:,}",
            _share(count, total),
            clock(first[name]) if name in first else NOTHING,
        ]
        for name, count in counts.most_common()
    ]
    spreaders = [one for chapter in chapters for one in chapter.situation.spreaders]
    spreaders.sort(key=lambda one: -one.reached)
    source = chapters[0].situation.first_source
    blocks: list[Block] = []
    if source is not None:
        blocks.append(
            Paragraph(
                f"已知最早的一条于 {clock(source.published_at)} 出现在{platform(source.platform)}。"
            )
        )
    return [
        *blocks,
        Picture("channels", case_pictures.channels(slots, marks), "各平台提及量随时间的变化。"),
        Table(
            (
                Column("平台", 28),
                Column("提及", 18, number=True),
                Column("占比", 18, number=True),
                Column("首次出现的时段", 36, number=True),
            ),
            rows,
        ),
        Table(
            (
                Column("平台", 28),
                Column("触达人数", 18, number=True),
                Column("账号类型", 18),
                Column("时间", 36, number=True),
            ),
            [
                [
                    platform(one.platform),
                    f"{one.reached:,}",
                    TIERS.get(one.author.tier.value, NOTHING) if one.author else NOTHING,
                    clock(one.published_at),
                ]
                for one in spreaders[:5]
            ],
            title="触达最广的账号（不记录身份）",
        ),
    ]


TIERS = {
    "person": "个人",
    "verified": "认证个人",
    "organisation": "机构",
    "media": "媒体",
    "government": "政府",
}


def _viewpoints(dossier: Dossier) -> list[Block]:
    chapters = dossier.course.chapters
    found: list[Viewpoint] = [one for each in chapters for one in each.situation.viewpoints]
    found.sort(key=lambda one: -one.mentions)
    total = sum(chapter.situation.mentions for chapter in chapters)
    return [
        Table(
            (
                Column("观点（最有代表性的原文）", 58),
                Column("提及", 9, number=True),
                Column("占比", 9, number=True),
                Column("负面", 9, number=True),
                Column("首次出现", 15, number=True),
            ),
            [
                [
                    cut(one.text, TEXT),
                    f"{one.mentions:,}",
                    _share(one.mentions, total),
                    f"{one.polarities.get('negative', 0):.0%}",
                    clock(one.first_at),
                ]
                for one in found[:8]
            ],
            empty="没有足够多的人说同一件事。",
        ),
    ]


def _emotions(dossier: Dossier, marks: case_pictures.Marks) -> list[Block]:
    slots = _slots(dossier)
    if not any(slot.mentions >= case_pictures.LEAST_MENTIONS for slot in slots):
        return [Paragraph("提及太少，看不出情绪变化。", quiet=True)]
    least = case_pictures.LEAST_MENTIONS
    blocks: list[Block] = [
        Picture(
            "emotions",
            case_pictures.emotions(slots, marks),
            f"各情绪占比随时间的变化；不足 {least} 条提及的时段不画。",
        )
    ]
    stated = [one.at for one in dossier.case.measures if one.act is Act.STATEMENT]
    if stated:
        before, after = _mixed(slots, stated[0], True), _mixed(slots, stated[0], False)
        names = [
            one.value for one in case_pictures.FEELINGS if before[one.value] or after[one.value]
        ]
        blocks.append(
            Table(
                (
                    Column("情绪", 28),
                    Column("首次发布前", 24, number=True),
                    Column("首次发布后", 24, number=True),
                    Column("变化", 24, number=True),
                ),
                [
                    [
                        emotion(name),
                        _share(before[name], before.total()),
                        _share(after[name], after.total()),
                        _change(before, after, name),
                    ]
                    for name in names
                ],
            )
        )
    return blocks


def _mixed(slots: Iterable[Slot], at: datetime, before: bool) -> Counter[str]:
    counted = Counter[str]()
    for slot in slots:
        if (slot.begins_at < at) is before:
            counted.update(slot.emotions)
    return counted


def _change(before: Counter[str], after: Counter[str], name: str) -> str:
    if not before.total() or not after.total():
        return NOTHING
    points = 100 * (after[name] / after.total() - before[name] / before.total())
    if round(points) == 0:
        return "持平"
    return f"{'上升' if points > 0 else '下降'} {abs(points):.0f} 个百分点"


def _measures(dossier: Dossier, figures: Sequence[Figures], numbered: Numbered) -> list[Block]:
    if not numbered:
        return [Paragraph("没有采取措施的记录。", quiet=True)]
    effects = {one.measure.response_id: one for each in figures for one in each.effects}
    rows: list[list[Cell]] = []
    for number, one in numbered:
        effect = effects.get(one.response_id)
        verdict: Cell = (
            Mark(effect.verdict.chinese, VERDICTS[effect.verdict])
            if effect is not None
            else Mark("不评估", Tone.QUIET)
        )
        where = f"（{one.channel}）" if one.channel else ""
        rows.append(
            [str(number), clock(one.at), one.act.chinese + where, cut(one.text, TEXT), verdict]
        )
    drawn = [
        (number, effects[one.response_id])
        for number, one in numbered
        if one.response_id in effects
        and any(each.expected is not None for each in effects[one.response_id].evaluations)
    ]
    blocks: list[Block] = [
        Table(
            (
                Column("编号", 6),
                Column("时间", 12),
                Column("措施", 20),
                Column("内容", 46),
                Column("评估结论", 16),
            ),
            rows,
        )
    ]
    if drawn:
        blocks.append(
            Picture(
                "effects",
                case_pictures.effects(dossier, drawn),
                "左：实线为措施后实际的负面提及累计，浅色带为没有该措施时预期的范围（90% 区间，"
                "评估时点之间以直线相连，仅为示意）。右：实际与预期之比及其 90% 区间，100% 为没有效果。",
            )
        )
    blocks.append(_evaluations(numbered, effects))
    return blocks


def _evaluations(numbered: Numbered, effects: dict[str, Effect]) -> Table:
    rows = [
        _evaluation_row(number, evaluation)
        for number, one in numbered
        if one.act in EVALUATED
        for evaluation in effects[one.response_id].evaluations
    ]
    return Table(
        (
            Column("编号", 6),
            Column("评估时点", 12),
            Column("前 / 后提及", 14, number=True),
            Column("前 / 后负面占比", 16, number=True),
            Column("无措施预期（负面）", 18, number=True),
            Column("结论与理由", 34),
        ),
        rows,
        title="评估明细",
        empty="尚无评估。",
    )


def _evaluation_row(number: int, one: Evaluation) -> list[Cell]:
    before, after, expected = one.before, one.after, NOTHING
    if one.expected is not None:
        negative = one.expected.negative
        expected = f"{negative.estimate:,.0f}（{negative.low:,.0f}～{negative.high:,.0f}）"
    verdict = one.verdict or EffectVerdict.TOO_EARLY
    return [
        str(number),
        f"{span(timedelta(minutes=one.span_minutes))}后",
        f"{before.mentions:,} / {after.mentions:,}",
        f"{before.negative_share:.0%} / {after.negative_share:.0%}",
        expected,
        f"{verdict.chinese}。{cut(one.reason, TEXT)}" if one.reason else verdict.chinese,
    ]


def _deadlines(figures: Sequence[Figures]) -> list[Block]:
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
            [_department(name, found) for name, _ in departments.most_common()],
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


def _department(name: str, deadlines: Iterable[Deadline]) -> list[Cell]:
    own = [one for one in deadlines if one.task.department == name]
    judged = [one for one in own if one.is_judged]
    kept = sum(one.kept is Kept.KEPT for one in judged)
    late = str(len(judged) - kept)
    return [
        name,
        str(len(own)),
        str(kept),
        Mark(late, Tone.BAD) if late != "0" else late,
        _share(kept, len(judged)),
    ]


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
