"""The archive's store: one transaction appends to chains, moves offsets, and keeps the cases.

archive = Archive(engine, keys)
with archive.transaction() as tx:      # all of it, or nothing
    tx.lock(["hexing-bank.run", …])    # all chains of the batch, in one call
    new = tx.append("hexing-bank.run", entries)
    tx.save_case(CaseRow(…))
    tx.queue(message)
    tx.move_offset("wanglou.alerts.v1", 0, old, new)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from wanglou.agents.archive import ledger
from wanglou.agents.archive.database import STREAMED_ROWS, reading, writing
from wanglou.agents.archive.entries import Entry, Kind, Record, to_microseconds, to_time
from wanglou.agents.archive.problems import ArchiveError, Fenced, KeyProblem
from wanglou.agents.archive.sealing import ERASED, SEALED, Keys, PersonKey, unseal
from wanglou.agents.archive.tables import cases, chains, offsets, outbox, person_keys, records
from wanglou.agents.kafka import Message
from wanglou.models.chain import Head


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as it stands. ``body`` is the whole of it as JSON; the rest is what is searched."""

    id: str
    body: bytes
    status: str
    institution: str
    opened_at: datetime
    level: str | None = None
    owner: str | None = None
    closed_at: datetime | None = None
    next_deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """A message that waits for Kafka."""

    id: int
    message: Message


IsOpened = Callable[[Mapping[str, Any]], bool]
"""Whether what is sealed of a record is wanted, by what is open of it."""


def _every(fields: Mapping[str, Any]) -> bool:
    return True


def _now() -> datetime:
    return datetime.now(UTC)


