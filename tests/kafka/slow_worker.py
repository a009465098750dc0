"""``wanglou`` with the stand-in for a model: ``python slow_worker.py SECONDS_PER_TEXT worker …``"""

from __future__ import annotations

import sys

from stand_in import StandIn

from wanglou.agents import step3_sentiment
from wanglou.agents.commands import main
from wanglou.agents.settings import ModelSettings


def run(seconds_per_text: float, arguments: list[str]) -> None:
    """The command line, every model being the stand-in."""

    def load_model(settings: ModelSettings) -> StandIn:
        return StandIn(seconds_per_text)

    step3_sentiment.load_model = load_model
    main(arguments, prog_name="wanglou")


if __name__ == "__main__":
    run(float(sys.argv[1]), sys.argv[2:])
