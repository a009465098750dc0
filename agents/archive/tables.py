"""The archive's tables as they are now; `migrations` says how they came to be so.

Times are whole microseconds since the Unix epoch, UTC: exact in every database, and as hashed.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

Number = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit number; SQLite counts up only those that it calls INTEGER."""

metadata = MetaData()

chains = Table(
    "chains",
    metadata,
    Column("id", String, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
"""The head of each chain, and what a writer locks to append."""

records = Table(
    "records",
    metadata,
    Column("chain", String, ForeignKey("chains.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("kind", String, nullable=False),
    Column("id", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("body", LargeBinary),
    Column("digest", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    UniqueConstraint("chain", "kind", "id", name="records_once"),
)
"""The ledger 台账: nothing but a purge ever changes a row, and that only empties ``body``."""

person_keys = Table(
    "person_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("chain", String, ForeignKey("chains.id"), nullable=False),
    Column("person", String),
    Column("master", String),
    Column("wrapped", LargeBinary),
    Column("created_at", BigInteger, nullable=False),
    Column("erased_at", BigInteger),
    UniqueConstraint("chain", "person", name="person_keys_once"),
    Index("person_keys_person", "person"),
    Index("person_keys_master", "master"),
)
"""The key of one person in one chain, wrapped by a master key; empty once the person is erased."""

offsets = Table(
    "offsets",
    metadata,
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)
"""What is to be read next: moved in the transaction that writes what was read."""

cases = Table(
    "cases",
    metadata,
    Column("id", String, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("status", String, nullable=False),
    Column("level", String),
    Column("institution", String, nullable=False),
    Column("owner", String),
    Column("opened_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("next_deadline", BigInteger),
    Index("cases_opened", "opened_at"),
    Index("cases_status", "status"),
    Index("cases_institution", "institution"),
    Index("cases_deadline", "next_deadline"),
)
"""Where each case stands: follows from its chain."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("topic", String, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""Messages that go to Kafka once their transaction has ended."""
