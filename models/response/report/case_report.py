"""The report of a case (案例复盘报告)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wanglou.models.response.dossier import Dossier
from wanglou.models.response.report.formats import Format


def write_report(
    dossier: Dossier, folder: Path, formats: Iterable[Format] = (Format.HTML,)
) -> list[Path]:
    """Write the report of a case into a folder, which is made; the documents' paths.

    They are named after the case, e.g. ``hexing-bank.run.html``; Markdown has its pictures in a
    folder beside it. Raises ``PdfUnavailable`` where PDF is asked for and cannot be made here.
    """
    raise NotImplementedError
