"""From one release to the next."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from ledger_world import CASE, START, case_row, master_key, mention
from sqlalchemy import Engine, inspect, text

from wanglou.agents.archive.database import writing
from wanglou.agents.archive.migration import check_revision, upgrade
from wanglou.agents.archive.problems import RevisionProblem
from wanglou.agents.archive.sealing import Keys
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import metadata
from wanglou.agents.archive.verifying import verify_chain
from wanglou.agents.kafka import Message


def test_the_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_from_the_release_before_with_all_that_it_held(engine: Engine) -> None:
    assert upgrade(engine, "0001") == (None, "0001")
    old = Archive(engine, Keys(master_key()), lambda: START)
    with old.transaction() as tx:
        tx.append(CASE, [mention(1)])
        tx.save_case(case_row())
        tx.move_offset("alerts", 0, None, 7)
    with pytest.raises(RevisionProblem, match=r"0001.*needs 0002.*wanglou archive upgrade"):
        check_revision(engine)
    assert upgrade(engine) == ("0001", "0002")
    check_revision(engine)
    assert verify_chain(engine, CASE).is_whole
    (kept,) = old.records(CASE)
    assert kept.fields == {**mention(1).fields, **mention(1).sealed}
    assert old.case(CASE) == case_row()
    assert old.offsets(["alerts"]) == {("alerts", 0): 7}
    with old.transaction() as tx:
        tx.queue(Message("topic", b"k", b"v"))
    assert len(old.outbox()) == 1


def test_an_empty_database_says_what_to_do(engine: Engine) -> None:
    with pytest.raises(RevisionProblem, match="wanglou archive upgrade"):
        check_revision(engine)
    with pytest.raises(RevisionProblem, match="wanglou archive upgrade"):
        Archive(engine, None).case(CASE)


def test_a_newer_release_is_left_alone(engine: Engine) -> None:
    upgrade(engine)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for act in (check_revision, upgrade):
        with pytest.raises(RevisionProblem, match="9999, which this release does not know"):
            act(engine)


def test_a_second_upgrade_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    assert upgrade(engine) == ("0002", "0002")


def test_an_upgrade_that_fails_leaves_nothing(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE outbox (id INTEGER)"))
    with pytest.raises(Exception, match="outbox"):
        upgrade(engine)
    assert inspect(engine).get_table_names() == ["outbox"]
