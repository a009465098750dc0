"""A stalled worker becomes unhealthy, logs every stack and ends; one that recovers goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from pydantic import ValidationError

from wanglou.agents.progress_watch import Reading
from wanglou.agents.stuck import Read, StuckDetector, StuckSettings

AFTER, WAITING, EXIT, POLL = 60, 600, 30, 5
SETTINGS = StuckSettings(
    after_seconds=AFTER, waiting_seconds=WAITING, exit_seconds=EXIT, poll_seconds=POLL
)
PLACE = "wanglou.mentions.raw.v1/0"
GIVE_UP_SECONDS = 60
"""After so much real time a test has failed; none takes as long."""


class Pace:
    """A clock that goes on only when a test says so, one look after the other."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._asleep = asyncio.Event()
        self._wake = asyncio.Event()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """The detector's sleep."""
        self._asleep.set()
        await self._wake.wait()
        self._wake.clear()

    async def let_pass(self, seconds: float) -> None:
        """Let the detector look for so many seconds."""
        for _ in range(int(seconds / POLL)):
            await asyncio.wait_for(self._asleep.wait(), GIVE_UP_SECONDS)
            for _ in range(5):  # lets all tasks come to their next wait
                await asyncio.sleep(0)
            self._asleep.clear()
            self.now += POLL
            self._wake.set()
        await asyncio.wait_for(self._asleep.wait(), GIVE_UP_SECONDS)


class Pipeline:
    """An agent that carries out what a collector brings, one message between two looks."""

    def __init__(self) -> None:
        self.end = 0
        self.committed = 0
        self.waits: str | None = None
        self.lock = asyncio.Lock()
        self._inbox: asyncio.Queue[int] = asyncio.Queue()

    async def run_agent(self) -> None:
        while True:
            await self._inbox.get()
            await self.carry_out()

    async def carry_out(self) -> None:
        async with self.lock:
            self.committed += 1

    async def read(self) -> Mapping[str, Reading]:
        self.end += 1
        self._inbox.put_nowait(self.end)
        return {PLACE: Reading(self.committed, self.end, self.waits)}


class Watched:
    """A detector over a pipeline, and what it has done."""

    def __init__(self, pace: Pace, read: Read) -> None:
        self.pace = pace
        self.counts: list[int] = []
        self.exits: list[float] = []
        self.detector = StuckDetector(
            read,
            SETTINGS,
            on_count=self.counts.append,
            exit=lambda: self.exits.append(pace.now),
            clock=pace.clock,
            sleep=pace.sleep,
        )

    async def until_unhealthy(self) -> float:
        """Seconds until it is."""
        start = self.pace.now
        while self.detector.healthy:
            await self.pace.let_pass(POLL)
            assert self.pace.now < start + 10 * WAITING
        return self.pace.now - start


@contextlib.asynccontextmanager
async def watching(read: Read) -> AsyncIterator[Watched]:
    watched = Watched(Pace(), read)
    task = asyncio.create_task(watched.detector.run(), name="detector")
    yield watched
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture
async def pipeline() -> AsyncIterator[Pipeline]:
    made = Pipeline()
    agent = asyncio.create_task(made.run_agent(), name="agent intake")
    yield made
    agent.cancel()


