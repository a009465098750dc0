"""The demo's crisis team: it answers the run on 和兴银行, as people would by `wanglou case`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from wanglou.models.response.case_file import CaseFile, after_alert
from wanglou.models.response.statements import StatementKind, Statements, fill
from wanglou.schemas.base import CHINA
from wanglou.schemas.playbook import MeasureKind
from wanglou.schemas.response import Act, Response, ReviewVerdict
from wanglou.schemas.risk import Alert, AlertKind, Level

CASE = "hexing-bank.run"
STATEMENT = "demo-7"
"""Id of the response that releases the statement."""

OFFICER, APPROVER, COMPLIANCE = "zhang", "li", "wang"


class DemoTeam:
    """Follows the case by its alerts, and answers them."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._case: CaseFile | None = None

    def answers(self, alert: Alert) -> list[Response]:
        """What the team does upon an alert, in order; most ask nothing new of it."""
        if alert.event_id != CASE:
            return []
        self._case = after_alert(self._case, alert)
        if alert.kind is AlertKind.ESCALATED and alert.level is Level.ORANGE:
            return list(self._respond(self._case, alert))
        if alert.kind is AlertKind.RESOLVED:
            return list(_conclude(alert))
        return []

    def _respond(self, case: CaseFile, alert: Alert) -> Iterator[Response]:
        at = alert.decided_at
        yield _act(1, at + _minutes(3), Act.ACKNOWLEDGEMENT, OFFICER, alert_id=alert.id)
        team = (OFFICER, APPROVER, COMPLIANCE)
        yield _act(2, at + _minutes(5), Act.ASSIGNMENT, APPROVER, owner=OFFICER, team=team)
        done = "城东支行营业正常，现金充足，未限额、未暂停。"
        task = _task(case, MeasureKind.FACT_FINDING)
        yield _act(3, at + _minutes(12), Act.TASK_DONE, COMPLIANCE, task_id=task, text=done)
        decision = "成立危机处理小组；先核实城东支行现场，统一口径，一小时内发布首次说明。"
        task = _task(case, MeasureKind.CRISIS_TEAM)
        yield _act(4, at + _minutes(15), Act.CRISIS_TEAM, APPROVER, text=decision, task_id=task)
        text = statement(at, self._statements)
        evidence = ("城东支行现场核实记录", "当日头寸日报")
        yield _act(5, at + _minutes(20), Act.DRAFT, OFFICER, text=text, evidence=evidence)
        yield _act(6, at + _minutes(26), Act.APPROVAL, APPROVER, draft_id="demo-5")
        yield _act(
            7,
            at + _minutes(29),
            Act.STATEMENT,
            OFFICER,
            draft_id="demo-5",
            task_id=_task(case, MeasureKind.STATEMENT),
            channel="官网与官方微博",
        )
        report = "已向属地监管派出机构报送首次报告。"
        task = _task(case, Act.REGULATOR_REPORT)
        yield _act(
            8, at + _minutes(45), Act.REGULATOR_REPORT, COMPLIANCE, text=report, task_id=task
        )


def _task(case: CaseFile, act: MeasureKind | Act) -> str:
    """The task of a kind that is due first."""
    return min((one for one in case.tasks if one.act == act.value), key=lambda one: one.due_at).id


def statement(at: datetime, statements: Statements) -> str:
    """The first statement, from the template."""
    day, noticed, checked = (
        one.astimezone(CHINA) for one in (at, at - _minutes(10), at + _minutes(18))
    )
    values = {
        "机构": "和兴银行",
        "事项": "城东支行取款情况",
        "关注时间": f"{noticed:%-m月%-d日%-H时%-M分}",
        "核实截止": f"{checked:%-m月%-d日%-H时%-M分}",
        "核实情况": "城东支行正常营业，柜面和自助机具取款正常，当日未限额、未暂停业务",
        "客户办法": "可照常到网点或通过手机银行办理，大额取款按平常规定预约",
        "下次通报时间": f"{day:%-m月%-d日}18时",
        "官方渠道": "我行官网和手机银行公告",
        "联系方式": "客服热线，24 小时受理",
        "发布日期": f"{day:%Y年%-m月%-d日}",
    }
    template = statements.template("run", StatementKind.FIRST)
    return fill(template, values).text


def _conclude(alert: Alert) -> Iterator[Response]:
    morning = (alert.decided_at + timedelta(hours=12)).astimezone(CHINA)
    quiet = "预警解除 12 小时，没有新的预警。"
    yield _act(9, morning, Act.WATCH, OFFICER, text=quiet)
    verdict = ReviewVerdict.RIGHT
    yield _act(10, morning + _minutes(30), Act.REVIEW, APPROVER, verdict=verdict, text="预警及时。")
    yield _act(11, morning + _minutes(60), Act.CLOSE, APPROVER, text="谣言平息，资料已归档。")


def _minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def _act(number: int, at: datetime, act: Act, by: str, **fields: object) -> Response:
    given = {"id": f"demo-{number}", **fields}
    return Response.model_validate({"event_id": CASE, "act": act, "by": by, "at": at, **given})
