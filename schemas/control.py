"""Messages that carry no mention: how far time has come."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from wanglou.schemas.base import Contract, Timestamp

HEARTBEAT_TYPE = "wanglou.heartbeat.v1"
"""CloudEvents type of a `Heartbeat`."""

WATERMARK_TYPE = "wanglou.watermark.v1"
"""CloudEvents type of a `Watermark`."""

CLOCK_HEADER = "ce_clock"
"""Header of a raw mention: the latest time that its sender has sent to any partition (RFC 3339)."""

ORDER_HEADER = "ce_order"
"""Header of a mention between agents: the partition that it was made from, then its position."""

AGAIN_HEADER = "ce_again"
"""Header of a raw message sent again for one institution, whose mention was put aside after dedupe:
it counts although its id is known."""

Place = Annotated[tuple[int, ...], Field(min_length=4, max_length=4)]
"""A position: clock in milliseconds, raw partition, offset there, part."""


class Heartbeat(Contract):
    """In ``mentions.raw``: all that follows in this partition counts as later than its time."""

    time: Timestamp = Field(description="The latest time that stands in another partition.")


class Watermark(Contract):
    """Between agents: all that these partitions will bring is later than these positions."""

    positions: dict[int, Place] = Field(
        description="By partition of the topic that the writer reads: clock in milliseconds since "
        "the epoch, raw partition, offset there, part."
    )
