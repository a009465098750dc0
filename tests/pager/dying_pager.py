"""``wanglou``, but it kills itself (SIGKILL) at a step that the environment variable STEP names."""

from __future__ import annotations

import os
import signal
from typing import Any

from aiokafka import AIOKafkaConsumer

from wanglou.agents import pager_targets
from wanglou.agents.commands import main
from wanglou.agents.pager_ledger import Ledger

STEPS = (
    "before-record",
    "before-commit",
    "after-commit",
    "before-telling",
    "after-telling",
    "after-told",
)
"""The alert was read; recorded; committed; its telling was recorded; it was told; that too."""


def die() -> None:
    """As a crash of the machine."""
    os.kill(os.getpid(), signal.SIGKILL)


def dies(owner: type, name: str, *, call: int, after: bool) -> None:
    """Die before or after the so-manieth call of a method."""
    original, calls = getattr(owner, name), 0

    async def wrapped(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            die()
        result = await original(self, *arguments, **options)
        if calls == call and after:
            die()
        return result

    setattr(owner, name, wrapped)


def prepare(step: str) -> None:
    """Let it die at a step."""
    match step:
        case "before-record":
            dies(Ledger, "write", call=1, after=False)
        case "before-commit":
            dies(AIOKafkaConsumer, "commit", call=1, after=False)
        case "after-commit":
            dies(AIOKafkaConsumer, "commit", call=1, after=True)
        case "before-telling":
            dies(pager_targets.HttpTarget, "tell", call=1, after=False)
        case "after-telling":
            dies(pager_targets.HttpTarget, "tell", call=1, after=True)
        case "after-told":
            dies(Ledger, "write", call=3, after=True)


if __name__ == "__main__":
    prepare(os.environ.pop("STEP"))
    main(prog_name="wanglou")
