"""The compatibility rule, and that the present contracts keep it."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from wanglou.schemas.compatibility import breaking_changes
from wanglou.schemas.export import documents

RELEASED = Path(__file__).parents[2] / "schemas" / "released"
CONTRACTS = sorted(file.name for file in RELEASED.glob("*.schema.json"))

OLD: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Alert",
    "type": "object",
    "required": ["id", "level", "subject"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[a-z]+$"},
        "level": {"$ref": "#/$defs/Level"},
        "subject": {"$ref": "#/$defs/Subject", "description": "Whom it is about."},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "count": {"type": "integer", "minimum": 0, "default": 0},
        "terms": {"type": "array", "items": {"$ref": "#/$defs/Term"}, "default": []},
        "platforms": {
            "type": "object",
            "additionalProperties": {"type": "integer"},
            "propertyNames": {"maxLength": 32},
            "default": {},
        },
        "source": {"anyOf": [{"$ref": "#/$defs/Subject"}, {"type": "null"}], "default": None},
        "at": {"type": "string", "format": "date-time", "default": "1970-01-01T00:00:00Z"},
    },
    "$defs": {
        "Level": {"enum": ["blue", "red"], "type": "string"},
        "Subject": {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string"}, "name": {"type": "string", "default": ""}},
        },
        "Term": {
            "type": "object",
            "required": ["score"],
            "properties": {"score": {"type": "number", "maximum": 1}},
        },
    },
}

REMOVE = object()


def changed(*changes: tuple[str, object]) -> dict[str, Any]:
    """``OLD`` with other values at some places (a path of keys joined by ``/``)."""
    schema = copy.deepcopy(OLD)
    for path, value in changes:
        *way, last = path.split("/")
        place: Any = schema
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        key = int(last) if last.isdigit() else last
        if value is REMOVE:
            del place[key]
        else:
            place[key] = value
    Draft202012Validator.check_schema(schema)
    return schema


def field(problem: str) -> str:
    """The top-level field that a problem is about."""
    return re.split(r"[.:\[]", problem.removeprefix("names of "), maxsplit=1)[0]


def test_the_released_contracts_are_there() -> None:
    assert len(CONTRACTS) == 12


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_present_contract_is_compatible_with_the_released_one(name: str) -> None:
    present = documents()
    assert name in present, "a released contract is published no more"
    released = json.loads((RELEASED / name).read_text(encoding="utf-8"))
    assert breaking_changes(released, json.loads(present[name])) == []


def test_every_released_topic_still_has_its_name_key_and_message() -> None:
    released = json.loads((RELEASED / "asyncapi.json").read_text(encoding="utf-8"))
    present = json.loads(documents()["asyncapi.json"])
    for name, channel in released["channels"].items():
        for field in ("address", "messages"):
            assert present["channels"][name][field] == channel[field], name
    for name, message in released["components"]["messages"].items():
        for field in ("bindings", "contentType", "headers", "payload"):
            assert present["components"]["messages"][name].get(field) == message.get(field), name


def test_the_same_schema_breaks_nothing() -> None:
    assert breaking_changes(OLD, copy.deepcopy(OLD)) == []


@pytest.mark.parametrize(
    "changes",
    [
        [("title", "Other")],
        [("properties/id/description", "An id."), ("properties/id/examples", ["a"])],
        [("properties/subject/description", REMOVE)],
        [("properties/id/deprecated", True)],
        [("properties/why", {"type": "string", "default": ""})],
        [("properties/why", {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None})],
        [("$defs/Subject/properties/alias", {"type": "string", "default": ""})],
        [("required", ["subject", "level", "id"])],
        [("$defs/Level/enum", ["red", "blue"])],
        [("properties/note/anyOf", [{"type": "null"}, {"type": "string"}])],
        [("properties/note", {"type": ["string", "null"], "default": None})],
        [("properties/level", {"type": "string", "enum": ["blue", "red"]})],
        [("$defs/Colour", OLD["$defs"]["Level"]), ("properties/level/$ref", "#/$defs/Colour")],
        [("additionalProperties", True)],
        [("$defs/Unused", {"type": "integer"})],
    ],
)
def test_what_may_change(changes: list[tuple[str, object]]) -> None:
    new = changed(*changes)
    assert new != OLD
    assert breaking_changes(OLD, new) == []


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        # fields
        ("properties/note", REMOVE, "note: removed"),
        ("properties/id", REMOVE, "id: removed"),
        ("$defs/Subject/properties/name", REMOVE, "subject.name: removed"),
        ("required", ["id", "level"], "subject: no longer required"),
        ("required", ["id", "level", "subject", "count"], "count: now required"),
        ("$defs/Subject/required", ["id", "name"], "subject.name: now required"),
        ("$defs/Term/required", [], "terms[].score: no longer required"),
        # defaults
        ("properties/count/default", 1, "count: default changed from 0 to 1"),
        ("properties/count/default", False, "count: default changed from 0 to false"),
        ("properties/count/default", REMOVE, "count: default 0 removed"),
        ("$defs/Subject/properties/name/default", "?", 'subject.name: default changed from "" to'),
        # types
        ("properties/count/type", "number", 'count: type changed from "integer" to "number"'),
        ("properties/count/type", REMOVE, 'count: type "integer" removed'),
        ("properties/note", {"type": "string", "default": None}, "note: null is no longer allowed"),
        ("properties/id/type", ["string", "null"], "id: null is now allowed"),
        ("properties/note/anyOf/0/type", "integer", 'note: type changed from "string" to'),
        (
            "properties/note/anyOf",
            [{"type": "string"}, {"type": "integer"}, {"type": "null"}],
            "note: alternatives changed",
        ),
        ("properties/terms/items", {"type": "string"}, "terms[]: type changed from"),
        ("properties/terms/items", REMOVE, "terms[]: type"),
        ("properties/platforms/additionalProperties", {"type": "string"}, "platforms.*: type"),
        ("properties/platforms/additionalProperties", True, "platforms.*: changed from"),
        ("$defs/Term/properties/score/type", "integer", "terms[].score: type changed"),
        ("properties/source/anyOf/0", {"type": "string"}, "source: type changed"),
        # limits, patterns, formats: either way
        ("properties/id/maxLength", 128, "id: maxLength changed from 256 to 128"),
        ("properties/id/maxLength", 512, "id: maxLength changed from 256 to 512"),
        ("properties/id/maxLength", REMOVE, "id: maxLength 256 removed"),
        ("properties/id/minLength", 0, "id: minLength changed"),
        ("properties/count/maximum", 9, "count: maximum 9 added"),
        ("properties/count/exclusiveMinimum", 0, "count: exclusiveMinimum 0 added"),
        ("properties/count/multipleOf", 2, "count: multipleOf 2 added"),
        ("properties/id/pattern", "^[a-z0-9]+$", "id: pattern changed"),
        ("properties/at/format", REMOVE, 'at: format "date-time" removed'),
        ("properties/terms/maxItems", 3, "terms: maxItems 3 added"),
        ("properties/terms/uniqueItems", True, "terms: uniqueItems true added"),
        ("properties/platforms/propertyNames/maxLength", 9, "names of platforms.*: maxLength"),
        ("$defs/Term/properties/score/maximum", 2, "terms[].score: maximum changed from 1 to 2"),
        # enumerations
        ("$defs/Level/enum", ["blue"], 'level: enum value "red" removed'),
        ("$defs/Level/enum", ["blue", "red", "black"], 'level: enum value "black" added'),
        ("$defs/Level/enum", REMOVE, "level: enum"),
        ("properties/id/enum", ["a"], 'id: enum ["a"] added'),
        ("properties/id/const", "a", 'id: const "a" added'),
        # unknown fields
        ("additionalProperties", False, "*: unknown fields are now forbidden"),
        ("$defs/Subject/additionalProperties", False, "subject.*: unknown fields are now"),
        # what the check does not know
        ("$schema", "https://json-schema.org/draft/2019-09/schema", "(whole message): $schema"),
        ("properties/id/contentEncoding", "base64", "id: contentEncoding"),
        ("properties/id/allOf", [{"maxLength": 9}], "id: allOf is not followed"),
    ],
)
def test_what_may_not_change(path: str, value: object, problem: str) -> None:
    found = breaking_changes(OLD, changed((path, value)))
    assert any(one.startswith(problem) for one in found), found
    touched = {field(problem)} | ({"source"} if field(problem) == "subject" else set())
    assert {field(one) for one in found} <= touched, "a field that did not change is named"


def test_a_new_required_field_breaks() -> None:
    new = changed(("properties/why", {"type": "string"}), ("required", [*OLD["required"], "why"]))
    assert breaking_changes(OLD, new) == ["why: new and required"]


def test_a_renamed_field_is_one_removed_and_one_new() -> None:
    new = changed(
        ("properties/id", REMOVE),
        ("properties/key", OLD["properties"]["id"]),
        ("required", ["key", "level", "subject"]),
    )
    assert breaking_changes(OLD, new) == ["id: removed", "key: new and required"]


def test_a_new_field_breaks_readers_that_refuse_unknown_ones() -> None:
    strict = changed(("additionalProperties", False))
    new = copy.deepcopy(strict)
    new["properties"]["why"] = {"type": "string", "default": ""}
    (found,) = breaking_changes(strict, new)
    assert found.startswith("why: new where old readers")


def test_allowing_unknown_fields_breaks_readers_that_refuse_them() -> None:
    strict = changed(("additionalProperties", False))
    assert breaking_changes(strict, OLD) == ["*: unknown fields are no longer forbidden"]


def test_every_break_is_named_at_every_place_where_it_stands() -> None:
    new = changed(("$defs/Subject/properties/id/type", "integer"), ("properties/count", REMOVE))
    assert breaking_changes(OLD, new) == [
        'subject.id: type changed from "string" to "integer"',
        "count: removed",
        'source.id: type changed from "string" to "integer"',
    ]


def test_one_alternative_of_several_is_named_with_its_inside() -> None:
    old = changed(
        ("properties/source/anyOf", [{"$ref": "#/$defs/Subject"}, {"$ref": "#/$defs/Term"}])
    )
    new = copy.deepcopy(old)
    new["$defs"]["Term"]["properties"]["score"]["maximum"] = 2
    assert breaking_changes(old, new) == [
        "terms[].score: maximum changed from 1 to 2",
        "source.score: maximum changed from 1 to 2",
    ]


def test_a_limit_beside_a_reference_counts() -> None:
    old = changed(("properties/level/maxLength", 9))
    new = copy.deepcopy(old)
    new["properties"]["level"]["maxLength"] = 10
    assert breaking_changes(old, new) == ["level: maxLength changed from 9 to 10"]


def test_a_limit_behind_a_reference_counts_beside_a_stricter_one() -> None:
    old = changed(("$defs/Level/maxLength", 9), ("properties/level/maxLength", 5))
    new = copy.deepcopy(old)
    assert breaking_changes(old, new) != [], "two limits at once are not followed, and said so"
    new["$defs"]["Level"]["maxLength"] = 4
    (found,) = breaking_changes(old, new)
    assert found.startswith("level: allOf")


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    old: dict[str, Any] = {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer", "default": 0},
                    "parts": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                },
            }
        },
    }
    new = copy.deepcopy(old)
    assert breaking_changes(old, new) == []
    new["$defs"]["Node"]["properties"]["size"]["type"] = "number"
    assert breaking_changes(old, new) == [
        'size: type changed from "integer" to "number"',
        'parts[].size: type changed from "integer" to "number"',
    ]


def test_it_changes_neither_schema() -> None:
    old, new = copy.deepcopy(OLD), changed(("properties/id", REMOVE))
    before = copy.deepcopy(new)
    breaking_changes(old, new)
    assert (old, new) == (OLD, before)


class Subject(BaseModel):
    id: str = Field(min_length=1)


class Old(BaseModel):
    subject: Subject
    tags: dict[str, int] = {}
    note: str | None = None


def test_models_as_pydantic_writes_them() -> None:
    class New(Old):
        why: str | None = None

    class Broken(Old):
        note: str = ""
        why: str

    old = Old.model_json_schema()
    new, broken = New.model_json_schema(), Broken.model_json_schema()
    assert breaking_changes(old, {**new, "title": "Old"}) == []
    assert breaking_changes(old, broken) == [
        'note: default changed from null to ""',
        "note: null is no longer allowed",
        "why: new and required",
    ]
