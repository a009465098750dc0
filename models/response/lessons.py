"""What went well and what badly, by rule 规则, with the figures.

Each rule looks at one thing and says one sentence in Chinese, or nothing where there is nothing to
say. None looks at who it was: a lesson is about the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from wanglou.models.page import clock
from wanglou.models.response.case_file import DraftStatus
from wanglou.models.response.dossier import Dossier
from wanglou.models.response.figures import (
    NOTICEABLE,
    PEAK_WINDOW,
    Figures,
    Kept,
    figures_of,
    lives_of,
)
from wanglou.models.response.words import cut, platform, span
from wanglou.schemas.evaluation import EffectVerdict
from wanglou.schemas.page import PageOutcome
from wanglou.schemas.response import Act, ReviewVerdict
from wanglou.schemas.risk import AlertKind

DETECT_WITHIN = timedelta(minutes=30)
"""From when an event could be noticed to its first alert: half of the shortest reporting time that
``deploy/regulator.yaml`` gives, so that the other half is left to people."""


class Judgement(StrEnum):
    """What a rule says."""

    GOOD = "good"
    BAD = "bad"
    NEUTRAL = "neutral"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            Judgement.GOOD: "做得好",
            Judgement.BAD: "需改进",
            Judgement.NEUTRAL: "供参考",
        }[self]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a rule says of a case: the rule's name, its judgement, and a sentence with figures."""

    rule: str
    judgement: Judgement
    text: str


Said = Iterator[tuple[Judgement, str]]
Rule = Callable[[Dossier, Figures], Said]

GOOD, BAD, NEUTRAL = Judgement.GOOD, Judgement.BAD, Judgement.NEUTRAL


def lessons_of(dossier: Dossier) -> list[Lesson]:
    """What all rules say of the case's lives, in the order of the work."""
    lives = lives_of(dossier.case)
    found: list[Lesson] = []
    for life in lives:
        prefix = f"第 {life.number} 次：" if len(lives) > 1 else ""
        for one in lessons_of_life(dossier, figures_of(dossier, life)):
            found.append(replace(one, text=prefix + one.text))
    return found


def lessons_of_life(dossier: Dossier, figures: Figures) -> list[Lesson]:
    """What all rules say of one life of a case."""
    return [
        Lesson(name, how, text)
        for name, rule in RULES.items()
        for how, text in rule(dossier, figures)
    ]


def _detection(dossier: Dossier, figures: Figures) -> Said:
    took, noticeable = figures.to_alert, figures.noticeable_at
    if took is None:
        return
    text = f"首条提及后 {span(took)}发出首次预警，其间有 {figures.mentions_before_alert} 条提及"
    if noticeable is None:
        yield GOOD, f"{text}，一小时内从未满 {NOTICEABLE} 条，预警早于可察觉之时。"
        return
    late = figures.alerted_at - noticeable
    text += f"；一小时内满 {NOTICEABLE} 条后 {span(late)}预警"
    if late <= DETECT_WITHIN:
        yield GOOD, f"{text}，在 {span(DETECT_WITHIN)}目标内。"
    else:
        yield BAD, f"{text}，超出 {span(DETECT_WITHIN)}目标。"


def _grave(dossier: Dossier, figures: Figures) -> Said:
    if figures.orange_at is not None:
        took = figures.orange_at - figures.alerted_at
        when = f"首次预警后 {span(took)}" if took else "首次预警即"
        yield NEUTRAL, f"{when}升至橙色以上，最高为{figures.highest.chinese}。"


def _acknowledgement(dossier: Dossier, figures: Figures) -> Said:
    took, due = figures.to_acknowledgement, figures.acknowledge_due_at
    if took is None:
        if due is not None and due < dossier.as_of:
            yield BAD, f"预警无人确认，应于 {clock(due)} 前确认。"
        return
    text = f"首次预警后 {span(took)}有人确认"
    at = figures.acknowledged_at
    if due is None or at is None:
        yield NEUTRAL, f"{text}；当时级别不要求限时确认。"
    elif at <= due:
        yield GOOD, f"{text}，未超时限（{clock(due)}）。"
    else:
        yield BAD, f"{text}，超过时限（{clock(due)}）{span(at - due)}。"


