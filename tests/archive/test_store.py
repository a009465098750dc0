"""The store: all or nothing, once, in order."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from ledger_world import CASE, START, Clock, alert, append, case_row, mention
from sqlalchemy import Engine, func, select, text

from wanglou.agents.archive.database import reading
from wanglou.agents.archive.entries import Entry, Kind
from wanglou.agents.archive.problems import Fenced, KeyProblem
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import chains, person_keys, records
from wanglou.agents.archive.verifying import verify_all, verify_chain
from wanglou.agents.kafka import Message


def bodies(archive: Archive) -> list[bytes]:
    with reading(archive.engine) as connection:
        return list(connection.execute(select(records.c.body)).scalars())


def test_what_was_appended_is_read_in_its_order(archive: Archive) -> None:
    with archive.transaction() as tx:
        assert tx.append(CASE, [mention(2), alert(1)]) == 2
        assert tx.append(CASE, [mention(1)]) == 1
    found = list(archive.records(CASE))
    assert [(one.sequence, one.kind, one.id) for one in found] == [
        (1, Kind.MENTION, "weibo:2"),
        (2, Kind.ALERT, "alert-1"),
        (3, Kind.MENTION, "weibo:1"),
    ]
    assert found[0].fields == {**mention(2).fields, **mention(2).sealed}
    assert (found[0].at, found[0].recorded_at) == (mention(2).at, START)


def test_what_is_known_is_passed_over(archive: Archive) -> None:
    with archive.transaction() as tx:
        assert tx.append(CASE, [alert(1), alert(1), alert(2)]) == 2
    again = replace(alert(1), fields={"level": "blue"})
    same_id = replace(alert(1), kind=Kind.EVENT)
    with archive.transaction() as tx:
        assert tx.append(CASE, [again, same_id]) == 1
        assert tx.append("other-bank.run", [alert(1)]) == 1
    assert [one.fields["level"] for one in archive.records(CASE) if one.fields] == ["red"] * 3
    assert all(one.is_whole for one in verify_all(archive.engine))


def test_more_than_one_question_holds(archive: Archive) -> None:
    many = [mention(number, f"author-{number}") for number in range(1300)]
    with archive.transaction() as tx:
        assert tx.append(CASE, many[:700]) == 700
    with archive.transaction() as tx:
        assert tx.append(CASE, many) == 600
    found = list(archive.records(CASE))
    assert [one.id for one in found] == [one.id for one in many]
    assert [one.fields for one in found] == [{**one.fields, **one.sealed} for one in many]
    assert verify_chain(archive.engine, CASE).is_whole


def test_a_transaction_that_fails_leaves_nothing(archive: Archive) -> None:
    def fail() -> None:
        with archive.transaction() as tx:
            tx.append(CASE, [mention(1)])
            tx.save_case(case_row())
            tx.queue(Message("topic", b"key", b"value"))
            tx.move_offset("topic", 0, None, 5)
            raise RuntimeError("here")

    with pytest.raises(RuntimeError, match="here"):
        fail()
    assert archive.case(CASE) is None
    assert archive.outbox() == []
    assert archive.offsets(["topic"]) == {}
    with reading(archive.engine) as connection:
        for table in (chains, records, person_keys):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0


def test_what_is_no_json_is_named_and_nothing_is_written(archive: Archive) -> None:
    bad = Entry(Kind.RESPONSE, "response-1", START, {"text": "\ud800"})
    with pytest.raises(ValueError, match="response response-1: cannot be written as JSON"):
        append(archive, alert(1), bad)
    endless = Entry(Kind.RESPONSE, "response-2", START, {"risk": float("inf")})
    with pytest.raises(ValueError, match="response response-2"):
        append(archive, endless)
    assert list(archive.records(CASE)) == []


def test_sensitive_fields_are_sealed(archive: Archive) -> None:
    secret = "取不出钱的储户"
    append(
        archive,
        mention(1, "a-person", secret),
        Entry(Kind.RESPONSE, "r", START, {"act": "draft"}, {"text": secret}),
    )
    stored = b"".join(bodies(archive))
    for hidden in (secret, "a-person", "example.org", json.dumps(secret)):
        assert hidden.encode() not in stored
    assert [one.fields["text"] for one in archive.records(CASE) if one.fields] == [secret] * 2


def test_without_a_key_nothing_sensitive_is_written_or_read(archive: Archive) -> None:
    append(archive, mention(1))
    blind = Archive(archive.engine, None)
    with pytest.raises(KeyProblem, match=r"archive\.key_file"):
        append(blind, mention(2))
    with pytest.raises(KeyProblem, match=r"archive\.key_file"):
        list(blind.records(CASE))
    assert append(blind, alert(1)) == 1
    assert verify_chain(blind.engine, CASE).rows == 2


def test_records_are_chosen_by_kind_and_time(archive: Archive) -> None:
    append(archive, *(mention(number) for number in range(5)), alert(1))

    def ids(*kinds: Kind, since: int | None = None, until: int | None = None) -> list[str]:
        times = {
            name: None if value is None else START + timedelta(seconds=value)
            for name, value in (("since", since), ("until", until))
        }
        return [one.id for one in archive.records(CASE, kinds, **times)]

    assert ids(Kind.ALERT) == ["alert-1"]
    assert ids(Kind.MENTION, since=1, until=3) == ["weibo:1", "weibo:2"]
    assert len(ids()) == 6


def test_a_reader_that_stops_early_holds_up_nobody(archive: Archive) -> None:
    append(archive, *(mention(number) for number in range(20)))
    reader = archive.records(CASE)
    assert next(reader).id == "weibo:0"
    assert append(archive, alert(1)) == 1, "a writer does not wait for a reader"
    assert len(list(reader)) == 19, "a reader sees one state"


def test_offsets_move_only_from_where_they_were_read(archive: Archive) -> None:
    with archive.transaction() as tx:
        tx.move_offset("alerts", 0, None, 10)
        tx.move_offset("alerts", 1, None, 3)
        tx.move_offset("pages", 0, None, 1)
    assert archive.offsets(["alerts"]) == {("alerts", 0): 10, ("alerts", 1): 3}
    with archive.transaction() as tx:
        tx.move_offset("alerts", 0, 10, 12)
    for old in (10, None):
        with pytest.raises(Fenced, match="alerts, partition 0"):
            _zombie(archive, old)
    assert archive.offsets(["alerts"])["alerts", 0] == 12
    assert list(archive.records(CASE)) == [], "what a zombie brings is not written"


def _zombie(archive: Archive, old: int | None) -> None:
    with archive.transaction() as tx:
        tx.append(CASE, [alert(1)])
        tx.move_offset("alerts", 0, old, 14)


def test_cases_are_found_by_what_they_are(archive: Archive) -> None:
    hour = timedelta(hours=1)
    rows = [
        replace(case_row("a.run"), body='{"说":1}'.encode(), owner="王"),
        replace(case_row("b.run"), opened_at=START + hour, next_deadline=START + 2 * hour),
        replace(case_row("c.run", START + 3 * hour), institution="other", level=None),
    ]
    with archive.transaction() as tx:
        for row in rows:
            tx.append(row.id, [alert(1)])  # a case has a chain
            tx.save_case(row)
        assert tx.case("a.run") == rows[0]

    def ids(**asked: object) -> list[str]:
        return [one.id for one in archive.cases(**asked)]  # type: ignore[arg-type]

    assert [archive.case(row.id) for row in rows] == rows
    assert ids() == ["b.run", "a.run", "c.run"]
    assert ids(status=["open"]) == ["b.run", "a.run"]
    assert ids(institution="other") == ["c.run"]
    assert ids(opened_from=START + hour) == ["b.run"]
    assert ids(opened_to=START + hour) == ["a.run", "c.run"]
    assert ids(due_before=START + 3 * hour) == ["b.run"]
    changed = replace(rows[0], status="closed", closed_at=START, owner=None)
    with archive.transaction() as tx:
        tx.save_case(changed)
    assert archive.case("a.run") == changed


def test_messages_wait_in_order_until_they_were_sent(archive: Archive) -> None:
    messages = [
        Message("evaluations", b"k", b"v", (("ce_id", b"1"), ("raw", bytes(range(256))))),
        Message("evaluations", None, None),
    ]
    with archive.transaction() as tx:
        for one in messages:
            tx.queue(one)
    queued = archive.outbox()
    assert [one.message for one in queued] == messages
    archive.sent(queued[:1])
    assert [one.message for one in archive.outbox()] == messages[1:]


def test_a_chain_that_was_only_locked_leaves_nothing(archive: Archive) -> None:
    with archive.transaction() as tx:
        tx.lock([CASE, "nothing.run"])
        tx.append(CASE, [alert(1)])
    assert [one.chain for one in verify_all(archive.engine)] == [CASE]


def test_two_writers_on_one_chain_at_once(archive: Archive) -> None:
    """Each appends what the other does, too, in another order: all once, and the chain whole."""
    ids = list(range(60))
    failed: list[BaseException] = []

    def write(order: list[int]) -> None:
        try:
            for number in order:
                with archive.transaction() as tx:
                    tx.lock([CASE, "other-bank.run"])
                    tx.append(CASE, [mention(number, f"author-{number % 5}")])
                    tx.append("other-bank.run", [alert(number)])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(order,)) for order in (ids, ids[::-1])]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failed
    found = list(archive.records(CASE))
    assert sorted(one.id for one in found) == sorted(f"weibo:{number}" for number in ids)
    assert all(one.fields and one.fields["text"] for one in found)
    checked = {one.chain: one for one in verify_all(archive.engine)}
    assert {chain: one.rows for chain, one in checked.items()} == {
        CASE: 60,
        "other-bank.run": 60,
    }
    assert all(one.is_whole for one in checked.values())


def test_times_are_exact(archive: Archive) -> None:
    """Times go through unchanged to the microsecond, also before 1970 and far ahead."""
    for number, year in enumerate((1950, 2026, 2300)):
        at = START.replace(year=year, microsecond=123457)
        append(archive, replace(alert(number), at=at))
        assert list(archive.records(CASE))[-1].at == at


def test_sqlite_lasts_and_overwrites(sqlite_archive: Archive) -> None:
    def pragma(name: str) -> object:
        with sqlite_archive.engine.connect() as connection:
            return connection.execute(text(f"PRAGMA {name}")).scalar()

    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2
    assert pragma("secure_delete") == 1
    assert pragma("foreign_keys") == 1


def test_the_clock_tells_when_it_was_recorded(archive: Archive, clock: Clock) -> None:
    clock.pass_days(2)
    append(archive, alert(1))
    assert next(archive.records(CASE)).recorded_at == START + timedelta(days=2)


def test_postgres_commits_to_the_disk(postgres_engine: Engine) -> None:
    with postgres_engine.connect() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
