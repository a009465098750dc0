"""100,000 hostile messages in a normal stream cost it nothing."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from random import Random

import pytest
from faults import UNDISTURBED
from hostile import hostile
from load import SEED, Chapter
from outcome import Found, Reference
from real_kafka import Kafka
from trial import PARTITIONS, Result, running_cluster

from wanglou.schemas.dead_letter import Reason

pytestmark = pytest.mark.kafka

COUNT = 100_000
STRANGERS = "hesui-life"


def test_hostile_messages_are_put_aside_and_change_nothing_else(
    kafka: Kafka, chapter: Chapter
) -> None:
    lines = list(hostile(COUNT, chapter.lines, SEED, datetime.now(UTC)))
    assert len(lines) > COUNT

    reference = Reference(PARTITIONS)
    reference.feed(lines)

    async def run() -> tuple[Result, Found]:
        async with running_cluster(kafka) as cluster:
            result = await cluster.trial(
                UNDISTURBED, Chapter(0, lines), Random(SEED), 0.01, reference.expected
            )
            return result, cluster.found

    result, found = asyncio.run(run())
    assert (result.lost, result.wrong) == (0, 0)

    alone = Reference(PARTITIONS)
    alone.feed(chapter.lines)
    normal = {id: one for id, one in found.alerts.items() if STRANGERS not in one["event_id"]}
    assert normal == alone.expected.alerts
    unreadable = sum(not_json(line) for line in lines)
    assert len(found.letters) > unreadable > COUNT / 5
    agents = {agent for agent, _ in found.letters.values()}
    reasons = {reason for _, reason in found.letters.values()}
    assert agents == {"intake"}
    assert reasons == set(Reason) - {Reason.NO_VALUE, Reason.FAILED, Reason.REJECTED_BY_BROKER}


def not_json(value: bytes) -> bool:
    """By another reader than ours."""
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return True
    return False
