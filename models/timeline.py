"""Platforms and emotions over time, in at most 24 slots however long an event lasts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from wanglou.schemas.base import time_of
from wanglou.schemas.risk import Slot

MAX_SLOTS = 24
SHORTEST_MINUTES = 5
LONGEST_MINUTES = 640
"""24 slots of 640 minutes are ten and a half days, more than an event lives without a mention."""


@dataclass(slots=True)
class Counts:
    """What came in a slot."""

    mentions: int = 0
    platforms: Counter[str] = field(default_factory=Counter)
    emotions: Counter[str] = field(default_factory=Counter)

    def add(self, platform: str, emotion: str) -> None:
        """Count a mention."""
        self.mentions += 1
        self.platforms[platform] += 1
        self.emotions[emotion] += 1

    def take_in(self, other: Counts) -> None:
        """Count what another slot counted."""
        self.mentions += other.mentions
        self.platforms += other.platforms
        self.emotions += other.emotions


@dataclass(slots=True)
class Timeline:
    """Slots by their number: slot n begins ``n * minutes`` minutes after the Unix epoch.

    They are as short as 24 of them cover the event: when it has outgrown them, two and two become
    one, until each has 640 minutes; then the oldest go. So the order of mentions does not matter.

    >>> timeline = Timeline()
    >>> for minute in (0, 3, 119):
    ...     timeline.add(minute, "weibo", "fear")
    >>> timeline.minutes, {number: slot.mentions for number, slot in timeline.slots.items()}
    (5, {0: 2, 23: 1})
    >>> timeline.add(120, "weibo", "fear")
    >>> timeline.minutes, {number: slot.mentions for number, slot in timeline.slots.items()}
    (10, {0: 2, 11: 1, 12: 1})
    """

    minutes: int = SHORTEST_MINUTES
    slots: dict[int, Counts] = field(default_factory=dict)

    def add(self, minute: int, platform: str, emotion: str) -> None:
        """Count a mention of an event ``minute``; one before the oldest slot that fits is lost."""
        number = minute // self.minutes
        begins = number not in self.slots
        if begins:
            self.slots[number] = Counts()
        self.slots[number].add(platform, emotion)
        while begins and max(self.slots) - min(self.slots) >= MAX_SLOTS:
            if self.minutes < LONGEST_MINUTES:
                self._double()
            else:
                del self.slots[min(self.slots)]

    def _double(self) -> None:
        before, self.slots = self.slots, {}
        self.minutes *= 2
        for number, counts in sorted(before.items()):
            self.slots.setdefault(number // 2, Counts()).take_in(counts)

    def told(self) -> tuple[Slot, ...]:
        """The slots in which something came, in order."""
        return tuple(
            Slot.trusted(
                begins_at=time_of(number * self.minutes),
                minutes=self.minutes,
                mentions=counts.mentions,
                platforms=dict(sorted(counts.platforms.items())),
                emotions=dict(sorted(counts.emotions.items())),
            )
            for number, counts in sorted(self.slots.items())
        )
