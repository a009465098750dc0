"""What tuning makes of rules that were set wrongly; `make learn` prints the table.

    python tests/tuning/learn.py [--seed 21] [--held-out 22] [--mentions 150000]

Rules that are wrong in a known way meet a generated scenario. Its cases are reviewed by people who
know what happened, and `wanglou tune propose` learns from the archive. How good the rules are
before and after is judged on another scenario.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from reviewed_archive import KEY, Told, archived, told, under
from rich.console import Console
from rich.table import Table

from wanglou.agents.settings import load_settings
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.rules import Rules
from wanglou.models.rules_file import RulesFile, with_values
from wanglou.models.scenario.plan import Size
from wanglou.models.verdict import Verdict, judge, steps_of
from wanglou.schemas.problems import Location
from wanglou.schemas.risk import Level

WRONG: Mapping[str, Mapping[Location, float]] = {
    "as shipped": {},
    "orange and red too high": {
        **{("levels", "orange", side): value for side, value in (("enter", 75), ("leave", 37))},
        **{("levels", "red", side): value for side, value in (("enter", 90), ("leave", 45))},
    },
    "orange too low": {("levels", "orange", "enter"): 36, ("levels", "orange", "leave"): 18},
    "yellow too high": {("levels", "yellow", "enter"): 33, ("levels", "yellow", "leave"): 16.5},
    "heat weighs too much": {
        ("activity_weights", "heat"): 0.8,
        ("activity_weights", "burst"): 0.1,
        ("activity_weights", "velocity"): 0.1,
    },
}
"""What is wrong with each, by the place in risk.yaml."""


def with_wrong(values: Mapping[tuple[str, ...], float], file: Path) -> Path:
    """risk.yaml with what is wrong."""
    text = load_settings().rules.risk.read_text(encoding="utf-8")
    file.write_text(with_values(text, values), encoding="utf-8")
    return file


def read(rules: Rules, file: Path) -> Rules:
    """The rules with another risk.yaml."""
    return replace(rules, risk=RulesFile.read(file, RiskParameters).rules)


def propose(folder: Path, risk: Path, watchlist: Path) -> dict[str, Any]:
    """Run `wanglou tune propose` on the archive in a folder; all its figures."""
    environment = {
        "WANGLOU_ARCHIVE__URL": f"sqlite:///{folder}/archive.db",
        "WANGLOU_ARCHIVE__KEY": KEY,
        "WANGLOU_RULES__RISK": str(risk),
        "WANGLOU_RULES__WATCHLIST": str(watchlist),
    }
    command = [sys.executable, "-m", "wanglou.agents.commands", "tune", "propose"]
    command += ["--by", "admin", "--json", str(folder / "figures.json")]
    subprocess.run(
        command, check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    figures: dict[str, Any] = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return figures


def judged(one: Told) -> Verdict:
    """What the alerts of a scenario are worth."""
    first, last = one.scored[0][1].published_at, one.scored[-1][1].published_at
    return judge("", steps_of(one.alerts), one.incidents, first, last)


def shown(verdict: Verdict) -> list[str]:
    """Found, minutes to yellow and to orange, false alarms."""
    orange = [one for one in verdict.cases if one.incident.expected >= Level.ORANGE]
    raised = sum(one.minutes_to_orange is not None for one in orange)
    return [
        f"{verdict.found} / {len(verdict.cases)}",
        f"{raised} / {len(orange)}",
        f"{verdict.median_minutes_to_yellow:.0f}",
        str(len(verdict.false_alarms)),
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--held-out", type=int, default=22)
    parser.add_argument("--mentions", type=int, default=150_000)
    chosen = parser.parse_args()
    size = Size(institutions=12, days=30, incidents=36, mentions=chosen.mentions)
    rules = load_settings().load_rules()
    table = Table(
        *("rules", "cases reviewed", "levels off", "changed"),
        *("found at yellow", "at orange", "minutes to yellow", "false orange"),
        title="learned on one scenario; the last four columns are judged on another",
    )
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        seen = told(rules, size, chosen.seed, folder)
        unseen = told(rules, size, chosen.held_out, folder)
        for name, values in WRONG.items():
            for row in rows(name, values, seen, unseen, folder):
                table.add_row(*row)
    Console(width=160).print(table)


def rows(
    name: str,
    values: Mapping[Location, float],
    seen: Told,
    unseen: Told,
    folder: Path,
) -> Iterator[list[str]]:
    """Rules that are wrong, and what tuning makes of them in one step."""
    risk = with_wrong(values, folder / "risk.yaml")
    wrong = read(seen.rules, risk)
    file = folder / "archive.db"
    file.unlink(missing_ok=True)
    archived(under(seen, wrong), file).engine.dispose()
    watchlist = folder / "watchlist.yaml"
    content = seen.rules.watchlist.model_dump(mode="json", exclude_defaults=True)
    watchlist.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    found = propose(folder, risk, watchlist)
    before = sum(case["levels_off"][0] for case in found["cases"])
    after = sum(case["levels_off"][1] for case in found["cases"])
    reviews = str(len(found["cases"]))
    yield [name, reviews, f"{before:.1f}", "", *shown(judged(under(unseen, wrong)))]
    if found["proposed"] is None:
        yield ["  no change proposed", "", "", found["why"], "", "", "", ""]
        return
    changed = {tuple(place.split(".")): pair[1] for place, pair in found["changes"].items()}
    text = with_values(risk.read_text(encoding="utf-8"), changed)
    risk.write_text(text, encoding="utf-8")
    told_changes = ", ".join(
        f"{place.removesuffix('.enter')} {pair[1]:g}"
        for place, pair in found["changes"].items()
        if not place.endswith(".leave")
    )
    outcome = shown(judged(under(unseen, read(unseen.rules, risk))))
    yield ["  after one step", "", f"{after:.1f}", told_changes, *outcome]


if __name__ == "__main__":
    main()
