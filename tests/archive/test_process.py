"""The archive's process over a broker: what it records, refuses, and evaluates."""

from __future__ import annotations

from pathlib import Path

from archive_world import CASE, World, archiver_here, at, event, until, world

from tests.models.response.builders import alert, planned
from wanglou.agents.archive.entries import Kind
from wanglou.models.response.case_file import CaseStatus
from wanglou.schemas.dead_letter import DeadLetter
from wanglou.schemas.evaluation import Evaluation
from wanglou.schemas.response import Act
from wanglou.schemas.risk import AlertKind, Level
from wanglou.schemas.topics import ALERTS, DEAD_LETTERS, EVALUATIONS, EVENTS


async def test_a_case_from_alert_to_evaluation(tmp_path: Path) -> None:
    async with world(tmp_path) as one, archiver_here(one):
        await one.mentions(*range(-30, 0))
        await one.send(ALERTS, alert(0, Level.ORANGE, AlertKind.RAISED, measures=(planned(30),)))
        await one.send(EVENTS, *(event(minute) for minute in range(0, 60, 5)))
        await one.respond(Act.ACKNOWLEDGEMENT, 1, "zhang")
        await one.respond(Act.DRAFT, 5, "zhang", id="d1", text="正在核实", evidence=("日报",))
        await one.respond(Act.APPROVAL, 9, "li", draft_id="d1")
        await one.respond(Act.STATEMENT, 10, "zhang", id="s1", draft_id="d1", channel="官方微博")
        await one.mentions(*range(11, 70, 20))
        await until(lambda: (case := one.case()) and "s1" in case.responses, "the statement")
        await one.let_time_come(71)
        await until(lambda: (case := one.case()) and case.evaluated, "the evaluation")
        case = one.case()
        assert case is not None
        assert (case.status, case.owner) == (CaseStatus.IN_RESPONSE, "zhang")
        assert case.evaluated == ["s1.60"]
        (evaluation,) = await until(lambda: one.all(EVALUATIONS, Evaluation), "it in Kafka")
        assert (evaluation.before.mentions, evaluation.after.mentions) == (30, 3)
        assert evaluation.evaluated_at == at(70)
        kinds = [record.kind for record in one.archive.records(CASE)]
        assert kinds.count(Kind.MENTION) == 33
        assert kinds.count(Kind.EVENT) == 12
        assert [kinds.count(kind) for kind in (Kind.ALERT, Kind.RESPONSE, Kind.EVALUATION)] == [
            1,
            4,
            1,
        ]


async def test_what_a_case_does_not_allow_is_a_dead_letter_and_recorded(tmp_path: Path) -> None:
    async with world(tmp_path) as one, archiver_here(one):
        await one.send(ALERTS, alert(0, Level.ORANGE, AlertKind.RAISED))
        await one.respond(Act.ACKNOWLEDGEMENT, 1, "zhang", event_id="nobody.run", id="unknown")
        await one.respond(Act.CLOSE, 1, "li", text="误报", id="early")
        await one.respond(Act.ACKNOWLEDGEMENT, 1, "zhang")
        await one.respond(Act.DRAFT, 2, "li", id="d1", text="正在核实", evidence=("日报",))
        await one.respond(Act.APPROVAL, 3, "李四", draft_id="d1", id="own")
        await one.respond(Act.EXPLANATION, 3, "nobody", text="…", id="stranger")
        await one.respond(Act.EXPLANATION, 4, "zhang", text="已答复", id="last")
        await until(lambda: (case := one.case()) and "last" in case.responses, "the last")
        refused = {
            record.fields["id"]: record.fields["refused"].split(":")[0]
            for record in one.archive.records(CASE, [Kind.REFUSAL])
            if record.fields is not None
        }
        assert refused == {"early": "act", "own": "by", "stranger": "by"}
        letters = await until(lambda: letters_of(one, 4), "four letters")
        assert sorted(letter.error.split(":")[0] for letter in letters) == [
            "act",
            "by",
            "by",
            "event_id",
        ]


async def letters_of(one: World, count: int) -> list[DeadLetter]:
    letters = await one.all(DEAD_LETTERS, DeadLetter)
    return letters if len(letters) == count else []
