"""What is purged, what is not, and that the chain stays whole."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_world import CASE, START, Clock, alert, append, case_row, mention
from sqlalchemy import update

from wanglou.agents.archive.database import writing
from wanglou.agents.archive.entries import Kind
from wanglou.agents.archive.problems import UnknownCase
from wanglou.agents.archive.retention import purge, set_hold
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import records
from wanglou.agents.archive.verifying import verify_chain

DAYS = {Kind.MENTION: 30, Kind.PAGE: 10}


def close(archive: Archive, case: str = CASE, after_days: float = 0) -> None:
    with archive.transaction() as tx:
        tx.save_case(case_row(case, START + timedelta(days=after_days)))


def kept(archive: Archive) -> list[tuple[str, bool]]:
    return [(one.id, one.fields is not None) for one in archive.records(CASE)]


def test_bodies_are_purged_when_their_days_are_over(archive: Archive, clock: Clock) -> None:
    append(archive, mention(1), alert(1), mention(2))
    close(archive)
    clock.pass_days(29.9)
    assert list(purge(archive, DAYS)) == []
    clock.pass_days(0.1)
    (done,) = purge(archive, DAYS)
    assert (done.chain, done.kind, done.count, done.up_to) == (CASE, Kind.MENTION, 2, 3)
    assert kept(archive) == [
        ("weibo:1", False),
        ("alert-1", True),
        ("weibo:2", False),
        ("mention-3", True),
    ]
    assert verify_chain(archive.engine, CASE).is_whole
    (says,) = archive.records(CASE, [Kind.RETENTION])
    assert says.fields is not None
    assert (says.fields["kind"], says.fields["up_to"], says.fields["count"]) == ("mention", 3, 2)
    assert list(purge(archive, DAYS)) == []


def test_what_came_after_a_purge_is_purged_with_a_record_of_its_own(
    archive: Archive, clock: Clock
) -> None:
    append(archive, mention(1))
    close(archive)
    clock.pass_days(30)
    list(purge(archive, DAYS))
    append(archive, mention(2))
    assert verify_chain(archive.engine, CASE).is_whole
    assert [one.up_to for one in purge(archive, DAYS)] == [3]
    assert verify_chain(archive.engine, CASE).is_whole


def test_a_body_that_was_emptied_without_a_record_is_told(archive: Archive, clock: Clock) -> None:
    append(archive, mention(1))
    close(archive)
    clock.pass_days(30)
    list(purge(archive, DAYS))
    append(archive, mention(2), alert(1))
    with writing(archive.engine) as connection:
        connection.execute(update(records).where(records.c.sequence >= 3).values(body=None))
    found = verify_chain(archive.engine, CASE)
    assert [one.sequence for one in found.breaks] == [3, 4]
    assert "no row of retention" in found.breaks[0].what


def test_an_open_or_reopened_case_is_not_purged(archive: Archive, clock: Clock) -> None:
    append(archive, mention(1))
    clock.pass_days(300)
    with archive.transaction() as tx:
        tx.save_case(case_row())
    assert list(purge(archive, DAYS)) == []
    close(archive, after_days=299)
    assert list(purge(archive, DAYS)) == []


def test_a_case_on_hold_is_not_purged(archive: Archive, clock: Clock) -> None:
    append(archive, mention(1))
    append(archive, mention(1), chain="other-bank.run")
    close(archive)
    close(archive, "other-bank.run")
    assert set_hold(archive, CASE, True, "法务", "诉讼")
    assert not set_hold(archive, CASE, True, "法务", "诉讼"), "it is already"
    clock.pass_days(4000)
    assert [one.chain for one in purge(archive, DAYS)] == ["other-bank.run"]
    assert kept(archive)[0] == ("weibo:1", True)
    assert set_hold(archive, CASE, False, "法务", "撤诉")
    assert [one.chain for one in purge(archive, DAYS)] == [CASE]
    holds = [one.fields for one in archive.records(CASE, [Kind.HOLD])]
    assert [one and (one["held"], one["by"], one["reason"]) for one in holds] == [
        (True, "法务", "诉讼"),
        (False, "法务", "撤诉"),
    ]
    assert verify_chain(archive.engine, CASE).is_whole


def test_without_days_nothing_is_purged(archive: Archive, clock: Clock) -> None:
    append(archive, mention(1))
    close(archive)
    clock.pass_days(30_000)
    assert list(purge(archive, {})) == []


def test_a_hold_on_a_case_that_is_not_there(archive: Archive) -> None:
    with pytest.raises(UnknownCase):
        set_hold(archive, "nobody", True, "法务", "诉讼")


def test_what_was_purged_is_not_archived_again(archive: Archive, clock: Clock) -> None:
    append(archive, mention(1))
    close(archive)
    clock.pass_days(30)
    list(purge(archive, DAYS))
    assert append(archive, mention(1)) == 0
