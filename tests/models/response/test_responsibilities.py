"""Who may do what, who answers for it when, and what is wrong with the file that says so."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.models.builders import WATCHLIST
from wanglou.agents.settings import load_settings
from wanglou.models.response.case_file import Refused
from wanglou.models.response.responsibilities import (
    ALLOWED,
    Duty,
    Forbidden,
    Operation,
    Responsibilities,
    Role,
    load_responsibilities,
)
from wanglou.models.rules_file import RulesError, RulesFile
from wanglou.models.watchlist import Watchlist
from wanglou.schemas.base import CHINA
from wanglou.schemas.response import MEASURES, Act

WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
MONDAY = datetime(2026, 3, 2, tzinfo=CHINA)


def person(name: str, *roles: str, institutions: Any = "all", **fields: Any) -> dict[str, Any]:
    made = {"name": name, "department": "公关部", "roles": roles, "institutions": institutions}
    return {**made, "roles": list(roles)} | fields


def always(*people: str, begin: str = "08:00", end: str = "08:00") -> list[dict[str, Any]]:
    return [{"days": WEEK, "from": begin, "to": end, "people": list(people)}]


GOOD: dict[str, Any] = {
    "people": {
        "zhang": person("张三", "responder"),
        "li": person("李四", "approver"),
        "wu": person("吴九", "viewer"),
        "chen": person("陈十", "auditor"),
        "chu": person("褚一", "administrator"),
        "one": person("冯二", "responder", institutions=["yunting"]),
        "crm": person("客服系统", "responder", kind="system"),
    },
    "duties": {
        "monitor": always("wu"),
        "analyse": always("zhang"),
        "respond": always("zhang"),
        "approve": always("li"),
        "report": always("zhang"),
    },
    "institutions": {"yunting": {"respond": always("one", "zhang")}},
}
MADE = Responsibilities.model_validate(GOOD)


def changed(value: Any, *path: str) -> dict[str, Any]:
    """The good file with one thing changed, or taken out (None)."""
    content = copy.deepcopy(GOOD)
    place = content
    for name in path[:-1]:
        place = place.setdefault(name, {})
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return content


def problem_of(tmp_path: Path, content: object, watchlist: Watchlist = WATCHLIST) -> str:
    path = tmp_path / "responsibilities.yaml"
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RulesError) as error:
        load_responsibilities(path, watchlist)
    return str(error.value).removeprefix(f"{path}: ")


def test_file_of_the_project_is_good() -> None:
    files = load_settings().rules
    watchlist = RulesFile.read(files.watchlist, Watchlist).rules
    made = load_responsibilities(files.responsibilities, watchlist)
    for institution in watchlist.institutions:
        for hour in range(7 * 24):
            for duty in Duty:
                time = MONDAY + timedelta(hours=hour)
                assert made.who_is_responsible(institution.id, duty, time)


# --- who may do what


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.VIEWER, {Operation.VIEW}),
        (
            Role.RESPONDER,
            {
                *MEASURES,
                Act.ACKNOWLEDGEMENT,
                Act.DRAFT,
                Act.ASSIGNMENT,
                Act.TASK_DONE,
                Act.WATCH,
                Act.REVIEW,
                Operation.VIEW,
            },
        ),
        (
            Role.APPROVER,
            {
                Act.APPROVAL,
                Act.REJECTION,
                Act.CLOSE,
                Act.CRISIS_TEAM,
                Act.ASSIGNMENT,
                Act.REVIEW,
                Operation.VIEW,
                Operation.APPROVE_CONFIGURATION,
            },
        ),
        (
            Role.AUDITOR,
            {Operation.VIEW, Operation.ACCESSES, Operation.VERIFY, Operation.EXPORT},
        ),
        (
            Role.ADMINISTRATOR,
            {
                Operation.CONFIGURATION,
                Operation.HOLD,
                Operation.RETENTION,
                Operation.ERASURE,
                Operation.KEYS,
            },
        ),
    ],
)
def test_role_may_do_this_and_nothing_else(role: Role, allowed: set[Act | Operation]) -> None:
    who = next(id for id, one in MADE.people.items() if one.roles == (role,))
    done = set()
    for action in [*Act, *Operation]:
        try:
            MADE.may(who, action, "hexing")
        except Forbidden:
            continue
        done.add(action)
    assert done == allowed


def test_every_act_and_operation_has_a_role() -> None:
    assert set(ALLOWED) == {*Act, *Operation}
    assert all(ALLOWED.values())


def test_message_names_person_act_institution_and_role() -> None:
    with pytest.raises(Forbidden) as error:
        MADE.may("zhang", Act.APPROVAL, "hexing")
    assert str(error.value) == (
        "by: zhang (张三) may not do 'approval' for hexing: it needs the role approver (审批); "
        "zhang has responder (处置)"
    )


def test_nobody_acts_on_or_sees_another_institution() -> None:
    MADE.may("one", Act.DRAFT, "yunting")
    for action, institution in [(Act.DRAFT, "hexing"), (Operation.VIEW, "hexing")]:
        with pytest.raises(Forbidden, match=r"for hexing: institutions of one are yunting"):
            MADE.may("one", action, institution)
    with pytest.raises(Forbidden, match="for all institutions: institutions of one are yunting"):
        MADE.may("one", Operation.VIEW, None)
    MADE.may("chen", Operation.VERIFY, None)


def test_unknown_person_is_refused_and_told_what_to_do() -> None:
    with pytest.raises(Refused, match=r"by: 'mallory' is nobody in responsibilities\.yaml; add"):
        MADE.may("mallory", Operation.VIEW, "hexing")


def test_one_person_has_one_id_whether_named_or_not() -> None:
    assert MADE.id_of("张三") == MADE.id_of("zhang") == "zhang"
    MADE.may("张三", Act.DRAFT, "hexing")


# --- who answers for it when


def test_institution_has_its_own_shifts_only_for_the_duties_it_names() -> None:
    assert MADE.who_is_responsible("hexing", Duty.RESPOND, MONDAY) == ("zhang",)
    assert MADE.who_is_responsible("yunting", Duty.RESPOND, MONDAY) == ("one", "zhang")
    assert MADE.who_is_responsible("yunting", Duty.APPROVE, MONDAY) == ("li",)


def test_hours_are_those_of_china() -> None:
    content = changed(
        always("zhang", end="20:00") + always("one", begin="20:00"),
        "institutions",
        "yunting",
        "respond",
    )
    made = Responsibilities.model_validate(content)
    noon_in_london = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
    assert made.who_is_responsible("yunting", Duty.RESPOND, noon_in_london) == ("one",)
    before = noon_in_london - timedelta(minutes=1)
    assert made.who_is_responsible("yunting", Duty.RESPOND, before) == ("zhang",)


def test_shift_covers_its_minutes_and_no_others() -> None:
    """Over the end of the week, too."""
    shift = MADE.duties.respond[0].model_copy(update={"days": ("sun", "tue"), "begin": 600})
    covered = {minute for minute in range(7 * 24 * 60) if shift.covers(minute)}
    assert covered == set(shift.minutes())
    assert 0 in covered


@given(
    st.sampled_from(list(Duty)),
    st.integers(0, 23),
    st.integers(1, 23),
    st.integers(0, 7 * 24 * 60 - 1),
)
def test_whatever_the_hours_a_file_that_loads_has_somebody(
    duty: Duty, begin: int, length: int, minute: int
) -> None:
    who = "li" if duty is Duty.APPROVE else "zhang"
    first, second = f"{begin:02}:00", f"{(begin + length) % 24:02}:00"
    rota = always(who, begin=first, end=second) + always(who, begin=second, end=first)
    made = Responsibilities.model_validate(changed(rota, "duties", duty.value))
    assert made.who_is_responsible("hexing", duty, MONDAY + timedelta(minutes=minute)) == (who,)


# --- what is refused

NIGHT_GAP = always("zhang", begin="08:00", end="07:30")
TWICE = [*always("zhang"), {"days": ["mon"], "from": "09:00", "to": "10:00", "people": ["zhang"]}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed(None, "duties", "report"), "duties.report: Field required"),
        (changed([], "duties", "report"), "duties.report: Tuple should have at least 1 item"),
        (
            changed(NIGHT_GAP, "duties", "report"),
            "duties.report: nobody has the duty report (报送) 周一 07:30–08:00, ",
        ),
        (
            changed(NIGHT_GAP, "institutions", "yunting", "respond"),
            "institutions.yunting.respond: nobody has the duty respond (处置) 周一 07:30–08:00, ",
        ),
        (
            changed(TWICE, "duties", "analyse"),
            "duties.analyse: more than one shift covers 周一 09:00–10:00: shorten one",
        ),
        (
            changed(always("wang"), "duties", "analyse"),
            "duties.analyse[0].people[0]: 'wang' is no person of this file; one of zhang, li, ",
        ),
        (
            changed(always("zhang", "zhang"), "duties", "analyse"),
            "duties.analyse[0].people[1]: 'zhang' stands twice",
        ),
        (
            changed(always("crm"), "duties", "monitor"),
            "duties.monitor[0].people[0]: 'crm' is a system: name the person",
        ),
        (
            changed(always("wu"), "duties", "respond"),
            "duties.respond[0].people[0]: 'wu' has no role for the duty respond: "
            "it needs responder (处置)",
        ),
        (
            changed(always("zhang"), "duties", "approve"),
            "duties.approve[0].people[0]: 'zhang' has no role for the duty approve",
        ),
        (
            changed(person("周八", "approver", "auditor"), "people", "zhou"),
            "people.zhou.roles: auditor and approver are not one person's: who audits",
        ),
        (
            changed(person("周八", "approver", "administrator"), "people", "zhou"),
            "people.zhou.roles: administrator and approver are not one person's",
        ),
        (
            changed(person("机器人", "approver", kind="system"), "people", "robot"),
            "people.robot.roles: a system approves nothing: leave approver out",
        ),
        (
            changed(person("张三", "viewer"), "people", "zhang2"),
            "people.zhang2.name: '张三' is also the name of zhang: tell them apart, for",
        ),
        (
            changed(person("zhang", "viewer"), "people", "mimic"),
            "people.mimic.name: 'zhang' is the id of somebody else",
        ),
        (
            changed(person("望楼", "viewer"), "people", "wanglou"),
            "people.wanglou: 'wanglou' is who makes the steps of alerts",
        ),
        (
            changed(person("周八", "boss"), "people", "zhou"),
            "people.zhou.roles[0]: Input should be 'viewer', 'responder', 'approver', 'auditor' "
            "or 'administrator' (got 'boss')",
        ),
        (
            changed(person("周八"), "people", "zhou"),
            "people.zhou.roles: Tuple should have at least 1 item",
        ),
        (
            changed(person("周八", "viewer", institutions="everything"), "people", "zhou"),
            "people.zhou.institutions: 'everything' is neither all nor a list",
        ),
        (
            changed(person("周八", "viewer", institutions=[]), "people", "zhou"),
            "people.zhou.institutions: [] is neither all nor a list",
        ),
        (
            changed(person("周八", "viewer", institutions=["nowhere"]), "people", "zhou"),
            "people.zhou.institutions[0]: 'nowhere' is no institution of the watch list; "
            "those are hexing, yunting",
        ),
        (
            changed({"approve": always("li")}, "institutions", "nowhere"),
            "institutions.nowhere: 'nowhere' is no institution of the watch list",
        ),
        (
            changed(always("zhang", "one"), "duties", "respond"),
            "duties.respond[0].people[1]: 'one' may not see hexing, where this shift counts",
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    assert f": {said}" in problem_of(tmp_path, content)


def test_line_is_told(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, changed(NIGHT_GAP, "duties", "report"))
    lines = (tmp_path / "responsibilities.yaml").read_text(encoding="utf-8").splitlines()
    number = int(problem.removeprefix("line ").split(":")[0])
    assert lines[number - 1].strip() == "report:"


def test_shift_of_a_default_counts_only_where_there_is_no_exception(tmp_path: Path) -> None:
    """one sees 云汀 alone: fine as a default where 和兴 has its own."""
    content = changed(always("zhang", "one"), "duties", "respond")
    content["institutions"]["hexing"] = {"respond": always("zhang")}
    path = tmp_path / "responsibilities.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    assert load_responsibilities(path, WATCHLIST)


BOTH = person("李四", "approver", "responder")


def test_there_must_be_a_second_person_at_every_hour(tmp_path: Path) -> None:
    content = changed(BOTH, "people", "li")
    evening = always("zhang", begin="08:00", end="20:00") + always("li", begin="20:00", end="08:00")
    content["duties"]["respond"] = evening
    problem = problem_of(tmp_path, content)
    said = "duties.approve: who responds is the only one who approves 周一 00:00–08:00, 周一 20:00"
    assert f": {said}" in problem
    assert "name a second person" in problem


def test_second_person_is_asked_for_where_an_institution_has_its_own_shifts(tmp_path: Path) -> None:
    content = changed(BOTH, "people", "li")
    content["institutions"]["yunting"]["respond"] = always("li")
    said = "institutions.yunting: who responds is the only one who approves 周一 00:00–周一 00:00"
    assert f": {said}" in problem_of(tmp_path, content)


@pytest.mark.parametrize(
    ("responders", "approvers"), [(["li", "zhang"], ["li"]), (["li"], ["li", "zhou"])]
)
def test_two_people_are_enough_however_they_share(
    responders: list[str], approvers: list[str]
) -> None:
    content = changed(BOTH, "people", "li")
    content["people"]["zhou"] = person("周八", "approver")
    content["duties"] |= {"respond": always(*responders), "approve": always(*approvers)}
    assert Responsibilities.model_validate(content)
