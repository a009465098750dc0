"""A broker, an archive, and what is said of a case, for tests of the archive's process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry
from sqlalchemy import URL

from tests.models.builders import scored
from tests.models.response.builders import CASE, alert, at
from wanglou.agents import topic_admin
from wanglou.agents.archive.database import new_engine
from wanglou.agents.archive.metrics import ArchiveMetrics
from wanglou.agents.archive.migration import upgrade
from wanglou.agents.archive.process import READS, Archiver
from wanglou.agents.archive.scribe import Scribe
from wanglou.agents.archive.sealing import Keys, read_master_key
from wanglou.agents.archive.store import Archive
from wanglou.agents.changelog import MARK_KEY, encode_mark
from wanglou.agents.dead_letter_limit import History
from wanglou.agents.embedded_broker import embedded_broker
from wanglou.agents.kafka import (
    Message,
    contract_in,
    read_to_end,
    send_all,
    start_producer,
)
from wanglou.agents.record import order_header
from wanglou.agents.settings import BrokerSettings, TopicSettings, load_settings
from wanglou.agents.worker_process import COMMAND_LINE, WorkerProcess
from wanglou.models.order import Mark, Position, before
from wanglou.models.response.case_file import CaseFile
from wanglou.models.response.responsibilities import Responsibilities
from wanglou.schemas.base import Contract
from wanglou.schemas.response import Act, Response
from wanglou.schemas.risk import Event
from wanglou.schemas.topics import (
    DEAD_LETTERS,
    EVALUATIONS,
    RESPONSES,
    RISK_STATE,
    SCORED,
    Topic,
)

C = TypeVar("C", bound=Contract)
T = TypeVar("T")

PARTITIONS = 2
SESSION_SECONDS = 2.0
KEY = "0f" * 32
READY_SECONDS = 120.0


def event(minute: int, risk: float = 50.0, **fields: Any) -> Event:
    """A snapshot of the case's event at the close of a minute."""
    one = alert(minute, None, "resolved")  # type: ignore[arg-type]
    return Event.model_validate(
        {
            "id": CASE,
            "institution": one.institution,
            "topic": one.topic,
            "level": "orange",
            "since": at(0),
            "assessed_at": at(minute),
            "assessment": {"risk": risk, "likelihood": 0.6, "impact": 0.8, "terms": ()},
            "situation": one.situation,
            "evidence": [
                {
                    "id": "weibo:0",
                    "platform": "weibo",
                    "kind": "post",
                    "published_at": at(minute),
                    "polarity": "negative",
                    "emotion": "fear",
                    "heat": 3,
                    "text": "和兴银行取不出钱了",
                }
            ],
            **fields,
        }
    )


