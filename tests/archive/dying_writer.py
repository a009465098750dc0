"""Reads a topic of numbers into the archive, and is killed at one step.

A step is before or after a statement, before or after a commit.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from ledger_world import CASE, START, alert, case_row, mention
from sqlalchemy import event
from sqlalchemy.engine import URL

from wanglou.agents.archive.database import new_engine
from wanglou.agents.archive.sealing import Keys, MasterKey
from wanglou.agents.archive.store import Archive
from wanglou.agents.kafka import Message

TOPIC = "numbers"
END = 4
BATCH = 2


class Steps:
    """Counts the steps, and dies at one."""

    def __init__(self, last: int) -> None:
        self._left = last

    def __call__(self, *_: object) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def read_on(archive: Archive, step: Callable[[], None]) -> None:
    """Take in what is not taken in yet, in batches."""
    while True:
        stored = archive.offsets([TOPIC]).get((TOPIC, 0))
        offset = stored or 0
        if offset >= END:
            return
        numbers = range(offset, offset + BATCH)
        with archive.transaction() as tx:
            tx.lock([CASE, "other-bank.run"])
            tx.append(CASE, [mention(number, f"author-{number}") for number in numbers])
            tx.append("other-bank.run", [alert(number) for number in numbers])
            tx.save_case(case_row())
            for number in numbers:
                tx.queue(Message("evaluations", b"%d" % number, None))
            tx.move_offset(TOPIC, 0, stored, offset + BATCH)
        step()


def die_at(url: URL, key: MasterKey, last: int) -> None:
    """Read all, in a process of its own, and be killed at a step, if there are so many."""
    engine = new_engine(url)
    step = Steps(last)
    for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(engine, name, step)
    read_on(Archive(engine, Keys(key), lambda: START), step)
