"""A case on a real Kafka, worked on by `wanglou case`, with the archive killed in the midst."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from archive_world import CASE, READY_SECONDS, World, event, until, world_on
from real_kafka import GivenKafka, NoKafka, running_kafka

from tests.models.response.builders import alert, at, planned
from wanglou.agents.demo import own_environment
from wanglou.agents.worker_process import COMMAND_LINE
from wanglou.models.response.case_file import CaseStatus
from wanglou.schemas.evaluation import Evaluation
from wanglou.schemas.risk import AlertKind, Level
from wanglou.schemas.topics import ALERTS, EVALUATIONS, EVENTS

pytestmark = pytest.mark.kafka


def wanglou(one: World, *arguments: str, code: int = 0) -> str:
    """What a command says."""
    ran = subprocess.run(
        [sys.executable, *COMMAND_LINE, *arguments],
        env={**os.environ, **one.environment},
        cwd=one.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def act(one: World, name: str, by: str, minute: int, *arguments: str, code: int = 0) -> str:
    """One act on the case."""
    when = at(minute).isoformat()
    return wanglou(one, "case", name, CASE, *arguments, "--by", by, "--at", when, code=code)


async def test_a_case_is_worked_on_from_the_command_line(tmp_path: Path) -> None:
    try:
        with running_kafka() as kafka, own_environment():
            if isinstance(kafka, GivenKafka):
                pytest.skip("the broker that was given may hold other cases")
            async with world_on(kafka.address, tmp_path) as one:
                await work_on_a_case(one)
    except NoKafka as reason:
        pytest.skip(str(reason))


async def work_on_a_case(one: World) -> None:
    archiver = one.start()
    await asyncio.to_thread(archiver.wait_ready, READY_SECONDS)
    await one.mentions(*range(-60, 0))
    await one.send(ALERTS, alert(0, Level.ORANGE, AlertKind.RAISED, measures=(planned(30),)))
    await until(lambda: one.case() is not None, "the case")
    act(one, "acknowledge", "zhang", 1)
    draft = act(one, "draft", "zhang", 5, "--text", "正在核实", "--evidence", "日报").split()[1]
    archiver.kill()
    await one.send(EVENTS, *(event(minute) for minute in range(0, 75, 5)))
    await one.mentions(*range(11, 70, 10))
    archiver = one.start()
    await asyncio.to_thread(archiver.wait_ready, READY_SECONDS)
    assert "refused: by: zhang" in act(one, "approve", "zhang", 8, draft, code=1)
    act(one, "approve", "li", 9, draft)
    act(one, "release", "zhang", 10, draft, "--channel", "官方微博")
    await one.let_time_come(71)
    (evaluation,) = await until(lambda: one.all(EVALUATIONS, Evaluation), "the evaluation")
    assert evaluation.after.mentions == 6
    case = one.case()
    assert case is not None
    assert case.status is CaseStatus.IN_RESPONSE
    assert "信息发布" in wanglou(one, "case", "show", CASE, "--by", "wu")
    assert "whole" in wanglou(one, "case", "verify", "--all", "--by", "audit")
    wanglou(one, "case", "report", CASE, "--by", "wu", "--to-folder", str(one.folder))
    assert (one.folder / f"{CASE}.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert archiver.stop() == 0
