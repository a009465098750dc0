"""How far the agents have come: ends of their topics against what their group has committed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from aiokafka import TopicPartition

from wanglou.agents.app import APP_ID, STAGES
from wanglou.agents.kafka import end_of, new_admin, new_reader, places_of, stop_reader
from wanglou.agents.settings import BrokerSettings

POLL_SECONDS = 0.5

QUIET_SECONDS = 3.0
"""Longer than a silent raw partition waits for its heartbeat, which may close the last minutes."""


async def ends_of(broker: BrokerSettings, topics: list[str]) -> dict[TopicPartition, int]:
    """Where each partition of some topics ends."""
    places = await places_of(broker, topics)
    reader = new_reader(broker)
    try:
        await reader.start()
        return {place: await end_of(reader, place) for place in places}
    finally:
        await stop_reader(reader)


async def topic_counts(broker: BrokerSettings, topics: list[str]) -> dict[str, int]:
    """How many messages were ever written to each topic."""
    counts = dict.fromkeys(topics, 0)
    for place, end in (await ends_of(broker, topics)).items():
        counts[place.topic] += end
    return counts


async def lags(broker: BrokerSettings) -> Mapping[str, int]:
    """Messages that each agent has still to acknowledge, in the order in which data flows."""
    topics = [stage.source.name for stage in STAGES.values()]
    admin = new_admin(broker)
    try:
        await admin.start()
        places = list(await ends_of(broker, topics))
        committed = await admin.list_consumer_group_offsets(APP_ID, partitions=places)
    finally:
        await admin.close()
    ends = await ends_of(broker, topics)
    lag = dict.fromkeys(STAGES, 0)
    names = {stage.source.name: name for name, stage in STAGES.items()}
    for place, end in ends.items():
        done = committed.get(place)
        lag[names[place.topic]] += max(0, end - max(0, done.offset if done else 0))
    return lag


async def wait_drained(broker: BrokerSettings, seconds: float) -> None:
    """Wait until every agent has acknowledged all there is, and nothing new came for a while.

    The committed offsets are read before the ends, so that nothing can hide between two agents.
    Raises ``TimeoutError`` with what is left.
    """
    topics = [stage.source.name for stage in STAGES.values()]
    deadline = time.monotonic() + seconds
    quiet_since, ends = time.monotonic(), None
    while True:
        left, before, now = await lags(broker), ends, time.monotonic()
        ends = await ends_of(broker, topics)
        if any(left.values()) or ends != before:
            quiet_since = now
        elif now - quiet_since > QUIET_SECONDS:
            return
        if now > deadline:
            raise TimeoutError(f"not drained after {seconds:.0f} s: {dict(left)}")
        await asyncio.sleep(POLL_SECONDS)
