"""Whatever is wrong with a rules file is told with file, line and field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tests.models.builders import RISK, TAXONOMY
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.rules_file import RulesError, RulesFile, line_of
from wanglou.models.taxonomy import Taxonomy
from wanglou.models.watchlist import Watchlist
from wanglou.schemas.problems import Location

VALID = "institutions: [{id: hexing, name: 和兴银行}]\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "watchlist.yaml"


def problem_of(path: Path, model: type[BaseModel] = Watchlist) -> str:
    with pytest.raises(RulesError) as error:
        RulesFile.read(path, model)
    problem = str(error.value)
    assert problem.startswith(f"{path}: ")
    return problem.removeprefix(f"{path}: ")


def test_valid_file_is_loaded(path: Path) -> None:
    path.write_text(VALID, encoding="utf-8")
    assert RulesFile.read(path, Watchlist).rules.name_of("hexing") == "和兴银行"


def test_missing_file_is_named(path: Path) -> None:
    assert problem_of(path).startswith("cannot be read: ")


def test_folder_is_no_file(path: Path) -> None:
    path.mkdir()
    assert problem_of(path).startswith("cannot be read: ")


@pytest.mark.parametrize(
    "content",
    [
        b"institutions: [\xff\xfe]",  # not UTF-8
        b"institutions: [{id: hexing",  # not closed
        b"institutions:\n\t- id: a",  # a tab
        b"a: *nothing",  # an alias of nothing
        b"since: 2026-02-30",  # a day that is none
        b"a: !!python/object:os.system {}",  # a tag that is not for rules
        b"a: 1\x00",  # a control character
        b"a: 1\n---\nb: 2\n",  # two documents
    ],
)
def test_what_is_no_yaml_is_named(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert "cannot be read: " in problem_of(path)


def test_line_of_what_is_no_yaml_is_told(path: Path) -> None:
    path.write_text("a: 1\nb:\n  - c\n d: 2\n", encoding="utf-8")
    assert problem_of(path).startswith("line 4: cannot be read: ")


@pytest.mark.parametrize("content", ["", "# only a remark\n", "[]", "7", "text"])
def test_what_is_no_mapping_is_told(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    assert problem_of(path).startswith("line 1: (whole value): ")


def test_field_and_value_are_told(path: Path) -> None:
    path.write_text(
        VALID.replace("和兴银行}", "和兴银行, aliases: [7], colour: red}"), encoding="utf-8"
    )
    problem = problem_of(path)
    assert "institutions[0].aliases[0]: Input should be a valid string (got 7)" in problem
    assert "institutions[0].colour: " in problem


def told(path: Path, model: type[BaseModel], *, wrong: str, instead: str) -> tuple[int, str]:
    """The line on which a text stands that is then replaced, and what is told of that."""
    text = path.read_text(encoding="utf-8")
    assert text.count(wrong) == 1
    path.write_text(text.replace(wrong, instead), encoding="utf-8")
    with pytest.raises(RulesError) as error:
        RulesFile.read(path, model)
    line = text[: text.index(wrong)].count("\n") + 1
    return line, str(error.value).removeprefix(f"{path}: ")


def written(path: Path, content: object) -> Path:
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


WATCHED: dict[str, Any] = {
    "institutions": [
        {"id": "hexing", "name": "和兴银行", "aliases": ["和兴行"]},
        {"id": "yunting", "name": "云汀银行", "aliases": ["云汀行"]},
    ]
}


@pytest.mark.parametrize(
    ("wrong", "instead", "said"),
    [
        ("yunting", "Yun Ting", "institutions[1].id: String should match"),
        ("yunting", "hexing", "institutions[1].id: 'hexing' is also institutions[0].id"),
        ("云汀行", "和兴行", "institutions[1].aliases[0]: '和兴行' already means 'hexing'"),
        ("云汀行", "银行", "institutions[1].aliases[0]: '银行' names no institution"),
    ],
)
def test_watch_list_names_the_line(path: Path, wrong: str, instead: str, said: str) -> None:
    line, problem = told(written(path, WATCHED), Watchlist, wrong=wrong, instead=instead)
    assert problem.startswith(f"line {line}: {said}")


@pytest.mark.parametrize(
    ("wrong", "instead", "said"),
    [
        ("转不出去", "取不出钱", "topics[1].terms[1]: '取不出钱' is also a term of 'run'"),
        ("歇业停业", "歇业", "topics[1].event_types[0]: '歇业' is none of "),
        ("辟谣", '"@a"', "denial_terms[0]: '@a' is too short"),
        ("id: outage", "id: run", "topics[1].id: 'run' stands twice"),
        ("id: outage", "id: a.b", "topics[1].id: String should match"),
    ],
)
def test_taxonomy_names_the_line(path: Path, wrong: str, instead: str, said: str) -> None:
    content = TAXONOMY.model_dump(mode="json")
    line, problem = told(written(path, content), Taxonomy, wrong=wrong, instead=instead)
    assert f"line {line}: {said}" in problem


def test_topic_without_severity_is_told_with_its_line(path: Path) -> None:
    content = TAXONOMY.model_dump(mode="json")
    del content["topics"][1]["severity"]
    text = written(path, content).read_text(encoding="utf-8")
    line = text[: text.index("id: outage")].count("\n") + 1
    assert f"line {line}: topics[1].severity: Field required" in problem_of(path, Taxonomy)


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("levels", "yellow", "leave"), 4, "levels.yellow.leave: blue.leave must be below"),
        (("levels", "quiet_minutes"), 1, "levels.quiet_minutes: quiet_minutes must be at least"),
        (("levels", "red", "leave"), 40, "levels.red: leave (40.0) must be below enter (40.0)"),
        (("activity_weights", "heat"), 0.9, "activity_weights: the weights heat, burst, velocity"),
        (("impact_weights", "reach"), 1.1, "impact_weights.reach: Input should be less than"),
        (("tiers", "media"), None, "tiers.media: "),
        (("heat", "colour"), 1, "heat.colour: Extra inputs are not permitted"),
    ],
)
def test_risk_parameters_name_the_line(
    path: Path, where: tuple[str, ...], value: object, said: str
) -> None:
    content: Any = yaml.safe_load(yaml.safe_dump({key: RISK[key] for key in RISK}))
    section = content
    for name in where[:-1]:
        section = section[name]
    section[where[-1]] = value
    lines = written(path, content).read_text(encoding="utf-8").splitlines()
    line = 0
    for name in said.partition(":")[0].split("."):
        below = enumerate(lines[line:], line + 1)
        line = next(number for number, one in below if one.strip().startswith(name))
    assert f"line {line}: {said}" in problem_of(path, RiskParameters)


def test_missing_weight_of_a_tier_is_told_with_the_line(path: Path) -> None:
    written(path, {**RISK, "tiers": {"person": 0.1}})
    line = path.read_text(encoding="utf-8").splitlines().index("tiers:") + 1
    assert f"line {line}: tiers: no weight for verified" in problem_of(path, RiskParameters)


def test_each_of_several_problems_has_its_line(path: Path) -> None:
    path.write_text("institutions:\n- id: A\n  name: 甲行\n- id: b\n  name: 7\n", encoding="utf-8")
    first, second, *_ = problem_of(path).split("; line ")
    assert first.startswith("line 2: institutions[0].id: ")
    assert second.startswith("5: institutions[1].name: ")


def test_name_that_stands_twice_is_told_with_both_lines(path: Path) -> None:
    path.write_text(VALID + "# a remark\n" + VALID, encoding="utf-8")
    assert problem_of(path) == (
        "line 1: institutions: stands twice, on line 1 and on line 3: leave one out"
    )


def test_problem_beside_another_file_is_told_with_the_line(path: Path) -> None:
    path.write_text("institutions:\n- id: hexing\n  name: 和兴银行\n", encoding="utf-8")
    file = RulesFile.read(path, Watchlist)
    file.check([])
    with pytest.raises(RulesError) as error:
        file.check([(("institutions", 0, "name"), "is not known there")])
    assert str(error.value) == f"{path}: line 3: institutions[0].name: is not known there"


NAMES = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)
VALUES = st.recursive(
    st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), st.data())
def test_line_of_a_field_is_that_on_which_its_value_begins(
    content: dict[str, Any], data: st.DataObject
) -> None:
    location: Location = ()
    value: Any = content
    while isinstance(value, dict | list) and value:
        parts = list(value) if isinstance(value, dict) else list(range(len(value)))
        part = data.draw(st.sampled_from(parts))
        location, value = (*location, part), value[part]
    marked = _replaced(content, location)
    text = yaml.safe_dump(marked, allow_unicode=True, default_flow_style=False, width=10_000)
    line = text[: text.index(MARK)].count("\n") + 1
    root = yaml.compose(text)
    assert root is not None
    assert line_of(root, location) == line


MARK = "the-marked-value"


def _replaced(value: Any, location: Location) -> Any:
    if not location:
        return MARK
    part, rest = location[0], location[1:]
    if isinstance(value, dict):
        return {key: _replaced(one, rest) if key == part else one for key, one in value.items()}
    return [_replaced(one, rest) if index == part else one for index, one in enumerate(value)]
