"""What the records of a case cannot answer (待人工回答的问题): each from a gap or a fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from wanglou.models.page import clock
from wanglou.models.response.case_file import CaseStatus, DraftStatus
from wanglou.models.response.dossier import Dossier
from wanglou.models.response.figures import Figures, Kept, figures_of, lives_of
from wanglou.models.response.lessons import DETECT_WITHIN
from wanglou.schemas.evaluation import EffectVerdict
from wanglou.schemas.response import Act, ReviewVerdict
from wanglou.schemas.risk import Level


def questions_of(dossier: Dossier) -> list[str]:
    """The questions that the latest life of a case leaves open, in the order of the work."""
    figures = figures_of(dossier, lives_of(dossier.case)[-1])
    asked = [*_of_alerts(dossier, figures), *_of_effects(figures), *_of_work(dossier, figures)]
    return list(dict.fromkeys(asked))


def _of_alerts(dossier: Dossier, figures: Figures) -> Iterator[str]:
    if figures.review is None:
        yield "预警是否准确、及时？本案尚无复盘结论。"
    elif figures.review.verdict in (ReviewVerdict.LATE, ReviewVerdict.MISSED):
        yield "预警偏晚或漏报的原因是监测范围、判定阈值，还是采集延迟？"
    elif figures.review.verdict is ReviewVerdict.FALSE_ALARM:
        yield "误报由哪些内容触发？监测词或阈值是否需要调整？"
    noticeable = figures.noticeable_at
    if noticeable is not None and figures.alerted_at - noticeable > DETECT_WITHIN:
        yield "首次预警之前，有没有客户、网点或客服先发现？为何没有上报？"
    due, at = figures.acknowledge_due_at, figures.acknowledged_at
    if due is not None and (at or dossier.as_of) > due:
        yield "为何未按时确认预警：值班安排、通知方式，还是人手问题？"
    if figures.highest >= Level.ORANGE and figures.stated_at is None:
        yield "级别达到橙色以上而没有发布信息，是如何决定的？由谁决定？"


def _of_effects(figures: Figures) -> Iterator[str]:
    for effect in figures.effects:
        name = f"{clock(effect.measure.at)} 的{effect.measure.act.chinese}"
        if effect.verdict is EffectVerdict.NOT_SEPARABLE:
            yield f"{name}与其他措施时间相近，效果无法区分：各自起了什么作用？"
        elif effect.verdict is EffectVerdict.WORSE:
            yield f"{name}之后舆情反而加剧：原因是措辞、渠道、时机，还是另有新情况？"
        elif effect.verdict is EffectVerdict.TOO_EARLY:
            yield f"{name}尚无最终评估：何时复看，由谁负责？"


def _of_work(dossier: Dossier, figures: Figures) -> Iterator[str]:
    case, life = dossier.case, figures.life
    undone = Counter(
        one.task.department for one in figures.deadlines if one.kept in (Kept.MISSED, Kept.DROPPED)
    )
    if undone:
        told = "、".join(f"{department} {count} 项" for department, count in undone.most_common())
        yield f"{told}任务没有完成记录：是未做、不需要做，还是做了未登记？"
    if any(one.act is Act.CORRECTION and life.has(one.at) for one in case.measures):
        yield "发布内容为何需要更正？核实环节缺了什么？"
    if any(one.status is DraftStatus.REJECTED and life.has(one.at) for one in case.drafts):
        yield "稿件为何被退回？能否写进模板或拟稿要求，避免再次发生？"
    if life.number > 1:
        yield "结案后为何复燃？结案条件是否过早成立？"
    if case.status is not CaseStatus.CLOSED:
        yield f"案卷仍为“{case.status.chinese}”：还缺什么条件可以结案？"
