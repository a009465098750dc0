"""``wanglou`` with its state in memory only, for `bench_state.py`: what the guarantee costs.

Intake's marks are written all the same: by them silent partitions are told from those that are not.
"""

from __future__ import annotations

from typing import Any

from wanglou.agents.changelog import MARK_KEY
from wanglou.agents.commands import main
from wanglou.agents.kafka import Message
from wanglou.agents.stage import Stage
from wanglou.agents.step1_intake import Intake

all_changes = Stage.changes


def forget(stage: Stage[Any, Any]) -> list[Message]:
    """No other change is written."""
    changes = all_changes(stage)
    return [one for one in changes if one.key == MARK_KEY] if isinstance(stage, Intake) else []


if __name__ == "__main__":
    Stage.changes = forget  # type: ignore[method-assign]
    main(prog_name="wanglou")
