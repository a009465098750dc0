"""wanglou backtest"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO

import click
from rich.table import Table

from wanglou.agents import verdict_tables
from wanglou.agents.alert_text import print_alert
from wanglou.agents.commands.shared import (
    EXISTING_FILE,
    console,
    count_lines,
    printable,
    progress_bar,
    settings_with,
)
from wanglou.agents.parallel_backtest import Recording, run_parallel
from wanglou.agents.settings import Settings
from wanglou.agents.step3_sentiment import load_model
from wanglou.models.backtest import BacktestResult
from wanglou.models.baselines import baselines
from wanglou.models.incidents import Incidents
from wanglou.models.labelled_opinion import LabelledOpinion
from wanglou.models.opinion import OpinionModel
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.rules import Rules
from wanglou.models.rules_file import RulesFile
from wanglou.models.verdict import Verdict, judge, steps_of
from wanglou.schemas.base import Contract, time_of

_OUT = click.File("wb", lazy=True)


@click.command()
@click.argument("file", type=EXISTING_FILE)
@click.option("--alerts", type=_OUT, help="Write the alerts here, one a line.")
@click.option("--events", type=_OUT, help="Write the last state of every event here.")
@click.option("--labels", type=EXISTING_FILE, help="Take opinions from labels; needs no model.")
@click.option(
    "--incidents", "incidents_file", type=EXISTING_FILE, help="YAML of what should be found."
)
@click.option(
    "--against", type=EXISTING_FILE, help="Another risk.yaml to compare with, side by side."
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that share the institutions; needs --labels.",
)
@click.option("--plot", type=click.Path(file_okay=False, path_type=Path), help="Draw the cases.")
@click.option("--json", "as_json", type=_OUT, help="Write all figures of the report here.")
def backtest(
    file: Path,
    alerts: IO[bytes] | None,
    events: IO[bytes] | None,
    labels: Path | None,
    incidents_file: Path | None,
    against: Path | None,
    jobs: int,
    plot: Path | None,
    as_json: IO[bytes] | None,
) -> None:
    """Take recorded mentions through the pipeline without a broker.

    FILE has a raw mention in each line, in the order in which they were collected. The same file
    and rules give the same alerts, always.

    With --incidents it reports what was found and missed, false alarms, minutes to yellow and to
    orange, and flaps, beside the two usual rules on mentions an hour at their best settings.
    --labels takes what is true of each text from a file (as `wanglou scenario` writes it) and errs
    as often as the model; see models/scenario/README.md.
    """
    if incidents_file is None and (against or plot or as_json):
        raise click.UsageError("--against, --plot and --json need --incidents")
    if labels is None and jobs > 1:
        raise click.UsageError("--jobs needs --labels: a model takes all cores by itself")
    settings = settings_with()
    rules = settings.load_rules()
    incidents = None
    if incidents_file is not None:
        labelled = RulesFile.read(incidents_file, Incidents)
        incidents = labelled.rules
        labelled.check(incidents.problems(rules))
    other = None
    if against is not None:
        other = replace(rules, risk=RulesFile.read(against, RiskParameters).rules)
    model = load_model(settings.model) if labels is None else LabelledOpinion.load(labels)
    result = run_backtest(file, settings, rules, model, jobs)
    _write(alerts, result.alerts)
    _write(events, [event for _, event in sorted(result.events.items())])
    _show(result, brief=incidents is not None)
    if incidents is None:
        return
    if not result.mentions:
        raise click.UsageError(f"{file} has no mention of a watched institution")
    first = time_of(min(min(minutes) for minutes in result.mentions.values()))
    last = time_of(max(max(minutes) for minutes in result.mentions.values()) + 1)
    verdicts = [judge("wanglou", steps_of(result.alerts), incidents, first, last)]
    if other is not None and against is not None:
        steps = steps_of(run_backtest(file, settings, other, model, jobs).alerts)
        verdicts.append(judge(against.name, steps, incidents, first, last))
    rivals = baselines(result.mentions, incidents, first, last)
    terminal = console()
    terminal.print(verdict_tables.cases(verdicts, rules))
    terminal.print(verdict_tables.summary([*verdicts, *rivals]))
    if as_json is not None:
        figures = verdict_tables.as_json([*verdicts, *rivals])
        as_json.write(json.dumps(figures, ensure_ascii=False, indent=2).encode() + b"\n")
    if plot is not None:
        _draw(plot, verdicts[0], result, rules)


def run_backtest(
    file: Path, settings: Settings, rules: Rules, model: OpinionModel, jobs: int = 1
) -> BacktestResult:
    """Take the recorded mentions of a file through the pipeline, with a bar."""
    key, partitions = settings.load_author_key(), settings.topics.partitions
    recording = Recording(file, rules, model, key, partitions)
    with progress_bar("back-test") as bar:
        task = bar.add_task("", total=count_lines(file))
        return run_parallel(recording, jobs, lambda lines: bar.advance(task, lines))


def _draw(folder: Path, verdict: Verdict, result: BacktestResult, rules: Rules) -> None:
    from wanglou.models.case_plot import draw_case  # noqa: PLC0415  # matplotlib takes a second

    folder.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(verdict.cases, 1):
        incident = case.incident
        draw_case(
            case,
            verdict_tables.case_name(case, rules),
            result.mentions.get(incident.institution, {}),
            result.trail.get(incident.event_id, ()),
            rules.risk.levels,
            folder / f"{number:03}-{incident.event_id}.png",
        )


def _write(out: IO[bytes] | None, contracts: Iterable[Contract]) -> None:
    if out is not None:  # the lazy file is made by the first write, even of nothing
        out.write(b"".join(contract.to_json() + b"\n" for contract in contracts))


def _show(result: BacktestResult, *, brief: bool) -> None:
    """Counts and refused lines; the alerts too, unless ``brief``."""
    terminal = console()
    counts = Table("what", "messages")
    for name, number in result.counts.items():
        counts.add_row(name, str(number))
    terminal.print(counts)
    for number, rejection in result.rejections:
        click.echo(printable(f"line {number}: {rejection.reason.value}: {rejection.error}"))
    for alert in () if brief else result.alerts:
        print_alert(terminal, alert)
    still_open = [event.id for event in result.events.values() if event.level is not None]
    ending = ", ".join(still_open) or "none"
    terminal.print(f"{len(result.alerts)} alerts; open at the end: {ending}")
