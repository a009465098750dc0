"""wanglou report: all cases of a month or a quarter"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import click

from wanglou.agents.archive.dossiers import dossier_of
from wanglou.agents.archive.opening import open_archive
from wanglou.agents.commands.case_reading import (
    by_option,
    folder_option,
    format_option,
    read_case,
    sees,
)
from wanglou.agents.commands.shared import settings_with
from wanglou.models.response.dossier import Dossier
from wanglou.models.response.report.period_report import write_period_report
from wanglou.models.response.report.writing import Format
from wanglou.schemas.base import CHINA

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option(
    "--from", "first", type=DAY, required=True, metavar="DAY", help="First day, in China."
)
@click.option("--to", "last", type=DAY, required=True, metavar="DAY", help="Last day, included.")
@by_option
@format_option
@folder_option
def report(
    first: datetime, last: datetime, by: str, formats: tuple[str, ...], folder: Path
) -> None:
    """Write the report of a period 处置工作报告.

    All cases that were opened in it and that the person may see: how soon they were detected and
    answered, deadlines, effects, false alarms.
    """
    if last < first:
        raise click.UsageError(f"--to: {last:%Y-%m-%d} is before {first:%Y-%m-%d}")
    settings = settings_with()
    archive, responsibilities = open_archive(settings.archive), settings.load_responsibilities()
    responsibilities.id_of(by)
    begin = datetime.combine(first, time(), CHINA)
    end = datetime.combine(last + timedelta(days=1), time(), CHINA)
    rows = archive.cases(opened_from=begin, opened_to=end)
    ids = [row.id for row in rows if sees(responsibilities, by, row.institution)]
    now = datetime.now(UTC)

    def dossiers() -> Iterator[Dossier]:
        for id in ids:
            yield dossier_of(archive, read_case(archive, responsibilities, id, by), now)

    written = write_period_report(
        dossiers(), first.date(), last.date(), folder, [Format(one) for one in formats]
    )
    for path in written:
        click.echo(path)
