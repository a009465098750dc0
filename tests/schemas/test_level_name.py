"""Levels as they stand on the wire and in settings."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from wanglou.schemas.risk import Level, LevelName

LEVELS: TypeAdapter[Level] = TypeAdapter(LevelName)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("blue", Level.BLUE),
        ("yellow", Level.YELLOW),
        ("orange", Level.ORANGE),
        ("red", Level.RED),
        ("Red", Level.RED),
    ],
)
def test_a_colour_is_a_level(name: str, level: Level) -> None:
    assert LEVELS.validate_python(name) is level
    assert LEVELS.validate_json(f'"{name}"') is level


@pytest.mark.parametrize("level", list(Level))
def test_a_level_is_written_as_its_colour_and_read_back(level: Level) -> None:
    written = LEVELS.dump_json(level)
    assert written == f'"{level.name.lower()}"'.encode()
    assert LEVELS.validate_json(written) is level


@pytest.mark.parametrize("value", ["purple", "", "4", "橙色", 0, 5, None, [], {}])
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        LEVELS.validate_python(value)


def test_the_message_says_what_would_be_right() -> None:
    with pytest.raises(ValidationError, match="'purple' is no level; one of blue, yellow, orange"):
        LEVELS.validate_python("purple")


def test_the_json_schema_names_the_colours() -> None:
    schema = LEVELS.json_schema()
    assert schema["type"] == "string"
    assert schema["enum"] == ["blue", "yellow", "orange", "red"]


def test_a_graver_level_is_greater() -> None:
    assert Level.BLUE < Level.YELLOW < Level.ORANGE < Level.RED


def test_the_operators_words() -> None:
    words = {"blue": "一般", "yellow": "较大", "orange": "重大", "red": "特别重大"}
    assert {level.label: level.chinese.split("·")[1] for level in Level} == words
