"""A blocked event loop is noticed by a thread, and even when no thread can run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from wanglou.agents.escalation import Escalation
from wanglou.agents.loop_watchdog import LAST_RESORT_SECONDS, LoopWatchdog

GIVE_UP_SECONDS = 60
"""After so much real time a test has failed; none takes as long."""


def watchdog(
    exit: Callable[[], object],
    clock: Callable[[], float] = time.monotonic,
    *,
    seconds: float = 0.05,
    arm: Callable[[float], None] = lambda seconds: None,
    disarm: Callable[[], None] = lambda: None,
) -> tuple[LoopWatchdog, Escalation]:
    escalation = Escalation(seconds, exit)
    made = LoopWatchdog(
        escalation,
        clock,
        stuck_seconds=seconds,
        exit_seconds=seconds,
        poll_seconds=seconds / 5,
        arm=arm,
        disarm=disarm,
    )
    return made, escalation


async def test_a_blocked_loop_is_noticed_and_shown(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()
    dog, escalation = watchdog(ended.set)
    dog.start()

    def hold_the_loop() -> None:
        assert ended.wait(GIVE_UP_SECONDS)

    hold_the_loop()  # no await: the loop cannot tick
    (reason,) = escalation.reasons
    dog.stop()
    assert reason.startswith("event loop: blocked for ")
    first, *_, last = caplog.messages
    assert "in hold_the_loop" in first.partition("Thread MainThread:")[2]
    assert last.startswith("still stuck, the process ends")


async def test_a_loop_that_ticks_is_healthy_and_one_that_is_silent_is_not() -> None:
    now = 0.0
    exits: list[float] = []
    dog, escalation = watchdog(lambda: exits.append(now), lambda: now, seconds=50)

    def look_at(second: float) -> bool:
        nonlocal now
        now = second
        dog.look()
        return escalation.reasons == ()

    assert look_at(0)
    for second in range(10, 200, 10):
        dog.tick()
        assert look_at(second)
    assert all(look_at(second) for second in range(200, 240, 10))
    assert not look_at(240)
    assert not any(look_at(second) for second in range(250, 290, 10))
    assert exits == []
    assert not look_at(290)
    assert exits == [290]
    dog.tick()
    assert look_at(300)


async def test_the_loop_goes_on_ticking_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    third = asyncio.Event()
    tick, ticks = LoopWatchdog.tick, 0

    def counted(self: LoopWatchdog) -> None:
        nonlocal ticks
        tick(self)
        ticks += 1
        if ticks == 3:
            third.set()

    monkeypatch.setattr(LoopWatchdog, "tick", counted)
    dog, _ = watchdog(lambda: None, seconds=GIVE_UP_SECONDS / 100)
    dog.start()
    await asyncio.wait_for(third.wait(), GIVE_UP_SECONDS)
    dog.stop()


async def test_a_paused_process_is_no_blocked_loop() -> None:
    now = 0.0
    dog, escalation = watchdog(lambda: None, lambda: now, seconds=50)
    dog.tick()
    dog.look()
    now = 10_000.0  # the thread did not run either
    dog.look()
    assert escalation.reasons == ()


async def test_the_last_resort_is_armed_while_the_thread_runs_and_no_longer() -> None:
    armed: list[float] = []
    twice, disarmed = threading.Event(), threading.Event()

    def arm(seconds: float) -> None:
        assert not disarmed.is_set()
        armed.append(seconds)
        if len(armed) == 2:
            twice.set()

    dog, _ = watchdog(lambda: None, arm=arm, disarm=disarmed.set)
    dog.start()
    assert twice.wait(GIVE_UP_SECONDS)
    assert not disarmed.is_set()
    dog.stop()
    assert disarmed.is_set()
    assert set(armed) == {0.05 + 0.05 + LAST_RESORT_SECONDS}


ENDLESS = """
import re, sys
from wanglou.agents import loop_watchdog

def match_for_ever():
    re.match(r"(a+)+$", "a" * 64 + "b")

loop_watchdog.arm_last_resort(float(sys.argv[1]))
match_for_ever()
"""


def test_the_last_resort_ends_a_process_in_which_no_thread_can_run() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDLESS, "0.5"],
        capture_output=True,
        text=True,
        timeout=GIVE_UP_SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    assert "in match_for_ever" in ended.stderr
