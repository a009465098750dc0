"""Verify chains as they stand in the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import NoneType

from sqlalchemy import Connection, Engine, select, union
from sqlalchemy.exc import DBAPIError

from wanglou.agents.archive.database import STREAMED_ROWS, reading
from wanglou.agents.archive.entries import Kind
from wanglou.agents.archive.problems import UnknownCase
from wanglou.agents.archive.tables import chains, records
from wanglou.models.chain import EMPTY, Break, Head, Row, Verification, purged, verify

_COLUMNS = select(
    records.c.sequence,
    records.c.kind,
    records.c.id,
    records.c.at,
    records.c.recorded_at,
    records.c.body,
    records.c.digest,
    records.c.hash,
)

_TYPES: tuple[type | tuple[type, ...], ...] = (
    int,
    str,
    str,
    int,
    int,
    (bytes, NoneType),
    bytes,
    bytes,
)


def verify_chain(engine: Engine, chain: str) -> Verification:
    """Verify one chain. Raises ``UnknownCase`` where there is none of this name."""
    with reading(engine) as connection:
        if chain not in _names(connection, chain):
            raise UnknownCase(chain)
        return verify_within(connection, chain)


def verify_all(engine: Engine) -> Iterator[Verification]:
    """Verify every chain, one after the other, as they stood when this began."""
    with reading(engine) as connection:
        for chain in _names(connection):
            yield verify_within(connection, chain)


def verify_within(connection: Connection, chain: str) -> Verification:
    """Verify one chain within a transaction that is there already."""
    head = head_of(connection, chain)
    retentions = map(
        Row._make,
        connection.execute(
            _COLUMNS.where(records.c.chain == chain, records.c.kind == str(Kind.RETENTION))
        ),
    )
    damaged: list[Break] = []
    found = verify(chain, rows(connection, chain, damaged), head or EMPTY, purged(retentions))
    if head is None:
        damaged.append(Break(chain, 0, "the chain's head was removed"))
    return replace(found, breaks=[*damaged, *found.breaks]) if damaged else found


def head_of(connection: Connection, chain: str) -> Head | None:
    """The head of a chain, None where there is no such chain."""
    row = connection.execute(select(chains).where(chains.c.id == chain)).first()
    return None if row is None else Head(row.sequence, row.hash)


def rows(connection: Connection, chain: str, damaged: list[Break] | None = None) -> Iterator[Row]:
    """The rows of a chain in their order, in flat memory.

    With ``damaged`` rows that the database cannot read are told there, and passed over.
    """
    query = _COLUMNS.where(records.c.chain == chain).order_by(records.c.sequence)
    if connection.dialect.name == "sqlite" and damaged is not None:
        yield from _readable(connection, chain, damaged)
        return
    streamed = connection.execute(query, execution_options={"yield_per": STREAMED_ROWS})
    yield from map(Row._make, streamed)


def _readable(connection: Connection, chain: str, damaged: list[Break]) -> Iterator[Row]:
    """Page by page, as SQLite gives up a stream at the first page of its file that is damaged."""
    last = 0
    while True:
        page = _COLUMNS.where(records.c.chain == chain, records.c.sequence > last)
        page = page.order_by(records.c.sequence).limit(STREAMED_ROWS)
        try:
            read = [Row._make(row) for row in connection.execute(page)]
        except DBAPIError as error:
            read = _read_singly(connection, chain, last, damaged, error)
        if not read:
            return
        for row in read:
            if _is_typed(row):
                yield row
            else:
                damaged.append(Break(chain, row.sequence, "has a value of another type"))
        last = read[-1].sequence


def _is_typed(row: Row) -> bool:
    """Whether its values have the types that were written: SQLite takes any in any column."""
    return all(isinstance(value, type) for value, type in zip(row, _TYPES, strict=True))


def _read_singly(
    connection: Connection, chain: str, last: int, damaged: list[Break], error: DBAPIError
) -> list[Row]:
    """The rows of a page of which not all can be read."""
    read = []
    for sequence in range(last + 1, last + 1 + STREAMED_ROWS):
        query = _COLUMNS.where(records.c.chain == chain, records.c.sequence == sequence)
        try:
            read += [Row._make(row) for row in connection.execute(query)]
        except DBAPIError:
            damaged.append(Break(chain, sequence, f"cannot be read: {error.orig}"))
    return read


def _names(connection: Connection, chain: str | None = None) -> list[str]:
    """The chains that have a head, rows, or both; or the one that is asked for."""
    heads, ledger = select(chains.c.id), select(records.c.chain)
    if chain is not None:
        heads = heads.where(chains.c.id == chain)
        ledger = ledger.where(records.c.chain == chain).limit(1)
        return [*connection.execute(heads).scalars(), *connection.execute(ledger).scalars()]
    return sorted(connection.execute(union(heads, ledger)).scalars())
