"""The demo: embedded broker, topics, a worker, the recorded stream; then what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from wanglou.agents import topic_admin
from wanglou.agents.board import Board
from wanglou.agents.board_feed import feed
from wanglou.agents.embedded_broker import embedded_broker
from wanglou.agents.progress import wait_drained
from wanglou.agents.replay import read_lines, replayed
from wanglou.agents.settings import DEPLOY, BrokerSettings, TopicSettings
from wanglou.agents.worker_process import WorkerProcess
from wanglou.schemas.risk import Alert, AlertKind, LevelName

STREAM = DEPLOY / "demo" / "mentions.jsonl"
EXPECTED = DEPLOY / "demo" / "expected.yaml"
SESSION_SECONDS = 6.0
"""The embedded broker's first group join takes half of the session timeout."""

READY_SECONDS = 90.0
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

    async def run(self) -> AsyncIterator[list[Alert]]:
        """Everything; yields new alerts as they come (and often none)."""
        with own_environment(), embedded_broker(self._folder / "broker.log") as address:
            broker = BrokerSettings(url=address)
            self._say(f"broker     embedded, on {address}")
            created = await topic_admin.create(broker, TopicSettings())
            self._say(f"topics     {len(created)} created")
            worker = WorkerProcess(
                address,
                self._folder / "worker.log",
                environment={"WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS)},
                folder=self._folder,
            )
            try:
                await asyncio.to_thread(worker.wait_ready, READY_SECONDS)
                self._say(f"worker     ready; metrics on http://127.0.0.1:{worker.port}/metrics")
                self._say(f"replay     {self.lines} raw mentions of two days")
                async for alerts in self._play(broker):
                    yield alerts
                self.outcome = await self._judge(broker, worker)
                worker.stop()
            finally:
                worker.kill()

    async def _play(self, broker: BrokerSettings) -> AsyncIterator[list[Alert]]:
        playing = asyncio.create_task(self._replay(broker))
        try:
            async for alerts in feed(self.board, broker):
                yield alerts
                if playing.done() and not alerts:
                    break
            await playing
        finally:
            playing.cancel()

    async def _replay(self, broker: BrokerSettings) -> None:
        async for step in replayed(broker, read_lines(STREAM), self._speed):
            self.sent = step.line
        await wait_drained(broker, DRAIN_SECONDS)

    async def _judge(self, broker: BrokerSettings, worker: WorkerProcess) -> Outcome:
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
        return Outcome(judged, outcomes)