class Archive:
    """The archive. Without ``keys`` it can be verified, but nothing sensitive read or written.

    Every method raises ``ArchiveError``; ``Unavailable`` means that it may be tried again.
    """

    def __init__(
        self, engine: Engine, keys: Keys | None, now: Callable[[], datetime] = _now
    ) -> None:
        self.engine = engine
        self.keys = keys
        self.now = now

    def check_keys(self) -> None:
        """Raise ``KeyProblem`` unless all that is sealed can be opened."""
        with reading(self.engine) as connection:
            query = select(person_keys.c.master).where(person_keys.c.master.is_not(None)).distinct()
            used = set(connection.execute(query).scalars())
        if not used:
            return
        if self.keys is None:
            raise KeyProblem("the archive is sealed: set archive.key_file to the file of its key")
        for fingerprint in sorted(used - set(self.keys.fingerprints)):
            raise self.keys.wrong(fingerprint)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All that is done within is written when it ends, or nothing of it."""
        with writing(self.engine) as connection:
            transaction = Transaction(connection, self.keys, to_microseconds(self.now()))
            yield transaction
            transaction.end()

    def offsets(self, topics: Collection[str]) -> dict[tuple[str, int], int]:
        """What is to be read next, by topic and partition; what was never read is not in it."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(offsets).where(offsets.c.topic.in_(topics)))
            return {(topic, partition): offset for topic, partition, offset in rows}

    def case(self, id: str) -> CaseRow | None:
        """A case as it stands."""
        with reading(self.engine) as connection:
            return _case(connection, self.keys, id)

    def cases(
        self,
        *,
        status: Collection[str] = (),
        institution: str | None = None,
        opened_from: datetime | None = None,
        opened_to: datetime | None = None,
        due_before: datetime | None = None,
    ) -> Iterator[CaseRow]:
        """Cases, the latest first. ``opened_to`` and ``due_before`` are not included."""
        query = select(cases).order_by(cases.c.opened_at.desc(), cases.c.id)
        if status:
            query = query.where(cases.c.status.in_(status))
        if institution is not None:
            query = query.where(cases.c.institution == institution)
        if opened_from is not None:
            query = query.where(cases.c.opened_at >= to_microseconds(opened_from))
        if opened_to is not None:
            query = query.where(cases.c.opened_at < to_microseconds(opened_to))
        if due_before is not None:
            query = query.where(cases.c.next_deadline < to_microseconds(due_before))
        query = query.execution_options(yield_per=STREAMED_ROWS)
        with reading(self.engine) as connection:
            for row in connection.execute(query).mappings():
                yield _case_row(connection, self.keys, row)

    def records(
        self,
        chain: str,
        kinds: Collection[Kind] = (),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        is_opened: IsOpened = _every,
    ) -> Iterator[Record]:
        """Records of a chain in their order; streamed, so memory stays flat.

        ``since`` (included) and ``until`` (not) are of the time when it happened. What is sealed is
        opened where ``is_opened`` says so, else left out. A field of a person who was erased is
        shown as ``ERASED``.
        """
        with reading(self.engine) as connection:
            yield from self.read(connection, chain, kinds, since, until, is_opened)

    def read(
        self,
        connection: Connection,
        chain: str,
        kinds: Collection[Kind] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        is_opened: IsOpened = _every,
    ) -> Iterator[Record]:
        """As ``records``, within a transaction that is there already."""
        query = select(records).where(records.c.chain == chain).order_by(records.c.sequence)
        if kinds:
            query = query.where(records.c.kind.in_([str(one) for one in kinds]))
        if since is not None:
            query = query.where(records.c.at >= to_microseconds(since))
        if until is not None:
            query = query.where(records.c.at < to_microseconds(until))
        query = query.execution_options(yield_per=STREAMED_ROWS)
        for rows in connection.execute(query).mappings().partitions():
            yield from self._opened(connection, rows, is_opened)

    def _opened(
        self, connection: Connection, rows: Sequence[RowMapping], is_opened: IsOpened
    ) -> Iterator[Record]:
        fields = [None if row["body"] is None else json.loads(row["body"]) for row in rows]
        for body in fields:
            if body is not None and SEALED in body and not is_opened(body):
                del body[SEALED]
        keys = self._keys_of(connection, fields)
        for row, body in zip(rows, fields, strict=True):
            yield Record(
                row["chain"],
                row["sequence"],
                Kind(row["kind"]),
                row["id"],
                to_time(row["at"]),
                to_time(row["recorded_at"]),
                body if body is None else self._open(row, body, keys),
            )

    def _keys_of(
        self, connection: Connection, bodies: Iterable[dict[str, Any] | None]
    ) -> dict[str, PersonKey]:
        ids = {body[SEALED]["key"] for body in bodies if body is not None and SEALED in body}
        found = {}
        for part in ledger.parts(sorted(ids)):
            query = select(person_keys).where(person_keys.c.id.in_(part))
            for row in connection.execute(query):
                found[row.id] = PersonKey(row.id, row.chain, row.master, row.wrapped)
        return found

    def _open(
        self, row: RowMapping, body: dict[str, Any], keys: dict[str, PersonKey]
    ) -> dict[str, Any]:
        box = body.pop(SEALED, None)
        if box is None:
            return body
        if self.keys is None:
            raise KeyProblem("sealed fields cannot be read without a key: set archive.key_file")
        stored = keys.get(box["key"])
        cipher = None if stored is None else self.keys.cipher(stored)
        if cipher is None:
            return body | dict.fromkeys(box["names"], ERASED)
        return body | unseal(cipher, row["chain"], row["kind"], row["id"], box)

    def outbox(self, limit: int = 1000) -> list[Queued]:
        """The messages that wait for Kafka, in the order in which they were queued."""
        with reading(self.engine) as connection:
            query = select(outbox).order_by(outbox.c.id).limit(limit)
            return [_queued(row) for row in connection.execute(query).mappings()]

    def sent(self, queued: Iterable[Queued]) -> None:
        """Forget messages that Kafka has acknowledged."""
        with writing(self.engine) as connection:
            for part in ledger.parts(one.id for one in queued):
                connection.execute(delete(outbox).where(outbox.c.id.in_(part)))


