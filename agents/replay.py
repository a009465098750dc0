"""Send a recorded stream to the raw topic, in event-time pace or as fast as possible."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from pydantic import BaseModel, NonNegativeInt, ValidationError

from wanglou.agents.kafka import Message, send_all, start_producer
from wanglou.agents.record import time_at
from wanglou.agents.settings import BrokerSettings
from wanglou.models.intake import EARLIEST, MAX_AHEAD, SenderClock, fields_of, raw_key
from wanglou.schemas.cloudevents import Headers
from wanglou.schemas.control import CLOCK_HEADER
from wanglou.schemas.problems import describe
from wanglou.schemas.topics import RAW

CHUNK = 500
"""Lines sent before their acknowledgement is awaited."""

TICK_SECONDS = 0.02
"""Lines that fall due within this are sent together."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file, from 1, and when it was collected (seconds since the epoch).

    ``clock``: the latest publication so far, in milliseconds since the epoch; None before any.
    """

    number: int
    value: bytes
    collected: float | None
    clock: int | None = None


def collected_seconds(fields: Mapping[str, Any]) -> float | None:
    """When a raw mention was collected, None if it does not tell."""
    try:
        time_text = fields.get("collected_at") or fields["published_at"]
        return datetime.fromisoformat(time_text).timestamp()
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def read_lines(file: Path, after: int = 0) -> Iterator[Line]:
    """The lines of a file that come after line number ``after``."""
    clock, now = SenderClock(), datetime.now(UTC)
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            value = line.rstrip(b"\r\n")
            if not value:
                continue
            fields = fields_of(value)
            latest = clock.after(fields, now)
            if number > after:
                yield Line(number, value, collected_seconds(fields), latest)


def clock_header(milliseconds: int | None) -> Headers:
    """The header that tells intake a sender's clock; none before the first time.

    With it the order of a replay does not depend on its speed.

    >>> clock_header(1579928804000)
    (('ce_clock', b'2020-01-25T05:06:44+00:00'),)
    """
    if milliseconds is None:
        return ()
    return ((CLOCK_HEADER, time_at(milliseconds).isoformat().encode()),)


class _Stored(BaseModel):
    line: NonNegativeInt


class Position:
    """How far a replay has come, in a file beside the stream."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> int:
        """The last line that was acknowledged, 0 if none. Raises ``ValueError`` for a bad file."""
        if not self._path.exists():
            return 0
        try:
            return _Stored.model_validate_json(self._path.read_bytes(), strict=True).line
        except ValidationError as error:
            raise ValueError(f"{self._path}: is no replay position: {describe(error)}") from error

    def save(self, line: int) -> None:
        """Remember a line; replaces the file in one step."""
        fresh = self._path.with_suffix(self._path.suffix + ".new")
        fresh.write_text(_Stored(line=line).model_dump_json())
        fresh.replace(self._path)

    def clear(self) -> None:
        """The replay is done."""
        self._path.unlink(missing_ok=True)


@dataclass(slots=True)
class Sent:
    """What a step of a replay did."""

    line: int
    lines: int
    refused: list[str]


async def replayed(
    broker: BrokerSettings, lines: Iterator[Line], speed: float | None
) -> AsyncIterator[Sent]:
    """Send lines as `Replay` does, with a producer of its own; to be read to its end."""
    producer = await start_producer(broker)
    try:
        async for sent in Replay(producer, speed).send(lines):
            yield sent
    finally:
        await producer.stop()


class Replay:
    """Sends lines with their key, acknowledged in order, at ``speed`` times event time."""

    def __init__(self, producer: AIOKafkaProducer, speed: float | None) -> None:
        self._producer = producer
        self._speed = speed

    async def send(self, lines: Iterator[Line]) -> AsyncIterator[Sent]:
        """Send; yields after each acknowledged chunk."""
        started, origin = time.monotonic(), None
        earliest = EARLIEST.timestamp()
        latest = time.time() + MAX_AHEAD.total_seconds()  # beyond, intake believes no time either
        chunk: list[Line] = []
        for line in lines:
            believed = line.collected is not None and earliest <= line.collected <= latest
            if self._speed is not None and line.collected is not None and believed:
                origin = line.collected if origin is None else origin
                due = started + (line.collected - origin) / self._speed
                wait = due - time.monotonic()
                if wait > TICK_SECONDS:
                    if chunk:
                        yield await self._flush(chunk)
                        chunk = []
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
            chunk.append(line)
            if len(chunk) >= CHUNK:
                yield await self._flush(chunk)
                chunk = []
        if chunk:
            yield await self._flush(chunk)

    async def _flush(self, chunk: list[Line]) -> Sent:
        messages = []
        numbers: dict[int, int] = {}
        for line in chunk:
            key = raw_key(fields_of(line.value))
            headers = clock_header(line.clock)
            message = Message(RAW.name, None if key is None else key.encode(), line.value, headers)
            numbers[id(message)] = line.number
            messages.append(message)
        refused = await send_all(self._producer, messages)
        problems = [f"line {numbers[id(message)]}: {error!r}" for message, error in refused]
        return Sent(chunk[-1].number, len(chunk), problems)
