"""One line that says what is wrong."""

from __future__ import annotations

import json
from typing import Self

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from wanglou.schemas.problems import MAX_SHOWN, check, describe, place


class Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    weight: float = Field(ge=0)
    terms: list[str] = []
    secret: int = 0

    @field_validator("terms")
    @classmethod
    def _no_blank(cls, terms: list[str]) -> list[str]:
        if "" in terms:
            raise ValueError("a term is blank")
        return terms


class Rules(BaseModel):
    rules: list[Rule]
    secret: Rule | None = None


def problem(message: object, *hidden: str) -> str:
    with pytest.raises(ValidationError) as caught:
        Rules.model_validate_json(json.dumps(message))
    return describe(caught.value, hidden)


@pytest.mark.parametrize(
    ("location", "written"),
    [
        ((), "(whole value)"),
        (("text",), "text"),
        (("author", "tier"), "author.tier"),
        ((3,), "[3]"),
        (("rules", 0, "terms", 12), "rules[0].terms[12]"),
    ],
)
def test_a_place_is_written_as_people_write_it(
    location: tuple[int | str, ...], written: str
) -> None:
    assert place(location) == written


def test_place_problem_and_value_are_named() -> None:
    line = problem({"rules": [{"weight": 1}, {"weight": -2}]})
    assert line == "rules[1].weight: Input should be greater than or equal to 0 (got -2)"


def test_all_problems_are_named() -> None:
    line = problem({"rules": [{"weight": "heavy"}, {}]})
    first, second = line.split("; ")
    assert first.startswith("rules[0].weight: ")
    assert first.endswith("(got 'heavy')")
    assert second == "rules[1].weight: Field required"


def test_a_whole_object_is_not_shown_for_a_field_that_is_missing() -> None:
    assert "got" not in problem({"rules": [{"terms": ["挤兑"]}]})


def test_our_own_messages_stand_for_themselves() -> None:
    assert problem({"rules": [{"weight": 1, "terms": [""]}]}) == "rules[0].terms: a term is blank"


def test_a_long_value_is_cut_and_what_is_not_ascii_is_escaped() -> None:
    line = problem({"rules": [{"weight": "挤" * 1000}]})
    shown = line.partition("(got ")[2]
    assert shown == "'" + ("\\u6324" * 100)[: MAX_SHOWN - 1] + "…)"


def test_line_breaks_in_a_value_cannot_forge_a_line_of_a_log() -> None:
    assert "\n" not in problem({"rules": [{"weight": "1\nERROR all is lost"}]})


def test_the_value_of_an_unknown_field_is_not_shown() -> None:
    line = problem({"rules": [{"weight": 1, "secrett": "s3cret"}]})
    assert line.startswith("rules[0].secrett: ")
    assert "s3cret" not in line


def test_hidden_fields_show_no_value_at_any_depth() -> None:
    message = {"rules": [{"weight": "visible"}], "secret": {"weight": "s3cret", "secret": "s3cret"}}
    line = problem(message, "secret")
    assert "visible" in line
    assert "secret.weight: " in line
    assert "s3cret" not in line


def test_what_is_no_json_is_said_without_the_bytes() -> None:
    with pytest.raises(ValidationError) as caught:
        Rules.model_validate_json(b'{"rules": [' + b"x" * 10_000)
    line = describe(caught.value)
    assert line.startswith("(whole value): Invalid JSON")
    assert len(line) < 200


class Checked(BaseModel):
    terms: list[str]

    @model_validator(mode="after")
    def _no_blank(self) -> Self:
        places = [index for index, term in enumerate(self.terms) if not term]
        check((("terms", index), "is blank: {write} one") for index in places)
        return self


class Holder(BaseModel):
    one: Checked


def problem_of_terms(*terms: str) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Holder.model_validate({"one": {"terms": terms}})
    return caught.value


def test_problems_that_a_check_finds_have_their_own_places() -> None:
    assert Holder.model_validate({"one": {"terms": ["a"]}}).one.terms == ["a"]
    error = problem_of_terms("a", "", "b", "")
    text = "is blank: {write} one"
    assert describe(error) == f"one.terms[1]: {text}; one.terms[3]: {text}"


def test_each_problem_is_told_with_its_line() -> None:
    lines = {("one", "terms", 1): 7, ("one", "terms", 2): 9}
    told = describe(problem_of_terms("a", "", ""), line_of=lines.__getitem__)
    text = "is blank: {write} one"
    assert told == f"line 7: one.terms[1]: {text}; line 9: one.terms[2]: {text}"
