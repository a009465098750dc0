"""``wanglou`` with its state in memory only, for `bench_state.py`: what the guarantee costs."""

from __future__ import annotations

from typing import Any

from wanglou.agents.commands import main
from wanglou.agents.kafka import Message
from wanglou.agents.stage import Stage


def forget(stage: Stage[Any, Any]) -> list[Message]:
    """No change is written."""
    for partition in stage._partitions.values():
        partition.state.changes()
    return []


if __name__ == "__main__":
    Stage.changes = forget  # type: ignore[method-assign]
    main(prog_name="wanglou")
