"""The report of a period (舆情处置工作报告): all cases of a month or a quarter."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from wanglou.models.response.dossier import Dossier
from wanglou.models.response.report.formats import Format


def write_period_report(
    dossiers: Iterable[Dossier],
    first: date,
    last: date,
    folder: Path,
    formats: Iterable[Format] = (Format.HTML,),
) -> list[Path]:
    """Write the report of the days from ``first`` to ``last``, both included, in China.

    ``dossiers`` are read one by one, each forgotten before the next; those of cases that were not
    opened in the period are left out. Paths and errors as of ``write_report``.
    """
    raise NotImplementedError