def _paging(dossier: Dossier, figures: Figures) -> Said:
    pages = [one for one in dossier.pages if figures.life.has(one.at)]
    lost = [one for one in pages if one.outcome is PageOutcome.GIVEN_UP]
    if lost:
        receivers = "、".join(sorted({one.receiver for one in lost}))
        yield BAD, f"{len(pages)} 次通知中有 {len(lost)} 次未送达（{receivers}）。"
    elif pages:
        yield GOOD, f"{len(pages)} 次通知全部送达。"


def _statement(dossier: Dossier, figures: Figures) -> Said:
    planned = [one.task for one in figures.deadlines if one.task.act == Act.STATEMENT.value]
    due = min((one.due_at for one in planned), default=None)
    took, at = figures.to_statement, figures.stated_at
    if at is None or took is None:
        if due is not None and due < dossier.as_of:
            yield BAD, f"预案要求 {clock(due)} 前发布信息，至今未发布。"
        return
    text = f"首次预警后 {span(took)}首次发布信息"
    if due is None:
        yield NEUTRAL, f"{text}；预案未规定时限。"
    elif at <= due:
        yield GOOD, f"{text}，早于预案时限（{clock(due)}）{span(due - at)}。"
    else:
        yield BAD, f"{text}，晚于预案时限（{clock(due)}）{span(at - due)}。"


def _peak(dossier: Dossier, figures: Figures) -> Said:
    at, peak = figures.stated_at, figures.peak_at
    if at is None or peak is None:
        return
    most = f"提及高峰（{clock(peak)} 起 {span(PEAK_WINDOW)}内 {figures.peak_mentions:,} 条）"
    if at <= peak:
        yield GOOD, f"首次发布早于{most}{span(peak - at)}。"
    else:
        yield BAD, f"首次发布晚于{most}{span(at - peak)}，错过了高峰前的窗口。"


def _departments(dossier: Dossier, figures: Figures) -> Said:
    judged = [
        one
        for one in figures.deadlines
        if one.is_judged and one.task.act != Act.REGULATOR_REPORT.value
    ]
    late = [one for one in judged if one.kept is not Kept.KEPT]
    if judged and not late:
        yield GOOD, f"{len(judged)} 项到期任务全部按时完成。"
    if late:
        by_department = Counter(one.task.department for one in late).most_common()
        told = "、".join(f"{department} {count} 项" for department, count in by_department)
        undone = sum(one.kept is Kept.MISSED for one in late)
        rest = f"；其中 {undone} 项没有完成记录" if undone else ""
        yield BAD, f"{len(judged)} 项到期任务中 {len(late)} 项未按时完成：{told}{rest}。"


def _regulator(dossier: Dossier, figures: Figures) -> Said:
    for one in figures.deadlines:
        task = one.task
        if task.act != Act.REGULATOR_REPORT.value or not one.is_judged:
            continue
        name = cut(task.text.split(":")[0], 30)
        if one.kept is Kept.KEPT:
            yield GOOD, f"监管报告（{name}）按时报送，时限 {clock(task.due_at)}。"
        elif task.done_at is not None:
            late = span(task.done_at - task.due_at)
            yield BAD, f"监管报告（{name}）晚于时限（{clock(task.due_at)}）{late}报送。"
        else:
            yield BAD, f"监管报告（{name}）未见报送记录，时限 {clock(task.due_at)}。"


def _drafts(dossier: Dossier, figures: Figures) -> Said:
    drafts = [one for one in dossier.case.drafts if figures.life.has(one.at)]
    rejected = sum(one.status is DraftStatus.REJECTED for one in drafts)
    if rejected:
        yield NEUTRAL, f"{len(drafts)} 份稿件中 {rejected} 份被退回或改写后才签发。"
    elif drafts and all(one.decided_at is not None for one in drafts):
        yield GOOD, f"{len(drafts)} 份稿件均一次签发。"


