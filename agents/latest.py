"""Which records of a state topic count: of each key two at most, however often it was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from aiokafka import ConsumerRecord

from wanglou.models.order import Position


class Written(NamedTuple):
    """A record, and its position; a tombstone comes after the value that it takes away."""

    position: Position
    is_tombstone: bool
    record: ConsumerRecord


class Latest:
    """Of each key the record with the highest position, and the one written last.

    They are the same unless a worker that woke up late has set the key back. Values are not read
    here: an event is written hundreds of times, and only its last state has to be understood.

    >>> from types import SimpleNamespace
    >>> latest = Latest()
    >>> for offset, (key, time) in enumerate([(b"a", 1), (b"b", 2), (b"a", 3), (b"b", 1)]):
    ...     record = SimpleNamespace(key=key, value=b"{}", offset=offset)
    ...     latest.add(Position(time, 0, 0, 0), record)
    >>> [(one.position.time, one.record.offset) for one in latest]
    [(2, 1), (1, 3), (3, 2)]
    """

    def __init__(self) -> None:
        self._highest: dict[bytes, Written] = {}
        self._set_back: dict[bytes, Written] = {}

    def add(self, position: Position, record: ConsumerRecord) -> None:
        """Take in the next record of the topic."""
        written = Written(position, record.value is None, record)
        highest = self._highest.get(record.key)
        if highest is not None and written[:2] < highest[:2]:
            self._set_back[record.key] = written
            return
        self._highest.pop(record.key, None)  # re-insert: in the order in which they were written
        self._highest[record.key] = written
        self._set_back.pop(record.key, None)

    def __iter__(self) -> Iterator[Written]:
        """The highest of each key, in the order of writing, and behind it what was written last."""
        for key, highest in self._highest.items():
            yield highest
            if key in self._set_back:
                yield self._set_back[key]
