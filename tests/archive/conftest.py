"""An archive on SQLite, and one on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from ledger_world import Clock, master_key
from postgres import NoPostgres, Postgres, running_postgres
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from tests.environment import clean_environment
from wanglou.agents.archive.database import new_engine
from wanglou.agents.archive.migration import upgrade
from wanglou.agents.archive.sealing import Keys
from wanglou.agents.archive.store import Archive

__all__ = ["clean_environment"]  # a fixture for all of them


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    try:
        with running_postgres() as server:
            yield server
    except NoPostgres as missing:
        pytest.skip(str(missing))


@pytest.fixture
def postgres_engine(postgres_server: Postgres) -> Iterator[Engine]:
    """An empty database on it."""
    name = f"test_{uuid4().hex}"
    admin = new_engine(postgres_server.url())
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    engine = new_engine(postgres_server.url(name))
    yield engine
    engine.dispose()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 64 MiB that is soon full."""
    with TemporaryDirectory(prefix="wanglou-disk-") as name:
        os.chmod(name, 0o755)
        disk = Path(name) / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(disk)]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    engine = new_engine(make_url(f"sqlite:///{tmp_path}/archive.db"))
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """An empty database, of both sorts in turn."""
    name = "sqlite_engine" if request.param == "sqlite" else "postgres_engine"
    found: Engine = request.getfixturevalue(name)
    return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def archive(engine: Engine, clock: Clock) -> Archive:
    upgrade(engine)
    return Archive(engine, Keys(master_key()), clock)


@pytest.fixture
def sqlite_archive(sqlite_engine: Engine, clock: Clock) -> Archive:
    upgrade(sqlite_engine)
    return Archive(sqlite_engine, Keys(master_key()), clock)
