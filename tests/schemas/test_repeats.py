"""A consumer acts once on each alert, and never goes back to an older state of an event."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wanglou.schemas.repeats import LatestEvents, Repeats

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)

ids = st.lists(st.sampled_from("abcdefgh"), max_size=50)


def acts(repeats: Repeats, read: list[str]) -> list[str]:
    """The ids on which a consumer acts."""
    acted = []
    for id in read:
        if not repeats.is_repeat(id):
            acted.append(id)
            repeats.remember(id)
    return acted


@settings(deadline=None)
@given(ids)
def test_each_id_is_acted_on_once_in_the_order_of_coming(read: list[str]) -> None:
    assert acts(Repeats(), read) == list(dict.fromkeys(read))


@settings(deadline=None)
@given(ids, st.integers(1, 5))
def test_the_ids_met_last_are_kept_and_no_more(read: list[str], limit: int) -> None:
    repeats = Repeats(limit)
    acts(repeats, read)
    kept = list(dict.fromkeys(reversed(read)))[:limit]
    assert len(repeats) == len(kept)
    assert {id for id in "abcdefgh" if repeats.is_repeat(id)} == set(kept)


def test_an_act_that_failed_is_tried_again() -> None:
    repeats = Repeats()
    assert not repeats.is_repeat("a")  # and then the act fails
    assert acts(repeats, ["a", "a"]) == ["a"]


def test_remembering_twice_takes_one_place() -> None:
    repeats = Repeats(limit=2)
    for id in ("a", "b", "a", "c"):
        repeats.remember(id)
    assert [repeats.is_repeat(id) for id in "abc"] == [True, False, True]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, not {limit}"):
        Repeats(limit)


def test_an_id_takes_as_much_memory_as_the_documentation_says() -> None:
    limit = 5000
    tracemalloc.start()
    try:
        repeats = Repeats(limit)
        for number in range(2 * limit):
            repeats.remember(str(UUID(int=number)))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(repeats) == limit
    assert 150 < size / limit < 350


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=40))
def test_an_event_never_goes_back(read: list[tuple[str, int]]) -> None:
    latest, shown = LatestEvents(), {}
    for id, minute in read:
        if latest.is_news(id, AT.replace(minute=minute)):
            assert minute > shown.get(id, -1)
            shown[id] = minute
    assert shown == {id: max(minute for one, minute in read if one == id) for id, _ in read}


def test_the_same_moment_written_with_another_offset_is_no_news() -> None:
    latest = LatestEvents()
    assert latest.is_news("hexing-bank.run", AT)
    assert not latest.is_news("hexing-bank.run", AT.astimezone(timezone(timedelta(hours=8))))


def test_the_statements_of_the_documentation_do_what_they_say() -> None:
    """SQLite has PostgreSQL's ON CONFLICT."""
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE alerts (alert_id text PRIMARY KEY, title text)")
        for title in ("first", "again"):
            database.execute(
                "INSERT INTO alerts (alert_id, title) VALUES (?, ?) "
                "ON CONFLICT (alert_id) DO NOTHING",
                ("a", title),
            )
        assert database.execute("SELECT title FROM alerts").fetchall() == [("first",)]

        database.execute("CREATE TABLE events (event_id text PRIMARY KEY, assessed_at int)")
        for minute in (3, 1, 4, 1, 4):
            database.execute(
                "INSERT INTO events (event_id, assessed_at) VALUES (?, ?) "
                "ON CONFLICT (event_id) DO UPDATE SET assessed_at = EXCLUDED.assessed_at "
                "WHERE events.assessed_at < EXCLUDED.assessed_at",
                ("e", minute),
            )
            (held,) = database.execute("SELECT assessed_at FROM events").fetchone()
            assert held in (3, 4)
        assert held == 4


def test_a_consumer_needs_neither_kafka_nor_faust_for_it() -> None:
    code = "import sys, wanglou.schemas.repeats; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    modules = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert modules.isdisjoint({"faust", "aiokafka", "torch", "pydantic"})
