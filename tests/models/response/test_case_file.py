"""The life of a case: every step in order, every refusal named."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.response.builders import START, alert, at, planned
from wanglou.models.response.case_file import (
    CaseFile,
    CaseStatus,
    DraftStatus,
    Refused,
    after_alert,
    after_response,
)
from wanglou.schemas.response import Act, Response, ReviewVerdict
from wanglou.schemas.risk import AlertKind, Level

NOW = START + timedelta(days=1)
NUMBERS = itertools.count()


def raised(**fields: Any) -> CaseFile:
    return after_alert(None, alert(0, Level.ORANGE, AlertKind.RAISED, **fields))


def respond(case: CaseFile, act: Act, minute: float, by: str = "zhang", **fields: Any) -> bool:
    fields.setdefault("id", f"r{next(NUMBERS)}")
    response = Response(event_id=case.id, act=act, by=by, at=at(minute), **fields)
    return after_response(case, response, NOW)


def acknowledged() -> CaseFile:
    case = raised(measures=(planned(30), planned(60, "回应")))
    respond(case, Act.ACKNOWLEDGEMENT, 1)
    return case


def approved() -> CaseFile:
    case = acknowledged()
    respond(case, Act.DRAFT, 2, id="d1", text="我行一切正常", evidence=("存款余额日报",))
    respond(case, Act.APPROVAL, 3, "li", draft_id="d1")
    return case


def test_a_case_goes_through_its_life_and_each_step_tells_who_when_and_why() -> None:
    case = approved()
    respond(case, Act.STATEMENT, 4, draft_id="d1", channel="官方微博")
    respond(case, Act.WATCH, 200, text="新增量回落")
    after_alert(case, alert(300, None, AlertKind.RESOLVED))
    respond(case, Act.CLOSE, 400, "li", text="24 小时无新增")
    assert [(step.after, step.by, step.why) for step in case.steps] == [
        (CaseStatus.OPEN, "wanglou", "【橙色·重大】和兴银行:挤兑传言"),
        (CaseStatus.ACKNOWLEDGED, "zhang", "确认收到"),
        (CaseStatus.IN_RESPONSE, "zhang", "信息发布"),
        (CaseStatus.WATCHED, "zhang", "新增量回落"),
        (CaseStatus.CLOSED, "li", "24 小时无新增"),
    ]
    assert case.closed_at == at(400)
    assert case.measures[0].text == "我行一切正常"
    assert case.draft("d1").status is DraftStatus.RELEASED


REFUSALS = [
    (raised, Act.EXPLANATION, {"text": "已答复"}, "act: .*nobody has acknowledged"),
    (raised, Act.WATCH, {"text": "…"}, "act: watch .* is open; it must be acknowledged"),
    (raised, Act.CLOSE, {"text": "…"}, "act: close .* level is orange"),
    (acknowledged, Act.EXPLANATION, {}, "text: explanation needs one"),
    (acknowledged, Act.EXPLANATION, {"text": " "}, "text: explanation needs one"),
    (acknowledged, Act.STATEMENT, {"text": "一切正常"}, "draft_id: statement needs one"),
    (acknowledged, Act.STATEMENT, {"draft_id": "d9"}, "draft_id: 'd9' is no draft"),
    (acknowledged, Act.APPROVAL, {}, "draft_id: approval needs one"),
    (acknowledged, Act.DRAFT, {}, "text: a draft needs one"),
    (acknowledged, Act.TASK_DONE, {}, "task_id: task-done needs one"),
    (acknowledged, Act.TASK_DONE, {"task_id": "t9"}, "task_id: 't9' .* there are: t1, t2"),
    (acknowledged, Act.ASSIGNMENT, {}, "owner: an assignment needs owner or team"),
    (acknowledged, Act.ASSIGNMENT, {"task_id": "t1"}, "owner: an assignment of a task"),
    (acknowledged, Act.WATCH, {}, "text: watch needs one"),
    (acknowledged, Act.REVIEW, {}, "verdict: a review needs one"),
    (approved, Act.APPROVAL, {"draft_id": "d1", "by": "wang"}, "draft_id: d1 is approved already"),
    (approved, Act.STATEMENT, {"draft_id": "d1", "text": "另一段"}, "text: is not the text"),
    (approved, Act.STATEMENT, {"draft_id": "d1", "minute": 2}, "at: .* before d1 was approved"),
    (approved, Act.DRAFT, {"draft_id": "d1", "text": "改"}, "draft_id: d1 is approved and"),
    (acknowledged, Act.EXPLANATION, {"text": "…", "minute": 1446}, "at: .* is in the future"),
    (acknowledged, Act.EXPLANATION, {"text": "…", "minute": -1}, "at: .* before the case was"),
]


@pytest.mark.parametrize(("case", "act", "fields", "error"), REFUSALS)
def test_what_a_case_does_not_allow_is_refused_and_changes_nothing(
    case: Any, act: Act, fields: dict[str, Any], error: str
) -> None:
    file = case()
    before = file.model_dump_json()
    with pytest.raises(Refused, match=error):
        respond(file, act, **{"minute": 5, **fields})
    assert file.model_dump_json() == before


@pytest.mark.parametrize("minutes", [5, 0])
def test_clocks_may_differ_by_five_minutes(minutes: int) -> None:
    assert respond(acknowledged(), Act.EXPLANATION, 1440 + minutes, text="已答复")


def test_nobody_approves_their_own_draft_whatever_the_way() -> None:
    case = acknowledged()
    respond(case, Act.DRAFT, 2, "zhang", id="d1", text="初稿", evidence=("日报",))
    with pytest.raises(Refused, match="by: zhang wrote d1; a second person approves it"):
        respond(case, Act.APPROVAL, 3, "zhang", draft_id="d1")
    respond(case, Act.DRAFT, 4, "li", id="d2", text="二稿", draft_id="d1", evidence=("日报",))
    assert case.draft("d1").status is DraftStatus.REJECTED
    for author in ("zhang", "li"):
        with pytest.raises(Refused, match="a second person"):
            respond(case, Act.APPROVAL, 5, author, draft_id="d2")
    assert respond(case, Act.APPROVAL, 6, "wang", draft_id="d2")


def test_a_release_needs_evidence_with_the_draft_or_with_the_release() -> None:
    case = acknowledged()
    respond(case, Act.DRAFT, 2, id="d1", text="一切正常")
    respond(case, Act.APPROVAL, 3, "li", draft_id="d1")
    with pytest.raises(Refused, match="evidence: d1 has none"):
        respond(case, Act.STATEMENT, 4, draft_id="d1")
    assert respond(case, Act.STATEMENT, 4, draft_id="d1", evidence=("存款余额日报",))
    with pytest.raises(Refused, match="d1 is released"):
        respond(case, Act.STATEMENT, 5, draft_id="d1")


def test_a_rejected_draft_is_not_released() -> None:
    case = acknowledged()
    respond(case, Act.DRAFT, 2, id="d1", text="绝对安全", evidence=("日报",))
    with pytest.raises(Refused, match="text: a rejection needs one"):
        respond(case, Act.REJECTION, 3, "li", draft_id="d1")
    respond(case, Act.REJECTION, 3, "li", draft_id="d1", text="不作承诺")
    with pytest.raises(Refused, match="d1 is rejected"):
        respond(case, Act.STATEMENT, 4, draft_id="d1")


def test_two_people_acknowledge_at_once_and_the_first_owns_the_case() -> None:
    case = raised()
    assert respond(case, Act.ACKNOWLEDGEMENT, 1, "zhang")
    assert respond(case, Act.ACKNOWLEDGEMENT, 1, "li")
    assert (case.owner, len(case.responses)) == ("zhang", 2)
    assert [step.by for step in case.steps] == ["wanglou", "zhang"]


def test_the_same_response_twice_counts_once() -> None:
    case = acknowledged()
    assert respond(case, Act.EXPLANATION, 5, id="same", text="已答复")
    before = case.model_dump_json()
    assert not respond(case, Act.EXPLANATION, 5, id="same", text="已答复")
    assert case.model_dump_json() == before


def test_tasks_come_from_the_playbook_and_a_later_alert_never_puts_a_deadline_off() -> None:
    case = raised(measures=(planned(30), planned(60, "回应")))
    escalated = alert(10, Level.RED, AlertKind.ESCALATED, measures=(planned(20), planned(70, "会")))
    after_alert(case, escalated)
    after_alert(case, alert(90, Level.ORANGE, AlertKind.DE_ESCALATED, measures=(planned(120),)))
    assert [(task.id, task.text, task.due_at) for task in case.tasks] == [
        ("t1", "核实", at(20)),
        ("t2", "回应", at(60)),
        ("t3", "会", at(70)),
    ]
    assert [task.id for task in case.overdue(at(65))] == ["t1", "t2"]
    respond(case, Act.ACKNOWLEDGEMENT, 15)
    respond(case, Act.TASK_DONE, 18, "wang", task_id="t1")
    respond(case, Act.EXPLANATION, 19, "li", text="已答复", task_id="t2")
    assert [task.done_by for task in case.tasks] == ["wang", "li", None]
    assert (case.overdue(at(65)), case.next_deadline()) == ([], at(70))


def test_an_event_that_comes_back_reopens_its_case() -> None:
    case = acknowledged()
    respond(case, Act.WATCH, 10, text="无新增")
    after_alert(case, alert(20, None, AlertKind.RESOLVED))
    respond(case, Act.CLOSE, 30, "li", text="已平息")
    with pytest.raises(Refused, match="is closed; only review is"):
        respond(case, Act.EXPLANATION, 31, text="…")
    assert respond(case, Act.REVIEW, 32, "li", verdict=ReviewVerdict.LATE)
    after_alert(case, alert(600, Level.YELLOW, AlertKind.RAISED))
    assert (case.status, case.lives, case.owner) == (CaseStatus.OPEN, 2, None)
    assert (case.acknowledged_at, case.highest) == (None, Level.ORANGE)


def test_a_watched_case_that_rises_is_in_response_again() -> None:
    case = acknowledged()
    respond(case, Act.WATCH, 10, text="无新增")
    after_alert(case, alert(20, Level.RED, AlertKind.ESCALATED))
    assert case.status is CaseStatus.IN_RESPONSE


def test_a_false_alarm_is_closed_while_its_level_is_in_force() -> None:
    case = acknowledged()
    respond(case, Act.WATCH, 10, text="旧闻重发")
    respond(case, Act.REVIEW, 11, "li", verdict=ReviewVerdict.FALSE_ALARM)
    assert respond(case, Act.CLOSE, 12, "li", text="误报")


ORDER = [
    CaseStatus.OPEN,
    CaseStatus.ACKNOWLEDGED,
    CaseStatus.IN_RESPONSE,
    CaseStatus.WATCHED,
    CaseStatus.CLOSED,
]
PEOPLE = ("zhang", "li")
ACTS = st.tuples(st.sampled_from(list(Act)), st.sampled_from(PEOPLE), st.sampled_from(["d1", None]))


@given(st.lists(ACTS, max_size=30))
def test_whatever_comes_in_no_step_is_left_out_and_no_own_draft_is_approved(
    acts: list[tuple[Act, str, str | None]],
) -> None:
    case = raised(measures=(planned(30),))
    for number, (act, by, draft_id) in enumerate(acts):
        id = "d1" if act is Act.DRAFT and draft_id is None else f"x{number}"
        try:
            respond(
                case,
                act,
                number,
                by,
                id=id,
                draft_id=draft_id,
                text=None if act is Act.STATEMENT else "文",
                task_id="t1" if act is Act.TASK_DONE else None,
                verdict=ReviewVerdict.FALSE_ALARM,
                evidence=("日报",),
            )
        except Refused:
            continue
    for step in case.steps:
        if step.before is not None and ORDER.index(step.after) > ORDER.index(step.before):
            skipped = ORDER[ORDER.index(step.before) + 1 : ORDER.index(step.after)]
            assert skipped in ([], [CaseStatus.IN_RESPONSE])
    for draft in case.drafts:
        if draft.status in (DraftStatus.APPROVED, DraftStatus.RELEASED):
            assert draft.decided_by != draft.by
    for taken in case.measures:
        if taken.draft_id is not None:
            assert case.draft(taken.draft_id).status is DraftStatus.RELEASED