class Transaction:
    """What is done in one transaction of the archive."""

    def __init__(self, connection: Connection, keys: Keys | None, now: int) -> None:
        self._connection = connection
        self._keys = keys
        self._now = now
        self._heads: dict[str, Head] = {}
        self._created: set[str] = set()

    @property
    def connection(self) -> Connection:
        """Where its statements go."""
        return self._connection

    def lock(self, names: Collection[str]) -> None:
        """Let no other writer at these chains until the transaction ends.

        Whoever changes several chains locks all of them first, in one call: two writers that lock
        one after the other may wait for each other.
        """
        missing = set(names) - self._heads.keys()
        if missing:
            heads, created = ledger.lock(self._connection, missing)
            self._heads |= heads
            self._created |= created

    def append(self, chain: str, entries: Iterable[Entry]) -> int:
        """Append what the chain does not hold yet; how many that were.

        What has a kind and an id that the chain knows is passed over, whatever else it says.
        Raises ``ValueError`` for what cannot be written as JSON.
        """
        self.lock([chain])
        self._heads[chain], new = ledger.append(
            self._connection, chain, self._heads[chain], entries, self._keys, self._now
        )
        return new

    def move_offset(self, topic: str, partition: int, old: int | None, new: int) -> None:
        """Record that all before ``new`` was read. ``old`` is what was found, None if nothing.

        Raises ``Fenced`` if another process has moved it since.
        """
        here = (offsets.c.topic == topic, offsets.c.partition == partition)
        if old is None:
            values = {"topic": topic, "partition": partition, "next_offset": new}
            try:
                self._connection.execute(insert(offsets).values(values))
            except IntegrityError:
                raise _fenced(topic, partition) from None
            return
        moved = self._connection.execute(
            update(offsets).where(*here, offsets.c.next_offset == old).values(next_offset=new)
        )
        if moved.rowcount != 1:
            raise _fenced(topic, partition)

    def case(self, id: str) -> CaseRow | None:
        """A case as it stands. Lock its chain first, if you are going to change it."""
        return _case(self._connection, self._keys, id)

    def save_case(self, case: CaseRow) -> None:
        """Write a case as it stands now."""
        values = {
            "body": ledger.seal_case(self._connection, case.id, case.body, self._keys, self._now),
            "status": case.status,
            "level": case.level,
            "institution": case.institution,
            "owner": case.owner,
            "opened_at": to_microseconds(case.opened_at),
            "closed_at": _micros(case.closed_at),
            "next_deadline": _micros(case.next_deadline),
        }
        saved = self._connection.execute(update(cases).where(cases.c.id == case.id).values(values))
        if saved.rowcount == 0:
            self._connection.execute(insert(cases).values(id=case.id, **values))

    def queue(self, message: Message) -> None:
        """Let a message go to Kafka once the transaction has ended: see ``Archive.outbox``."""
        headers = [[name, value.decode("latin-1")] for name, value in message.headers]
        self._connection.execute(
            insert(outbox).values(
                topic=message.topic,
                key=message.key,
                value=message.value,
                headers=json.dumps(headers).encode(),
            )
        )

    def end(self) -> None:
        """Leave no chain that was locked, but got no row."""
        empty = [one for one in self._created if self._heads[one].sequence == 0]
        for part in ledger.parts(sorted(empty)):
            self._connection.execute(delete(chains).where(chains.c.id.in_(part)))


def _fenced(topic: str, partition: int) -> Fenced:
    return Fenced(
        f"{topic}, partition {partition}: another process has read on; nothing of this was written"
    )


def _case(connection: Connection, keys: Keys | None, id: str) -> CaseRow | None:
    row = connection.execute(select(cases).where(cases.c.id == id)).mappings().first()
    return None if row is None else _case_row(connection, keys, row)


def _person_key(connection: Connection, id: str) -> PersonKey | None:
    row = connection.execute(select(person_keys).where(person_keys.c.id == id)).first()
    return None if row is None else PersonKey(row.id, row.chain, row.master, row.wrapped)


def _case_row(connection: Connection, keys: Keys | None, row: RowMapping) -> CaseRow:
    if keys is None:
        raise KeyProblem("a case cannot be read without a key: set archive.key_file")
    box = json.loads(row["body"])
    stored = _person_key(connection, box["key"])
    cipher = None if stored is None else keys.cipher(stored)
    if cipher is None:
        raise ArchiveError(f"{row['id']}: the key of the case is gone")
    body = unseal(cipher, row["id"], ledger.CASE, row["id"], box)[ledger.CASE].encode()
    return CaseRow(
        id=row["id"],
        body=body,
        status=row["status"],
        institution=row["institution"],
        opened_at=to_time(row["opened_at"]),
        level=row["level"],
        owner=row["owner"],
        closed_at=_time(row["closed_at"]),
        next_deadline=_time(row["next_deadline"]),
    )


def _queued(row: RowMapping) -> Queued:
    headers = tuple((name, value.encode("latin-1")) for name, value in json.loads(row["headers"]))
    return Queued(row["id"], Message(row["topic"], row["key"], row["value"], headers))


def _micros(time: datetime | None) -> int | None:
    return None if time is None else to_microseconds(time)


def _time(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else to_time(microseconds)
