"""wanglou case list | show | report | verify | export: looking at cases"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import click

from wanglou.agents.archive import exporting
from wanglou.agents.archive.dossiers import dossier_of
from wanglou.agents.archive.entries import Entry, Kind
from wanglou.agents.archive.opening import open_archive, signing_key
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.verifying import verify_all, verify_chain
from wanglou.agents.case_page import case_page, cases_table
from wanglou.agents.commands.shared import ExitCode, console, printable, settings_with
from wanglou.models.chain import Verification
from wanglou.models.response.case_file import CaseFile, CaseStatus
from wanglou.models.response.report.case_report import write_report
from wanglou.models.response.report.writing import Format
from wanglou.models.response.responsibilities import Forbidden, Operation, Responsibilities
from wanglou.schemas.evaluation import Evaluation

by_option = click.option("--by", required=True, metavar="NAME", help="Who looks: a person's id.")
format_option = click.option(
    "--format",
    "formats",
    type=click.Choice([one.value for one in Format]),
    multiple=True,
    default=[Format.HTML.value],
    show_default=True,
    help="Of the report. May be given again.",
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
@click.option(
    "--status",
    type=click.Choice([one.value for one in CaseStatus]),
    multiple=True,
    help="Only cases of this status. May be given again.",
)
@click.option("--institution", metavar="ID", help="Only cases of this institution.")
def list_cases(by: str, status: tuple[str, ...], institution: str | None) -> None:
    """The cases that a person may see.

    The latest first, with the next deadline and what is overdue.
    """
    archive, responsibilities = _opened()
    responsibilities.id_of(by)
    found = [
        CaseFile.model_validate_json(row.body)
        for row in archive.cases(status=status, institution=institution)
        if sees(responsibilities, by, row.institution)
    ]
    console().print(cases_table(found, datetime.now(UTC)))


def sees(responsibilities: Responsibilities, by: str, institution: str) -> bool:
    """Whether a person may see the cases of an institution."""
    try:
        responsibilities.may(by, Operation.VIEW, institution)
    except Forbidden:
        return False
    return True


@click.command("show")
@click.argument("case_id", metavar="CASE")
@by_option
def show_case(case_id: str, by: str) -> None:
    """Show where a case stands.

    Its steps, tasks, drafts, measures, and what came of these.
    """
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
    """Write the report of a case 复盘报告.

    What happened, what was done, whether it helped, what is to be learnt.
    """
    archive, responsibilities = _opened()
    case = read_case(archive, responsibilities, case_id, by)
    dossier = dossier_of(archive, case, datetime.now(UTC))
    for path in write_report(dossier, folder, [Format(one) for one in formats]):
        click.echo(path)


@click.command("verify")
@click.argument("case_id", metavar="CASE", required=False)
@click.option("--all", "every", is_flag=True, help="All chains of the archive.")
@by_option
def verify_cases(case_id: str | None, every: bool, by: str) -> None:
    """Look for changed rows of a case.

    For any row that was changed, removed, inserted or moved. Needs no key. The exit code is 1
    where something was found.
    """
    if (case_id is None) != every:
        raise click.UsageError("give the id of one case, or --all")
    settings = settings_with()
    institution = None if case_id is None else institution_of(case_id)
    settings.load_responsibilities().may(by, Operation.VERIFY, institution)
    engine = open_archive(settings.archive, with_keys=False).engine
    tell(verify_all(engine) if case_id is None else [verify_chain(engine, case_id)])


@click.command("export")
@click.argument("case_id", metavar="CASE")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sealed", is_flag=True, help="Leave sensitive fields sealed, and give no keys.")
@by_option
def export_case(case_id: str, folder: Path, sealed: bool, by: str) -> None:
    """Write a case to a new FOLDER.

    It can be read and verified without Wanglou.
    """
    settings = settings_with()
    archive = open_archive(settings.archive)
    read_case(archive, settings.load_responsibilities(), case_id, by, Operation.EXPORT)
    key = None if settings.archive.signing_key_file is None else signing_key(settings.archive)
    count = exporting.export_case(archive, case_id, folder, key, opened=not sealed)
    click.echo(f"{count} records; verify them there: python3 {folder}/verify.py")


def institution_of(case_id: str) -> str:
    """The institution of a case: its id is institution.topic."""
    return case_id.rpartition(".")[0]


def tell(found: Iterable[Verification]) -> None:
    """Print what was found. Exits with 1 where a chain is not whole."""
    chains = rows = 0
    whole = True
    for one in found:
        chains, rows = chains + 1, rows + one.rows
        whole = whole and one.is_whole
        for broken in one.breaks:
            click.secho(printable(str(broken)), fg="red")
    click.echo(f"{chains} chains, {rows} rows: {'whole' if whole else 'NOT WHOLE'}")
    if not whole:
        raise click.exceptions.Exit(ExitCode.FAILED)
