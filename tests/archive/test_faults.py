"""The database gone, full, locked, damaged; the writer killed at every step."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import pytest
from dying_writer import END, TOPIC, die_at, read_on
from ledger_world import CASE, START, alert, append, master_key, mention
from postgres import NoPostgres, Postgres, programs, running_postgres
from sqlalchemy import Engine, text
from sqlalchemy.engine import URL, make_url

from wanglou.agents.archive import database
from wanglou.agents.archive.database import new_engine, writing
from wanglou.agents.archive.entries import Kind
from wanglou.agents.archive.migration import check_revision, upgrade
from wanglou.agents.archive.problems import ArchiveError, Unavailable
from wanglou.agents.archive.sealing import Keys
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import metadata
from wanglou.agents.archive.verifying import verify_all, verify_chain

KEY = master_key()


def test_killed_at_every_step_nothing_is_lost_and_nothing_twice(engine: Engine) -> None:
    upgrade(engine)
    archive = Archive(engine, Keys(KEY), lambda: START)
    for step in count(1):
        engine.dispose()  # a child would share its connections
        writer = get_context("fork").Process(target=die_at, args=(engine.url, KEY, step))
        writer.start()
        writer.join()
        _has_read(archive, archive.offsets([TOPIC]).get((TOPIC, 0), 0))
        if writer.exitcode == 0:
            break
        assert writer.exitcode == -signal.SIGKILL
        read_on(archive, lambda: None)
        _has_read(archive, END)
        with writing(engine) as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
    assert step > 2 * 2 * 10, "two batches of ten statements, before and after each"


def _has_read(archive: Archive, stored: int) -> None:
    """All before an offset is there once, and nothing else."""
    numbers = range(stored)
    assert [one.id for one in archive.records(CASE)] == [f"weibo:{one}" for one in numbers]
    assert [one.id for one in archive.records("other-bank.run")] == [
        f"alert-{one}" for one in numbers
    ]
    assert [one.message.key for one in archive.outbox()] == [b"%d" % one for one in numbers]
    assert (archive.case(CASE) is not None) == (stored > 0)
    assert all(one.is_whole for one in verify_all(archive.engine))


def test_a_closed_port_is_told_without_the_password() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = URL.create(
            "postgresql+psycopg", "wanglou", "a-secret", "127.0.0.1", taken.getsockname()[1], "db"
        )
        with pytest.raises(Unavailable, match="does not answer") as caught:
            check_revision(new_engine(url))
    assert "a-secret" not in str(caught.value)


def test_a_wrong_password_is_told_without_it(postgres_server: Postgres) -> None:
    url = postgres_server.url().set(password="a-secret")
    with pytest.raises(Unavailable, match="password authentication failed") as caught:
        check_revision(new_engine(url))
    assert "a-secret" not in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="unable to open database file"):
        upgrade(new_engine(make_url(f"sqlite:///{tmp_path}/no/archive.db")))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "archive.db"
    file.write_bytes(b"not a database, but a text that is long enough" * 100)
    with pytest.raises(ArchiveError, match="damaged: file is not a database"):
        upgrade(new_engine(make_url(f"sqlite:///{file}")))


def test_the_file_of_sqlite_is_nobody_elses(sqlite_archive: Archive) -> None:
    file = Path(str(sqlite_archive.engine.url.database))
    assert file.stat().st_mode & 0o077 == 0


def test_a_full_disk_leaves_all_as_it_was(sqlite_archive: Archive) -> None:
    append(sqlite_archive, alert(1))
    with sqlite_archive.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.commit()
        # The limit is of this connection: the pool gives it out again.
    many = [mention(number, f"author-{number}") for number in range(500)]
    with pytest.raises(Unavailable, match="disk is full"):
        append(sqlite_archive, *many)
    assert [one.id for one in sqlite_archive.records(CASE)] == ["alert-1"]
    assert verify_chain(sqlite_archive.engine, CASE).is_whole
    with sqlite_archive.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert append(sqlite_archive, *many) == 500


def test_a_lock_that_lasts_is_told_and_one_that_goes_is_waited_for(
    sqlite_archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    hasty = Archive(new_engine(sqlite_archive.engine.url), sqlite_archive.keys)
    with sqlite_archive.transaction() as tx:
        tx.append(CASE, [alert(1)])
        with pytest.raises(Unavailable, match="locked by another process"):
            append(hasty, alert(2))
        assert list(hasty.records(CASE)) == [], "readers do not wait"
        waiting = threading.Thread(
            target=append, args=(Archive(sqlite_archive.engine, None), alert(3))
        )
        waiting.start()
    waiting.join()
    assert [one.id for one in sqlite_archive.records(CASE)] == ["alert-1", "alert-3"]
    hasty.engine.dispose()


def test_a_connection_that_is_cut_in_the_middle(postgres_engine: Engine) -> None:
    upgrade(postgres_engine)
    archive = Archive(postgres_engine, Keys(KEY))
    append(archive, mention(1))

    def cut() -> None:
        with archive.transaction() as tx:
            tx.append(CASE, [mention(2)])
            pid = tx.connection.execute(text("SELECT pg_backend_pid()")).scalar()
            with postgres_engine.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            tx.append(CASE, [mention(3)])

    with pytest.raises(Unavailable, match="does not answer"):
        cut()
    assert append(archive, mention(2), mention(3)) == 2, "it connects again by itself"
    assert [one.id for one in archive.records(CASE, [Kind.MENTION])] == [
        f"weibo:{number}" for number in (1, 2, 3)
    ]
    assert verify_chain(postgres_engine, CASE).is_whole


def test_a_database_that_was_killed_has_what_it_acknowledged() -> None:
    try:
        programs()
    except NoPostgres as missing:
        pytest.skip(str(missing))
    with running_postgres() as server:
        engine = new_engine(server.url())
        upgrade(engine)
        archive = Archive(engine, Keys(KEY))
        for number in range(20):
            append(archive, mention(number, f"author-{number}"))
        server.stop("immediate")  # as a power cut: it writes nothing back
        with pytest.raises(Unavailable):
            append(archive, mention(20))
        server.start()
        assert append(archive, mention(20)) == 1
        assert len(list(archive.records(CASE))) == 21
        assert verify_chain(engine, CASE).is_whole
        engine.dispose()


def test_a_full_disk_of_postgresql_leaves_all_as_it_was(
    postgres_server: Postgres, postgres_engine: Engine, small_disk: Path
) -> None:
    postgres_server.own(small_disk)
    admin = postgres_engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with admin as connection:
        connection.execute(text(f"CREATE TABLESPACE small LOCATION '{small_disk}'"))
        connection.execute(text("CREATE DATABASE full_disk TABLESPACE small"))
    engine = new_engine(postgres_server.url("full_disk"))
    upgrade(engine)
    archive = Archive(engine, Keys(KEY))
    append(archive, alert(1))
    many = [mention(number, f"author-{number}") for number in range(3000)]
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    with pytest.raises(Unavailable, match="disk is full"):
        append(archive, *many)
    assert [one.id for one in archive.records(CASE)] == ["alert-1"]
    assert verify_chain(engine, CASE).is_whole
    filler.unlink()
    assert append(archive, *many) == 3000
    assert verify_chain(engine, CASE).is_whole
    engine.dispose()
    with postgres_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE full_disk"))
        connection.execute(text("DROP TABLESPACE small"))
