"""How a partition is read: each record gets its position, and comes when its turn has come."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from wanglou.agents.record import Record, Rejected, decode, order_of
from wanglou.agents.window import Window
from wanglou.models.intake import MAX_AHEAD, fields_of, is_plausible, published_milliseconds
from wanglou.models.order import Mark, Merge, Position, RawClock
from wanglou.schemas.control import (
    CLOCK_HEADER,
    HEARTBEAT_TYPE,
    WATERMARK_TYPE,
    Heartbeat,
    Watermark,
)
from wanglou.schemas.dead_letter import Reason

MOST_READY = 1024
"""Raw messages that are kept in memory until they get their turn: their readers wait for none."""


class Reader(Protocol):
    """Reads one partition in the order of positions."""

    @property
    def frontier(self) -> Position:
        """All that it will release is later than this."""

    def take(self, record: Record) -> bool:
        """Take in a record, in the order of offsets; False if it is a repeat.

        Raises ``Rejected`` or ``ValidationError``; it is then done with the record.
        """

    def ready(self) -> Position | None:
        """The position of the next record whose turn has come, if there is one."""

    def pop(self) -> Record:
        """The next record; only if one is ready."""

    def settle(self) -> None:
        """Nothing is in work: move the frontier up to the next record, or as far as is known."""

    def is_shut(self) -> bool:
        """Whether what is next may not begin: too much is on its way."""

    def is_held(self) -> bool:
        """Whether nothing more should be read: it would only wait in memory."""

    def waits(self, offset: int) -> bool:
        """Whether a record that was taken in has not been released."""

    def waiting(self) -> int:
        """How many records have not been released."""

    def slowest(self) -> int | None:
        """The upstream partition that they wait for."""

    def mark(self) -> Mark:
        """How far it has come, once all that it released has had its effect."""


class RawReader:
    """Reads a partition of the raw topic: positions follow from what stands in it."""

    def __init__(self, partition: int, mark: Mark, window: Window) -> None:
        self._clock = RawClock(partition, mark)
        self._window = window
        self._ready: deque[Record] = deque()
        self._done = self._clock.mark()

    @property
    def frontier(self) -> Position:
        return self._done.frontier

    def take(self, record: Record) -> bool:
        if record.type == HEARTBEAT_TYPE:
            self._clock.advance(record.offset, _heartbeat(record))
            return True
        position = self._clock.stamp(record.offset, _own_time(record))
        if position is None:
            return False
        self._ready.append(replace(record, position=position))
        return True

    def ready(self) -> Position | None:
        return self._ready[0].position if self._ready and not self._window.is_full() else None

    def pop(self) -> Record:
        record = self._ready.popleft()
        self._window.let_in(record.position)
        self._done = Mark(record.position.end(), record.offset)
        return record

    def settle(self) -> None:
        if self._ready:
            self._done = Mark(self._ready[0].position.before(), self._done.read)
        else:
            self._done = self._clock.mark()

    def is_shut(self) -> bool:
        return bool(self._ready) and self._window.is_full()

    def is_held(self) -> bool:
        return self.is_shut() or len(self._ready) >= MOST_READY

    def waits(self, offset: int) -> bool:
        return bool(self._ready) and offset >= self._ready[0].offset

    def waiting(self) -> int:
        return len(self._ready)

    def slowest(self) -> int | None:
        return None

    def mark(self) -> Mark:
        return self._done


class MergeReader:
    """Reads a partition that several upstream partitions were written into."""

    def __init__(self, upstreams: int, mark: Mark) -> None:
        self._merge = Merge[Record](upstreams, mark)

    @property
    def frontier(self) -> Position:
        return self._merge.frontier

    def take(self, record: Record) -> bool:
        try:
            if record.type == WATERMARK_TYPE:
                for upstream, place in decode(record, Watermark).positions.items():
                    self._merge.advance(record.offset, upstream, Position(*place))
                return True
            upstream, position = order_of(record)
            placed = replace(record, position=position)
            return self._merge.add(record.offset, upstream, position, placed)
        finally:
            self._merge.skip(record.offset)

    def ready(self) -> Position | None:
        return self._merge.ready()

    def pop(self) -> Record:
        return self._merge.pop()

    def settle(self) -> None:
        self._merge.settle()

    def is_shut(self) -> bool:
        return False

    def is_held(self) -> bool:
        return False  # what it waits for stands further on

    def waits(self, offset: int) -> bool:
        return self._merge.waits(offset)

    def waiting(self) -> int:
        return len(self._merge)

    def slowest(self) -> int | None:
        return self._merge.slowest()

    def mark(self) -> Mark:
        return self._merge.mark()


def _own_time(record: Record) -> int | None:
    """The later of a raw mention's own time and its sender's clock."""
    published = published_milliseconds(fields_of(record.value), record.timestamp)
    times = [one for one in (published, _sender_clock(record)) if one is not None]
    return max(times, default=None)


def _sender_clock(record: Record) -> int | None:
    value = record.header(CLOCK_HEADER)
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value.decode())
        return int(time.timestamp() * 1000) if is_plausible(time, record.timestamp) else None
    except (ValueError, TypeError, OverflowError):
        return None


def _heartbeat(record: Record) -> int:
    time = decode(record, Heartbeat).time
    if not is_plausible(time, record.timestamp):
        raise Rejected(
            Reason.IMPLAUSIBLE_TIME,
            f"time: {time.isoformat()} is more than {MAX_AHEAD.seconds // 60} minutes ahead",
        )
    return int(time.timestamp() * 1000)
