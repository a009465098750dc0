"""What the archive keeps of each message: what is open, and what is sealed for whom.

A mention is sealed with the key of its author, so that it can be erased. Alerts and snapshots quote
mentions; of these quotations only the mention's id is kept: the text stands with the mention.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from wanglou.agents.archive.entries import Entry, Kind
from wanglou.models.order import Position
from wanglou.schemas.mention import DedupeKind
from wanglou.schemas.page import PageRecord
from wanglou.schemas.response import Response

SEALED_OF_MENTION = (
    *("text", "context", "original_text", "original_context"),
    *("url", "author", "viewpoint"),
)
SEALED_OF_RESPONSE = ("text", "evidence", "url")
POSITION = "position"
"""The field of a mention with its place in the order of everything, which no contract has."""
POINT = ("id", "since", "assessed_at", "level")
WHOLE_EVERY_MINUTES = 15
"""A snapshot of an event is kept whole so often, and when its level changed; of the others only
what changes from minute to minute."""


def load(value: bytes) -> dict[str, Any]:
    """The fields of a message. Raises ``ValueError`` for what is no object, or cannot be stored.

    >>> load(b'{"a": NaN}')
    Traceback (most recent call last):
    ValueError: NaN is no JSON
    """
    fields = json.loads(value, parse_constant=_refuse_constant)
    if not isinstance(fields, dict):
        raise ValueError(f"a message is an object, not a {type(fields).__name__}")
    if b"\\u" in value:  # an escape may be half a character, which no database takes
        json.dumps(fields, ensure_ascii=False).encode()
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def mention_entry(id: str, position: Position, value: bytes) -> tuple[str, Entry]:
    """The chain, and what is kept, of a scored mention; ``id`` is its CloudEvents id.

    Its position is kept too, so that all can be taken through the risk step again in its order.
    Raises ``ValueError`` and ``KeyError`` for what is no mention.
    """
    fields = {**load(value), POSITION: list(position)}
    sealed = {name: fields.pop(name) for name in SEALED_OF_MENTION if name in fields}
    author = sealed.get("author")
    is_update = fields["dedupe"] == DedupeKind.UPDATE.value
    at = datetime.fromisoformat(fields["collected_at" if is_update else "published_at"])
    chain = f"{fields['institution']}.{fields['risk_topic']}"
    return chain, Entry(Kind.MENTION, id, at, fields, sealed, author["id"] if author else None)


def event_entry(value: bytes) -> tuple[str, Entry]:
    """The chain, and what is kept, of a snapshot of an event."""
    fields = load(value)
    at = datetime.fromisoformat(fields["assessed_at"])
    id = f"{fields['id']}/{fields['assessed_at']}"
    entered = fields["since"] == fields["assessed_at"]
    if entered or at.minute % WHOLE_EVERY_MINUTES == 0:
        return fields["id"], Entry(Kind.EVENT, id, at, without_quotations(fields))
    situation = fields["situation"]
    kept: dict[str, Any] = {name: fields[name] for name in POINT if name in fields}
    kept["assessment"] = {**fields["assessment"], "terms": []}
    kept["situation"] = {
        name: value for name, value in situation.items() if not isinstance(value, list | dict)
    }
    return fields["id"], Entry(Kind.EVENT, id, at, kept)


def alert_entry(value: bytes) -> tuple[str, Entry]:
    """The chain, and what is kept, of an alert."""
    fields = load(value)
    at = datetime.fromisoformat(fields["decided_at"])
    return fields["event_id"], Entry(Kind.ALERT, fields["id"], at, without_quotations(fields))


def without_quotations(fields: dict[str, Any]) -> dict[str, Any]:
    """Without the texts and URLs of mentions, and without who wrote them.

    >>> without_quotations({"evidence": [{"id": "weibo:1", "text": "…", "url": "…"}]})
    {'evidence': [{'id': 'weibo:1'}]}
    """
    quoting = ("evidence", "viewpoints", "spreaders", "first_source")
    return {
        name: _unquoted(value)
        if name in quoting
        else without_quotations(value)
        if isinstance(value, dict)
        else value
        for name, value in fields.items()
    }


def _unquoted(value: Any) -> Any:
    if isinstance(value, list):
        return [_unquoted(one) for one in value]
    return {name: one for name, one in value.items() if name not in ("text", "url", "author")}


def response_entry(response: Response) -> Entry:
    """What is kept of a response."""
    return Entry(Kind.RESPONSE, response.id, response.at, *_split_response(response))


def refusal_entry(response: Response, place: str, why: str) -> Entry:
    """What is kept of a response that was refused; ``place`` is where it stands in the topic."""
    fields, sealed = _split_response(response)
    return Entry(Kind.REFUSAL, place, response.at, {**fields, "refused": why}, sealed)


def _split_response(response: Response) -> tuple[dict[str, Any], dict[str, Any]]:
    fields = response.model_dump(mode="json", exclude_none=True)
    sealed = {name: fields.pop(name) for name in SEALED_OF_RESPONSE if fields.get(name)}
    return fields, sealed


def page_entry(page: PageRecord) -> Entry:
    """What is kept of a page."""
    return Entry(Kind.PAGE, page.id, page.at, page.model_dump(mode="json", exclude_none=True))
