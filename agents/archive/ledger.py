"""Appending to chains within a transaction: lock, pass over what is known, seal, link, insert."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
    ARRAY,
    Connection,
    Select,
    String,
    bindparam,
    func,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from wanglou.agents.archive.database import insert_rows
from wanglou.agents.archive.entries import Entry, Kind, to_microseconds, to_time
from wanglou.agents.archive.problems import KeyProblem
from wanglou.agents.archive.sealing import SEALED, Keys, PersonKey, canonical, seal
from wanglou.agents.archive.tables import chains, person_keys, records
from wanglou.models.chain import EMPTY, Head, follow

T = TypeVar("T")

ASKED = 500
"""Names in one question to the database."""


def parts(many: Iterable[T]) -> Iterable[list[T]]:
    """The same in lists that fit into one question."""
    rest = iter(many)
    while part := list(islice(rest, ASKED)):
        yield part


def lock(connection: Connection, names: Collection[str]) -> tuple[dict[str, Head], set[str]]:
    """The heads of chains, which are locked, in one order, until the transaction ends; and which
    of them are new."""
    heads: dict[str, Head] = {}
    created: set[str] = set()
    for part in parts(sorted(names)):
        found = _lock(connection, part)
        missing = [one for one in part if one not in found]
        if missing:
            make = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
            connection.execute(
                make(chains).on_conflict_do_nothing(),
                [{"id": one, "sequence": EMPTY.sequence, "hash": EMPTY.hash} for one in missing],
            )
            created.update(missing)
            found |= _lock(connection, missing)
        heads |= found
    return heads, created


def _lock(connection: Connection, names: Sequence[str]) -> dict[str, Head]:
    query = select(chains).where(chains.c.id.in_(names)).order_by(chains.c.id).with_for_update()
    return {name: Head(sequence, hash) for name, sequence, hash in connection.execute(query)}


def append(
    connection: Connection,
    chain: str,
    head: Head,
    entries: Iterable[Entry],
    keys: Keys | None,
    recorded_at: int,
) -> tuple[Head, int]:
    """The head after the entries that were new, and how many these were. The chain is locked.

    Raises ``ValueError`` for what cannot be written as JSON, ``KeyProblem``.
    """
    fresh: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        fresh.setdefault((str(entry.kind), entry.id), entry)
    for known in _known(connection, chain, fresh):
        del fresh[known]
    if not fresh:
        return head, 0
    ciphers = _ciphers(connection, chain, fresh.values(), keys, recorded_at)
    values = []
    for entry in fresh.values():
        body = _body(chain, entry, ciphers)
        at = to_microseconds(entry.at)
        row = follow(head, chain, str(entry.kind), entry.id, at, recorded_at, body)
        head = Head(row.sequence, row.hash)
        values.append({"chain": chain, **row._asdict()})
    insert_rows(connection, records, values)
    moved = update(chains).where(chains.c.id == chain)
    connection.execute(moved.values(sequence=head.sequence, hash=head.hash))
    return head, len(values)


def _known(
    connection: Connection, chain: str, asked: Iterable[tuple[str, str]]
) -> set[tuple[str, str]]:
    ids: dict[str, list[str]] = {}
    for kind, id in asked:
        ids.setdefault(kind, []).append(id)
    known = set()
    for kind, all_of_kind in ids.items():
        for part in parts(all_of_kind):
            query = _which(connection, chain, kind, part)
            known |= {(kind, id) for id in connection.execute(query).scalars()}
    return known


def _which(connection: Connection, chain: str, kind: str, ids: list[str]) -> Select[tuple[str]]:
    """The question which of these ids a chain holds."""
    here = select(records.c.id).where(records.c.chain == chain, records.c.kind == kind)
    if connection.dialect.name == "sqlite":
        return here.where(records.c.id.in_(ids))
    # One look into the unique index for each: PostgreSQL, until it has counted a new table, would
    # rather read the whole chain.
    asked = func.unnest(bindparam("ids", ids, ARRAY(String))).table_valued("id").render_derived()
    found = here.where(records.c.id == asked.c.id).limit(1).lateral()
    return select(found.c.id).select_from(asked.join(found, true()))


def person_of(chain: str, entry: Entry) -> str:
    """Whom the sealed fields concern: a person, or the case itself."""
    return f"case:{chain}" if entry.person is None else entry.person


def _ciphers(
    connection: Connection,
    chain: str,
    entries: Iterable[Entry],
    keys: Keys | None,
    now: int,
) -> dict[str, tuple[str, AESGCM]]:
    """Key id and cipher by person; those not met before get a new key.

    The database is always asked, under the chain's lock: a key may have been destroyed.
    """
    persons = {person_of(chain, one) for one in entries if one.sealed}
    if not persons:
        return {}
    if keys is None:
        raise KeyProblem("sensitive fields cannot be sealed without a key: set archive.key_file")
    found: dict[str, tuple[str, AESGCM]] = {}
    for part in parts(sorted(persons)):
        query = select(person_keys).where(
            person_keys.c.chain == chain, person_keys.c.person.in_(part)
        )
        for row in connection.execute(query):
            cipher = keys.cipher(PersonKey(row.id, row.chain, row.master, row.wrapped))
            assert cipher is not None, "a destroyed key has no person"
            found[row.person] = row.id, cipher
    new = []
    for person in sorted(persons - found.keys()):
        stored, cipher = keys.new_person_key(chain)
        found[person] = stored.id, cipher
        new.append(
            {
                "id": stored.id,
                "chain": chain,
                "person": person,
                "master": stored.master,
                "wrapped": stored.wrapped,
                "created_at": now,
            }
        )
    if new:
        insert_rows(connection, person_keys, new)
    return found


CASE = "case"
"""What the body of a case is sealed as, with the key of the case itself."""


def seal_case(
    connection: Connection, chain: str, body: bytes, keys: Keys | None, now: int
) -> bytes:
    """A case as it stands in the database: the texts of its drafts are sensitive."""
    entry = Entry(Kind.RESPONSE, chain, to_time(now), {}, {CASE: body.decode()})
    key, cipher = _ciphers(connection, chain, [entry], keys, now)[person_of(chain, entry)]
    return canonical(seal(cipher, key, chain, CASE, chain, entry.sealed))


def _body(chain: str, entry: Entry, ciphers: Mapping[str, tuple[str, AESGCM]]) -> bytes:
    fields: dict[str, Any] = dict(entry.fields)
    try:
        if entry.sealed:
            key, cipher = ciphers[person_of(chain, entry)]
            fields[SEALED] = seal(cipher, key, chain, str(entry.kind), entry.id, entry.sealed)
        return canonical(fields)
    except ValueError as error:
        raise ValueError(f"{entry.kind} {entry.id}: cannot be written as JSON: {error}") from None