class World:
    """A broker with the topics, and a database."""

    def __init__(self, broker: BrokerSettings, folder: Path, url: URL) -> None:
        self.broker = broker
        self.folder = folder
        self.archive = Archive(new_engine(url), Keys(read_master_key(KEY)))
        self.processes: list[WorkerProcess] = []
        self._numbers = itertools.count()

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which a process finds broker and archive."""
        return {
            "WANGLOU_ARCHIVE__URL": self.archive.engine.url.render_as_string(),
            "WANGLOU_ARCHIVE__KEY": KEY,
            "WANGLOU_BROKER__URL": self.broker.url,
            "WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
        }

    async def send(self, topic: Topic, *said: Contract, key: str = CASE) -> None:
        """Write to a topic, as an agent would."""
        messages = [
            Message(topic.name, key.encode(), one.to_json(), self._headers(topic)) for one in said
        ]
        await self.send_messages(messages)

    def _headers(self, topic: Topic) -> tuple[tuple[str, bytes], ...]:
        number = next(self._numbers)
        headers = (("ce_id", f"0/{number}/0".encode()), ("ce_type", topic.event_type.encode()))
        return (*headers, order_header(0, Position(0, 0, number, 0)))

    async def send_messages(self, messages: list[Message]) -> None:
        """Write what no agent would."""
        producer = await start_producer(self.broker)
        try:
            await send_all(producer, messages)
        finally:
            await producer.stop()

    async def respond(self, act: Act, minute: float, by: str, **fields: Any) -> Response:
        """Act on the case."""
        fields.setdefault("id", f"r{next(self._numbers)}")
        response = Response(
            event_id=fields.pop("event_id", CASE), act=act, by=by, at=at(minute), **fields
        )
        await self.send(RESPONSES, response)
        return response

    def start(
        self, program: Sequence[str] = COMMAND_LINE, environment: Mapping[str, str] | None = None
    ) -> WorkerProcess:
        """Start an archiver of its own; ``wait_ready`` is the caller's."""
        process = WorkerProcess(
            self.broker.url,
            self.folder / f"archiver{len(self.processes)}.log",
            environment={**self.environment, **(environment or {})},
            folder=self.folder,
            program=program,
            command="archive run",
        )
        self.processes.append(process)
        return process

    async def mentions(self, *minutes: float) -> None:
        """Negative mentions of the case, one at each of some minutes."""
        said = [
            scored(
                id=f"weibo:{next(self._numbers)}",
                institution="hexing-bank",
                published_at=at(minute),
                author={"id": f"author{minute % 7:.0f}", "followers": 10},
            )
            for minute in minutes
        ]
        await self.send(SCORED, *said, key="hexing-bank")

    async def let_time_come(self, minute: int) -> None:
        """Tell, as the risk agent would, that all before a minute has had its effect."""
        position = before(int(at(minute).timestamp() * 1000))
        value = encode_mark(Mark(position, 0), History())
        await self.send_messages(
            [Message(RISK_STATE.name, MARK_KEY, value, (), one) for one in range(PARTITIONS)]
        )

    async def all(self, topic: Topic, contract: type[C]) -> list[C]:
        """What stands in a topic."""
        found = [contract_in(one, contract) async for one in read_to_end(self.broker, topic.name)]
        return [one for one in found if one is not None]

    def case(self, id: str = CASE) -> CaseFile | None:
        """The case as it stands."""
        row = self.archive.case(id)
        return None if row is None else CaseFile.model_validate_json(row.body)


def responsibilities() -> Responsibilities:
    """Those of the demo."""
    return load_settings().load_responsibilities()


@contextlib.asynccontextmanager
async def world(folder: Path, url: URL | None = None) -> AsyncIterator[World]:
    """The embedded broker with topics, and an empty archive: in a file, or where ``url`` says."""
    with embedded_broker(folder / "broker.log") as address:
        async with world_on(address, folder, url) as one:
            yield one


@contextlib.asynccontextmanager
async def world_on(address: str, folder: Path, url: URL | None = None) -> AsyncIterator[World]:
    """The same on any broker."""
    broker = BrokerSettings(url=address, session_timeout_seconds=SESSION_SECONDS)
    topics = (*READS, EVALUATIONS, DEAD_LETTERS, RISK_STATE)
    await topic_admin.create(broker, TopicSettings(partitions=PARTITIONS), topics)
    file = URL.create("sqlite", database=str(folder / "archive.db"))
    one = World(broker, folder, url or file)
    upgrade(one.archive.engine)
    try:
        yield one
    finally:
        for process in one.processes:
            process.kill()
        one.archive.engine.dispose()


@contextlib.asynccontextmanager
async def archiver_here(
    one: World, archive: Archive | None = None
) -> AsyncIterator[ArchiveMetrics]:
    """The process's work, in this process; its metrics."""
    archive = archive or one.archive
    metrics = ArchiveMetrics(CollectorRegistry())
    scribe = Scribe(archive, responsibilities(), metrics, PARTITIONS, lambda: datetime.now(UTC))
    archiver = Archiver(one.broker, archive, scribe, metrics)
    task = asyncio.create_task(archiver.run())
    try:
        await until(lambda: archiver.ready or task.done(), "the archiver", READY_SECONDS)
        yield metrics
    finally:
        archiver.stop()
        await task


async def until(look: Callable[[], T | Awaitable[T]], what: str, seconds: float = 60.0) -> T:
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
