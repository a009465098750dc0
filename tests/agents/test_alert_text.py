"""An alert on a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from wanglou.agents.alert_text import first_steps, print_alert
from wanglou.schemas.risk import Alert

DECIDED = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
"""22:00 in China."""


def measure(kind: str, minutes: int, text: str, department: str = "公关部") -> dict[str, Any]:
    due_at = DECIDED + timedelta(minutes=minutes)
    return {"kind": kind, "text": text, "department": department, "due_at": due_at}


MEASURES = [
    measure("fact-finding", 15, "核实", "运营部"),
    measure("fact-finding", 30, "再核实"),
    measure("statement", 119, "发布"),
    measure("crisis-team", 121, "开会", "办公室"),
]
REPORT = {
    "rule": "某办法",
    "issuer": "某局",
    "number": "某发〔2020〕1号",
    "issued_on": "2020-01-02",
    "article": "第三条",
    "asks": "报告",
    "due_at": DECIDED + timedelta(minutes=60),
    "note": "待合规部门确认",
}


def alert(**fields: Any) -> Alert:
    return Alert.model_validate(
        {
            "id": "a",
            "kind": "escalated",
            "sequence": 2,
            "event_id": "hexing.run",
            "institution": {"id": "hexing", "name": "和兴银行"},
            "topic": {"id": "run", "name": "挤兑传言"},
            "level": "orange",
            "decided_at": DECIDED,
            "title": "和兴银行升级",
            "assessment": {"risk": 40, "likelihood": 0.5, "impact": 0.5, "terms": []},
            "situation": {
                "mentions": 1,
                "updates": 0,
                "late": 0,
                "negative": 1,
                "clusters": 1,
                "heat": 1,
                "authors": 1,
                "audience": 1,
                "platforms": {},
                "emotions": {},
                "depth": 0,
                "first_at": DECIDED,
                "last_at": DECIDED,
            },
            "evidence": [],
            "received_at": DECIDED,
            "goal": "稳住",
            "measures": MEASURES,
            "reports": [REPORT],
            **fields,
        }
    )


def printed(one: Alert, width: int = 1000) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True)
    print_alert(console, one)
    return console.export_text().splitlines()


def test_first_steps_are_the_most_urgent_of_each_kind() -> None:
    assert first_steps(alert()) == [
        "目标  稳住",
        "22:15 前  监测核实·运营部  核实",
        "23:59 前  信息发布·公关部  发布",
        "03-03 00:01 前  危机小组·办公室  开会",  # the next day in China
        "另有 1 项，见预警 measures",
        "23:00 前  监管报告【待合规部门确认】2020-01-02《某办法》某发〔2020〕1号，第三条",
    ]


def test_confirmed_rule_needs_no_note_and_may_lack_a_number() -> None:
    report = {name: REPORT[name] for name in ("rule", "issuer", "issued_on", "asks")}
    steps = first_steps(alert(reports=[{**report, "due_at": DECIDED}]))
    assert steps[-1] == "立即  监管报告  2020-01-02《某办法》"


def test_all_measures_shown_leave_none_to_be_counted() -> None:
    assert "另有" not in "".join(first_steps(alert(measures=MEASURES[1:])))


@pytest.mark.parametrize("fields", [{"level": "blue"}, {"level": None}, {"measures": []}])
def test_there_are_no_steps_below_yellow_or_of_an_older_release(fields: dict[str, Any]) -> None:
    assert first_steps(alert(**fields)) == []


@pytest.mark.parametrize(
    ("kind", "lines"), [("raised", 7), ("escalated", 7), ("de-escalated", 1), ("resolved", 1)]
)
def test_steps_are_printed_under_an_alert_that_rose(kind: str, lines: int) -> None:
    shown = printed(alert(kind=kind))
    assert shown[0] == "03-02 22:00  和兴银行升级"
    assert len(shown) == lines
    assert all(line.startswith(" " * 13) for line in shown[1:])


def test_step_that_is_too_wide_is_cut() -> None:
    shown = printed(alert(measures=[measure("statement", 30, "字" * 200)]), width=60)
    assert len(shown) == 4
    assert shown[2].endswith("…")


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    console = Console(file=io.StringIO(), width=200, record=True, markup=False)
    print_alert(console, alert(title="[/red] 升级", goal="[bold]稳住"))
    text = console.export_text()
    assert "[/red] 升级" in text
    assert "[bold]稳住" in text
