"""A real broker and real worker processes for tests."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import ConsumerRecord

from wanglou.agents import topic_admin
from wanglou.agents.embedded_broker import embedded_broker
from wanglou.agents.kafka import Message, new_producer, read_to_end, send_all
from wanglou.agents.progress import topic_counts, wait_drained
from wanglou.agents.replay import read_lines, replayed
from wanglou.agents.settings import BrokerSettings, TopicSettings
from wanglou.agents.worker_process import COMMAND_LINE, WorkerProcess
from wanglou.models.intake import fields_of, raw_key
from wanglou.schemas.base import Contract
from wanglou.schemas.cloudevents import TYPE_HEADER
from wanglou.schemas.topics import RAW, TOPICS, Topic

C = TypeVar("C", bound=Contract)

WITH_MODEL = {"WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": "6"}
WITHOUT_MODEL = {**WITH_MODEL, "WANGLOU_MODEL__ENABLED": "false"}
READY_SECONDS = 90
DRAIN_SECONDS = 120


class Cluster:
    """A broker with topics, and the workers started on it."""

    def __init__(self, broker: BrokerSettings, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.workers: list[WorkerProcess] = []

    async def create_topics(self, partitions: int) -> None:
        """Create all topics."""
        await topic_admin.create(self.broker, TopicSettings(partitions=partitions))

    def start_worker(
        self,
        agents: Iterable[str] = (),
        environment: Mapping[str, str] = WITHOUT_MODEL,
        program: Sequence[str] = COMMAND_LINE,
    ) -> WorkerProcess:
        """Start a worker; ``wait_ready`` is the caller's."""
        log = self.folder / f"worker{len(self.workers)}.log"
        worker = WorkerProcess(
            self.broker.url,
            log,
            agents=agents,
            environment=environment,
            folder=self.folder,
            program=program,
        )
        self.workers.append(worker)
        return worker

    async def send(self, values: Iterable[bytes | None]) -> None:
        """Raw messages, keyed as collectors key them."""
        await self.send_keyed(
            (raw_key(fields_of(value)) if value else None, value) for value in values
        )

    async def replay(
        self, file: Path, speed: float | None = None, lines: int | None = None
    ) -> None:
        """A recorded stream or its first lines, as ``wanglou replay`` sends it."""
        first = itertools.islice(read_lines(file), lines)
        async for sent in replayed(self.broker, first, speed):
            assert not sent.refused

    async def send_keyed(self, messages: Iterable[tuple[str | None, bytes | None]]) -> None:
        """Raw messages with keys of the test's choice."""
        producer = new_producer(self.broker)
        await producer.start()
        try:
            refused = await send_all(
                producer,
                [
                    Message(RAW.name, key.encode() if key else None, value)
                    for key, value in messages
                ],
            )
        finally:
            await producer.stop()
        assert not refused

    async def drained(self) -> None:
        """Wait until every agent has acknowledged all there is."""
        await wait_drained(self.broker, DRAIN_SECONDS)

    async def counts(self) -> dict[str, int]:
        """Messages in each topic, by its short name; those that only tell the time included."""
        counts = await topic_counts(self.broker, [topic.name for topic in TOPICS])
        return {topic.short_name: counts[topic.name] for topic in TOPICS}

    async def records(self, topic: Topic) -> list[ConsumerRecord]:
        """All messages of a topic that are of its own type."""
        control = None if topic.control_type is None else topic.control_type.encode()
        return [
            record
            async for record in read_to_end(self.broker, topic.name)
            if control is None or dict(record.headers).get(TYPE_HEADER) != control
        ]

    async def contracts(self, topic: Topic, contract: type[C]) -> list[C]:
        """All messages of a topic, validated."""
        return [contract.model_validate_json(one.value) for one in await self.records(topic)]


@contextlib.contextmanager
def running_broker(folder: Path) -> Iterator[Cluster]:
    """The embedded broker; at the end its workers are killed."""
    with embedded_broker(folder / "broker.log") as address:
        cluster = Cluster(BrokerSettings(url=address), folder)
        try:
            yield cluster
        finally:
            for worker in cluster.workers:
                worker.kill()


@contextlib.asynccontextmanager
async def running_cluster(folder: Path, partitions: int) -> AsyncIterator[Cluster]:
    """The embedded broker with all topics."""
    with running_broker(folder) as cluster:
        await cluster.create_topics(partitions)
        yield cluster


def mention(id: str, text: str, at: str = "2026-03-02T09:00:00+08:00", **more: Any) -> bytes:
    """A raw mention as a collector would send it."""
    raw = {"id": id, "platform": "weibo", "text": text, "published_at": at, **more}
    return json.dumps(raw, ensure_ascii=False).encode()
