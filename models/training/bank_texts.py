"""Training texts about banks that the project wrote itself: templates, filled at random.

The templates and their labels are in ``bank_texts.yaml``, which says how to edit them, and in
``bank_texts_more.yaml``, which came later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wanglou.models.taxonomy import EventType

DEFAULT = Path(__file__).with_name("bank_texts.yaml")
"""The templates that come with the project."""

LIKE = "like"
"""Key of a file that has all but its groups from another one, beside it."""

ANONYMOUS_SHARE = 0.2
"""Of the texts about one institution, those in which a generic phrase stands for its name."""

SIGN_SHARE = 0.3
"""Of the posts, those that get a sign at the end; half as many get one at the beginning."""

TYPO_SHARE = 0.25
"""Of the posts, those that are mistyped: a typo, punctuation left out or doubled."""

ATTEMPTS = 4
"""Draws for each text wanted: templates with few fillings give fewer texts."""

Polarity = Literal["negative", "neutral", "positive"]
Emotion = Literal["happy", "angry", "sad", "fear", "surprise", "neutral"]

Filled = Annotated[tuple[str, ...], Field(min_length=1)]

_SLOT = re.compile(r"\{([^{}]*)\}")
_PUNCTUATION = re.compile(r"[，。！？、；,.!?~…]")
_ENDS = "。！!，~…"


@dataclass(frozen=True, slots=True)
class BankText:
    """A text and what is known of it; None is not labelled, or no institution is asked about."""

    text: str
    institution: str | None
    polarity: Polarity
    emotion: Emotion | None
    event_type: EventType | None
    institution_negative: bool | None


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Kind(_Part):
    """A kind of institution: names are a stem and an ending."""

    stems: Filled
    endings: Filled
    generic: Filled


class _Signs(_Part):
    before: Filled
    after: dict[Polarity | Emotion, Filled]


class _Group(_Part):
    """Templates with the same labels, one a line."""

    polarity: Polarity
    emotion: Emotion | None = None
    event: EventType | None = None
    first: bool | None = None
    second: bool | None = None
    plain: bool = False
    texts: str


class _Templates(_Part):
    kinds: dict[str, _Kind]
    slots: dict[str, Filled]
    shares: dict[Polarity, Annotated[float, Field(gt=0, le=1)]] = {}
    signs: _Signs
    typos: dict[str, Filled]
    groups: tuple[_Group, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a text; ``slot`` is empty for words that stand in the template."""

    text: str
    slot: str = ""


def bank_texts(path: Path = DEFAULT, *, seed: int, limit_per_template: int) -> list[BankText]:
    """At most that many texts of each template, in the order of the file; the same for a seed.

    A text that compares two institutions comes once for each. Raises ValueError, with the place,
    when a label or a slot is unknown.
    """
    templates = _load(path)
    texts: dict[BankText, None] = {}
    for number, group in enumerate(templates.groups, start=1):
        for template in filter(None, map(str.strip, group.texts.splitlines())):
            place = f"{path.name}, group {number}, {template!r}"
            _check(template, group, templates, place)
            rng = Random(f"{seed}:{number}:{template}")
            limit = ceil(limit_per_template * templates.shares.get(group.polarity, 1))
            texts |= dict.fromkeys(_expand(template, group, templates, rng, limit))
    return list(texts)


def invented_names(path: Path = DEFAULT) -> tuple[str, ...]:
    """The full names of the institutions that the templates speak of, one a stem; none exists."""
    kinds = _load(path).kinds.values()
    return tuple(stem + kind.endings[0] for kind in kinds for stem in kind.stems)


def _content(path: Path) -> Any:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if isinstance(content, dict) and LIKE in content:
        return _content(path.with_name(str(content.pop(LIKE)))) | content
    return content


def _load(path: Path) -> _Templates:
    try:
        templates = _Templates.model_validate(_content(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path.name}, {place}: {first['msg']}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name}: {error}") from None
    for number, group in enumerate(templates.groups, start=1):
        label = group.emotion or group.polarity
        if not group.plain and label not in templates.signs.after:
            raise ValueError(f"{path.name}, group {number}: no signs for {label}")
    return templates


def _base(slot: str) -> str:
    return slot.removesuffix("2")