async def test_progress_is_healthy(pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    async with watching(pipeline.read) as watched:
        await watched.pace.let_pass(20 * AFTER)
        assert watched.detector.healthy
    assert pipeline.committed > 200
    assert set(watched.counts) == {0}
    assert watched.exits == []
    assert caplog.records == []


async def test_a_stall_is_unhealthy_shows_where_and_ends_the_process(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(pipeline.read) as watched:
        await watched.pace.let_pass(AFTER)
        await pipeline.lock.acquire()  # and nobody releases it
        stood = pipeline.committed
        assert AFTER <= await watched.until_unhealthy() <= AFTER + 4 * POLL
        unhealthy_at = watched.pace.now
        (reason,) = watched.detector.reasons
        assert reason.startswith(f"{PLACE}: stands at {stood} of ")
        assert watched.counts[-1] == 1

        (shown,) = caplog.messages
        assert f"stuck, the process ends in {EXIT} s unless that changes: {PLACE}" in shown
        agent = shown.partition("Task agent intake (Pipeline.run_agent):\n")[2]
        stack = agent.partition("Task ")[0].partition("Thread ")[0]
        assert stack.index("in run_agent") < stack.index("in carry_out") < stack.index("in acquire")
        assert "Thread MainThread:" in shown

        await watched.pace.let_pass(EXIT - POLL)
        assert watched.exits == []
        await watched.pace.let_pass(POLL)
        assert watched.exits == [unhealthy_at + EXIT]
    first, last = caplog.records
    assert (first.levelno, last.levelno) == (logging.ERROR, logging.CRITICAL)
    assert last.getMessage().startswith("still stuck, the process ends: ")


async def test_a_recovery_before_the_exit_is_healthy_again(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(pipeline.read) as watched:
        await pipeline.lock.acquire()
        await watched.until_unhealthy()
        await watched.pace.let_pass(EXIT - 3 * POLL)
        pipeline.lock.release()
        await watched.pace.let_pass(2 * POLL)
        assert watched.detector.healthy
        assert watched.counts[-1] == 0
        await watched.pace.let_pass(10 * AFTER)
        assert watched.detector.healthy
    assert watched.exits == []
    assert [one.levelno for one in caplog.records] == [logging.ERROR, logging.WARNING]


async def test_a_second_stall_has_the_whole_time_again(pipeline: Pipeline) -> None:
    async with watching(pipeline.read) as watched:
        for _ in range(2):
            await pipeline.lock.acquire()
            await watched.until_unhealthy()
            await watched.pace.let_pass(EXIT - 3 * POLL)
            pipeline.lock.release()
            await watched.pace.let_pass(2 * POLL)
            assert watched.detector.healthy
    assert watched.exits == []


async def test_waiting_for_a_sibling_is_no_stall_for_long(pipeline: Pipeline) -> None:
    pipeline.waits = "waits for partition 3 of wanglou.mentions.raw.v1"
    async with watching(pipeline.read) as watched:
        await pipeline.lock.acquire()
        assert await watched.until_unhealthy() >= WAITING
        assert watched.detector.reasons[0].endswith(pipeline.waits)


async def test_an_answer_that_does_not_come_is_a_stall() -> None:
    """As when the thread of Faust's consumer hangs."""

    async def read() -> Mapping[str, Reading]:
        return await asyncio.get_running_loop().create_future()

    async with watching(read) as watched:
        assert AFTER <= await watched.until_unhealthy() <= AFTER + POLL
        assert watched.detector.reasons == (f"offsets: no answer for {AFTER} s",)
        await watched.pace.let_pass(EXIT)
        assert len(watched.exits) == 1


@pytest.mark.parametrize("error", [KafkaConnectionError("away"), asyncio.CancelledError()])
async def test_a_broker_that_is_away_is_no_stall_and_its_absence_does_not_count(
    pipeline: Pipeline, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    away = False

    async def read() -> Mapping[str, Reading]:
        if away:
            raise error
        return await pipeline.read()

    async with watching(read) as watched:
        await pipeline.lock.acquire()
        await watched.pace.let_pass(AFTER / 2)
        away = True
        await watched.pace.let_pass(10 * AFTER)
        assert watched.detector.healthy
        assert "cannot tell how far the partitions have come" in caplog.messages[-1]
        away = False
        await watched.pace.let_pass(AFTER / 3)
        assert watched.detector.healthy
        pipeline.lock.release()
        await watched.pace.let_pass(10 * AFTER)
        assert watched.detector.healthy


async def test_the_time_of_a_pause_does_not_count(pipeline: Pipeline) -> None:
    """As of a container that is frozen and thawed."""
    async with watching(pipeline.read) as watched:
        await pipeline.lock.acquire()
        await watched.pace.let_pass(AFTER / 2)
        watched.pace.now += 100 * AFTER
        await watched.pace.let_pass(2 * POLL)
        assert watched.detector.healthy
        await watched.pace.let_pass(AFTER)
        assert not watched.detector.healthy


async def test_a_partition_that_is_taken_away_is_not_waited_for(pipeline: Pipeline) -> None:
    assigned = True

    async def read() -> Mapping[str, Reading]:
        readings = await pipeline.read()
        return readings if assigned else {}

    async with watching(read) as watched:
        await pipeline.lock.acquire()
        await watched.until_unhealthy()
        assigned = False
        await watched.pace.let_pass(2 * POLL)
        assert watched.detector.healthy


BLOCKED = """
import asyncio, time
from wanglou.agents.progress_watch import Reading
from wanglou.agents.stuck import StuckDetector, StuckSettings

async def nothing_to_do():
    return {"a/0": Reading(1, 1)}

async def block_the_loop():
    await asyncio.sleep(0)
    time.sleep(600)

async def main():
    settings = StuckSettings.model_construct(
        after_seconds=0.5, waiting_seconds=1, exit_seconds=0.5, poll_seconds=0.1
    )
    asyncio.create_task(StuckDetector(nothing_to_do, settings).run(), name="detector")
    await asyncio.create_task(block_the_loop(), name="blocker")

asyncio.run(main())
"""


def test_a_process_whose_loop_is_blocked_ends_with_70_and_says_where() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", BLOCKED],
        capture_output=True,
        text=True,
        timeout=GIVE_UP_SECONDS,
        check=False,
    )
    assert ended.returncode == os.EX_SOFTWARE == 70
    assert "event loop: blocked for " in ended.stderr
    assert "Task blocker (block_the_loop):" in ended.stderr
    assert "still stuck, the process ends" in ended.stderr


def test_the_built_in_settings_give_a_model_time() -> None:
    assert StuckSettings().after_seconds >= 60
    assert StuckSettings().waiting_seconds > StuckSettings().after_seconds


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"after_seconds": 1}, "greater than or equal to 10"),
        ({"exit_seconds": 0}, "greater than or equal to 10"),
        ({"poll_seconds": 0}, "greater than or equal to 0.1"),
        ({"after_seconds": 60, "waiting_seconds": 30}, r"waiting_seconds \(30\) must not be less"),
        ({"after_seconds": 20, "poll_seconds": 11}, r"poll_seconds \(11\) must be at most half"),
        ({"seconds": 5}, "Extra inputs are not permitted"),
    ],
)
def test_settings_are_checked(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        StuckSettings(**wrong)
