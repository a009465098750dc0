"""The demo: embedded broker, topics, a worker, an archive, the recorded stream, a crisis team; then
what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict
from sqlalchemy import URL

from wanglou.agents import topic_admin
from wanglou.agents.archive.database import new_engine
from wanglou.agents.archive.dossiers import dossier_of
from wanglou.agents.archive.migration import upgrade
from wanglou.agents.archive.sealing import Keys, read_master_key
from wanglou.agents.archive.store import Archive
from wanglou.agents.board import Board
from wanglou.agents.board_feed import feed
from wanglou.agents.demo_team import CASE, STATEMENT, DemoTeam
from wanglou.agents.embedded_broker import embedded_broker
from wanglou.agents.kafka import start_producer
from wanglou.agents.progress import wait_drained
from wanglou.agents.replay import read_lines, replayed
from wanglou.agents.responding import send_response
from wanglou.agents.settings import DEPLOY, BrokerSettings, TopicSettings, load_settings
from wanglou.agents.worker_process import WorkerProcess
from wanglou.models.response.case_file import CaseFile, CaseStatus
from wanglou.models.response.dossier import Dossier
from wanglou.models.response.report.case_report import write_report
from wanglou.schemas.risk import Alert, AlertKind, LevelName

STREAM = DEPLOY / "demo" / "mentions.jsonl"
EXPECTED = DEPLOY / "demo" / "expected.yaml"
SESSION_SECONDS = 6.0
"""The embedded broker's first group join takes half of the session timeout."""

READY_SECONDS = 90.0
ARCHIVE_SECONDS = 60.0
POLL_SECONDS = 0.2
EVALUATED = {f"{STATEMENT}.{hours * 60}" for hours in (1, 24)}
"""Evaluations that must be there at the end."""
DRAIN_SECONDS = 300.0


class Incident(BaseModel):
    """An incident of the stream, and what must become of it (see ``expected.yaml``)."""

    model_config = ConfigDict(extra="ignore")

    institution: str
    topic: str
    kind: str
    alerts: bool
    at_least: LevelName | None
    first_alert_by: datetime | None

    def problems(self, alerts: list[Alert]) -> list[str]:
        """What is not as it must be; ``alerts`` are all of the stream, in order."""
        mine = [one for one in alerts if one.institution.id == self.institution]
        if not self.alerts:
            return [f"alerted: {one.title}" for one in mine]
        mine = [one for one in mine if one.topic.id == self.topic]
        if not mine:
            return ["no alert"]
        found = []
        kinds = {one.kind for one in mine}
        for kind in (AlertKind.RAISED, AlertKind.ESCALATED, AlertKind.RESOLVED):
            if kind not in kinds:
                found.append(f"never {kind.value}")
        highest = max(one.level for one in mine if one.level is not None)
        if self.at_least is not None and highest < self.at_least:
            found.append(f"only {highest.label}, not {self.at_least.label}")
        if self.first_alert_by is not None and mine[0].decided_at > self.first_alert_by:
            found.append("first alert too late")
        if mine[-1].kind is not AlertKind.RESOLVED:
            found.append("still open")
        return found


@dataclass(frozen=True)
class Outcome:
    """What came of the demo."""

    incidents: list[tuple[Incident, list[Alert], list[str]]]
    outcomes: dict[str, int]
    dossier: Dossier
    report: Path


def load_incidents(path: Path = EXPECTED) -> list[Incident]:
    """The incidents of the demo's stream."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Incident.model_validate(one) for one in content["incidents"]]


@contextlib.contextmanager
def own_environment() -> Iterator[None]:
    """Without the caller's settings: the demo shows the built-in ones."""
    saved = {name: value for name, value in os.environ.items() if name.startswith("WANGLOU_")}
    for name in saved:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(saved)


