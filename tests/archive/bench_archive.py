"""What batches are worth: mentions a second into the archive beside one row a commit; `make bench`.

Scored mentions of 1 to 2 KB, each with an author of its own two times out of three, text, author
and URL sealed, through the same store. Then all is verified. In turns, on SQLite and PostgreSQL.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil
from ledger_world import master_key
from postgres import NoPostgres, running_postgres
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import URL, make_url

from tests.models.builders import scored
from wanglou.agents.archive.database import new_engine
from wanglou.agents.archive.migration import upgrade
from wanglou.agents.archive.recording import mention_entry
from wanglou.agents.archive.sealing import Keys
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import metadata
from wanglou.agents.archive.verifying import verify_all
from wanglou.models.order import BEGINNING

TOPIC = "mentions"
WORDS = "和兴银行手机转账失败取不出钱排队网点储户提现系统升级公告谣言辟谣利率存款理财经理客服电话"


def messages(count: int, seed: int) -> list[tuple[str, bytes]]:
    """Ids and values as they stand in the topic."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        mention = scored(
            number / 1000,
            id=f"weibo:{number}",
            text="".join(chance.choices(WORDS, k=chance.randint(40, 240))),
            url=f"https://weibo.com/{number}",
            author={"id": f"{chance.randrange(count * 2 // 3):032x}", "followers": 100},
            viewpoint=base64.b64encode(chance.randbytes(128)).decode(),
        )
        found.append((f"weibo:{number}", mention.to_json()))
    return found


def write(archive: Archive, many: Sequence[tuple[str, bytes]], batch: int) -> float:
    """Mentions a second: each batch and its offset in one transaction, as the process does it."""
    started = time.perf_counter()
    for start in range(0, len(many), batch):
        part = many[start : start + batch]
        with archive.transaction() as tx:
            found = [mention_entry(id, BEGINNING, value) for id, value in part]
            for chain in {chain for chain, _ in found}:
                tx.append(chain, [entry for at, entry in found if at == chain])
            tx.move_offset(TOPIC, 0, start or None, start + len(part))
    return len(many) / (time.perf_counter() - started)


def verify(archive: Archive) -> tuple[float, float]:
    """Rows a second, and how much memory grew, in MiB."""
    process = psutil.Process()
    before, started = process.memory_info().rss, time.perf_counter()
    found = list(verify_all(archive.engine))
    seconds = time.perf_counter() - started
    assert all(one.is_whole for one in found)
    rows = sum(one.rows for one in found)
    return rows / seconds, (process.memory_info().rss - before) / 2**20


def empty(archive: Archive) -> None:
    """Begin anew."""
    with archive.transaction() as tx:
        for table in reversed(metadata.sorted_tables):
            tx.connection.execute(table.delete())


def databases(stack: ExitStack) -> Iterator[tuple[str, URL]]:
    """Name and address of each database at hand."""
    folder = Path(stack.enter_context(TemporaryDirectory()))
    yield "SQLite", make_url(f"sqlite:///{folder}/archive.db")
    try:
        yield "PostgreSQL", stack.enter_context(running_postgres()).url()
    except NoPostgres as missing:
        Console().print(f"PostgreSQL not measured: {missing}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentions", type=int, default=20_000)
    parser.add_argument("--naive", type=int, default=1_000, help="Mentions one row a commit.")
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=3)
    chosen = parser.parse_args()
    many = messages(chosen.mentions, 1)
    size = sum(len(value) for _, value in many) / len(many)
    table = Table(
        *("archive", "mentions/s", "one row a commit", "ratio", "rows verified/s", "memory MiB"),
        title=f"{len(many)} mentions of {size:.0f} bytes, {os.cpu_count()} cores, "
        f"{datetime.now(UTC):%Y-%m-%d}",
    )
    with ExitStack() as stack:
        for name, url in databases(stack):
            engine = new_engine(url)
            upgrade(engine)
            archive = Archive(engine, Keys(master_key()))
            fast, slow, verified, grown = [], [], [], []
            for _ in range(chosen.turns):
                slow.append(write(archive, many[: chosen.naive], 1))
                empty(archive)
                fast.append(write(archive, many, chosen.batch))
                speed, memory = verify(archive)
                verified.append(speed)
                grown.append(memory)
                empty(archive)
            table.add_row(
                name,
                f"{median(fast):.0f}",
                f"{median(slow):.0f}",
                f"{median(fast) / median(slow):.1f}",
                f"{median(verified):.0f}",
                f"{max(grown):.0f}",
            )
            engine.dispose()
    Console().print(table)


if __name__ == "__main__":
    main()
