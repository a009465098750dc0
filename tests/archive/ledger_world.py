"""What the tests of the ledger write into it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from wanglou.agents.archive.entries import Entry, Kind
from wanglou.agents.archive.sealing import MasterKey, read_master_key
from wanglou.agents.archive.store import Archive, CaseRow

CASE = "hexing-bank.run"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    """The time that the tests say."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def pass_days(self, days: float) -> None:
        self.time += timedelta(days=days)


def master_key() -> MasterKey:
    return read_master_key(os.urandom(32).hex())


def mention(number: int, author: str = "author-1", text: str = "和兴银行取不出钱") -> Entry:
    return Entry(
        Kind.MENTION,
        f"weibo:{number}",
        START + timedelta(seconds=number),
        {"platform": "weibo", "risk_topic": "run", "likes": number},
        {"text": text, "author": {"id": author, "followers": 7}, "url": "https://example.org/1"},
        author,
    )


def alert(number: int) -> Entry:
    return Entry(Kind.ALERT, f"alert-{number}", START, {"level": "red", "sequence": number})


def case_row(case: str = CASE, closed_at: datetime | None = None) -> CaseRow:
    status = "open" if closed_at is None else "closed"
    return CaseRow(case, b"{}", status, "hexing-bank", START, "red", closed_at=closed_at)


def append(archive: Archive, *entries: Entry, chain: str = CASE) -> int:
    with archive.transaction() as tx:
        return tx.append(chain, entries)
