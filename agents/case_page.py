"""A case, and a list of cases, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wanglou.agents.alert_text import colour
from wanglou.models.page import clock
from wanglou.models.response.case_file import CaseFile, Task
from wanglou.schemas.evaluation import Evaluation
from wanglou.schemas.playbook import MeasureKind
from wanglou.schemas.response import Act

CUT = 24
"""Characters of a text that a table shows."""


def cases_table(cases: Iterable[CaseFile], now: datetime) -> Table:
    """One line a case."""
    table = Table("案卷 case", "状态", "级别", "负责人", "立案", "下一时限", "逾期")
    for case in cases:
        overdue = len(case.overdue(now))
        table.add_row(
            case.id,
            case.status.chinese,
            Text(case.level.chinese if case.level else "已解除", colour(case.level)),
            case.owner or "—",
            clock(case.opened_at),
            _clock(case.next_deadline()),
            Text(str(overdue), "bold red" if overdue else ""),
        )
    return table


def case_page(case: CaseFile, evaluations: Sequence[Evaluation], now: datetime) -> RenderableType:
    """Where a case stands, what is to be done, what was done, and what came of it."""
    head = Text.assemble(
        (f"{case.institution.name}:{case.topic.name}  ", "bold"),
        (case.level.chinese if case.level else "已解除", colour(case.level)),
        f"  {case.status.chinese}  负责人 {case.owner or '—'}",
        f"  小组 {'、'.join(case.team)}" if case.team else "",
    )
    parts: list[RenderableType] = [head, _steps(case)]
    if case.tasks:
        parts.append(_tasks(case, now))
    if case.drafts:
        parts.append(_drafts(case))
    if case.measures:
        parts.append(_measures(case))
    if evaluations:
        parts.append(_evaluations(case, evaluations))
    for review in case.reviews:
        parts.append(Text(f"复盘 {review.verdict.chinese}  {review.by}  {review.text}"))
    return Group(*parts)


def _clock(time: datetime | None) -> str:
    return "—" if time is None else clock(time)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CUT else f"{line[: CUT - 1]}…"


def _steps(case: CaseFile) -> Table:
    table = Table("时间", "状态", "何人", "缘由")
    for step in case.steps:
        table.add_row(clock(step.at), step.after.chinese, step.by, _cut(step.why))
    return table


def _tasks(case: CaseFile, now: datetime) -> Table:
    table = Table("任务", "类别", "内容", "部门", "承办人", "时限", "完成")
    for task in sorted(case.tasks, key=lambda one: one.due_at):
        table.add_row(
            task.id,
            _kind(task),
            _cut(task.text),
            task.department,
            task.person or "—",
            clock(task.due_at),
            _done(task, now),
        )
    return table


def _kind(task: Task) -> str:
    if task.act == Act.REGULATOR_REPORT.value:
        return Act.REGULATOR_REPORT.chinese
    return MeasureKind(task.act).chinese


def _done(task: Task, now: datetime) -> Text:
    if task.done_at is not None:
        late = " 迟" if task.done_at > task.due_at else ""
        return Text(f"{clock(task.done_at)} {task.done_by}{late}", "yellow" if late else "green")
    return Text("逾期", "bold red") if task.is_overdue(now) else Text("待办")


def _drafts(case: CaseFile) -> Table:
    table = Table("文稿", "状态", "拟稿", "签发", "依据", "内容")
    for draft in case.drafts:
        table.add_row(
            draft.id,
            draft.status.chinese,
            draft.by,
            draft.decided_by or "—",
            str(len(draft.evidence)),
            _cut(draft.text),
        )
    return table


def _measures(case: CaseFile) -> Table:
    table = Table("措施", "时间", "何人", "渠道", "内容")
    for taken in case.measures:
        table.add_row(
            taken.act.chinese, clock(taken.at), taken.by, taken.channel or "—", _cut(taken.text)
        )
    return table


def _evaluations(case: CaseFile, evaluations: Sequence[Evaluation]) -> Table:
    table = Table("效果评估", "跨度", "负面声量", "若未采取(90%)", "效应(90%)", "结论")
    acts = {taken.response_id: taken.act for taken in case.measures}
    for one in evaluations:
        expected = one.expected.negative if one.expected else None
        effect = one.effect.negative if one.effect else None
        table.add_row(
            acts[one.response_id].chinese,
            f"{one.span_minutes // 60} 小时",
            f"{one.before.negative} → {one.after.negative}",
            f"{expected.low:.0f}–{expected.high:.0f}" if expected else "—",
            f"{effect.low:.2f}–{effect.high:.2f}" if effect else "—",
            one.verdict.chinese if one.verdict else "—",
        )
    return table
