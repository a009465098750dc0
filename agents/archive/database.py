"""The connection to the archive's database: SQLite or PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    LargeBinary,
    String,
    Table,
    create_engine,
    event,
    insert,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from wanglou.agents.archive.problems import explained

BUSY_SECONDS = 10
"""How long a writer waits for another one."""

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 300
"""A statement of PostgreSQL that takes longer is stopped: whoever waits tries again."""

POOL = 4
STREAMED_ROWS = 1000
"""Rows fetched at a time where many are read: a few MB."""

_WRITES = "wanglou_writes"


def new_engine(url: URL) -> Engine:
    """An engine. Nothing is connected yet; errors show neither values nor the password."""
    if url.get_backend_name() == "sqlite":
        if url.database:
            with suppress(OSError):  # connecting says better what is wrong
                Path(url.database).touch(mode=0o600)
        engine = create_engine(
            url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}, pool_size=POOL
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=POOL,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "wanglou",
            "options": f"-c statement_timeout={STATEMENT_SECONDS}s "
            f"-c lock_timeout={BUSY_SECONDS}s -c synchronous_commit=on",
            "keepalives_idle": CONNECT_SECONDS,
        },
    )


def _set_up_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions begin in _begin_sqlite, not in the driver
    # A flipped bit in a text must not stop a verification, but show in it.
    connection.text_factory = lambda raw: str(raw, "utf-8", "replace")
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # what is committed lasts, also when the power fails
        "foreign_keys = ON",
        "secure_delete = ON",  # what is purged or erased is overwritten
        "cell_size_check = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its lock at once: one that began to read could not get it any more."""
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes. Raises ``Unavailable`` and other ``ArchiveError``."""
    with explained(), engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database."""
    with explained(), engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection  # closing it ends the transaction; there is nothing to commit


def forget_erased(engine: Engine) -> None:
    """Let no file keep what was emptied: SQLite's log is written back, PostgreSQL's table anew."""
    with explained(), engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("VACUUM FULL person_keys")


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows that all have the same columns; PostgreSQL takes them by COPY."""
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), rows)
        return
    columns = [table.c[name] for name in rows[0]]
    names = ", ".join(f'"{one.name}"' for one in columns)
    statement = f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)"
    try:
        with connection.connection.cursor().copy(statement) as copy:
            copy.set_types([_POSTGRES_TYPES[type(one.type)] for one in columns])
            for row in rows:
                copy.write_row(list(row.values()))
    except psycopg.Error as error:
        raise DBAPIError(statement, None, error, hide_parameters=True) from error


_POSTGRES_TYPES: dict[type, str] = {String: "varchar", BigInteger: "int8", LargeBinary: "bytea"}
