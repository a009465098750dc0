"""How operators read an alert: times, colours, its line, and what it asks people to do first."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console
from rich.text import Text

from wanglou.models.page import clock
from wanglou.schemas.playbook import RegulatorReport
from wanglou.schemas.risk import Alert, AlertKind, Level

COLOURS = {
    Level.BLUE: "bold blue",
    Level.YELLOW: "bold yellow",
    Level.ORANGE: "bold dark_orange",
    Level.RED: "bold red",
}

INDENT = " " * 13
"""As wide as the time before an alert's title."""


def colour(level: Level | None) -> str:
    """The style of a level; green when there is none any more."""
    return "green" if level is None else COLOURS[level]


def level_text(level: Level | None) -> Text:
    """A level's label in its colour, for tables."""
    return Text(level.label if level else "none", colour(level))


def first_steps(alert: Alert) -> list[str]:
    """The goal, the most urgent measure of each kind, the regulator's clocks; none below yellow."""
    if alert.level is None or alert.level < Level.YELLOW or not alert.measures:
        return []
    first = {measure.kind: measure for measure in reversed(alert.measures)}
    shown = [measure for measure in alert.measures if measure is first[measure.kind]]
    lines = [f"目标  {alert.goal}"]
    for measure in shown:
        what = f"{measure.kind.chinese}·{measure.department}  {measure.text}"
        lines.append(f"{_by(alert, measure.due_at)}  {what}")
    if rest := len(alert.measures) - len(shown):
        lines.append(f"另有 {rest} 项，见预警 measures")
    return lines + [_report(alert, report) for report in alert.reports]


def _by(alert: Alert, due_at: datetime) -> str:
    """A deadline: the date only where it is not the alert's."""
    if due_at == alert.decided_at:
        return "立即"
    day, time = clock(due_at).split()
    return f"{time} 前" if clock(alert.decided_at).startswith(day) else f"{day} {time} 前"


def _report(alert: Alert, report: RegulatorReport) -> str:
    note = f"【{report.note}】" if report.note else "  "
    source = "，".join(filter(None, (report.number, report.article)))
    rule = f"{report.issued_on}《{report.rule}》{source}"
    return f"{_by(alert, report.due_at)}  监管报告{note}{rule}"


def print_alert(terminal: Console, alert: Alert) -> None:
    """Print an alert's line, and the first steps if it rose to yellow or above.

    A step that is wider than the terminal is cut.
    """
    terminal.print(f"{clock(alert.decided_at)}  {alert.title}", style=colour(alert.level))
    if alert.kind in (AlertKind.RAISED, AlertKind.ESCALATED):
        for step in first_steps(alert):
            terminal.print(INDENT + step, no_wrap=True, overflow="ellipsis")
