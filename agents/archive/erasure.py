"""Erase a person by destroying their keys, and wrap all keys anew when the master key changes."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from wanglou.agents.archive.database import forget_erased
from wanglou.agents.archive.entries import Entry, Kind, to_microseconds
from wanglou.agents.archive.ledger import ASKED
from wanglou.agents.archive.problems import KeyProblem
from wanglou.agents.archive.retention import OnHold, is_held
from wanglou.agents.archive.sealing import PersonKey
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import person_keys


def erase(archive: Archive, person: str, by: str, reason: str) -> list[str]:
    """Destroy the keys of a person (the keyed hash of an author); the chains concerned.

    What was sealed with them can never be read again. Each chain says that it was done, but not
    of whom. Raises ``OnHold`` if one of the cases is on hold; nothing is erased then.
    """
    erased: list[str] = []
    while found := _erase(archive, person, by, reason):  # again, if one came meanwhile
        erased += found
    if erased:
        forget_erased(archive.engine)
    return sorted(set(erased))


def _erase(archive: Archive, person: str, by: str, reason: str) -> list[str]:
    keys = select(person_keys.c.chain, person_keys.c.id).where(person_keys.c.person == person)
    with archive.transaction() as tx:
        concerned = dict(tx.connection.execute(keys).tuples().all())
        tx.lock(concerned.keys())
        for chain in concerned:
            if is_held(tx.connection, chain):
                raise OnHold(f"{chain} is on hold: nothing was erased. wanglou archive unhold")
        now = archive.now()
        tx.connection.execute(
            update(person_keys)
            .where(person_keys.c.id.in_(concerned.values()))
            .values(person=None, master=None, wrapped=None, erased_at=to_microseconds(now))
        )
        for chain, key in concerned.items():
            fields = {"key": key, "by": by, "reason": reason}
            tx.append(chain, [Entry(Kind.ERASURE, key, now, fields)])
        return list(concerned)


def rotate(archive: Archive) -> int:
    """Wrap every key anew that another master key has wrapped; how many these were.

    Chains stay as they are. It may be interrupted, and goes on where it was. Raises
    ``KeyProblem`` where the master key before is not at hand.
    """
    if archive.keys is None:
        raise KeyProblem("there is no key to rotate to: set archive.key_file")
    current = archive.keys.current.fingerprint
    old = select(person_keys).where(person_keys.c.master != current).limit(ASKED)
    change = (
        update(person_keys)
        .where(person_keys.c.id == bindparam("key"))
        .values(master=current, wrapped=bindparam("wrapped_anew"))
    )
    count = 0
    while True:
        with archive.transaction() as tx:
            found = [
                PersonKey(row.id, row.chain, row.master, row.wrapped)
                for row in tx.connection.execute(old.with_for_update())
            ]
            if not found:
                return count
            tx.connection.execute(
                change,
                [{"key": one.id, "wrapped_anew": archive.keys.rewrap(one)} for one in found],
            )
        count += len(found)
