"""The order in which everything is processed: decided by the raw topic alone.

A raw partition's clock is the latest time that stands in it so far. A mention's position is that
clock, then its place in the raw topic; positions order the mentions of all partitions, whoever
processes them and however fast. A reader of several upstream partitions takes them in this order
(`Merge`): of each it knows how far it has come, and what lies before the least of these is
complete. It is the watermark of Akidau et al., "The Dataflow Model", VLDB 2015, per upstream
partition.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

LAST = 2**63 - 1
"""A place after every other one of the same time."""

MILLISECONDS_PER_MINUTE = 60_000


class Position(NamedTuple):
    """Where something stands in the order of everything.

    ``time``: the raw partition's clock, in milliseconds since the epoch; then the raw partition,
    the offset there, and which of the mentions that came of it.
    """

    time: int
    partition: int
    offset: int
    part: int

    @property
    def minute(self) -> int:
        """The event minute of its clock."""
        return self.time // MILLISECONDS_PER_MINUTE

    def before(self) -> Position:
        """Nothing stands between this and the position itself."""
        return self._replace(part=self.part - 1)

    def end(self) -> Position:
        """After all parts of the same raw message."""
        return self._replace(part=LAST)


BEGINNING = Position(-1, -1, -1, -1)
"""Before everything."""


def before(milliseconds: int) -> Position:
    """Before everything whose clock shows ``milliseconds``."""
    return Position(milliseconds, -1, -1, -1)


def after(milliseconds: int) -> Position:
    """After everything whose clock shows ``milliseconds``."""
    return Position(milliseconds, LAST, LAST, LAST)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a reader has come; kept with the state, so that another reader can go on.

    Everything up to ``frontier`` has had its effect. ``read`` is the last offset read, and
    ``watermarks`` are what was known then of each upstream partition.
    """

    frontier: Position = BEGINNING
    read: int = -1
    watermarks: dict[int, Position] = field(default_factory=dict)

    def later(self, other: Mark) -> Mark:
        """The one that is further: a worker that woke up may have written an older one later."""
        return max(self, other, key=lambda mark: (mark.frontier, mark.read))


class RawClock:
    """Gives the messages of one raw partition their positions, in the order of their offsets.

    The clock never goes back, so a position only depends on what stands before it in the partition.

    >>> clock = RawClock(partition=3)
    >>> clock.stamp(0, 60_000), clock.stamp(1, 59_000)
    (Position(time=60000, partition=3, offset=0, part=0), \
Position(time=60000, partition=3, offset=1, part=0))
    >>> clock.advance(2, 90_000)
    >>> clock.stamp(3, 80_000).time, clock.stamp(3, 0)
    (90001, None)
    """

    def __init__(self, partition: int, mark: Mark | None = None) -> None:
        mark = mark or Mark()
        self._partition = partition
        self._read = mark.read
        self.frontier = mark.frontier

    def stamp(self, offset: int, milliseconds: int | None) -> Position | None:
        """The position of a message whose own time this is; None if it was read before."""
        if offset <= self._read:
            return None
        earliest = self.frontier.time + (self.frontier.offset == LAST)
        time = max(earliest, earliest if milliseconds is None else milliseconds)
        position = Position(time, self._partition, offset, 0)
        self._read, self.frontier = offset, position.end()
        return position

    def advance(self, offset: int, milliseconds: int) -> None:
        """Take in a heartbeat: all that follows is later than this time."""
        if offset > self._read:
            self._read = offset
            self.frontier = max(self.frontier, after(milliseconds))

    def mark(self) -> Mark:
        """How far it has come."""
        return Mark(self.frontier, self._read)


class Merge(Generic[T]):
    """Brings what several upstream partitions wrote to one partition into the order of positions.

    Each upstream partition writes in this order, but may repeat itself from an earlier position on
    (after a crash, or when it was given to another worker): what is not later than what it has said
    before is a repeat.

    >>> merge = Merge[str](upstreams=2)
    >>> merge.add(0, 0, Position(5, 0, 7, 0), "b"), merge.ready()
    (True, None)
    >>> merge.add(1, 1, Position(4, 1, 3, 0), "a"), merge.pop(), merge.ready()
    (True, 'a', None)
    >>> merge.advance(2, 1, after(6)); merge.pop()
    'b'
    >>> merge.add(3, 0, Position(5, 0, 7, 0), "b again")
    False
    """

    def __init__(self, upstreams: int, mark: Mark | None = None) -> None:
        mark = mark or Mark()
        self._known = dict.fromkeys(range(upstreams), mark.frontier)
        self._waiting: list[tuple[Position, int, T]] = []
        self._offsets: set[int] = set()
        self._remembered = mark
        self._read = -1
        self._complete = mark.frontier
        self.frontier = mark.frontier

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, offset: int, upstream: int, position: Position, item: T) -> bool:
        """Take in a message; False if it is a repeat."""
        is_new = position > self._known.get(upstream, self._remembered.frontier)
        if is_new:
            self._learn(upstream, position)
            heapq.heappush(self._waiting, (position, offset, item))
            self._offsets.add(offset)
        self.skip(offset)
        return is_new

    def advance(self, offset: int, upstream: int, position: Position) -> None:
        """Take in a watermark: all that the upstream partition will write is later than this."""
        self._learn(upstream, position)
        self.skip(offset)

    def skip(self, offset: int) -> None:
        """Note that an offset was read, whatever it was."""
        self._read = max(self._read, offset)
        if self._read >= self._remembered.read >= 0:
            # Only now has everything been read again that was waiting when these were known.
            for upstream, position in self._remembered.watermarks.items():
                self._learn(upstream, position)
            self._remembered = Mark(self._remembered.frontier)

    def ready(self) -> Position | None:
        """The position of the next message whose turn has come; None if nothing is complete."""
        if self._waiting and self._waiting[0][0] <= self._complete:
            return self._waiting[0][0]
        return None

    def pop(self) -> T:
        """The next message; only if one is ready."""
        self.frontier, offset, item = heapq.heappop(self._waiting)
        self._offsets.discard(offset)
        return item

    def settle(self) -> None:
        """Nothing is in work: all before what is ready is done, or up to the least watermark."""
        following = self.ready()
        done = self._complete if following is None else following.before()
        self.frontier = max(self.frontier, done)

    def slowest(self) -> int | None:
        """The upstream partition that the others wait for; None if nothing waits."""
        if not self._waiting:
            return None
        return min(self._known, key=lambda upstream: (self._known[upstream], upstream))

    def waits(self, offset: int) -> bool:
        """Whether the message of an offset has not been released."""
        return offset in self._offsets

    def mark(self) -> Mark:
        """How far it has come."""
        return Mark(self.frontier, max(self._read, self._remembered.read), self._watermarks())

    def _learn(self, upstream: int, position: Position) -> None:
        known = self._known.get(upstream, self._remembered.frontier)
        if position > known or upstream not in self._known:
            self._known[upstream] = max(known, position)
            if known <= self._complete:  # else another one is the slowest
                self._complete = min(self._known.values())

    def _watermarks(self) -> dict[int, Position]:
        remembered = self._remembered.watermarks
        return {
            upstream: max(known, remembered.get(upstream, known))
            for upstream, known in self._known.items()
        }
