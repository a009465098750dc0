"""Clients of the broker: their settings in one place, and sending that waits for the broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer import AIOKafkaConsumer
from aiokafka.errors import (
    InvalidRequestError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownError,
)
from aiokafka.partitioner import murmur2
from pydantic import ValidationError

from wanglou.agents.kafka_security import client_security
from wanglou.agents.settings import BrokerSettings
from wanglou.schemas.base import Contract
from wanglou.schemas.cloudevents import Headers
from wanglou.schemas.problems import describe
from wanglou.schemas.topics import DEAD_LETTER_MAX_MESSAGE_BYTES

logger = logging.getLogger(__name__)

C = TypeVar("C", bound=Contract)

PRODUCER_LINGER_MS = 2
RETRY_SECONDS = 0.5
READ_MS = 1000
FETCH_WAIT_MS = 20
"""How long the broker may hold a fetch at the end of a partition: whatever is asked next waits for
it, and the default of half a second made every restore take that long."""
ENVELOPE_BYTES = 64 * 1024
"""Room beside a message's value for its key, headers and the request around it."""

REFUSED = (MessageSizeTooLargeError, InvalidRequestError)
"""Errors that sending again does not cure."""


class TopicProblem(RuntimeError):
    """Topics that do not fit; the message says which, and how to repair it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send; without ``partition`` its key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


def partition_of(key: str, partitions: int) -> int:
    """The partition on which a key lies: Kafka's default partitioner (murmur2).

    >>> partition_of("hexing-bank", 1)
    0
    """
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


async def start_producer(broker: BrokerSettings) -> AIOKafkaProducer:
    """A started producer that keeps the order of each partition's messages when it has to retry.

    The embedded broker knows no idempotent producers; there a plain one is started.
    """
    producer = new_producer(broker, idempotent=True)
    sender = logging.getLogger("aiokafka.producer.sender")
    sender.addFilter(_is_another_error)
    try:
        await producer.start()
    except UnknownError:
        await producer.stop()
        logger.info("the broker knows no idempotent producer: only retries could change the order")
        producer = new_producer(broker)
        await producer.start()
    finally:
        sender.removeFilter(_is_another_error)
    return producer


def _is_another_error(record: logging.LogRecord) -> bool:
    """Passes over the line by which aiokafka says that the broker knows no such producers."""
    return "InitProducerIdRequest" not in record.getMessage()


def new_producer(broker: BrokerSettings, *, idempotent: bool = False) -> AIOKafkaProducer:
    """A producer whose messages are acknowledged by all replicas in sync."""
    return AIOKafkaProducer(
        enable_idempotence=idempotent,
        bootstrap_servers=broker.url,
        **client_security(broker),
        acks="all",
        linger_ms=PRODUCER_LINGER_MS,
        max_batch_size=256 * 1024,
        max_request_size=DEAD_LETTER_MAX_MESSAGE_BYTES + ENVELOPE_BYTES,
        request_timeout_ms=int(broker.request_timeout_seconds * 1000),
    )


def new_reader(broker: BrokerSettings) -> AIOKafkaConsumer:
    """A consumer outside any group, that reads what it is told to."""
    return AIOKafkaConsumer(
        bootstrap_servers=broker.url,
        **client_security(broker),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=int(broker.request_timeout_seconds * 1000),
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=DEAD_LETTER_MAX_MESSAGE_BYTES + ENVELOPE_BYTES,
    )


async def read_to_end(broker: BrokerSettings, topic: str) -> AsyncIterator[ConsumerRecord]:
    """All messages that stand in a topic now, partition by partition."""
    places = await places_of(broker, [topic])
    reader = new_reader(broker)
    await reader.start()
    try:
        for place in places:
            async for record in read_place(reader, place, 0):
                yield record
    finally:
        await stop_reader(reader)


async def read_place(
    reader: AIOKafkaConsumer, place: TopicPartition, position: int
) -> AsyncIterator[ConsumerRecord]:
    """What stands in a partition now, from an offset on (or from its beginning, if later)."""
    end = await end_of(reader, place)
    start = (await reader.beginning_offsets([place]))[place]
    reader.seek(place, max(position, start))
    while await reader.position(place) < end:
        for record in (await reader.getmany(place, timeout_ms=READ_MS)).get(place, []):
            yield record


async def end_of(reader: AIOKafkaConsumer, place: TopicPartition) -> int:
    """Where a partition ends; assigns it to the reader.

    The offset that the embedded broker names is only one after the first message of its last
    batch, so that batch is read: what a fetch says is right on every broker.
    """
    reader.assign([place])
    named = int((await reader.end_offsets([place]))[place])
    if named == 0:
        return 0
    reader.seek(place, named - 1)
    while await reader.position(place) < named:
        await reader.getmany(place, timeout_ms=READ_MS)
    return int(reader.highwater(place) or named)


async def stop_reader(reader: AIOKafkaConsumer) -> None:
    """Stop a consumer.

    When one of its fetches has just failed, aiokafka cancels it and lets the cancellation out, as
    if its caller had been cancelled, and its connections stay open.
    """
    try:
        await reader.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        await reader._client.close()


def new_admin(broker: BrokerSettings) -> AIOKafkaAdminClient:
    """A client for topics and groups."""
    return AIOKafkaAdminClient(
        bootstrap_servers=broker.url,
        **client_security(broker),
        request_timeout_ms=int(broker.request_timeout_seconds * 1000),
    )


async def partition_counts(broker: BrokerSettings) -> dict[str, int]:
    """Partitions of every topic of the broker, by name."""
    admin = new_admin(broker)
    try:
        await admin.start()
        names = await admin.list_topics()
        described = await admin.describe_topics(names) if names else []
    finally:
        await admin.close()
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


def place_of(record: ConsumerRecord) -> str:
    """topic/partition/offset: where a record stands."""
    return f"{record.topic}/{record.partition}/{record.offset}"


def contract_in(record: ConsumerRecord, contract: type[C]) -> C | None:
    """The contract in a record; None for a tombstone, and for what no agent wrote (logged)."""
    if record.value is None:
        return None
    try:
        return contract.model_validate_json(record.value)
    except ValidationError as error:
        logger.warning("%s is no %s: %s", place_of(record), contract.__name__, describe(error))
        return None


async def places_of(broker: BrokerSettings, topics: Sequence[str]) -> list[TopicPartition]:
    """The partitions of some topics, in order. Raises ``TopicProblem`` for one that is missing."""
    counts = await partition_counts(broker)
    for topic in topics:
        if topic not in counts:
            raise TopicProblem(f"{topic}: is missing. Run: wanglou topics create")
    return [TopicPartition(topic, one) for topic in topics for one in range(counts[topic])]


async def send_all(
    producer: AIOKafkaProducer,
    messages: Sequence[Message],
    on_retry: Callable[[int], None] = lambda count: None,
) -> list[tuple[Message, KafkaError]]:
    """Send, and wait until the broker has acknowledged every message, however long it takes.

    Returns the messages that the broker refuses for what they are (too large), with the error.
    """
    refused: list[tuple[Message, KafkaError]] = []
    waiting = list(messages)
    while waiting:
        outcomes = await _send_once(producer, waiting)
        refused += [(one, error) for one, error in outcomes if isinstance(error, REFUSED)]
        failed = [(one, error) for one, error in outcomes if not isinstance(error, REFUSED)]
        waiting = [one for one, _ in failed]
        if failed:
            logger.warning("%d messages not acknowledged, sending again: %r", *_first(failed))
            on_retry(len(failed))
            await asyncio.sleep(RETRY_SECONDS)
    return refused


def _first(failed: Sequence[tuple[Message, KafkaError]]) -> tuple[int, KafkaError]:
    return len(failed), failed[0][1]


async def _send_once(
    producer: AIOKafkaProducer, messages: Sequence[Message]
) -> list[tuple[Message, KafkaError]]:
    """Send each message once; those that failed, with their errors.

    Raises ``TopicAuthorizationFailedError``: the access was taken away.
    """
    pending: list[tuple[Message, asyncio.Future[object]]] = []
    failed: list[tuple[Message, KafkaError]] = []
    for message in messages:
        try:
            future = await producer.send(
                message.topic,
                value=message.value,
                key=message.key,
                partition=message.partition,
                headers=list(message.headers),
            )
        except KafkaError as error:
            failed.append((message, error))
        else:
            pending.append((message, future))
    results = await asyncio.gather(*(future for _, future in pending), return_exceptions=True)
    for (message, _), result in zip(pending, results, strict=True):
        if isinstance(result, KafkaError) and not isinstance(result, TopicAuthorizationFailedError):
            failed.append((message, result))
        elif isinstance(result, BaseException):
            raise result
    return failed
