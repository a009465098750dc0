"""State of one source partition: a dictionary that knows what changed and what expires.

It holds no Kafka. An agent writes ``changes()`` to the step's compacted topic and feeds what it
reads back to ``load``; a back-test just drops the changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from wanglou.models.order import BEGINNING, Position

V = TypeVar("V")

MINUTES_PER_HOUR = 60


class Entry(NamedTuple, Generic[V]):
    """A value, the position last applied to it, and the event minute it was last touched."""

    position: Position
    minute: int
    value: V


class KeyedState(Generic[V]):
    """Values by key for one source partition.

    A mention whose position is at or before ``applied(key)`` has had its effect on that key and
    must change nothing. A value whose last touch is older than ``retention_minutes`` of event time
    before the clock is dropped, with a tombstone.

    >>> state = KeyedState[str](retention_minutes=60)
    >>> state.put("a", "first", position=Position(0, 0, 4, 0), minute=0)
    >>> state.applied("a").offset, state.applied("b") == BEGINNING
    (4, True)
    >>> state.put("b", "second", position=Position(30_000_000, 0, 5, 0), minute=500)
    >>> state.observe(500)
    >>> [(key, entry.value) for key, entry in state.changes()]
    [('b', 'second'), ('a', None)]
    """

    def __init__(self, retention_minutes: int) -> None:
        if retention_minutes < MINUTES_PER_HOUR:
            raise ValueError(f"retention_minutes must be at least 60, not {retention_minutes}")
        self._retention_hours = -(-retention_minutes // MINUTES_PER_HOUR)
        self._entries: dict[str, Entry[V]] = {}
        self._keys_by_hour: defaultdict[int, set[str]] = defaultdict(set)
        self._changed: dict[str, Entry[V] | Entry[None]] = {}
        self._set_back: set[str] = set()
        self._gone: dict[str, Position] = {}
        """Keys whose tombstone was read, with its position; until ``repair``."""
        self._latest = BEGINNING
        """The latest position of any entry."""
        self.on_expire: Callable[[str, V], None] = lambda key, value: None
        """Called with each key that expires and its value, so that an index can follow."""
        self.clock = 0
        """Latest event minute observed on this partition: that of the position it has come to."""

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

    def applied(self, key: str) -> Position:
        """The position last applied to a key; before everything if there is none."""
        entry = self._entries.get(key)
        return BEGINNING if entry is None else entry.position

    def put(self, key: str, value: V, *, position: Position, minute: int) -> None:
        """Set a value made at ``position``, touched at event ``minute``."""
        entry = Entry(position, minute, value)
        self._latest = max(self._latest, position)
        self._store(key, entry)
        self._changed.pop(key, None)  # re-insert: changes stay in the order of their positions
        self._changed[key] = entry

    def observe(self, minute: int) -> None:
        """Move the clock to ``minute`` if it is later, and drop what has expired by then."""
        if minute <= self.clock:
            return
        hour_before, self.clock = self.clock // MINUTES_PER_HOUR, minute
        if minute // MINUTES_PER_HOUR > hour_before:
            self._expire()

    def load(self, key: str, entry: Entry[V] | Entry[None]) -> None:
        """Take over a stored entry (of value None: a tombstone) unless a newer one is here already.

        The one with the highest applied position wins, not the last written: a worker that woke up
        after its partition was given away may have written an older one later.
        """
        self._latest = max(self._latest, entry.position)
        if self._is_older(key, entry):
            self._set_back.add(key)
            return
        self._set_back.discard(key)
        if entry.value is None:
            self._remove(key)
            self._gone[key] = entry.position
        else:
            self._gone.pop(key, None)
            self._store(key, Entry(entry.position, entry.minute, entry.value))

    def _is_older(self, key: str, entry: Entry[V] | Entry[None]) -> bool:
        gone = self._gone.get(key)
        if gone is None:
            return entry.position < self.applied(key)
        return entry.position < gone or (entry.position == gone and entry.value is not None)

    def compare(self, key: str, position: Position, *, is_tombstone: bool) -> bool:
        """Note whether what was read of a key is what is here; False if it is newer."""
        here = self._entries.get(key)
        if here is None:
            return self._compare_with_nothing(key, position, is_tombstone)
        if position < here.position:
            self._set_back.add(key)
        elif position == here.position:
            self._set_back.discard(key)
        return position <= here.position or is_tombstone

    def _compare_with_nothing(self, key: str, position: Position, is_tombstone: bool) -> bool:
        """The key has expired here: a tombstone must stand last."""
        if is_tombstone:
            self._set_back.discard(key)
            return True
        if position > self._latest:
            return False
        self._set_back.add(key)
        self._gone[key] = max(position, self._gone.get(key, BEGINNING))
        return True

    def repair(self) -> int:
        """Mark as changed what an older entry stands after, so that it is written again.

        Otherwise compaction would in the end keep the older one. Returns how many there are.
        """
        count = len(self._set_back)
        for key in sorted(self._set_back):
            here = self._entries.get(key)
            self._changed[key] = Entry(self._gone[key], 0, None) if here is None else here
        self._set_back.clear()
        self._gone.clear()
        return count

    def changes(self) -> list[tuple[str, Entry[V] | Entry[None]]]:
        """What changed since the last call, in the order of positions; value None: a tombstone."""
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
                expired = self._entries.pop(key)
                self.on_expire(key, expired.value)
                self._changed.pop(key, None)
                self._changed[key] = Entry(expired.position, expired.minute, None)
