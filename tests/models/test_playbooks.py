from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.models.builders import PLAYBOOKS, TAXONOMY, at
from wanglou.models.playbooks import MAX_MEASURES, MAX_MINUTES, MAX_TEXT, Playbooks
from wanglou.schemas.playbook import MeasureKind
from wanglou.schemas.problems import describe
from wanglou.schemas.risk import Level

LEVELS = [level.label for level in Level]


def measure(identity: str, **fields: Any) -> dict[str, Any]:
    """A complete measure, with some fields changed."""
    complete = {"kind": "statement", "minutes": 60, "department": "品牌公关部", "text": "发布说明"}
    return {"id": identity} | complete | fields


def plans(**measures: list[dict[str, Any]]) -> dict[str, Any]:
    return {level: {"goal": level, "measures": measures.get(level, [])} for level in LEVELS}


def playbooks(common: Mapping[str, Any] | None = None, **topics: Any) -> Playbooks:
    return Playbooks.model_validate({"common": common or {}, "topics": topics})


def problem_of(common: Mapping[str, Any] | None = None, **topics: Any) -> str:
    with pytest.raises(ValidationError) as error:
        playbooks(common, **topics)
    return describe(error.value)


def shown(made: Playbooks, level: Level, topic: str = "run") -> list[tuple[str, str, int]]:
    """Text, department and minutes of each measure."""
    return [
        (one.text, one.department, (one.due_at - at(0)) // timedelta(minutes=1))
        for one in made.measures(topic, level, at(0))
    ]


def test_level_has_what_the_lower_ones_have_and_its_own() -> None:
    made = playbooks(
        run=plans(
            blue=[measure("a", text="甲")],
            yellow=[measure("b", text="乙")],
            red=[measure("c", text="丙")],
        )
    )
    texts = {level: [text for text, _, _ in shown(made, level)] for level in Level}
    assert texts == {
        Level.BLUE: ["甲"],
        Level.YELLOW: ["甲", "乙"],
        Level.ORANGE: ["甲", "乙"],
        Level.RED: ["甲", "乙", "丙"],
    }
    assert [made.goal("run", level) for level in Level] == LEVELS


def test_measure_with_an_id_from_below_changes_only_what_it_gives() -> None:
    made = playbooks(
        run=plans(
            blue=[measure("a", text="甲")],
            yellow=[{"id": "a", "minutes": 20}],
            red=[{"id": "a", "department": "办公室", "text": "乙"}],
        )
    )
    assert [shown(made, level) for level in Level] == [
        [("甲", "品牌公关部", 60)],
        [("甲", "品牌公关部", 20)],
        [("甲", "品牌公关部", 20)],
        [("乙", "办公室", 20)],
    ]


def test_common_measures_are_of_every_topic_and_a_topic_may_tighten_them() -> None:
    common = {"blue": {"measures": [measure("a", text="甲")]}}
    made = playbooks(common, run=plans(blue=[{"id": "a", "minutes": 10}]), outage=plans())
    assert shown(made, Level.BLUE) == [("甲", "品牌公关部", 10)]
    assert shown(made, Level.RED, "outage") == [("甲", "品牌公关部", 60)]


def test_most_urgent_stands_first_and_the_topics_own_before_a_common_one() -> None:
    common = {"blue": {"measures": [measure("a", text="同"), measure("b", text="急", minutes=5)]}}
    made = playbooks(common, run=plans(blue=[measure("c", text="自"), measure("d", text="再")]))
    assert [text for text, _, _ in shown(made, Level.BLUE)] == ["急", "自", "再", "同"]


@given(st.sampled_from(list(Level)), st.sampled_from(["run", "outage", "other"]), st.floats(0, 9e5))
def test_deadlines_count_from_the_time_given(level: Level, topic: str, minute: float) -> None:
    early = PLAYBOOKS.measures(topic, level, at(0))
    late = PLAYBOOKS.measures(topic, level, at(minute))
    assert [one.due_at - at(minute) for one in late] == [one.due_at - at(0) for one in early]
    assert all(one.due_at > at(minute) for one in late)
    assert list(late) == sorted(late, key=lambda one: one.due_at)


def test_without_a_level_there_is_nothing_to_do() -> None:
    assert PLAYBOOKS.goal("run", None) is None
    assert PLAYBOOKS.measures("run", None, at(0)) == ()


def test_kind_is_kept() -> None:
    kinds = [one.kind for one in PLAYBOOKS.measures("run", Level.RED, at(0))]
    assert kinds == [MeasureKind.FACT_FINDING, MeasureKind.STATEMENT]


# --- what is refused


@pytest.mark.parametrize("field", ["kind", "minutes", "department", "text"])
def test_new_measure_needs_every_field(field: str) -> None:
    partial = measure("a")
    del partial[field]
    problem = problem_of(run=plans(yellow=[measure("b"), partial]))
    assert problem == (f"topics.run.yellow.measures[1].id: 'a' is new here, and has no {field}")


def test_later_deadline_at_a_higher_level_is_told() -> None:
    problem = problem_of(run=plans(blue=[measure("a")], red=[{"id": "a", "minutes": 61}]))
    assert problem.startswith("topics.run.red.measures[0].minutes: 61 is later than the 60 before")


def test_measure_that_changes_nothing_is_told() -> None:
    problem = problem_of(run=plans(blue=[measure("a")], red=[{"id": "a", "minutes": 60}]))
    assert problem.startswith("topics.run.red.measures[0].id: 'a' changes nothing")


def test_problem_of_a_common_measure_is_told_once() -> None:
    common = {"red": {"measures": [{"id": "a"}]}}
    problem = problem_of(common, run=plans(), outage=plans())
    assert problem.count("common.red.measures[0].id: 'a' is new here") == 1
    assert "; " not in problem


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"minutes": 0}, "minutes: "),
        ({"minutes": -5}, "minutes: "),
        ({"minutes": MAX_MINUTES + 1}, "minutes: "),
        ({"minutes": "soon"}, "minutes: "),
        ({"department": ""}, "department: "),
        ({"department": "  "}, "department: "),
        ({"text": " "}, "text: "),
        ({"text": "字" * (MAX_TEXT + 1)}, "text: "),
        ({"kind": "prayer"}, "kind: "),
        ({"id": "A b"}, "id: "),
        ({"colour": "red"}, "colour: "),
    ],
)
def test_field_that_cannot_be_is_told(fields: dict[str, Any], said: str) -> None:
    problem = problem_of(run=plans(orange=[measure("a") | fields]))
    assert problem.startswith(f"topics.run.orange.measures[0].{said}")


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_needs_a_playbook_with_a_goal(level: str) -> None:
    without = plans()
    del without[level]
    assert problem_of(run=without) == f"topics.run.{level}: Field required"
    aimless = copy.deepcopy(plans())
    del aimless[level]["goal"]
    assert problem_of(run=aimless) == f"topics.run.{level}.goal: Field required"


def test_too_many_measures_are_told() -> None:
    many = [measure(f"m{number}") for number in range(MAX_MEASURES + 1)]
    problem = problem_of(run=plans(red=many))
    assert problem == f"topics.run.red.measures: {MAX_MEASURES + 1} measures, at most 24"
    assert len(shown(playbooks(run=plans(red=many[1:])), Level.RED)) == MAX_MEASURES


def test_topics_must_be_those_of_the_taxonomy() -> None:
    assert PLAYBOOKS.problems(TAXONOMY) == []
    made = playbooks(run=plans(), typo=plans())
    locations = [location for location, _ in made.problems(TAXONOMY)]
    assert locations == [("topics",), ("topics",), ("topics", "typo")]
