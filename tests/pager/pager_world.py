"""A broker, alerts, receivers and pager processes for tests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml
from prometheus_client import CollectorRegistry

from wanglou.agents import topic_admin
from wanglou.agents.embedded_broker import embedded_broker
from wanglou.agents.kafka import Message, contract_in, read_to_end, send_all, start_producer
from wanglou.agents.local_receiver import LocalReceiver
from wanglou.agents.pager import Pager, new_pager, wall_clock
from wanglou.agents.pager_links import new_links
from wanglou.agents.pager_metrics import PagerMetrics
from wanglou.agents.pager_rules import load_pager_rules
from wanglou.agents.settings import BrokerSettings, TopicSettings, load_settings
from wanglou.agents.worker_process import COMMAND_LINE, WorkerProcess
from wanglou.models.pager_clock import PagerClock
from wanglou.schemas.base import Contract
from wanglou.schemas.risk import Alert
from wanglou.schemas.topics import ALERTS, DEAD_LETTERS, PAGER_STATE, PAGES, RESPONSES, Topic

T = TypeVar("T")
C = TypeVar("C", bound=Contract)
SESSION_SECONDS = 2.0
READY_SECONDS = 120.0
DECIDED = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
SECRET = "a-secret-part-of-the-url"
TOPICS = (ALERTS, RESPONSES, PAGES, DEAD_LETTERS, PAGER_STATE)


def alert(
    event: str = "hexing-bank.run",
    sequence: int = 1,
    level: str | None = "orange",
    kind: str = "raised",
    previous: str | None = None,
    **fields: Any,
) -> Alert:
    """An alert of an event; ``sequence`` gives its id and its minute."""
    institution, topic = event.split(".")
    decided = DECIDED + timedelta(minutes=sequence)
    return Alert.model_validate(
        {
            "id": f"{event}-{sequence}",
            "kind": kind,
            "sequence": sequence,
            "event_id": event,
            "institution": {"id": institution, "name": "和兴银行"},
            "topic": {"id": topic, "name": "挤兑传言"},
            "level": level,
            "previous_level": previous,
            "decided_at": decided,
            "title": "新预警",
            "assessment": {
                "risk": 43.6,
                "likelihood": 0.7,
                "impact": 0.6,
                "terms": [
                    {
                        "name": name,
                        "factor": "activity",
                        "value": 1,
                        "unit": "",
                        "score": score,
                        "weight": 0.5,
                        "contribution": score / 2,
                    }
                    for name, score in (("burst", 0.9), ("heat", 0.2), ("reach", 0.5))
                ],
            },
            "situation": {
                "mentions": 12,
                "updates": 0,
                "late": 0,
                "negative": 9,
                "clusters": 3,
                "heat": 10,
                "authors": 9,
                "audience": 900,
                "platforms": {"weibo": 12},
                "emotions": {"fear": 9},
                "depth": 1,
                "first_at": decided,
                "last_at": decided,
            },
            "evidence": [
                {
                    "id": "weibo:1",
                    "platform": "weibo",
                    "kind": "post",
                    "published_at": decided,
                    "polarity": "negative",
                    "emotion": "fear",
                    "heat": 3,
                    "text": '和兴银行取不出钱了，打电话\n13912345678 问 "张经理"',
                }
            ],
            "received_at": decided,
            "measures": [
                {
                    "kind": "fact-finding",
                    "text": "核实网点现场",
                    "department": "运营管理部",
                    "due_at": decided + timedelta(minutes=15),
                }
            ],
            **fields,
        }
    )


class World:
    """A broker with the pager's topics; pager processes are its own."""

    def __init__(self, broker: BrokerSettings, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.pagers: list[WorkerProcess] = []

    def start(
        self,
        rules: Mapping[str, Any],
        program: Sequence[str] = COMMAND_LINE,
        environment: Mapping[str, str] | None = None,
    ) -> WorkerProcess:
        """Start a pager; ``wait_ready`` is the caller's."""
        path = self.folder / "pager.yaml"
        path.write_text(yaml.safe_dump(dict(rules), allow_unicode=True), encoding="utf-8")
        pager = WorkerProcess(
            self.broker.url,
            self.folder / f"pager{len(self.pagers)}.log",
            environment={
                "WANGLOU_PAGER__RULES": str(path),
                "WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
                **(environment or {}),
            },
            folder=self.folder,
            program=program,
            command="pager",
        )
        self.pagers.append(pager)
        return pager

    async def started(self, rules: Mapping[str, Any], **options: Any) -> WorkerProcess:
        """Start a pager, and wait until it is ready."""
        pager = self.start(rules, **options)
        await asyncio.to_thread(pager.wait_ready, READY_SECONDS)
        return pager

    async def send(self, *alerts: Alert) -> None:
        """Write alerts."""
        await self.send_raw((one.event_id.encode(), one.to_json()) for one in alerts)

    async def send_raw(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Write to the alerts topic what no risk agent would."""
        producer = await start_producer(self.broker)
        try:
            await send_all(producer, [Message(ALERTS.name, key, value) for key, value in records])
        finally:
            await producer.stop()

    async def all(self, topic: Topic, contract: type[C]) -> list[C]:
        """What stands in a topic."""
        found = [contract_in(one, contract) async for one in read_to_end(self.broker, topic.name)]
        return [one for one in found if one is not None]


@contextlib.asynccontextmanager
async def world(folder: Path, partitions: int = 2) -> AsyncIterator[World]:
    """A broker with topics."""
    with embedded_broker(folder / "broker.log") as address:
        broker = BrokerSettings(url=address, session_timeout_seconds=SESSION_SECONDS)
        await topic_admin.create(broker, TopicSettings(partitions=partitions), TOPICS)
        one = World(broker, folder)
        try:
            yield one
        finally:
            for pager in one.pagers:
                pager.kill()


async def until(look: Callable[[], T | Awaitable[T]], what: str, seconds: float = 30.0) -> T:
    """Look again and again until there is something; what was found."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def pager_here(
    one: World, rules: Mapping[str, Any], clock: PagerClock | None = None, **own: Any
) -> AsyncIterator[Running]:
    """A pager in this process, which is faster than one of its own."""
    path = one.folder / "pager.yaml"
    path.write_text(yaml.safe_dump(dict(rules), allow_unicode=True), encoding="utf-8")
    settings = load_settings(broker=one.broker, pager={"rules": path, **own})
    metrics = PagerMetrics(CollectorRegistry())
    pager = new_pager(
        settings,
        load_pager_rules(path),
        new_links(settings.pager),
        metrics,
        clock or PagerClock(wall_clock, time.monotonic),
    )
    task = asyncio.create_task(pager.run())
    try:
        await until(lambda: pager.ready or task.done(), "the pager")
        yield Running(pager, metrics.registry)
    finally:
        pager.stop()
        await task


class Running:
    """A pager that runs, and its figures."""

    def __init__(self, pager: Pager, registry: CollectorRegistry) -> None:
        self.pager = pager
        self._registry = registry

    def metric(self, name: str, **labels: str) -> float:
        """The value of a metric, 0 if there is none yet."""
        self.pager.measure()
        return self._registry.get_sample_value(name, labels) or 0.0


def webhook(receiver: LocalReceiver, monkeypatch: Any, name: str = "HOOK", **fields: Any) -> Any:
    """The rules of a webhook, whose URL stands in the environment."""
    monkeypatch.setenv(f"{name}_URL", f"{receiver.url}/{SECRET}")
    return {"kind": "webhook", "url": {"env": f"{name}_URL"}, **fields}


def rules_of(receivers: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Rules by which everybody is told of every case."""
    return {
        "link": "http://127.0.0.1/{event_id}",
        "receivers": dict(receivers),
        "always": list(receivers),
        **fields,
    }
