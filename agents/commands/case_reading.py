"""wanglou case list | show | report | verify | export, and wanglou report: looking at cases"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import click

from wanglou.agents.archive.dossiers import dossier_of
from wanglou.agents.archive.entries import Entry, Kind
from wanglou.agents.archive.opening import open_archive
from wanglou.agents.archive.store import Archive
from wanglou.agents.case_page import case_page, cases_table
from wanglou.agents.commands.shared import ExitCode, console, settings_with
from wanglou.models.response.case_file import CaseFile, CaseStatus
from wanglou.models.response.report.case_report import write_report
from wanglou.models.response.report.formats import Format
from wanglou.models.response.responsibilities import Operation, Responsibilities
from wanglou.schemas.evaluation import Evaluation

by_option = click.option("--by", required=True, metavar="NAME", help="Who looks: a person's id.")
format_option = click.option(
    "--format",
    "formats",
    type=click.Choice([one.value for one in Format]),
    multiple=True,
    default=[Format.HTML.value],
    show_default=True,
)
folder_option = click.option(
    "--to-folder",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder to write into; this one where it is left out.",
)


def _opened() -> tuple[Archive, Responsibilities]:
    settings = settings_with()
    return open_archive(settings.archive), settings.load_responsibilities()


def read_case(
    archive: Archive,
    responsibilities: Responsibilities,
    id: str,
    by: str,
    operation: Operation = Operation.VIEW,
) -> CaseFile:
    """A case, if the person may see it; that a sensitive one was read is recorded in its chain.

    Raises ``Forbidden``, ``ClickException`` for a case that is none.
    """
    row = archive.case(id)
    if row is None:
        responsibilities.id_of(by)
        raise click.ClickException(f"{id}: there is no such case; see wanglou case list")
    responsibilities.may(by, operation, row.institution)
    case = CaseFile.model_validate_json(row.body)
    if case.is_sensitive:
        who = responsibilities.id_of(by)
        fields = {"by": who, "operation": operation.value}
        with archive.transaction() as transaction:
            entry = Entry(Kind.ACCESS, uuid4().hex, datetime.now(UTC), fields)
            transaction.append(id, [entry])
    return case


@click.command("list")
@by_option
@click.option("--status", type=click.Choice([one.value for one in CaseStatus]), multiple=True)
@click.option("--institution", metavar="ID")
def list_cases(by: str, status: tuple[str, ...], institution: str | None) -> None:
    """The cases that a person may see, the latest first, with what is overdue."""
    archive, responsibilities = _opened()
    found = [
        CaseFile.model_validate_json(row.body)
        for row in archive.cases(status=status, institution=institution)
        if responsibilities.allows(by, Operation.VIEW, row.institution)
    ]
    console().print(cases_table(found, datetime.now(UTC)))


@click.command("show")
@click.argument("case_id", metavar="CASE")
@by_option
def show_case(case_id: str, by: str) -> None:
    """A case: where it stands, tasks, drafts, measures, what came of them."""
    archive, responsibilities = _opened()
    case = read_case(archive, responsibilities, case_id, by)
    now = datetime.now(UTC)
    evaluations = [
        Evaluation.model_validate(one.fields)
        for one in archive.records(case_id, [Kind.EVALUATION])
        if one.fields is not None
    ]
    console().print(case_page(case, evaluations, now))


@click.command("report")
@click.argument("case_id", metavar="CASE")
@by_option
@format_option
@folder_option
def report_case(case_id: str, by: str, formats: tuple[str, ...], folder: Path) -> None:
    """Write the report of a case 复盘报告: what happened, what was done, whether it helped."""
    archive, responsibilities = _opened()
    case = read_case(archive, responsibilities, case_id, by)
    dossier = dossier_of(archive, case, datetime.now(UTC))
    for path in write_report(dossier, folder, [Format(one) for one in formats]):
        click.echo(path)


@click.command("verify")
@click.argument("case_id", metavar="CASE", required=False)
@click.option("--all", "everything", is_flag=True, help="Every chain of the archive.")
@by_option
def verify_cases(case_id: str | None, everything: bool, by: str) -> None:
    """Find every row of the archive that was changed, removed, inserted or moved."""
    if (case_id is None) != everything:
        raise click.UsageError("name a case, or say --all")
    archive, responsibilities = _opened()
    institution = case_id.partition(".")[0] if case_id else None
    responsibilities.may(by, Operation.VERIFY, institution)
    rows = broken = 0
    for found in verify_all(archive, None if case_id is None else [case_id]):
        rows += found.rows
        for one in found.breaks:
            broken += 1
            click.secho(str(one), fg="red")
    click.echo(f"{rows} rows, {broken} of them not as they were written")
    if broken:
        click.get_current_context().exit(ExitCode.FAILED)
