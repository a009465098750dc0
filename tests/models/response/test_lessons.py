"""What rules say of a case: each from what happened, with the figures it rests on."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.models.response.dossiers import World, told
from wanglou.models.response.lessons import Judgement, lessons_of
from wanglou.models.response.questions import questions_of
from wanglou.schemas.evaluation import EffectVerdict
from wanglou.schemas.page import PageOutcome
from wanglou.schemas.playbook import MeasureKind
from wanglou.schemas.response import Act, ReviewVerdict
from wanglou.schemas.risk import AlertKind, Level

GOOD, BAD, NEUTRAL = Judgement.GOOD, Judgement.BAD, Judgement.NEUTRAL
STATEMENT = {("品牌公关部", MeasureKind.STATEMENT): 60.0}
FACTS = {("运营管理部", MeasureKind.FACT_FINDING): 30.0}


def raised(level: Level = Level.ORANGE, **fields: object) -> World:
    world = World()
    world.alert(0, level, **fields)  # type: ignore[arg-type]
    return world


def acknowledged(minute: float = 5, **fields: object) -> World:
    world = raised(**fields)  # type: ignore[arg-type]
    world.respond(Act.ACKNOWLEDGEMENT, minute)
    return world


def seen_at_once() -> World:
    world = raised()
    world.say(-90, 1)
    world.say(-4, 12)
    return world


def seen_late() -> World:
    world = raised()
    world.say(-90, 12)
    return world


def never_noticeable() -> World:
    world = raised()
    for minute in (-300, -200, -100):
        world.say(minute, 4)
    return world


def paged(outcome: PageOutcome) -> World:
    world = raised()
    world.page(0, "duty")
    world.page(1, "li-mail", outcome)
    return world


def stated(minute: float, **fields: object) -> World:
    world = acknowledged(due=STATEMENT, **fields)
    world.statement(minute)
    return world


def stated_and_peak(peak: int) -> World:
    world = stated(60)
    world.say(20, 50)
    world.say(peak, 300)
    return world


def escalated_after() -> World:
    world = stated(30, level=Level.YELLOW)
    world.alert(60, Level.RED, AlertKind.ESCALATED)
    return world


def spread(after: dict[str, int]) -> World:
    world = stated(60)
    world.slot(0, {"weibo": 50})
    world.slot(120, after)
    world.snapshot(180, 20, Level.BLUE)
    return world


def tasks(done: float | None) -> World:
    world = acknowledged(due=FACTS)
    if done is not None:
        world.respond(Act.TASK_DONE, done, task_id="t1")
    return world


def reported(minute: float | None) -> World:
    world = acknowledged(report_due=60)
    if minute is not None:
        world.respond(Act.REGULATOR_REPORT, minute, task_id="t1", text="已报告")
    return world


def drafted(reject: bool) -> World:
    world = acknowledged()
    world.respond(Act.DRAFT, 10, id="d1", text="一切正常", evidence=("日报",))
    if reject:
        world.respond(Act.REJECTION, 20, "li", draft_id="d1", text="给出事实")
    else:
        world.respond(Act.APPROVAL, 20, "li", draft_id="d1")
    return world


def corrected() -> World:
    world = stated(30)
    world.respond(Act.DRAFT, 40, id="d2", text="更正", evidence=("日报",))
    world.respond(Act.APPROVAL, 41, "li", draft_id="d2")
    world.respond(Act.CORRECTION, 42, draft_id="d2")
    return world


def evaluated(verdict: EffectVerdict, ratio: float | None = 0.5) -> World:
    world = acknowledged()
    measure = world.respond(Act.EXPLANATION, 30, text="答复")
    world.evaluate(measure, 60, EffectVerdict.NO_VISIBLE_EFFECT, 1.0)
    world.evaluate(measure, 360, verdict, ratio)
    world.evaluate(measure, 1440, EffectVerdict.TOO_EARLY)
    return world


def reviewed(verdict: ReviewVerdict, **fields: object) -> World:
    world = acknowledged()
    world.respond(Act.REVIEW, 500, verdict=verdict, text="理由", **fields)
    return world


def reopened() -> World:
    world = acknowledged()
    world.respond(Act.WATCH, 100, text="回落")
    world.alert(200, None, AlertKind.RESOLVED)
    world.respond(Act.CLOSE, 300, text="无新增")
    world.alert(600, Level.ORANGE)
    return world


SAYS: list[tuple[Callable[[], World], str, Judgement, str]] = [
    (seen_at_once, "发现", GOOD, "1 小时 30 分钟发出首次预警，其间有 13 条.*满 10 条后 4 分钟"),
    (seen_late, "发现", BAD, "满 10 条后 1 小时 30 分钟预警，超出 30 分钟目标"),
    (never_noticeable, "发现", GOOD, "5 小时.*有 12 条提及，一小时内从未满 10 条"),
    (raised, "升级", NEUTRAL, "首次预警即升至橙色以上，最高为橙色·重大"),
    (lambda: paged(PageOutcome.SENT), "通知", GOOD, "2 次通知全部送达"),
    (lambda: paged(PageOutcome.GIVEN_UP), "通知", BAD, r"2 次通知中有 1 次未送达（li-mail）"),
    (lambda: acknowledged(15), "确认", GOOD, "15 分钟有人确认，未超时限（03-02 14:15）"),
    (lambda: acknowledged(16), "确认", BAD, "16 分钟有人确认，超过时限（03-02 14:15）1 分钟"),
    (lambda: acknowledged(6, level=Level.RED), "确认", BAD, "超过时限（03-02 14:05）1 分钟"),
    (lambda: acknowledged(16, level=Level.BLUE), "确认", NEUTRAL, "当时级别不要求限时确认"),
    (raised, "确认", BAD, "预警无人确认，应于 03-02 14:15 前确认"),
    (lambda: stated(60), "信息发布", GOOD, "1 小时首次发布信息，早于预案时限（03-02 15:00）0 分钟"),
    (lambda: stated(70), "信息发布", BAD, "晚于预案时限（03-02 15:00）10 分钟"),
    (lambda: acknowledged(due=STATEMENT), "信息发布", BAD, "03-02 15:00 前发布信息，至今未发布"),
    (
        lambda: stated_and_peak(100),
        "发布时机",
        GOOD,
        "早于提及高峰（03-02 15:40 起.*300 条）40 分钟",
    ),
    (lambda: stated_and_peak(30), "发布时机", BAD, "晚于提及高峰（03-02 14:30 起.*300 条）30 分钟"),
    (lambda: tasks(30), "任务时限", GOOD, "1 项到期任务全部按时完成"),
    (lambda: tasks(31), "任务时限", BAD, "1 项到期任务中 1 项未按时完成：运营管理部 1 项。"),
    (lambda: tasks(None), "任务时限", BAD, "运营管理部 1 项；其中 1 项没有完成记录"),
    (lambda: reported(60), "监管报告", GOOD, "突发事件信息报告办法）按时报送，时限 03-02 15:00"),
    (lambda: reported(90), "监管报告", BAD, "晚于时限（03-02 15:00）30 分钟报送"),
    (lambda: reported(None), "监管报告", BAD, "未见报送记录，时限 03-02 15:00"),
    (lambda: drafted(True), "稿件", NEUTRAL, "1 份稿件中 1 份被退回"),
    (lambda: drafted(False), "稿件", GOOD, "1 份稿件均一次签发"),
    (corrected, "更正", BAD, "发布后更正 1 次"),
    (
        lambda: evaluated(EffectVerdict.HELPED),
        "措施效果",
        GOOD,
        "沟通解释后 6 小时评估：有效，负面提及为无措施时的 50%（区间 25%～100%）",
    ),
    (lambda: evaluated(EffectVerdict.WORSE, 2.0), "措施效果", BAD, "反而加剧.*200%"),
    (
        lambda: evaluated(EffectVerdict.NOT_SEPARABLE, None),
        "措施效果",
        NEUTRAL,
        "无法与其他措施区分。",
    ),
    (escalated_after, "发布后升级", BAD, "又升级 1 次（03-02 15:00 红色·特别重大）"),
    (lambda: stated(30), "发布后升级", GOOD, "未再升级"),
    (lambda: spread({"weibo": 5, "douyin": 7}), "发布后扩散", BAD, "新平台：抖音 7 条"),
    (lambda: spread({"weibo": 5}), "发布后扩散", GOOD, "未蔓延到新平台（此前已在 1 个平台）"),
    (reopened, "复燃", BAD, "第 2 次：结案后于 03-03 00:00 再次预警"),
    (lambda: reviewed(ReviewVerdict.RIGHT), "预警质量", GOOD, "预警准确：理由"),
    (lambda: reviewed(ReviewVerdict.FALSE_ALARM), "预警质量", BAD, "预警误报"),
    (lambda: reviewed(ReviewVerdict.MISSED), "预警质量", BAD, "预警漏报"),
    (
        lambda: reviewed(ReviewVerdict.MISSED, expected_level=Level.RED),
        "预警质量",
        BAD,
        "预警漏报，应为红色·特别重大：理由",
    ),
]


@pytest.mark.parametrize(("world", "rule", "judgement", "text"), SAYS)
def test_a_rule_says_what_happened_and_how_much(
    world: Callable[[], World], rule: str, judgement: Judgement, text: str
) -> None:
    said = [one for one in lessons_of(world().dossier()) if one.rule == rule]
    assert [one.judgement for one in said] == [judgement]
    assert re.search(text, said[0].text), said[0].text


def test_a_task_that_is_not_due_yet_is_neither_kept_nor_missed() -> None:
    world = acknowledged(due=FACTS)
    rules = {one.rule for one in lessons_of(world.dossier(minute=29))}
    assert "任务时限" not in rules
    assert "任务时限" in {one.rule for one in lessons_of(world.dossier(minute=31))}


def test_each_life_of_a_case_is_measured_by_itself() -> None:
    world = reopened()
    world.respond(Act.ACKNOWLEDGEMENT, 640, "li")
    said = [one.text for one in lessons_of(world.dossier()) if one.rule == "确认"]
    assert said == [
        "第 1 次：首次预警后 5 分钟有人确认，未超时限（03-02 14:15）。",
        "第 2 次：首次预警后 40 分钟有人确认，超过时限（03-03 00:15）25 分钟。",
    ]


ASKS: list[tuple[Callable[[], World], str]] = [
    (raised, "本案尚无复盘结论"),
    (raised, "为何未按时确认预警"),
    (raised, "橙色以上而没有发布信息"),
    (raised, "案卷仍为“待确认”"),
    (seen_late, "首次预警之前，有没有客户"),
    (lambda: reviewed(ReviewVerdict.FALSE_ALARM), "误报由哪些内容触发"),
    (lambda: reviewed(ReviewVerdict.LATE), "预警偏晚或漏报的原因"),
    (lambda: tasks(None), "运营管理部 1 项任务没有完成记录"),
    (lambda: evaluated(EffectVerdict.NOT_SEPARABLE), "03-02 14:30 的沟通解释与其他措施时间相近"),
    (lambda: evaluated(EffectVerdict.WORSE), "03-02 14:30 的沟通解释之后舆情反而加剧"),
    (corrected, "发布内容为何需要更正"),
    (lambda: drafted(True), "稿件为何被退回"),
    (reopened, "结案后为何复燃"),
]


@pytest.mark.parametrize(("world", "text"), ASKS)
def test_a_gap_in_the_records_is_a_question_for_people(
    world: Callable[[], World], text: str
) -> None:
    assert [one for one in questions_of(world().dossier()) if text in one]


def test_what_the_records_answer_is_not_asked() -> None:
    world = told()
    world.respond(Act.REVIEW, 400, verdict=ReviewVerdict.RIGHT)
    world.respond(Act.WATCH, 410, text="回落")
    world.respond(Act.CLOSE, 420, text="无新增")
    assert questions_of(world.dossier()) == [
        "稿件为何被退回？能否写进模板或拟稿要求，避免再次发生？"
    ]
