"""Faults at random under load: ``python tests/kafka/chaos.py --faults 100 --seed 1``

Everything follows from the seed and a fault's number: which fault, when, on which load. Ten faults
in a row meet the same broker, topics and state. What came of each is kept in .wanglou/chaos, so
that a run which was interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import logging
import signal
import sys
from pathlib import Path
from random import Random
from typing import Any

from faults import FAULTS, Fault
from load import new_chapter
from outcome import Reference
from real_kafka import Kafka, NoKafka, RealKafka, running_kafka
from table import HEADER, line, summary
from trial import PARTITIONS, InUse, Result, running_cluster

FOLDER = Path(".wanglou/chaos")
IN_A_ROW = 10
EARLIEST_STRIKE, LATEST_STRIKE = 0.05, 0.4
"""Share of a chapter that the last agent has done when the fault comes."""


class History:
    """The results of a seed, in a file."""

    def __init__(self, seed: int) -> None:
        self.path = FOLDER / f"seed-{seed}.json"
        self.results: list[Result] = []
        if self.path.exists():
            self.results = [_result(one) for one in json.loads(self.path.read_bytes())]

    def add(self, result: Result) -> None:
        """Keep a result; the file is replaced in one step."""
        self.results.append(result)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps([dataclasses.asdict(one) for one in self.results], indent=1))
        fresh.replace(self.path)


def _result(stored: dict[str, Any]) -> Result:
    return Result(**{**stored, "problems": tuple(stored["problems"])})


async def run(kafka: Kafka, seed: int, faults: int, history: History) -> None:
    """Strike until there are so many results; prints each."""
    possible = [one for one in FAULTS if isinstance(kafka, RealKafka) or not one.breaks_broker]
    while len(history.results) < faults:
        reference = Reference(PARTITIONS)
        async with running_cluster(kafka) as cluster:
            for place in range(min(IN_A_ROW, faults - len(history.results))):
                number = len(history.results) + 1
                random = Random(f"{seed}/{number}")
                fault: Fault = random.choice(possible)
                share = random.uniform(EARLIEST_STRIKE, LATEST_STRIKE)
                chapter = new_chapter(place, f"{seed}/{number}")
                reference.feed(chapter.lines)
                expected = reference.expected
                history.add(await cluster.trial(fault, chapter, random, share, expected))
                print(line(number, history.results[-1]), flush=True)
                if history.results[-1].problems:
                    break  # what went wrong would be found again: go on with new topics


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)  # a broker that does not answer is what is meant here
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that everything is cleaned up
    history = History(arguments.seed)
    print(HEADER)
    for number, result in enumerate(history.results, 1):
        print(line(number, result))
    try:
        if len(history.results) < arguments.faults:
            with running_kafka() as kafka:
                asyncio.run(run(kafka, arguments.seed, arguments.faults, history))
    except (NoKafka, InUse) as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here")
    print(summary(history.results))
    print(f"kept in {history.path}; without it a run begins anew")
    return int(any(one.problems for one in history.results))


if __name__ == "__main__":
    sys.exit(main())
