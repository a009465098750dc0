"""What may change in a published contract, and what needs a ``v2``.

Old messages stand in the topics for as long as those keep them (alerts a year, events for ever),
and both sides are upgraded one by one. So within ``v1`` compatibility is full: who reads with the
old contract reads new messages, and who reads with the new one reads old messages. Readers check
what they read, ignore fields that they do not know, and take the default for a field that is
absent.

===================================  =======  ====================================================
Change                               In v1?   Why
===================================  =======  ====================================================
description, title, examples, order  yes      says nothing about the messages
new optional field                   yes      old readers ignore it, old messages do without it
new required field                   no       old messages lack it
field removed or renamed             no       required: old readers miss it. Optional: its absence
                                              tells them the default, and its name could come back
                                              with another meaning. Say "no longer written" in its
                                              description instead
optional field made required         no       old messages may lack it
required field made optional         no       new messages may lack it, old readers need it
default changed                      no       its absence would mean one thing to one side and
                                              another to the other
type changed, null allowed or not    no       wider: old readers refuse new messages; narrower:
                                              new readers refuse old ones
limit, pattern or format changed     no       the same, whichever way it moves
enum value added                     no       old readers refuse it: bring it in a new optional
                                              field
enum value removed                   no       new readers refuse old messages
unknown fields forbidden             no       no field could be added ever after
===================================  =======  ====================================================

The contracts as last released stand in ``schemas/released``, and a test holds the present ones
against them. A release, and nothing else, copies the present ones there:
``wanglou schema export schemas/released``. The same files for the present code stand in
``schemas/generated`` and are only checked for being up to date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

ANNOTATIONS = frozenset({"title", "description", "examples", "deprecated", "$comment", "$defs"})
"""Keywords that accept and refuse no message; ``$defs`` counts where it is referred to."""

STRUCTURE = frozenset(
    {"properties", "required", "default", "items", "additionalProperties", "propertyNames", "enum"}
)
"""Keywords that are followed into, or compared value by value; all others must be equal."""

NOT_FOLLOWED = frozenset(
    {"allOf", "not", "if", "then", "else", "prefixItems", "contains", "patternProperties"}
    | {"dependentSchemas", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef"}
)
"""Keywords with schemas in them that our contracts do not need: a reference in one could change
unseen, so they are reported wherever they stand."""

ANY: Schema = {}
"""A schema that accepts everything."""


def breaking_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Every change between two JSON Schemas that the rule forbids, with its path; none is good.

    Follows ``$ref`` into ``$defs``, objects, arrays (``terms[]``), maps (``platforms.*``) and
    alternatives. A keyword that it does not know must not change at all.

    >>> breaking_changes(
    ...     {"properties": {"risk": {"type": "integer"}}, "required": ["risk"]},
    ...     {"properties": {"risk": {"type": "number"}, "why": {"type": "string"}},
    ...      "required": ["risk"]})
    ['risk: type changed from "integer" to "number"']
    """
    return list(dict.fromkeys(_Comparison(old, new).changes("", old, new)))


