"""A back-test's verdicts on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from typing import Any

from rich.table import Table
from rich.text import Text

from wanglou.agents.alert_text import level_text
from wanglou.models.page import clock
from wanglou.models.rules import Rules
from wanglou.models.verdict import Case, Verdict


def summary(verdicts: Sequence[Verdict]) -> Table:
    """A column a method, a row a figure."""
    table = Table("指标 figure", *[one.method for one in verdicts])
    kinds = {kind: count for one in verdicts for kind, count in one.harmless.items()}
    rows: list[tuple[str, list[str]]] = [
        ("发现 found at yellow or above", [f"{one.found} / {len(one.cases)}" for one in verdicts]),
        ("漏报 missed", [str(len(one.cases) - one.found) for one in verdicts]),
        (
            "误报 false orange or red a day",
            [f"{one.false_alarms_a_day:.2f} ({len(one.false_alarms)})" for one in verdicts],
        ),
        (
            "到黄色 median minutes to yellow",
            [_minutes(one.median_minutes_to_yellow) for one in verdicts],
        ),
        (
            "到橙色 median minutes to orange",
            [_minutes(one.median_minutes_to_orange) for one in verdicts],
        ),
        ("抖动 flaps", [str(len(one.flaps)) for one in verdicts]),
        *[
            (f"alerted {kind}", [f"{one.alerted.get(kind, 0)} / {count}" for one in verdicts])
            for kind, count in sorted(kinds.items())
        ],
    ]
    for name, cells in rows:
        table.add_row(name, *cells)
    return table


def cases(verdicts: Sequence[Verdict], rules: Rules) -> Table:
    """A row an incident; for each method the highest level and the minutes to yellow and orange."""
    table = Table("事件 incident", "from", "kind", "expected")
    for one in verdicts:
        table.add_column(one.method)
    for same in zip(*[one.cases for one in verdicts], strict=True):
        incident = same[0].incident
        table.add_row(
            case_name(same[0], rules),
            clock(incident.start),
            incident.kind,
            level_text(incident.expected),
            *[_outcome(case) for case in same],
        )
    return table


def case_name(case: Case, rules: Rules) -> str:
    """The operators' name of an incident."""
    incident = case.incident
    topic = rules.taxonomy.topic(incident.topic).name
    return f"{rules.watchlist.name_of(incident.institution)}:{topic}"


def as_json(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """All figures; minutes that were never reached are null."""
    return [
        {
            "method": one.method,
            "days": round(one.days, 3),
            "incidents": len(one.cases),
            "found": one.found,
            "false_alarms": [
                {"institution": step.institution, "topic": step.topic, "at": step.at.isoformat()}
                for step in one.false_alarms
            ],
            "false_alarms_a_day": round(one.false_alarms_a_day, 4),
            "median_minutes_to_yellow": _finite(one.median_minutes_to_yellow),
            "median_minutes_to_orange": _finite(one.median_minutes_to_orange),
            "flaps": len(one.flaps),
            "harmless": one.harmless,
            "alerted": one.alerted,
            "cases": [
                {
                    **case.incident.model_dump(mode="json", by_alias=True),
                    "highest": case.highest and case.highest.label,
                    "minutes_to_yellow": case.minutes_to_yellow,
                    "minutes_to_orange": case.minutes_to_orange,
                }
                for case in one.cases
            ],
        }
        for one in verdicts
    ]


def _finite(minutes: float) -> float | None:
    return None if isinf(minutes) else minutes


def _minutes(minutes: float | None) -> str:
    return "never" if minutes is None or isinf(minutes) else f"{minutes:.0f}"


def _outcome(case: Case) -> Text:
    times = [
        f"{name} {_minutes(minutes)}"
        for name, minutes in (
            ("yellow", case.minutes_to_yellow),
            ("orange", case.minutes_to_orange),
        )
        if minutes is not None
    ]
    return Text.assemble(level_text(case.highest), "  ", Text(", ".join(times) or "missed"))
