from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.models.builders import REGULATOR, TAXONOMY, at
from wanglou.models.regulator import Regulator
from wanglou.schemas.problems import describe
from wanglou.schemas.risk import Level

LEVELS = [None, *Level]


def due(topic: str, before: Level | None, after: Level | None) -> list[tuple[str, int]]:
    """Rule and minutes of what is due."""
    reports = REGULATOR.reports(topic, before, after, at(0))
    return [(one.rule, (one.due_at - at(0)) // timedelta(minutes=1)) for one in reports]


@pytest.mark.parametrize(
    ("before", "after", "started"),
    [
        (None, Level.BLUE, []),
        (None, Level.YELLOW, [("另一办法", 0)]),
        (None, Level.RED, [("另一办法", 0), ("某办法", 120)]),
        (Level.BLUE, Level.YELLOW, [("另一办法", 0)]),
        (Level.YELLOW, Level.ORANGE, [("某办法", 120)]),
        (Level.ORANGE, Level.RED, []),
        (Level.RED, Level.ORANGE, []),
        (Level.ORANGE, None, []),
    ],
)
def test_clock_starts_when_the_level_is_reached_from_below(
    before: Level | None, after: Level | None, started: list[tuple[str, int]]
) -> None:
    assert due("run", before, after) == started


def test_rule_applies_to_its_topics_only() -> None:
    assert due("outage", None, Level.RED) == [("另一办法", 0)]
    assert due("other", None, Level.RED) == []


@given(st.lists(st.sampled_from(LEVELS), min_size=1, max_size=6, unique=True))
def test_rising_step_by_step_starts_each_clock_once(way: list[Level | None]) -> None:
    rising = sorted({level or 0 for level in way} | {0})
    steps = [Level(one) if one else None for one in rising]
    started = [name for before, after in pairwise(steps) for name, _ in due("run", before, after)]
    assert sorted(started) == sorted(name for name, _ in due("run", None, steps[-1]))


def test_report_names_the_rule_and_who_must_confirm_it() -> None:
    confirmed, open_one = REGULATOR.reports("run", None, Level.RED, at(3))
    assert (open_one.rule, open_one.issuer) == ("某办法", "某局")
    assert (open_one.number, open_one.issued_on) == ("某发〔2020〕1号", date(2020, 1, 2))
    assert (open_one.article, open_one.asks) == ("第三条", "报告")
    assert open_one.due_at == at(123)
    assert open_one.note == "待合规部门确认"
    assert (confirmed.note, confirmed.number, confirmed.article) == (None, None, None)


def problem_of(**fields: Any) -> str:
    values = REGULATOR.rules[0].model_dump(mode="json") | fields
    with pytest.raises(ValidationError) as error:
        Regulator.model_validate({"rules": [values]})
    return describe(error.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("issued_on", "2020-13-01"),
        ("topics", []),
        ("from_level", "purple"),
        ("within_minutes", -1),
        ("within_minutes", 60 * 24 * 61),
        ("confirmed", None),
        ("checked", ""),
        ("colour", "red"),
    ],
)
def test_field_that_cannot_be_is_told(field: str, value: object) -> None:
    assert problem_of(**{field: value}).startswith(f"rules[0].{field}: ")


def test_topics_must_be_those_of_the_taxonomy() -> None:
    assert list(REGULATOR.problems(TAXONOMY)) == []
    rule = REGULATOR.rules[0].model_copy(update={"topics": ("run", "typo")})
    ((location, text),) = Regulator(rules=(rule,)).problems(TAXONOMY)
    assert location == ("rules", 0, "topics", 1)
    assert text.startswith("'typo' is no topic of the taxonomy")