class _Comparison:
    """Two documents, for their references; remembers the pairs that it is inside of."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._pairs: set[tuple[str, str]] = set()

    def changes(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        """What is forbidden between two schemas at the same place."""
        pair = (_text(old), _text(new))
        if pair in self._pairs:
            return
        self._pairs.add(pair)
        olds, news = _alternatives(self._old, old), _alternatives(self._new, new)
        was_nullable, is_nullable = any(map(_is_null, olds)), any(map(_is_null, news))
        if was_nullable != is_nullable:
            yield f"{_name(path)}: null is {'now' if is_nullable else 'no longer'} allowed"
        olds = [one for one in olds if not _is_null(one)]
        news = [one for one in news if not _is_null(one)]
        yield from self._pair_up(path, olds, news)
        self._pairs.discard(pair)

    def _pair_up(self, path: str, olds: list[Schema], news: list[Schema]) -> Iterator[str]:
        """Compare alternatives: those that agree are set aside, whatever their order."""
        for one in list(olds):
            twin = next((two for two in news if not list(self._one(path, one, two))), None)
            if twin is not None:
                olds.remove(one)
                news.remove(twin)
        if len(olds) == len(news) == 1:
            yield from self._one(path, olds[0], news[0])
        elif olds or news:
            yield f"{_name(path)}: alternatives changed from {_text(olds)} to {_text(news)}"

    def _one(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        for keyword in sorted((old.keys() | new.keys()) - STRUCTURE):
            if keyword in NOT_FOLLOWED:
                yield f"{_name(path)}: {keyword} is not followed by this check"
            elif _text(old.get(keyword)) != _text(new.get(keyword)):
                yield f"{_name(path)}: {keyword} {_change(old, new, keyword)}"
        yield from self._enum(path, old, new)
        yield from self._properties(path, old, new)
        yield from self._within(f"{path}[]", old.get("items", ANY), new.get("items", ANY))
        others = f"{path}.*".lstrip(".")
        names = (old.get("propertyNames", ANY), new.get("propertyNames", ANY))
        yield from self._within(f"names of {others}", *names)
        unknown = (old.get("additionalProperties", True), new.get("additionalProperties", True))
        yield from self._within(others, *unknown)

    def _within(self, path: str, old: Schema | bool, new: Schema | bool) -> Iterator[str]:
        if isinstance(old, bool) and isinstance(new, bool):
            if old != new:
                yield f"{path}: unknown fields are {'now' if old else 'no longer'} forbidden"
        elif isinstance(old, bool) or isinstance(new, bool):
            yield f"{path}: changed from {_text(old)} to {_text(new)}"
        else:
            yield from self.changes(path, old, new)

    def _enum(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        if ("enum" in old) != ("enum" in new):
            yield f"{_name(path)}: enum {_change(old, new, 'enum')}"
            return
        before, after = ([_text(value) for value in side.get("enum", ())] for side in (old, new))
        for value in before:
            if value not in after:
                yield f"{_name(path)}: enum value {value} removed"
        for value in after:
            if value not in before:
                yield f"{_name(path)}: enum value {value} added"

    def _properties(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed_before, needed_after = old.get("required", ()), new.get("required", ())
        for field in [*before, *(one for one in after if one not in before)]:
            at = f"{path}.{field}".lstrip(".")
            if field not in after:
                yield f"{at}: removed"
            elif field not in before:
                if field in needed_after:
                    yield f"{at}: new and required"
                if old.get("additionalProperties", True) is not True:
                    yield f"{at}: new where old readers do not ignore unknown fields"
            else:
                if (field in needed_before) != (field in needed_after):
                    yield f"{at}: {'now' if field in needed_after else 'no longer'} required"
                elif field not in needed_after and _default(before[field]) != _default(
                    after[field]
                ):
                    yield f"{at}: default {_change(before[field], after[field], 'default')}"
                yield from self.changes(at, before[field], after[field])


def _alternatives(document: Schema, schema: Schema) -> list[Schema]:
    """The schemas of which a value must match one, with their references resolved."""
    schema = {key: value for key, value in schema.items() if key not in ANNOTATIONS}
    schema.pop("default", None)
    reference = schema.pop("$ref", None)
    if reference is not None:
        target: Any = document
        for part in str(reference).removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        return _alternatives(document, _both(target, schema))
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": one} for one in schema["type"]]
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            branches = schema.pop(keyword)
            return [
                one for branch in branches for one in _alternatives(document, _both(branch, schema))
            ]
    return [schema]


def _both(one: Schema, other: Schema) -> Schema:
    """What demands everything that two schemas demand."""
    merged = {**one, **other}
    clash = {key: value for key, value in one.items() if value != merged[key]}
    return {**merged, "allOf": [clash]} if clash.keys() - ANNOTATIONS else merged


def _is_null(schema: Schema) -> bool:
    return schema.get("type") == "null"


def _default(schema: Schema) -> str:
    return _text(schema["default"]) if "default" in schema else "(none)"


def _change(old: Schema, new: Schema, keyword: str) -> str:
    if keyword not in old:
        return f"{_text(new[keyword])} added"
    if keyword not in new:
        return f"{_text(old[keyword])} removed"
    return f"changed from {_text(old[keyword])} to {_text(new[keyword])}"


def _text(value: Any) -> str:
    """A value as JSON, which unlike Python tells 1 from 1.0 and true."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _name(path: str) -> str:
    return path or "(whole message)"
