"""Sections on what the public did: the course, channels, viewpoints and emotions of a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from wanglou.models.page import clock
from wanglou.models.response.dossier import Dossier
from wanglou.models.response.report import case_pictures
from wanglou.models.response.report.case_pictures import LEAST_MENTIONS, Marks
from wanglou.models.response.report.document import Block, Column, Paragraph, Picture, Table
from wanglou.models.response.words import NOTHING, cut, emotion, platform, share
from wanglou.schemas.mention import Tier
from wanglou.schemas.response import Act
from wanglou.schemas.risk import Slot, Spreader, Viewpoint

MOST_VIEWPOINTS, MOST_SPREADERS = 8, 5

TEXT = 120
"""Characters of a viewpoint."""


TIERS = {
    Tier.PERSON: "个人",
    Tier.VERIFIED: "认证个人",
    Tier.ORGANISATION: "机构",
    Tier.MEDIA: "媒体",
    Tier.GOVERNMENT: "政府",
}


def course(dossier: Dossier, marks: Marks) -> list[Block]:
    """热度与风险曲线: mentions, heat and risk, with levels and measures."""
    caption = "上：提及量；中：热度；下：风险值，底色为当时的预警级别。"
    if marks:
        caption += "虚线为处置措施，编号见第七节。"
    return [Picture("course", case_pictures.course(dossier, marks), caption)]


def channels(dossier: Dossier, marks: Marks) -> list[Block]:
    """传播渠道: platforms, and the accounts that reached most."""
    slots, chapters = dossier.course.slots, dossier.course.chapters
    if not slots:
        return [Paragraph("没有渠道数据。", quiet=True)]
    blocks: list[Block] = [
        Picture("channels", case_pictures.channels(slots, marks), "各平台提及量随时间的变化。"),
        _platforms(dossier),
        _spreaders(one for chapter in chapters for one in chapter.situation.spreaders),
    ]
    source = chapters[0].situation.first_source
    if source is None:
        return blocks
    at, where = clock(source.published_at), platform(source.platform)
    return [Paragraph(f"已知最早的一条于 {at} 出现在{where}。"), *blocks]


def _platforms(dossier: Dossier) -> Table:
    counts = Counter[str]()
    for chapter in dossier.course.chapters:
        counts.update(chapter.situation.platforms)
    slots = dossier.course.slots
    first = {name: slot.begins_at for slot in reversed(slots) for name in slot.platforms}
    return Table(
        (
            Column("平台", 28),
            Column("提及", 18, number=True),
            Column("占比", 18, number=True),
            Column("首次出现的时段", 36, number=True),
        ),
        [
            [
                platform(name),
                f"{count:,}",
                share(count, counts.total()),
                clock(first[name]) if name in first else NOTHING,
            ]
            for name, count in counts.most_common()
        ],
    )


def _spreaders(spreaders: Iterable[Spreader]) -> Table:
    widest = sorted(spreaders, key=lambda one: -one.reached)[:MOST_SPREADERS]
    return Table(
        (
            Column("平台", 28),
            Column("账号类型", 18),
            Column("时间", 18),
            Column("触达人数", 36, number=True),
        ),
        [
            [
                platform(one.platform),
                TIERS[one.author.tier] if one.author is not None else NOTHING,
                clock(one.published_at),
                f"{one.reached:,}",
            ]
            for one in widest
        ],
        title="触达最广的账号（不记录身份）",
    )


def viewpoints(dossier: Dossier) -> list[Block]:
    """主要观点: what many said, the most first."""
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
                    share(one.mentions, total),
                    f"{one.polarities.get('negative', 0):.0%}",
                    clock(one.first_at),
                ]
                for one in found[:MOST_VIEWPOINTS]
            ],
            empty="没有足够多的人说同一件事。",
        ),
    ]


def emotions(dossier: Dossier, marks: Marks) -> list[Block]:
    """情绪变化: the mix over time, and before and after the first statement."""
    slots = dossier.course.slots
    if not any(slot.mentions >= LEAST_MENTIONS for slot in slots):
        return [Paragraph("提及太少，看不出情绪变化。", quiet=True)]
    blocks: list[Block] = [
        Picture(
            "emotions",
            case_pictures.emotions(slots, marks),
            f"各情绪占比随时间的变化；不足 {LEAST_MENTIONS} 条提及的时段不画。",
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
                        share(before[name], before.total()),
                        share(after[name], after.total()),
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
