"""Retention by kind, with legal hold 保全."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import Connection, func, select, update

from wanglou.agents.archive.database import forget_erased, reading
from wanglou.agents.archive.entries import Entry, Kind, to_microseconds, to_time
from wanglou.agents.archive.problems import ArchiveError, UnknownCase
from wanglou.agents.archive.store import Archive, Transaction
from wanglou.agents.archive.tables import cases, records
from wanglou.agents.archive.verifying import head_of


class OnHold(ArchiveError):
    """A case that must stay as it is."""


@dataclass(frozen=True, slots=True)
class Purged:
    """Bodies of a kind that were purged from a case."""

    chain: str
    kind: Kind
    count: int
    up_to: int
    """The last row of them."""


def is_held(connection: Connection, chain: str) -> bool:
    """Whether a case is on hold: the chain's last record of it says so."""
    last = (
        select(records.c.body)
        .where(records.c.chain == chain, records.c.kind == str(Kind.HOLD))
        .order_by(records.c.sequence.desc())
        .limit(1)
    )
    body = connection.execute(last).scalar()
    return body is not None and bool(json.loads(body)["held"])


def set_hold(archive: Archive, chain: str, held: bool, by: str, reason: str) -> bool:
    """Put a case on hold, or lift that; whether this changed anything.

    Raises ``UnknownCase`` where there is no such case.
    """
    with archive.transaction() as tx:
        if head_of(tx.connection, chain) is None:
            raise UnknownCase(chain)
        tx.lock([chain])
        if is_held(tx.connection, chain) == held:
            return False
        fields = {"held": held, "by": by, "reason": reason}
        tx.append(chain, [Entry(Kind.HOLD, uuid4().hex, archive.now(), fields)])
        return True


def purge(archive: Archive, days: Mapping[Kind, int]) -> Iterator[Purged]:
    """Purge the bodies whose time is over: so many days after their case was closed.

    One transaction for each case; its chain says what was purged, and stays whole. Cases on hold
    and cases that are not closed stay as they are.
    """
    if not days:
        return
    least = to_microseconds(archive.now() - timedelta(days=min(days.values())))
    with reading(archive.engine) as connection:
        closed = select(cases.c.id).where(cases.c.closed_at <= least).order_by(cases.c.id)
        due = list(connection.execute(closed).scalars())
    found: list[Purged] = []
    for case in due:
        with archive.transaction() as tx:
            found = list(_purge(archive, tx, case, days))
        yield from found
    forget_erased(archive.engine)


def _purge(
    archive: Archive, tx: Transaction, case: str, days: Mapping[Kind, int]
) -> Iterator[Purged]:
    tx.lock([case])
    closed = select(cases.c.closed_at).where(cases.c.id == case, cases.c.closed_at.is_not(None))
    closed_at = tx.connection.execute(closed).scalar()
    if closed_at is None or is_held(tx.connection, case):
        return
    closed_on = to_time(closed_at)
    for kind, kept in days.items():
        if closed_on + timedelta(days=kept) > archive.now():
            continue
        there = (
            records.c.chain == case,
            records.c.kind == str(kind),
            records.c.body.is_not(None),
        )
        count, up_to = tx.connection.execute(
            select(func.count(), func.max(records.c.sequence)).where(*there)
        ).one()
        if not count:
            continue
        tx.connection.execute(update(records).where(*there).values(body=None))
        fields = {
            "kind": str(kind),
            "up_to": up_to,
            "count": count,
            "days": kept,
            "closed_at": closed_on.isoformat(),
        }
        tx.append(case, [Entry(Kind.RETENTION, f"{kind}-{up_to}", archive.now(), fields)])
        yield Purged(case, kind, count, up_to)
