"""Nothing lost, nothing twice: real workers on a real Kafka, under real faults, buffers full.

How long a partition stood still is judged by `make chaos`, not here.
"""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from faults import FAULTS, FOUR_WORKERS, Fault
from load import SEED, Chapter
from outcome import Expected, Found
from real_kafka import Kafka, RealKafka
from trial import LEAST_MESSAGES, STRIKE_AT, Result, running_cluster

from wanglou.schemas.risk import AlertKind

pytestmark = pytest.mark.kafka


def test_an_undisturbed_run_is_what_the_backtest_says(undisturbed: tuple[Result, Found]) -> None:
    """And the load brings what the faults could spoil."""
    result, found = undisturbed
    assert result.spoiled == ()
    assert result.messages >= LEAST_MESSAGES
    assert {alert["kind"] for alert in found.alerts.values()} == set(AlertKind)
    assert len(found.events) >= 4


@pytest.mark.parametrize("fault", [FOUR_WORKERS, *FAULTS], ids=lambda fault: fault.name)
def test_nothing_is_lost_and_nothing_counts_twice(
    fault: Fault,
    kafka: Kafka,
    chapter: Chapter,
    expected: Expected,
    undisturbed: tuple[Result, Found],
    results: list[Result],
) -> None:
    if fault.breaks_broker and not isinstance(kafka, RealKafka):
        pytest.skip(f"{kafka.address} is a given broker, not ours to break")
    _, found = undisturbed

    async def run() -> Result:
        async with running_cluster(kafka) as cluster:
            return await cluster.trial(
                fault, chapter, Random(SEED), STRIKE_AT, expected.as_in(found)
            )

    result = asyncio.run(run())
    results.append(result)
    assert result.spoiled == ()
    assert result.messages >= LEAST_MESSAGES
