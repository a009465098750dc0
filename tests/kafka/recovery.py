"""Measure the recovery after SIGKILL with much state: ``python tests/kafka/recovery.py``

Fills the state with mentions that are all originals, sends more of them, kills one of two workers
when all buffers are full, and prints how soon the partitions move again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from random import Random

from fleet import SESSION_SECONDS
from flow import Flow, seconds_until_flowing
from load import BANKS, NOON
from real_kafka import Kafka, NoKafka, running_kafka
from trial import Cluster, InUse, running_cluster

from wanglou.agents.kafka import new_reader, places_of, read_place, stop_reader
from wanglou.agents.settings import BrokerSettings
from wanglou.schemas.topics import DEDUPE_STATE, INTAKE_STATE, RISK_STATE

STATE_TOPICS = (INTAKE_STATE, DEDUPE_STATE, RISK_STATE)
LIMIT_SECONDS = SESSION_SECONDS + 5.0
ALPHABET = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 3000))
MORE = 0.2
"""Mentions that are on their way when the worker is killed, as a share of those before."""


def originals(first: int, count: int) -> Iterator[bytes]:
    """Mentions of which no two are alike: each an entry of intake's state, and one of dedupe's."""
    for number in range(first, first + count):
        text = "".join(Random(number).choices(ALPHABET, k=24))
        raw = {"id": f"post{number}", "platform": "weibo"}
        raw["text"] = f"{BANKS[number % len(BANKS)]}银行{text}"
        raw["published_at"] = (NOON + timedelta(seconds=number)).isoformat()
        yield json.dumps(raw, ensure_ascii=False).encode()


async def state_entries(broker: BrokerSettings) -> int:
    """Keys in all state topics."""
    keys = set()
    reader = new_reader(broker)
    await reader.start()
    try:
        for place in await places_of(broker, [topic.name for topic in STATE_TOPICS]):
            async for record in read_place(reader, place, 0):
                keys.add((place, record.key))
    finally:
        await stop_reader(reader)
    return len(keys)


async def measure(kafka: Kafka, cluster: Cluster, entries: int) -> bool:
    """One measurement; whether the first output came in time."""
    broker, count = BrokerSettings(url=kafka.address), entries // 2
    cluster.fleet.fill()
    await cluster.fleet.ready()
    async with Flow(broker) as flow:
        started = time.monotonic()
        await cluster.send(list(originals(0, count)))
        await flow.drained()
        print(f"state      filled in {time.monotonic() - started:.0f} s", flush=True)
    print(f"state      {await state_entries(broker)} entries", flush=True)
    async with Flow(broker) as flow:
        await cluster.send(list(originals(count, int(count * MORE))))
        await flow.reached("risk", int(count * MORE / 10))
        killed_at = time.monotonic()
        cluster.fleet.kill(cluster.fleet.workers[0])
        await flow.drained()
        seconds = seconds_until_flowing(flow.samples, killed_at)
    print(f"recovery   {seconds:.1f} s until every partition moved; at most {LIMIT_SECONDS:.0f} s")
    return seconds <= LIMIT_SECONDS


async def run(kafka: Kafka, entries: int) -> bool:
    """On new topics."""
    async with running_cluster(kafka) as cluster:
        return await measure(kafka, cluster, entries)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--entries", type=int, default=50_000, help="State entries of all agents.")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)  # a broker that does not answer is what is meant here
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that everything is cleaned up
    try:
        with running_kafka() as kafka:
            return int(not asyncio.run(run(kafka, arguments.entries)))
    except (NoKafka, InUse) as reason:
        print(reason, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
