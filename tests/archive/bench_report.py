"""A report of a case with very many mentions: how long it takes, and how much memory; `make bench`.

PYTHONPATH=.:tests/archive python tests/archive/bench_report.py [--mentions 100000]
"""

from __future__ import annotations

import argparse
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from archive_world import event
from bench_archive import messages, write
from ledger_world import master_key
from sqlalchemy.engine import make_url

from tests.models.response.builders import alert, at
from wanglou.agents.archive.database import new_engine
from wanglou.agents.archive.dossiers import dossier_of
from wanglou.agents.archive.entries import Entry
from wanglou.agents.archive.migration import upgrade
from wanglou.agents.archive.recording import event_entry
from wanglou.agents.archive.sealing import Keys
from wanglou.agents.archive.store import Archive
from wanglou.models.response.case_file import after_alert
from wanglou.models.response.report.case_report import write_report
from wanglou.models.response.report.writing import Format
from wanglou.schemas.risk import AlertKind, Level

SNAPSHOTS = 1440
BATCH = 1000
CASE = "hexing.run"
"""The case of the mentions that ``bench_archive`` makes."""


def fill(archive: Archive, count: int) -> None:
    """A case of so many mentions, and a day of snapshots."""
    write(archive, messages(count, seed=1), BATCH)
    entries: list[Entry] = []
    for minute in range(SNAPSHOTS):
        snapshot = event(minute).model_copy(update={"id": CASE})
        entries.append(event_entry(snapshot.to_json())[1])
    with archive.transaction() as transaction:
        transaction.append(CASE, entries)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentions", type=int, default=100_000)
    count = parser.parse_args().mentions
    with TemporaryDirectory() as folder:
        engine = new_engine(make_url(f"sqlite:///{folder}/archive.db"))
        upgrade(engine)
        archive = Archive(engine, Keys(master_key()))
        fill(archive, count)
        case = after_alert(None, alert(0, Level.ORANGE, AlertKind.RAISED))
        case = case.model_copy(update={"id": CASE})
        process = psutil.Process()
        before, started = process.memory_info().rss, time.perf_counter()
        dossier = dossier_of(archive, case, at(0) + timedelta(days=1))
        read = time.perf_counter() - started
        grown = (process.memory_info().rss - before) / 2**20
        print(f"{sum(dossier.mentions.values())} mentions read in {read:.1f} s, +{grown:.0f} MiB")
        for format in (Format.HTML, Format.PDF):
            started = time.perf_counter()
            write_report(dossier, Path(folder), [format])
            print(f"{format.value} written in {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