class Demo:
    """Runs the demo in a folder of its own, where the logs lie."""

    def __init__(self, folder: Path, speed: float | None, say: Callable[[str], None]) -> None:
        self.board = Board()
        self.lines = sum(1 for _ in read_lines(STREAM))
        self.sent = 0
        self._folder = folder
        self._speed = speed
        self._say = say
        url = URL.create("sqlite", database=str(folder / "archive.db"))
        key = secrets.token_hex(32)
        self._archive = Archive(new_engine(url), Keys(read_master_key(key)))
        self._archive_environment = {
            "WANGLOU_ARCHIVE__URL": url.render_as_string(),
            "WANGLOU_ARCHIVE__KEY": key,
        }

    async def run(self) -> AsyncIterator[list[Alert]]:
        """Everything; yields new alerts as they come (and often none)."""
        with own_environment(), embedded_broker(self._folder / "broker.log") as address:
            broker = BrokerSettings(url=address)
            self._say(f"broker     embedded, on {address}")
            created = await topic_admin.create(broker, TopicSettings())
            self._say(f"topics     {len(created)} created")
            upgrade(self._archive.engine)
            team = DemoTeam(load_settings().load_statements())
            worker, archiver = self._process(address), self._process(address, "archive run")
            try:
                for process in (worker, archiver):
                    await asyncio.to_thread(process.wait_ready, READY_SECONDS)
                self._say(f"worker     ready; metrics on http://127.0.0.1:{worker.port}/metrics")
                self._say(f"archive    ready; metrics on http://127.0.0.1:{archiver.port}/metrics")
                self._say(f"replay     {self.lines} raw mentions of two days")
                async for alerts in self._play(broker, team):
                    yield alerts
                self.outcome = await self._judge(worker)
                for process in (archiver, worker):
                    process.stop()
            finally:
                for process in (archiver, worker):
                    process.kill()
                self._archive.engine.dispose()

    def _process(
        self, address: str, command: Literal["worker", "archive run"] = "worker"
    ) -> WorkerProcess:
        return WorkerProcess(
            address,
            self._folder / f"{command.split()[0]}.log",
            environment={
                "WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
                **(self._archive_environment if command == "archive run" else {}),
            },
            folder=self._folder,
            command=command,
        )

    async def _play(self, broker: BrokerSettings, team: DemoTeam) -> AsyncIterator[list[Alert]]:
        playing = asyncio.create_task(self._replay(broker))
        producer = await start_producer(broker)
        try:
            async for alerts in feed(self.board, broker):
                yield alerts
                for response in (one for alert in alerts for one in team.answers(alert)):
                    await send_response(producer, response, "/wanglou/demo")
                if playing.done() and not alerts:
                    break
            await playing
        finally:
            playing.cancel()
            await producer.stop()

    async def _replay(self, broker: BrokerSettings) -> None:
        async for step in replayed(broker, read_lines(STREAM), self._speed):
            self.sent = step.line
        await wait_drained(broker, DRAIN_SECONDS)

    async def _judge(self, worker: WorkerProcess) -> Outcome:
        judged = []
        for incident in load_incidents():
            mine = [
                alert
                for alert in self.board.alerts
                if (alert.institution.id, alert.topic.id) == (incident.institution, incident.topic)
            ]
            judged.append((incident, mine, incident.problems(self.board.alerts)))
        names = ("dead-letter", "irrelevant", "repeat", "original", "duplicate", "update")
        outcomes = {
            name: int(worker.metric("wanglou_outcomes_total", outcome=name)) for name in names
        }
        dossier = await asyncio.to_thread(self._dossier)
        (report,) = await asyncio.to_thread(write_report, dossier, self._folder)
        return Outcome(judged, outcomes, dossier, report)

    def _dossier(self) -> Dossier:
        """The case, once the effect of its statement after a day is known. Raises
        ``TimeoutError``."""
        deadline = time.monotonic() + ARCHIVE_SECONDS
        while time.monotonic() < deadline:
            row = self._archive.case(CASE)
            if row is not None:
                case = CaseFile.model_validate_json(row.body)
                if set(case.evaluated) >= EVALUATED and case.status is CaseStatus.CLOSED:
                    return dossier_of(self._archive, case, case.steps[-1].at)
            time.sleep(POLL_SECONDS)
        raise TimeoutError(f"{CASE} was not archived in {ARCHIVE_SECONDS:.0f} s")
