"""Which partitions this worker has, and which of them no other worker has had."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

NO_GENERATION = -1


class Assignment:
    """The partitions by topic, as the group assigns them anew in each of its generations.

    What is in memory of a partition holds only as long as no other worker had it meanwhile: one
    that was given away and came back, or any if this worker missed a generation.

    >>> mine = Assignment()
    >>> mine.assign(1, [("raw", 0), ("raw", 1)])
    >>> mine.of("raw"), mine.kept("raw")
    ({0, 1}, {0, 1})
    >>> mine.assign(2, [("raw", 1)]); mine.assign(3, [("raw", 0), ("raw", 1)])
    >>> mine.of("raw"), mine.kept("raw"), mine.kept("raw")
    ({0, 1}, {1}, {0, 1})
    """

    def __init__(self) -> None:
        self._generation = NO_GENERATION
        self._assigned: defaultdict[str, set[int]] = defaultdict(set)
        self._lost: defaultdict[str, set[int]] = defaultdict(set)

    def assign(self, generation: int, places: Iterable[tuple[str, int]]) -> None:
        """Take over what a generation of the group assigns: topics and partitions."""
        before, missed_one = self._assigned, generation != self._generation + 1
        self._generation = generation
        self._assigned = defaultdict(set)
        for topic, partition in places:
            self._assigned[topic].add(partition)
        for topic, partitions in before.items():
            self._lost[topic] |= partitions if missed_one else partitions - self._assigned[topic]

    def of(self, topic: str) -> set[int]:
        """The partitions of a topic."""
        return set(self._assigned[topic])

    def kept(self, topic: str) -> set[int]:
        """Those that no other worker can have had since this was last asked."""
        return self._assigned[topic] - self._lost.pop(topic, set())
