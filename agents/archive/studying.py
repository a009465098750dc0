"""What tuning learns from: reviewed cases and the mentions of every event, from the archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from wanglou.agents.archive.database import reading
from wanglou.agents.archive.entries import Kind, to_microseconds, to_time
from wanglou.agents.archive.recording import POSITION
from wanglou.agents.archive.sealing import ERASED
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import records
from wanglou.models.order import Position
from wanglou.models.tuning.course import Placed
from wanglou.schemas.mention import ScoredMention


UNREAD = ("context", "original_text", "original_context", "url", "viewpoint")


@dataclass(frozen=True, slots=True)
class Mentions:
    """The mentions of an event, in the order of their positions."""

    placed: list[Placed]
    erased: int
    """Those whose author was erased: they are taken as of nobody known."""
    purged: int
    """Those whose bodies were purged: they are not among them."""


def events_of(archive: Archive, since: datetime | None) -> dict[str, datetime]:
    """The events of which mentions were archived since a time, by id; how far each is known."""
    known = (Kind.MENTION, Kind.EVENT, Kind.ALERT)
    counted = func.count().filter(records.c.kind == str(Kind.MENTION))
    query = (
        select(records.c.chain, func.max(records.c.at))
        .where(records.c.kind.in_([str(one) for one in known]))
        .group_by(records.c.chain)
        .having(counted > 0)
        .order_by(records.c.chain)
    )
    if since is not None:
        query = query.where(records.c.at >= to_microseconds(since))
    with reading(archive.engine) as connection:
        return {chain: to_time(last) for chain, last in connection.execute(query)}


def mentions_of(archive: Archive, event_id: str, since: datetime | None) -> Mentions:
    """The mentions of an event since a time, without their texts, which weigh nothing."""
    found: list[Placed] = []
    erased = purged = 0
    for record in archive.records(event_id, [Kind.MENTION], since=since):
        if record.fields is None:
            purged += 1
            continue
        erased += record.fields.get("author") == ERASED
        found.append(_placed(record.fields))
    return Mentions(sorted(found, key=lambda one: one.position), erased, purged)


def _placed(fields: dict[str, Any]) -> Placed:
    position = Position(*fields.pop(POSITION))
    author = fields.get("author")
    given = {
        **fields,
        **dict.fromkeys(UNREAD),
        "text": "",
        "author": None if author == ERASED else author,
    }
    return Placed(position, ScoredMention.model_validate(given))
