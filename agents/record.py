"""A message as an agent reads it, and what it makes of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from wanglou.agents.kafka import Message
from wanglou.models.order import BEGINNING, Position
from wanglou.schemas.base import Contract
from wanglou.schemas.cloudevents import TYPE_HEADER, Headers
from wanglou.schemas.control import ORDER_HEADER
from wanglou.schemas.dead_letter import Reason
from wanglou.schemas.topics import RAW

C = TypeVar("C", bound=Contract)


@dataclass(frozen=True, slots=True)
class Record:
    """A message as read from the source topic, with its place in the order of everything."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    position: Position = BEGINNING

    @property
    def id(self) -> str:
        """topic/partition/offset: where it stands."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def mention(self) -> str | None:
        """partition/offset in the raw topic, the same for all that comes of a raw mention.

        None for what has no place in the order.

        >>> raw = Record(RAW.name, 3, 17, datetime.now(UTC), None, None)
        >>> later = Record("…", 0, 5, datetime.now(UTC), None, None, (), Position(0, 3, 17, 1))
        >>> raw.mention, later.mention
        ('3/17', '3/17')
        """
        if self.topic == RAW.name:
            return f"{self.partition}/{self.offset}"
        if self.position > BEGINNING:
            return f"{self.position.partition}/{self.position.offset}"
        return None

    @property
    def type(self) -> str | None:
        """Its CloudEvents type, if it tells."""
        value = self.header(TYPE_HEADER)
        return None if value is None else value.decode("utf-8", "replace")

    def header(self, name: str) -> bytes | None:
        """The value of a header, None if it is not there."""
        return next((value for header, value in self.headers if header == name), None)


def about(agent: str, record: Record) -> dict[str, str | None]:
    """What a log line says of a record: who has it, where it stands, and which mention it is."""
    return {"agent": agent, "record": record.id, "mention": record.mention}


class Rejected(Exception):
    """A record that belongs into the dead letters."""

    def __init__(self, reason: Reason, error: str) -> None:
        super().__init__(error)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Emission:
    """A message that an agent makes of a record."""

    record: Record
    message: Message
    received_at: datetime | None = None
    """Set on alerts: when the broker took the latest raw mention that it counts."""
    rejected: Rejected | None = None
    """Set on dead letters: why."""


def decode(record: Record, contract: type[C]) -> C:
    """The contract in a record. Raises ``Rejected`` or ``ValidationError``."""
    if record.value is None:
        raise Rejected(Reason.NO_VALUE, "message has no value")
    return contract.model_validate_json(record.value)


def order_header(source_partition: int, position: Position) -> tuple[str, bytes]:
    """The header that tells the reader where a message belongs.

    >>> order_header(3, Position(1579928804000, 0, 17, 1))
    ('ce_order', b'3/1579928804000/0/17/1')
    """
    return ORDER_HEADER, "/".join(map(str, (source_partition, *position))).encode()


def order_in(value: bytes | None) -> tuple[int, Position]:
    """The partition that a message was made from, and its position. Raises ``ValueError``.

    >>> order_in(b"3/1579928804000/0/17/1")
    (3, Position(time=1579928804000, partition=0, offset=17, part=1))
    """
    if value is None:
        raise ValueError(f"header {ORDER_HEADER}: is missing; no agent wrote this")
    try:
        source_partition, time, partition, offset, part = map(int, value.split(b"/"))
    except ValueError:
        shown = value[:80].decode("utf-8", "replace")
        raise ValueError(
            f"header {ORDER_HEADER}: {shown!r} is not five numbers between slashes"
        ) from None
    return source_partition, Position(time, partition, offset, part)


def order_of(record: Record) -> tuple[int, Position]:
    """The same of a record. Raises ``Rejected``."""
    try:
        return order_in(record.header(ORDER_HEADER))
    except ValueError as error:
        raise Rejected(Reason.INVALID, str(error)) from None


def time_at(milliseconds: int) -> datetime:
    """A clock's milliseconds as a time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
