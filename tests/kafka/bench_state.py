"""What acknowledged state costs: the same pipeline with and without it, in turns; `make bench`.

Real Kafka where one is at hand, else the embedded broker; one worker, the model off.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from load import SEED, new_chapter
from real_kafka import NoKafka, running_kafka
from rich.console import Console
from rich.table import Table

from wanglou.agents import topic_admin
from wanglou.agents.demo import own_environment
from wanglou.agents.embedded_broker import embedded_broker
from wanglou.agents.kafka import new_admin, start_producer
from wanglou.agents.progress import QUIET_SECONDS, wait_drained
from wanglou.agents.replay import Replay, read_lines
from wanglou.agents.settings import BrokerSettings, TopicSettings
from wanglou.agents.worker_process import COMMAND_LINE, WorkerProcess
from wanglou.schemas.topics import TOPICS

STATELESS = (str(Path(__file__).with_name("stateless_worker.py")),)
READY_SECONDS = 90.0
DRAIN_SECONDS = 600.0


async def rate(address: str, folder: Path, program: Sequence[str], file: Path, lines: int) -> float:
    """Raw mentions a second, from new topics to the last acknowledgement."""
    broker = BrokerSettings(url=address)
    await topic_admin.create(broker, TopicSettings(partitions=4))
    with own_environment():
        worker = WorkerProcess(
            address,
            folder / "worker.log",
            environment={
                "WANGLOU_MODEL__ENABLED": "false",
                "WANGLOU_WORKER__WINDOW_MESSAGES": "1000000",  # the peer tells no window to go on
                "WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": "6",
            },
            folder=folder,
            program=program,
        )
    try:
        await asyncio.to_thread(worker.wait_ready, READY_SECONDS)
        producer = await start_producer(broker)
        started = time.perf_counter()
        try:
            async for _ in Replay(producer, None).send(read_lines(file)):
                pass
        finally:
            await producer.stop()
        await wait_drained(broker, DRAIN_SECONDS)
        return lines / (time.perf_counter() - started - QUIET_SECONDS)
    finally:
        worker.kill()
        admin = new_admin(broker)
        await admin.start()
        await admin.delete_topics([topic.name for topic in TOPICS])
        await admin.close()


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and address of the broker at hand."""
    try:
        with running_kafka() as kafka:
            yield "Apache Kafka", kafka.address
    except NoKafka:
        with embedded_broker(folder / "broker.log") as address:
            yield "embedded broker", address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chapters", type=int, default=2, help="About 8,000 mentions each.")
    parser.add_argument("--turns", type=int, default=3)
    chosen = parser.parse_args()
    logging.disable(logging.ERROR)
    rates: dict[str, list[float]] = {"acknowledged state": [], "state in memory only": []}
    with TemporaryDirectory() as name, broker(Path(name)) as (kind, address):
        folder = Path(name)
        file = folder / "load.jsonl"
        lines = [one for n in range(chosen.chapters) for one in new_chapter(n, SEED).lines]
        file.write_bytes(b"\n".join(lines) + b"\n")
        for _ in range(chosen.turns):
            for what, program in zip(rates, (COMMAND_LINE, STATELESS), strict=True):
                run = rate(address, folder, program, file, len(lines))
                rates[what].append(asyncio.run(run))
    peer = median(rates["state in memory only"])
    table = Table("pipeline, model off", "mentions/s", "of the peer", title=kind)
    for what, found in rates.items():
        table.add_row(what, f"{median(found):.0f}", f"{median(found) / peer:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
