"""What the tests on a real Kafka share."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from random import Random

import pytest
from faults import UNDISTURBED
from load import SEED, Chapter, new_chapter
from outcome import Expected, Found, Reference
from real_kafka import Kafka, NoKafka, running_kafka
from table import HEADER, line
from trial import PARTITIONS, STRIKE_AT, Result, running_cluster

RESULTS = pytest.StashKey[list[Result]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The results of all trials, as a table."""
    results = terminalreporter.config.stash.get(RESULTS, [])
    if results:
        terminalreporter.section("faults on a real Kafka")
        for row in [HEADER, *(line(number, one) for number, one in enumerate(results))]:
            terminalreporter.write_line(row)


@pytest.fixture(scope="session")
def results(pytestconfig: pytest.Config) -> list[Result]:
    """Where a test puts its result, to be shown in the end."""
    return pytestconfig.stash.setdefault(RESULTS, [])


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """The real Kafka of this session; what needs one is skipped where there is none."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that fixtures are torn down
    try:
        with running_kafka() as kafka:
            yield kafka
    except NoKafka as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def chapter() -> Chapter:
    """The load of every test."""
    return new_chapter(0, SEED)


@pytest.fixture(scope="session")
def expected(chapter: Chapter) -> Expected:
    """What must come of the load."""
    reference = Reference(PARTITIONS)
    reference.feed(chapter.lines)
    return reference.expected


@pytest.fixture(scope="session")
def undisturbed(
    kafka: Kafka, chapter: Chapter, expected: Expected, results: list[Result]
) -> tuple[Result, Found]:
    """The run that the others are compared with."""

    async def run() -> tuple[Result, Found]:
        async with running_cluster(kafka) as cluster:
            result = await cluster.trial(UNDISTURBED, chapter, Random(SEED), STRIKE_AT, expected)
            results.append(result)
            return result, cluster.found

    return asyncio.run(run())
