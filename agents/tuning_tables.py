"""What tuning found, on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from wanglou.agents.alert_text import level_text
from wanglou.models.page import clock
from wanglou.models.tuning.comparison import Comparison, Row
from wanglou.models.tuning.proposal import Proposal
from wanglou.models.tuning.reviewed import Outcome
from wanglou.schemas.problems import Location
from wanglou.schemas.risk import Level

Changes = Mapping[Location, tuple[float, float]]


def trials(proposal: Proposal) -> Table:
    """How each kind of change did on cases that it had not seen."""
    table = Table("改动 what is changed", "差级 levels off now", "changed", "better by", "error")
    for one in proposal.trials:
        figures = (one.in_force, one.changed, one.gain, one.standard_error)
        table.add_row(one.name, *[f"{value:.1f}" for value in figures])
    return table


def changed(changes: Changes) -> Table:
    """A row a value of risk.yaml."""
    table = Table("参数 risk.yaml", "in force", "proposed")
    for place, (before, after) in changes.items():
        table.add_row(".".join(map(str, place)), f"{before:g}", f"{after:g}")
    return table


def cases(comparison: Comparison, is_changed: bool) -> Table:
    """A row a reviewed life: what was, what is under the rules in force, and under a change."""
    table = Table("案件 case", "from", "复盘 review", "应为 expected", "recorded", "in force")
    for name in (*(("changed",) if is_changed else ()), "差级 levels off"):
        table.add_column(name)
    for row in comparison.rows:
        one = row.reviewed
        found = (row.recorded, row.in_force, *((row.changed,) if is_changed else ()))
        table.add_row(
            f"{one.event_id} #{one.life}",
            clock(one.start),
            one.verdict.chinese,
            level_text(one.expected),
            *map(_outcome, found),
            _off(row),
        )
    return table


def unreviewed(comparison: Comparison) -> Table:
    """Rises to each level beside the reviewed cases."""
    table = Table("未复盘 rises that nobody reviewed", "in force", "changed")
    for level in Level:
        before, after = comparison.unreviewed_in_force, comparison.unreviewed_changed
        table.add_row(level_text(level), str(before[level]), str(after[level]))
    return table


def as_json(
    proposal: Proposal, changes: Changes, comparison: Comparison, version: str | None
) -> dict[str, Any]:
    """All figures; minutes that were never reached are null."""
    return {
        "proposed": version,
        "why": proposal.why,
        "trials": [asdict(one) for one in proposal.trials],
        "changes": {".".join(map(str, place)): list(pair) for place, pair in changes.items()},
        "cases": [_case_json(row) for row in comparison.rows],
        "unreviewed": {
            level.label: [
                comparison.unreviewed_in_force[level],
                comparison.unreviewed_changed[level],
            ]
            for level in Level
        },
    }


def _case_json(row: Row) -> dict[str, Any]:
    one = row.reviewed
    return {
        "case": one.event_id,
        "life": one.life,
        "from": one.start.isoformat(),
        "verdict": one.verdict.value,
        "expected": one.expected and one.expected.label,
        **{
            name: {"highest": found.highest and found.highest.label, "minutes": found.minutes}
            for name, found in (
                ("recorded", row.recorded),
                ("in_force", row.in_force),
                ("changed", row.changed),
            )
        },
        "levels_off": [round(row.off_in_force, 4), round(row.off_changed, 4)],
    }


def _outcome(found: Outcome) -> Text:
    minutes = "" if found.minutes is None else f"  {found.minutes:.0f} min"
    return Text.assemble(level_text(found.highest), minutes)


def _off(row: Row) -> Text:
    before, after = row.off_in_force, row.off_changed
    if after == before:
        return Text(f"{before:.1f}")
    return Text(f"{before:.1f} → {after:.1f}", "green" if after < before else "red")
