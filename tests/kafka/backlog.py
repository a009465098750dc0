"""Measure memory before a backlog: ``make backlog``

Sends a million raw mentions to a real Kafka, lets one worker with a slow model read them for some
minutes, and prints its memory as it goes. It ends with an error if memory grew in the second half.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import mean

from fleet import SECONDS_PER_TEXT
from load import SEED, new_chapter
from real_kafka import Kafka, NoKafka, running_kafka
from trial import Cluster, InUse, running_cluster

from wanglou.agents.worker_process import WorkerProcess

MIB = 1 << 20
EVERY_SECONDS = 10.0
MOST_GROWTH = 1.1
"""Of the mean memory of the last quarter over that of the second."""


def lines() -> Iterator[bytes]:
    """Mentions without end: one chapter after the other."""
    number = 0
    while True:
        yield from new_chapter(number, SEED).lines
        number += 1


def resident(worker: WorkerProcess) -> float:
    """Memory of a worker's process in MiB."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kibibytes) * 1024 / MIB


async def measure(cluster: Cluster, messages: int, minutes: float) -> bool:
    """One measurement; whether memory stayed flat."""
    started = time.monotonic()
    await cluster.send(list(islice(lines(), messages)))
    print(f"sent       {messages} raw mentions in {time.monotonic() - started:.0f} s", flush=True)
    worker = cluster.fleet.start()
    await cluster.fleet.ready()
    started, sizes = time.monotonic(), []
    while time.monotonic() < started + 60 * minutes:
        await asyncio.sleep(EVERY_SECONDS)
        sizes.append(resident(worker))
        waiting = await asyncio.to_thread(worker.metric, "wanglou_waiting_messages")
        done = await asyncio.to_thread(worker.metric, "wanglou_messages_in_total", agent="risk")
        print(
            f"{time.monotonic() - started:6.0f} s   {sizes[-1]:6.0f} MiB   "
            f"{waiting:8.0f} waiting in memory   {done:8.0f} through the last agent",
            flush=True,
        )
    quarter = len(sizes) // 4
    growth = mean(sizes[-quarter:]) / mean(sizes[quarter : 2 * quarter])
    print(f"memory     {growth:.2f} times from the second quarter to the last")
    return growth <= MOST_GROWTH


async def run(kafka: Kafka, messages: int, minutes: float) -> bool:
    """On new topics."""
    async with running_cluster(kafka) as cluster:
        return await measure(cluster, messages, minutes)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=10)
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that everything is cleaned up
    print(f"model      {SECONDS_PER_TEXT * 1000:g} ms a text")
    try:
        with running_kafka() as kafka:
            return int(not asyncio.run(run(kafka, arguments.messages, arguments.minutes)))
    except (NoKafka, InUse) as reason:
        print(reason, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
