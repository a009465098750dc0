"""Measure the pipeline end to end: messages a second, memory, counts at each topic.

    python tests/measure.py FILE.jsonl [--watchlist W.yaml] [--no-model] [--workers 1] [--broker B]

Starts the embedded broker (or uses --broker, whose topics must be new), one or more workers, sends
the file as fast as possible and waits until the last agent has acknowledged the last message.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import tempfile
import time
from pathlib import Path

import psutil

from wanglou.agents import topic_admin
from wanglou.agents.embedded_broker import embedded_broker
from wanglou.agents.kafka import start_producer
from wanglou.agents.progress import topic_counts, wait_drained
from wanglou.agents.replay import Replay, read_lines
from wanglou.agents.settings import BrokerSettings, TopicSettings
from wanglou.agents.worker_process import WorkerProcess
from wanglou.schemas.topics import TOPICS

MEBIBYTE = 1024 * 1024
SESSION_SECONDS = "6"


async def measure(broker: BrokerSettings, arguments: argparse.Namespace, folder: Path) -> None:
    """One run; prints what it measured."""
    await topic_admin.create(broker, TopicSettings(partitions=arguments.partitions))
    environment = {"WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": SESSION_SECONDS}
    if arguments.watchlist:
        environment["WANGLOU_RULES__WATCHLIST"] = str(arguments.watchlist.resolve())
    if arguments.no_model:
        environment["WANGLOU_MODEL__ENABLED"] = "false"
    workers = [
        WorkerProcess(broker.url, folder / f"worker{number}.log", environment=environment)
        for number in range(arguments.workers)
    ]
    try:
        for worker in workers:
            await asyncio.to_thread(worker.wait_ready, 120)
        await asyncio.sleep(float(SESSION_SECONDS))  # let the last rebalance settle
        await _run(broker, arguments, workers)
        for worker in workers:
            print("exit code", worker.stop())
    finally:
        for worker in workers:
            worker.kill()


async def _run(
    broker: BrokerSettings, arguments: argparse.Namespace, workers: list[WorkerProcess]
) -> None:
    producer = await start_producer(broker)
    started, sent = time.perf_counter(), 0
    for _ in range(arguments.times):
        async for step in Replay(producer, None).send(read_lines(arguments.file)):
            sent += step.lines
    await producer.stop()
    print(f"sent {sent} in {time.perf_counter() - started:.1f} s")
    memory = asyncio.create_task(_memory(workers))
    await wait_drained(broker, 3600)
    seconds = time.perf_counter() - started
    memory.cancel()
    print(f"drained after {seconds:.1f} s: {sent / seconds:.0f} raw mentions a second")
    for name, count in (await topic_counts(broker, [topic.name for topic in TOPICS])).items():
        print(f"  {name:<32} {count}")
    for worker in workers:
        resident = psutil.Process(worker.process.pid).memory_info().rss / MEBIBYTE
        print(f"worker {worker.process.pid}: {resident:.0f} MiB resident at the end")
        for line in sorted(worker.page("/metrics")[1].splitlines()):
            if line.startswith(("wanglou_outcomes_total", "wanglou_dead", "wanglou_open_events{")):
                print("  " + line)


async def _memory(workers: list[WorkerProcess]) -> None:
    while True:
        sizes = [psutil.Process(one.process.pid).memory_info().rss / MEBIBYTE for one in workers]
        done = [one.metric("wanglou_messages_in_total", agent="risk") for one in workers]
        print("  resident MiB", [round(size) for size in sizes], "risk has done", sum(done))
        await asyncio.sleep(10)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--watchlist", type=Path)
    parser.add_argument("--no-model", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--times", type=int, default=1, help="Send the file this often.")
    parser.add_argument("--broker")
    arguments = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="wanglou-measure-"))
        print("logs in", folder)
        broker = arguments.broker or stack.enter_context(embedded_broker(folder / "broker.log"))
        asyncio.run(measure(BrokerSettings(url=broker), arguments, folder))


if __name__ == "__main__":
    main()
