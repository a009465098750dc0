"""The archive's process is killed at every step: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

from archive_world import CASE, READY_SECONDS, World, archiver_here, event, until, world
from dying_archiver import STEPS

from tests.models.response.builders import alert, planned
from wanglou.agents.archive.verifying import verify_chain
from wanglou.schemas.dead_letter import DeadLetter
from wanglou.schemas.evaluation import Evaluation
from wanglou.schemas.response import Act
from wanglou.schemas.risk import AlertKind, Level
from wanglou.schemas.topics import ALERTS, DEAD_LETTERS, EVALUATIONS, EVENTS

DYING = str(Path(__file__).parent / "dying_archiver.py")


async def say_everything(one: World) -> None:
    """A case with a statement, two refusals, and the time of its evaluation."""
    await one.mentions(*range(-30, 60, 3))
    await one.send(ALERTS, alert(0, Level.ORANGE, AlertKind.RAISED, measures=(planned(30),)))
    await one.send(EVENTS, *(event(minute) for minute in range(0, 60, 5)))
    await one.respond(Act.CLOSE, 1, "li", text="误报", id="early")
    await one.respond(Act.ACKNOWLEDGEMENT, 1, "zhang", id="a1")
    await one.respond(Act.DRAFT, 5, "zhang", id="d1", text="正在核实", evidence=("日报",))
    await one.respond(Act.APPROVAL, 8, "zhang", draft_id="d1", id="own")
    await one.respond(Act.APPROVAL, 9, "li", draft_id="d1", id="p1")
    await one.respond(Act.STATEMENT, 10, "zhang", id="s1", draft_id="d1")
    await one.let_time_come(71)


async def what_came_of(one: World) -> tuple[set[tuple[str, str]], str, set[str], set[str]]:
    """Records, the case, evaluations and refusals in Kafka, without repeats there."""
    await until(lambda: (case := one.case()) and case.evaluated, "the evaluation")
    evaluations = await until(lambda: one.all(EVALUATIONS, Evaluation), "it in Kafka")
    letters = await until(lambda: two_letters(one), "both refusals in Kafka")
    case = one.case()
    assert case is not None
    assert verify_chain(one.archive.engine, CASE).breaks == []
    return (
        {(record.kind.value, record.id) for record in one.archive.records(CASE)},
        case.model_dump_json(),
        {evaluation.id for evaluation in evaluations},
        letters,
    )


async def two_letters(one: World) -> set[str]:
    letters = {letter.error for letter in await one.all(DEAD_LETTERS, DeadLetter)}
    return letters if len(letters) == 2 else set()


async def undisturbed(folder: Path) -> object:
    await asyncio.to_thread(folder.mkdir)
    async with world(folder) as one:
        await say_everything(one)
        async with archiver_here(one):
            return await what_came_of(one)


async def killed_at(step: str, folder: Path) -> object:
    await asyncio.to_thread(folder.mkdir)
    async with world(folder) as one:
        await say_everything(one)
        dying = one.start(program=(DYING,), environment={"STEP": step})
        code = await asyncio.to_thread(dying.process.wait, READY_SECONDS)
        assert code == -9, dying.log_tail()
        async with archiver_here(one):
            return await what_came_of(one)


async def test_nothing_is_lost_and_nothing_is_there_twice(tmp_path: Path) -> None:
    expected = await undisturbed(tmp_path / "undisturbed")
    found = await asyncio.gather(*(killed_at(step, tmp_path / step) for step in STEPS))
    assert dict(zip(STEPS, found, strict=True)) == dict.fromkeys(STEPS, expected)