def _check(template: str, group: _Group, templates: _Templates, place: str) -> None:
    """Raise ValueError where a template cannot be filled or an institution has no label."""
    if any(brace in _SLOT.sub("", template) for brace in "{}"):
        raise ValueError(f"{place}: unmatched brace")
    for slot in _SLOT.findall(template):
        choices = slot.split("|")
        if len(choices) > 1 and (names := {*templates.slots, *templates.kinds} & {*choices}):
            raise ValueError(f"{place}: a slot cannot be a choice: {min(names)!r}")
        if len(choices) > 1 or _base(slot) in templates.slots:
            continue
        if _base(slot) not in templates.kinds:
            raise ValueError(f"{place}: unknown slot {slot!r}")
        if (group.second if slot.endswith("2") else group.first) is None:
            which = "second" if slot.endswith("2") else "first"
            raise ValueError(f"{place}: {slot!r} stands in a group without {which!r}")


def _expand(
    template: str, group: _Group, templates: _Templates, rng: Random, limit: int
) -> list[BankText]:
    """Up to ``limit`` distinct texts."""
    found: dict[BankText, None] = {}
    for _ in range(ATTEMPTS * limit if _SLOT.search(template) else limit // 2 + 1):
        if len(found) >= limit:
            break
        pieces, institutions = _fill(template, templates, rng)
        if not group.plain:
            pieces = _mistype(pieces, templates.typos, rng)
        text = "".join(piece.text for piece in pieces)
        if not group.plain:
            text = _sign(text, group, templates.signs, rng)
        asked: list[tuple[str | None, bool | None]] = [
            (name, group.second if slot.endswith("2") else group.first)
            for slot, name in institutions.items()
        ]
        for institution, negative in asked or [(None, None)]:
            labels = (group.polarity, group.emotion, group.event)
            found[BankText(text, institution, *labels, negative)] = None
    return list(found)[:limit]


def _fill(template: str, templates: _Templates, rng: Random) -> tuple[list[_Piece], dict[str, str]]:
    """The template's parts with its slots filled, and the institutions named, by slot."""
    parts = _SLOT.split(template)  # literal, slot, literal, ...
    named = {slot for slot in parts[1::2] if _base(slot) in templates.kinds}
    anonymous = len(named) == 1 and rng.random() < ANONYMOUS_SHARE
    values: dict[str, str] = {}
    pieces: list[_Piece] = []
    for index, part in enumerate(parts):
        if index % 2 == 0:
            pieces.append(_Piece(part))
        elif "|" in part:
            pieces.append(_Piece(rng.choice(part.split("|"))))
        else:
            if part not in values:
                values[part] = _draw(part, templates, rng, anonymous, values)
            pieces.append(_Piece(values[part], slot=part))
    institutions = {} if anonymous else {s: v for s, v in values.items() if s in named}
    return pieces, institutions


def _draw(
    slot: str, templates: _Templates, rng: Random, anonymous: bool, taken: Mapping[str, str]
) -> str:
    """A value for a slot, other than those already in the text."""
    base = _base(slot)
    if base in templates.slots:
        choices = [value for value in templates.slots[base] if value not in taken.values()]
        return rng.choice(choices or templates.slots[base])
    kind = templates.kinds[base]
    if anonymous:
        return rng.choice(kind.generic)
    stems = [stem for stem in kind.stems if not any(stem in value for value in taken.values())]
    return rng.choice(stems or kind.stems) + rng.choice(kind.endings)


def _mistype(
    pieces: list[_Piece], typos: Mapping[str, tuple[str, ...]], rng: Random
) -> list[_Piece]:
    """Now and then mistyped; never inside a slot, so an institution's name stays whole."""
    if rng.random() >= TYPO_SHARE:
        return pieces
    noise = rng.choice(["typo", "typo", "bare", "spaces", "doubled"])
    if noise == "typo":
        words = [word for word in typos if any(word in p.text for p in pieces if not p.slot)]
        if words:
            word = rng.choice(words)
            typo = rng.choice(typos[word])
            return [p if p.slot else _Piece(p.text.replace(word, typo)) for p in pieces]
        noise = "bare"
    if noise == "doubled":
        return [
            p if p.slot else _Piece(_PUNCTUATION.sub(lambda mark: mark[0] * 2, p.text))
            for p in pieces
        ]
    gap = " " if noise == "spaces" else ""
    return [p if p.slot else _Piece(_PUNCTUATION.sub(gap, p.text)) for p in pieces]


def _sign(text: str, group: _Group, signs: _Signs, rng: Random) -> str:
    """Now and then with a sign before or after it."""
    if rng.random() < SIGN_SHARE:
        sign = rng.choice(signs.after[group.emotion or group.polarity])
        text = (text.rstrip(_ENDS) or text) + sign
    if rng.random() < SIGN_SHARE / 2:
        text = rng.choice(signs.before) + text
    return text
