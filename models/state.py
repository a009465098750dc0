"""State of one source partition: a dictionary that knows what changed and what expires.

It holds no Kafka. An agent writes ``changes()`` to the step's compacted topic and feeds what it
reads back to ``load``; a back-test just drops the changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

V = TypeVar("V")

NEVER_APPLIED = -1
"""The applied offset of a key that has no value."""

MINUTES_PER_HOUR = 60


@dataclass(frozen=True, slots=True)
class Entry(Generic[V]):
    """A value, the source offset last applied to it, and the event minute it was last touched."""

    offset: int
    minute: int
    value: V


class KeyedState(Generic[V]):
    """Values by key for one source partition.

    An event whose offset is at or below ``applied(key)`` has had its effect on that key and must
    change nothing. A value whose last touch is older than ``retention_minutes`` of event time
    before the clock is dropped, with a tombstone.

    >>> state = KeyedState[str](retention_minutes=60)
    >>> state.put("a", "first", offset=4, minute=0)
    >>> state.applied("a"), state.applied("b")
    (4, -1)
    >>> state.put("b", "second", offset=5, minute=500)
    >>> [(key, entry and entry.value) for key, entry in state.changes()]
    [('b', 'second'), ('a', None)]
    """

    def __init__(self, retention_minutes: int) -> None:
        if retention_minutes < MINUTES_PER_HOUR:
            raise ValueError(f"retention_minutes must be at least 60, not {retention_minutes}")
        self._retention_hours = -(-retention_minutes // MINUTES_PER_HOUR)
        self._entries: dict[str, Entry[V]] = {}
        self._keys_by_hour: defaultdict[int, set[str]] = defaultdict(set)
        self._changed: dict[str, Entry[V] | None] = {}
        self.on_expire: Callable[[str], None] = lambda key: None
        """Called with each key that expires, so that an index over the values can follow."""
        self.clock = 0
        """Latest event minute put or observed on this partition."""

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> Iterator[tuple[str, V]]:
        """All keys with their values, in the order of their last change."""
        return ((key, entry.value) for key, entry in self._entries.items())

    def get(self, key: str) -> V | None:
        """The value of a key, or None."""
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def minute(self, key: str) -> int | None:
        """The event minute at which a key was last touched, or None."""
        entry = self._entries.get(key)
        return None if entry is None else entry.minute

    def applied(self, key: str) -> int:
        """The source offset last applied to a key, -1 if none."""
        entry = self._entries.get(key)
        return NEVER_APPLIED if entry is None else entry.offset

    def put(self, key: str, value: V, *, offset: int, minute: int) -> None:
        """Set a value that event ``offset`` made, touched at event ``minute``; move the clock."""
        entry = Entry(offset, minute, value)
        self._store(key, entry)
        self._changed.pop(key, None)  # re-insert: changes stay in the order of their offsets
        self._changed[key] = entry
        self.observe(minute)

    def observe(self, minute: int) -> None:
        """Move the clock to ``minute`` if it is later, and drop what has expired by then."""
        if minute <= self.clock:
            return
        hour_before, self.clock = self.clock // MINUTES_PER_HOUR, minute
        if minute // MINUTES_PER_HOUR > hour_before:
            self._expire()

    def load(self, key: str, entry: Entry[V] | None) -> None:
        """Take over a stored value (None: tombstone) unless a newer one is here already.

        The one with the highest applied offset wins, not the last written: a worker that woke up
        after its partition was given away may have written an older value later.
        """
        if entry is None:
            self._remove(key)
        elif entry.offset >= self.applied(key):
            self._store(key, entry)
            self.clock = max(self.clock, entry.minute)

    def changes(self) -> list[tuple[str, Entry[V] | None]]:
        """What changed since the last call, in the order of offsets; None is a tombstone."""
        changed = list(self._changed.items())
        self._changed.clear()
        return changed

    def _store(self, key: str, entry: Entry[V]) -> None:
        before = self._entries.pop(key, None)
        hour = entry.minute // MINUTES_PER_HOUR
        if before is not None and before.minute // MINUTES_PER_HOUR != hour:
            self._keys_by_hour[before.minute // MINUTES_PER_HOUR].discard(key)
        self._entries[key] = entry
        self._keys_by_hour[hour].add(key)

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._keys_by_hour[entry.minute // MINUTES_PER_HOUR].discard(key)

    def _expire(self) -> None:
        oldest_kept = self.clock // MINUTES_PER_HOUR - self._retention_hours
        for hour in sorted(hour for hour in self._keys_by_hour if hour < oldest_kept):
            for key in sorted(self._keys_by_hour.pop(hour)):
                del self._entries[key]
                self.on_expire(key)
                self._changed.pop(key, None)
                self._changed[key] = None
