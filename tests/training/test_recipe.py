from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.training.builders import CORPORA, RECIPE, STUDENT, TEACHER, recipe, write_recipe
from wanglou.models.training.recipe import DEFAULT_RECIPE, ENCODER, RecipeError, load_recipe


def test_the_shipped_recipe_loads() -> None:
    shipped = load_recipe()
    assert shipped.stages[0].start == ENCODER
    own = [corpus.train for corpus in shipped.corpora if corpus.train.startswith("./")]
    for name in own:
        assert (DEFAULT_RECIPE.parent / name).is_file()


def test_a_recipe_is_read_as_written(tmp_path: Path) -> None:
    assert load_recipe(write_recipe(tmp_path / "a.yaml")) == recipe()


SECOND = STUDENT | {"start": ENCODER}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"stages": [TEACHER, STUDENT | {"start": "last"}]},
            "stages[1].start: no earlier stage is 'last'",
        ),
        (
            {"stages": [TEACHER | {"start": "teacher"}]},
            "stages[0].start: no earlier stage is 'teacher'",
        ),
        (
            {"stages": [TEACHER, SECOND | {"distillation": {"teachers": ["x"], "weight": 1}}]},
            "stages[1].distillation.teachers: no earlier stage is 'x'",
        ),
        ({"stages": [SECOND]}, "stages[0].distillation.teachers: no earlier stage is 'teacher'"),
        ({"stages": [TEACHER, TEACHER]}, "stages[1].name: 'teacher' stands twice"),
        ({"stages": []}, "stages: Tuple should have at least 1 item"),
        ({"stages": [TEACHER | {"name": "../x"}]}, "stages[0].name: String should match pattern"),
        ({"stages": [TEACHER | {"epoch": 3}]}, "stages[0].epoch: Extra inputs are not permitted"),
        ({"stages": [TEACHER | {"layers": [0, -1]}]}, "stages[0].layers[1]: Input should be gr"),
        (
            {"stages": [TEACHER, STUDENT | {"distillation": {"teachers": [], "weight": 1}}]},
            "stages[1].distillation.teachers: Value should have at least 1 item",
        ),
        (
            {"corpora": [CORPORA[0], CORPORA[1] | {"format": "xml"}]},
            "corpora[1].format: is none of sentiment, emotion, ",
        ),
        ({"corpora": [CORPORA[0] | {"rows": 0}]}, "corpora[0].rows: Input should be greater"),
        ({"corpora": [{"format": "own"}]}, "corpora[0].train: Field required"),
        (
            {"ngrams": {"heads": ["polarity", "mood"], "weight": 1}},
            "ngrams.heads[1]: is none of polarity, emotion, ",
        ),
        ({"ngrams": {"heads": ["polarity"], "weight": 0}}, "ngrams.weight: Input should be gr"),
        (
            {"stages": [TEACHER | {"rank": 4}]},
            "stages[0].start: an adapter changes an earlier stage",
        ),
        (
            {
                "stages": [
                    TEACHER,
                    TEACHER | {"name": "a", "start": "teacher", "rank": 4, "layers": [1]},
                ]
            },
            "stages[1].layers: an adapter keeps all of 'teacher'",
        ),
        (
            {
                "stages": [
                    TEACHER,
                    TEACHER | {"name": "a", "start": "teacher", "rank": 4},
                    TEACHER | {"name": "b", "start": "a"},
                ]
            },
            "stages[2].start: 'a' leaves only an adapter",
        ),
        ({"unseen": [{"file": "a", "format": "x"}]}, "unseen[0].format: is none of sentiment"),
        ({"unmark": 1.5}, "unmark: Input should be less than or equal to 1 (got 1.5)"),
        ({"piece": 128}, "piece: Extra inputs are not permitted"),
    ],
)
def test_each_problem_is_named_with_its_place(
    tmp_path: Path, fields: dict[str, Any], problem: str
) -> None:
    path = write_recipe(tmp_path / "a.yaml", **fields)
    with pytest.raises(RecipeError, match=re.escape(problem)) as raised:
        load_recipe(path)
    assert str(raised.value).startswith(f"{path}: ")


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    stages = [TEACHER | {"start": "x"}, TEACHER | {"start": "y"}]
    with pytest.raises(RecipeError, match=r"'x'.*'y'.*stages\[1\]\.name: 'teacher' stands twice"):
        load_recipe(write_recipe(tmp_path / "a.yaml", stages=stages))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"stages: [", "is not YAML"),
        (b"\xff", "is not YAML"),
        (b"", "Input should be"),
        (b"- 1", "Input should be"),
    ],
)
def test_what_is_no_recipe_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=f"{re.escape(str(path))}: .*{problem}"):
        load_recipe(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.yaml: No such file"):
        load_recipe(tmp_path / "none.yaml")


def test_every_field_without_default_is_required() -> None:
    assert {*RECIPE} == {
        *("seed", "pieces", "mark_at_random", "unmark", "corpora", "stages", "ngrams")
    }
    for field in RECIPE:
        with pytest.raises(ValueError, match=f"{field}\n  Field required"):
            recipe().model_validate({key: value for key, value in RECIPE.items() if key != field})
