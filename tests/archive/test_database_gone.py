"""The database goes away while cases are archived: nothing is lost, and the process goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from archive_world import CASE, World, archiver_here, until, world
from postgres import Postgres
from sqlalchemy import Engine

from tests.models.response.builders import alert
from wanglou.agents.archive.entries import Kind
from wanglou.agents.archive.metrics import ArchiveMetrics
from wanglou.agents.archive.verifying import verify_chain
from wanglou.schemas.response import Act
from wanglou.schemas.risk import AlertKind, Level
from wanglou.schemas.topics import ALERTS


async def recorded(one: World, kind: Kind, count: int) -> bool:
    found = await asyncio.to_thread(lambda: sum(1 for _ in one.archive.records(CASE, [kind])))
    return found == count


def is_down(metrics: ArchiveMetrics) -> bool:
    return metrics.registry.get_sample_value("wanglou_archive_database_up") == 0


async def test_postgresql_is_gone_for_longer_than_a_session(
    tmp_path: Path, postgres_server: Postgres, postgres_engine: Engine
) -> None:
    async with world(tmp_path, postgres_engine.url) as one, archiver_here(one) as metrics:
        await one.send(ALERTS, alert(0, Level.ORANGE, AlertKind.RAISED))
        await until(lambda: recorded(one, Kind.ALERT, 1), "the alert")
        await asyncio.to_thread(postgres_server.stop)
        await one.mentions(*range(20))
        await one.respond(Act.ACKNOWLEDGEMENT, 1, "zhang")
        await until(lambda: is_down(metrics), "that the database is missed")
        await one.mentions(*range(20, 40))
        await asyncio.to_thread(postgres_server.start)
        await until(lambda: recorded(one, Kind.MENTION, 40), "all mentions")
        await until(lambda: recorded(one, Kind.RESPONSE, 1), "the acknowledgement")
        assert not is_down(metrics)
        assert verify_chain(one.archive.engine, CASE).breaks == []


async def test_another_process_holds_the_lock(tmp_path: Path) -> None:
    async with world(tmp_path) as one, archiver_here(one):
        await one.send(ALERTS, alert(0, Level.ORANGE, AlertKind.RAISED))
        await until(lambda: recorded(one, Kind.ALERT, 1), "the alert")
        with one.archive.transaction() as held:
            held.lock([CASE])
            await one.mentions(*range(20))
            held.append("other.run", [])
        await until(lambda: recorded(one, Kind.MENTION, 20), "the mentions")


async def test_two_archivers_share_the_partitions_and_write_everything_once(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as one, archiver_here(one):
        await one.send(ALERTS, alert(0, Level.ORANGE, AlertKind.RAISED))
        await one.mentions(*range(20))
        async with archiver_here(one):
            await one.mentions(*range(20, 40))
            await until(lambda: recorded(one, Kind.MENTION, 40), "all mentions")
        await one.respond(Act.ACKNOWLEDGEMENT, 1, "zhang")
        await one.mentions(*range(40, 50))
        await until(lambda: recorded(one, Kind.MENTION, 50), "those after one has left")
        await until(lambda: recorded(one, Kind.RESPONSE, 1), "the acknowledgement")
        assert verify_chain(one.archive.engine, CASE).breaks == []