def _corrections(dossier: Dossier, figures: Figures) -> Said:
    taken = [one for one in dossier.case.measures if figures.life.has(one.at)]
    count = sum(one.act is Act.CORRECTION for one in taken)
    if count:
        yield BAD, f"发布后更正 {count} 次。"


def _effects(dossier: Dossier, figures: Figures) -> Said:
    for effect in figures.effects:
        name, settled = effect.measure.act.chinese, effect.settled
        if settled is None:
            continue
        after = f"{name}后 {span(timedelta(minutes=settled.span_minutes))}评估"
        ratio = settled.effect.negative if settled.effect is not None else None
        figure = (
            ""
            if ratio is None
            else f"，负面提及为无措施时的 {ratio.estimate:.0%}"
            f"（区间 {ratio.low:.0%}～{ratio.high:.0%}）"
        )
        how = {EffectVerdict.HELPED: GOOD, EffectVerdict.WORSE: BAD}.get(effect.verdict, NEUTRAL)
        yield how, f"{after}：{effect.verdict.chinese}{figure}。"


def _escalations(dossier: Dossier, figures: Figures) -> Said:
    at = figures.stated_at
    if at is None:
        return
    rises = [
        one
        for one in figures.alerts
        if one.at > at and one.kind in (AlertKind.RAISED, AlertKind.ESCALATED)
    ]
    if rises:
        levels = "、".join(
            f"{clock(one.at)} {one.level.chinese}" for one in rises if one.level is not None
        )
        yield BAD, f"首次发布后预警又升级 {len(rises)} 次（{levels}）。"
    else:
        yield GOOD, "首次发布后预警未再升级。"


def _platforms(dossier: Dossier, figures: Figures) -> Said:
    at = figures.stated_at
    if at is None:
        return
    slots = [
        slot
        for chapter in dossier.course.chapters
        for slot in chapter.situation.timeline
        if figures.life.end is None or slot.begins_at < figures.life.end
    ]
    before = {name for slot in slots if slot.begins_at < at for name in slot.platforms}
    after = Counter[str]()
    for slot in slots:
        if slot.begins_at >= at:
            after.update(slot.platforms)
    new = [name for name in after if name not in before]
    if before and new:
        told = "、".join(f"{platform(name)} {after[name]} 条" for name in new)
        yield BAD, f"首次发布后蔓延到新平台：{told}。"
    elif before:
        yield GOOD, f"首次发布后未蔓延到新平台（此前已在 {len(before)} 个平台）。"


def _reopened(dossier: Dossier, figures: Figures) -> Said:
    if figures.life.number > 1:
        yield BAD, f"结案后于 {clock(figures.life.begin)} 再次预警，案卷重新打开。"


def _review(dossier: Dossier, figures: Figures) -> Said:
    review = figures.review
    if review is None:
        return
    reason = f"：{cut(review.text, 80)}" if review.text else ""
    how = GOOD if review.verdict is ReviewVerdict.RIGHT else BAD
    since = f"（实际始于 {clock(review.missed_from)}）" if review.missed_from is not None else ""
    level = review.expected_level
    should = f"，应为{level.chinese}" if level is not None else ""
    yield how, f"复盘认为预警{review.verdict.chinese}{since}{should}{reason}。"


RULES: dict[str, Rule] = {
    "发现": _detection,
    "升级": _grave,
    "通知": _paging,
    "确认": _acknowledgement,
    "信息发布": _statement,
    "发布时机": _peak,
    "任务时限": _departments,
    "监管报告": _regulator,
    "稿件": _drafts,
    "更正": _corrections,
    "措施效果": _effects,
    "发布后升级": _escalations,
    "发布后扩散": _platforms,
    "复燃": _reopened,
    "预警质量": _review,
}
"""All rules, by what they look at."""
