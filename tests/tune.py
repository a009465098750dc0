"""Propose thresholds for `deploy/risk.yaml` from scenarios; `make tune` makes them and prints.

    python tests/tune.py [--seeds 11 12] [--folder build/tune]

Each seed is a scenario of the report's size and takes some ten minutes. The seeds must not be
those that `make report` reports on. Weights are not searched for; models/scenario/README.md says
how they were found.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from report import MARKETING, SIZE, TUNED_ON, wanglou

from wanglou.agents.commands.backtest import run_backtest
from wanglou.agents.commands.shared import settings_with
from wanglou.models.incidents import Incidents
from wanglou.models.labelled_opinion import LabelledOpinion
from wanglou.models.rules_file import RulesFile
from wanglou.models.tuning.course import recording_levels
from wanglou.models.tuning.peaks import Aim, Peaks, thresholds

RECORDED_FROM = 8
"""Risks below this are not recorded: far below what any level should be entered at."""


def take_in(peaks: Peaks, folder: Path) -> None:
    """Add the peaks of a scenario."""
    os.environ["WANGLOU_RULES__WATCHLIST"] = str(folder / "watchlist.yaml")
    settings = settings_with()
    rules = settings.load_rules()
    levels = recording_levels(RECORDED_FROM)
    recording = replace(rules, risk=rules.risk.model_copy(update={"levels": levels}))
    model = LabelledOpinion.load(folder / "labels.jsonl")
    jobs = min(2, os.cpu_count() or 1)
    result = run_backtest(folder / "mentions.jsonl", settings, recording, model, jobs)
    peaks.add(result.trail, RulesFile.read(folder / "incidents.yaml", Incidents).rules, {MARKETING})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(TUNED_ON))
    parser.add_argument("--folder", type=Path, default=Path("build/tune"))
    arguments = parser.parse_args()
    peaks = Peaks(silent=[RECORDED_FROM])  # what was not recorded is at most so high
    for seed in arguments.seeds:
        folder = arguments.folder / str(seed)
        if not (folder / "watchlist.yaml").exists():
            size = [part for name, value in SIZE.items() for part in (f"--{name}", str(value))]
            wanglou("scenario", folder, "--seed", str(seed), *size)
        take_in(peaks, folder)
    for level, (enter, leave) in thresholds(peaks, Aim()).items():
        print(f"  {level.label}: {{enter: {enter:g}, leave: {leave:g}}}")


if __name__ == "__main__":
    main()
