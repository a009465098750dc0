"""Say in one line what is wrong with an input: which field, its value, what would be right."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

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


def describe(error: ValidationError, hidden: Sequence[str] = ()) -> str:
    """All problems of a validation, joined by ``; ``.

    Values are shown cut to 60 characters, but never those of the ``hidden`` top-level fields.
    """
    problems = []
    for problem in error.errors(include_url=False, include_context=False):
        line = f"{place(problem['loc'])}: {problem['msg'].removeprefix(OWN_MESSAGE)}"
        concealed = bool(problem["loc"]) and problem["loc"][0] in hidden
        if not concealed and problem["type"] not in VALUE_SAYS_NOTHING:
            shown = ascii(problem["input"])
            line += f" (got {shown[:MAX_SHOWN]}{'…' if len(shown) > MAX_SHOWN else ''})"
        problems.append(line)
    return "; ".join(problems)
