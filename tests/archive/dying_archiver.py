"""``wanglou``, but it kills itself (SIGKILL) at a step that the environment variable STEP names."""

from __future__ import annotations

import os
import signal
from typing import Any

from wanglou.agents.archive import process
from wanglou.agents.archive.scribe import Scribe
from wanglou.agents.archive.store import Transaction
from wanglou.agents.commands import main

STEPS = (
    "before-the-transaction",
    "within-it",
    "before-its-end",
    "after-it",
    "before-the-evaluation-is-sent",
    "after-it-is-sent",
)
"""Records were read; appended; the offset was moved; all was written; an evaluation was queued; it
was sent, and stands in the outbox."""


def die() -> None:
    """As a crash of the machine."""
    os.kill(os.getpid(), signal.SIGKILL)


def dies(owner: Any, name: str, *, after: bool) -> None:
    """Die before or after the first call of a function."""
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        if not after:
            die()
        result = original(*arguments, **options)
        die()
        return result

    setattr(owner, name, wrapped)


def dies_after_sending() -> None:
    """Die once the broker has acknowledged what waited for it."""
    original = process.send_all

    async def wrapped(*arguments: Any, **options: Any) -> Any:
        result = await original(*arguments, **options)
        die()
        return result

    process.send_all = wrapped  # type: ignore[attr-defined]


def prepare(step: str) -> None:
    """Let it die at a step."""
    match step:
        case "before-the-transaction":
            dies(Scribe, "write", after=False)
        case "within-it":
            dies(Transaction, "save_case", after=True)
        case "before-its-end":
            dies(Transaction, "move_offset", after=True)
        case "after-it":
            dies(Scribe, "write", after=True)
        case "before-the-evaluation-is-sent":
            dies(Scribe, "evaluate", after=True)
        case "after-it-is-sent":
            dies_after_sending()


if __name__ == "__main__":
    prepare(os.environ.pop("STEP"))
    main(prog_name="wanglou")
