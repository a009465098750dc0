"""wanglou tune propose | approve"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import click

from wanglou.agents import tuning_tables
from wanglou.agents.archive.configuration import approve_version, record_proposal
from wanglou.agents.archive.opening import open_archive
from wanglou.agents.archive.studying import Stream, Studied, back_test, recorded_again, study
from wanglou.agents.commands.archive import BY
from wanglou.agents.commands.case_reading import read_case
from wanglou.agents.commands.shared import (
    EXISTING_FILE,
    console,
    printable,
    progress_bar,
    settings_with,
)
from wanglou.models.response.case_file import CaseFile
from wanglou.models.response.responsibilities import Operation
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.rules import Rules
from wanglou.models.rules_file import RulesFile, with_values
from wanglou.models.tuning.comparison import Comparison, compare
from wanglou.models.tuning.proposal import Proposal, propose
from wanglou.models.tuning.reviewed import reviewed_lives
from wanglou.models.tuning.search import Study
from wanglou.models.tuning.setting import Setting, changes
from wanglou.schemas.base import CHINA

WARMING_UP = timedelta(days=7)
"""So long before the first day mentions are taken in: so long an event's own past reaches."""

_OUT = click.File("wb", lazy=True)


@click.group()
def tune() -> None:
    """Learn thresholds and weights from reviewed cases 参数更新.

    Nothing changes by itself: a proposal is a file, which a second person approves, and which comes
    into force where people put it in the place of risk.yaml.
    """


@dataclass(frozen=True)
class _Work:
    """What the reviews ask for, and what it was read off."""

    rules: Rules
    proposed: Rules | None
    proposal: Proposal
    comparison: Comparison
    studied: Studied
    repeated: tuple[int, int]

    @property
    def changes(self) -> tuning_tables.Changes:
        """What is to be changed, by its place in risk.yaml."""
        return {} if self.proposed is None else changes(self.rules.risk, self.proposed.risk)


@tune.command("propose")
@BY
@click.option(
    "--from",
    "first",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="Only reviews of cases that began on this day, in China, or later.",
)
@click.option("--json", "as_json", type=_OUT, help="Write all figures here.")
@click.option(
    "--write",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the proposed risk.yaml here, and record the proposal in the archive.",
)
def propose_rules(
    by: str, first: datetime | None, as_json: IO[bytes] | None, write: Path | None
) -> None:
    """Say what reviewed cases ask of risk.yaml, if anything.

    Each review (wanglou case review) tells what level a case should have had. Thresholds and
    weights are searched near those in force, judged on cases that the search has not seen, and old
    and new rules are back-tested on all archived mentions: case by case, and beside the cases.
    Read models/tuning/README.md before you believe it.
    """
    settings = settings_with()
    rules, responsibilities = settings.load_rules(), settings.load_responsibilities()
    responsibilities.may(by, Operation.CONFIGURATION, None)
    archive = open_archive(settings.archive)
    since = None if first is None else first.replace(tzinfo=CHINA)
    cases = [
        read_case(archive, responsibilities, row.id, by, Operation.CONFIGURATION)
        for row in archive.cases()
        if CaseFile.model_validate_json(row.body).reviews
    ]
    work = _worked(Stream(archive, since and since - WARMING_UP), cases, since, rules)
    _show(work)
    version = None if work.proposed is None else work.proposed.version
    figures = tuning_tables.as_json(work.proposal, work.changes, work.comparison, version)
    if as_json is not None:
        as_json.write(json.dumps(figures, ensure_ascii=False, indent=2).encode() + b"\n")
    if write is None:
        return
    if work.proposed is None:
        raise click.ClickException("no change is proposed; nothing was written")
    text = settings.rules.risk.read_text(encoding="utf-8")
    after = {place: pair[1] for place, pair in work.changes.items()}
    write.write_text(with_values(text, after), encoding="utf-8")
    who = responsibilities.id_of(by)
    risk = work.proposed.content()["risk"]
    record_proposal(archive, work.proposed.version, who, {**figures, "risk": risk})
    click.echo(f"{write}: proposed by {who}; next: wanglou tune approve {write} --by …")


def _worked(stream: Stream, cases: list[CaseFile], since: datetime | None, rules: Rules) -> _Work:
    with progress_bar("in force") as bar:
        task = bar.add_task("", total=len(stream.events))
        studied = study(stream, rules, lambda: bar.advance(task))
    reviewed = [
        one
        for case in cases
        if case.id in studied.courses
        for one in reviewed_lives(case)
        if since is None or one.start >= since
    ]
    base = Setting.of(rules.risk)
    proposal = propose(Study(reviewed, studied.courses, base))
    repeated = recorded_again(cases, studied.alerts, rules.version)
    recorded = {case.id: [(one.at, one.level) for one in case.alerts] for case in cases}
    proposed, alerts = None, studied.alerts
    if proposal.setting is not None:
        proposed = replace(rules, risk=proposal.setting.applied(rules.risk))
        with progress_bar("changed") as bar:
            task = bar.add_task("", total=len(stream.events))
            alerts = back_test(stream, proposed, lambda: bar.advance(task))
    comparison = compare(reviewed, recorded, studied.alerts, alerts)
    if proposed is not None and not comparison.is_better:
        why = "a back-test of the change is no better than the rules in force"
        proposed, proposal = None, replace(proposal, why=why)
    return _Work(rules, proposed, proposal, comparison, studied, repeated)


def _show(work: _Work) -> None:
    terminal, studied = console(), work.studied
    again, recorded = work.repeated
    click.echo(
        f"{studied.mentions} mentions of {len(studied.courses)} events; of {recorded} alerts that "
        f"were recorded under these rules, {again} came out again"
    )
    if studied.erased:
        click.echo(f"{studied.erased} mentions are of people who were erased: of nobody known")
    for event_id in studied.purged:
        click.echo(printable(f"left out, as its mentions were purged: {event_id}"))
    if work.proposal.trials:
        terminal.print(tuning_tables.trials(work.proposal))
    terminal.print(tuning_tables.cases(work.comparison, work.proposal.setting is not None))
    terminal.print(tuning_tables.unreviewed(work.comparison))
    if work.proposed is None:
        click.echo(f"no change proposed: {work.proposal.why}")
        return
    terminal.print(tuning_tables.changed(work.changes))
    click.echo(f"proposed: version {work.proposed.version} instead of {work.rules.version}")


@tune.command()
@click.argument("file", type=EXISTING_FILE)
@BY
@click.option("--reason", metavar="TEXT", required=True, help="Why; is recorded.")
def approve(file: Path, by: str, reason: str) -> None:
    """Approve FILE, a risk.yaml that somebody else has proposed 签发配置.

    It is recorded. It comes into force where you put it in the place of risk.yaml.
    """
    settings = settings_with()
    responsibilities = settings.load_responsibilities()
    responsibilities.may(by, Operation.APPROVE_CONFIGURATION, None)
    risk = RulesFile.read(file, RiskParameters).rules
    version = replace(settings.load_rules(), risk=risk).version
    archive = open_archive(settings.archive, with_keys=False)
    proposed_by = approve_version(archive, version, responsibilities.id_of(by), reason)
    click.echo(
        f"version {version}, proposed by {proposed_by}, is approved by {by}. To bring it into "
        f"force, put {file} in the place of {settings.rules.risk}, and restart workers and archive"
    )
