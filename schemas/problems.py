"""Say in one line what is wrong with an input: which field, its value, what would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

Location = tuple[int | str, ...]
"""Where a field stands: names and indices from the whole value down to it."""

Problem = tuple[Location, str]
"""A field, and what is wrong with it."""

VALUE_SAYS_NOTHING = ("missing", "json_invalid", "model_type", "value_error", "extra_forbidden")
"""Problems whose input is a whole object, or whose message shows the value already. What stands
under an unknown name may be a secret under a mistyped one."""

OWN_MESSAGE = "Value error, "
"""What pydantic puts before the message of a validator of ours."""

MAX_SHOWN = 60
"""Characters of a wrong value that are shown."""


def place(location: Sequence[int | str]) -> str:
    """A field's place as people write it.

    >>> place(("institutions", 2, "aliases", 0))
    'institutions[2].aliases[0]'
    """
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.lstrip(".") or "(whole value)"


def check(problems: Iterable[Problem]) -> None:
    """Raise one ``ValidationError`` with all problems, if there are any.

    In a validator the locations are those within its own model; pydantic puts the way to it before.
    """
    details = [
        InitErrorDetails(
            type=PydanticCustomError("value_error", "{problem}", {"problem": text}),
            loc=location,
            input=None,
        )
        for location, text in problems
    ]
    if details:
        raise ValidationError.from_exception_data("value", details)


def describe(
    error: ValidationError,
    hidden: Sequence[str] = (),
    line_of: Callable[[Location], int] | None = None,
) -> str:
    """All problems of a validation, joined by ``; ``; each with its line, if ``line_of`` tells it.

    Values are shown cut to 60 characters, but never those of the ``hidden`` top-level fields.
    """
    problems = []
    for problem in error.errors(include_url=False, include_context=False):
        line = f"{place(problem['loc'])}: {problem['msg'].removeprefix(OWN_MESSAGE)}"
        concealed = bool(problem["loc"]) and problem["loc"][0] in hidden
        if not concealed and problem["type"] not in VALUE_SAYS_NOTHING:
            shown = ascii(problem["input"])
            line += f" (got {shown[:MAX_SHOWN]}{'…' if len(shown) > MAX_SHOWN else ''})"
        if line_of is not None:
            line = f"line {line_of(problem['loc'])}: {line}"
        problems.append(line)
    return "; ".join(problems)
