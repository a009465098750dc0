"""What the evaluation of measures looks at: an event's mentions and its risk, minute by minute.

Minutes are event minutes: whole minutes since the Unix epoch (``schemas.base.minute_of``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from wanglou.models.event import negativity
from wanglou.models.scoring import NEGATIVE_FROM
from wanglou.schemas.base import minute_of
from wanglou.schemas.evaluation import Trend
from wanglou.schemas.mention import DedupeKind, ScoredMention
from wanglou.schemas.response import Act, Response
from wanglou.schemas.risk import Event


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure that was taken: the id of its response, when (event minute), and what it was."""

    id: str
    minute: int
    act: Act

    @classmethod
    def of(cls, response: Response) -> Measure:
        """The measure that a response tells."""
        return cls(response.id, minute_of(response.at), response.act)


@dataclass(frozen=True, slots=True)
class Point:
    """An event at the close of a minute, as it was assessed; it holds until the next point."""

    minute: int
    risk: float
    heat: float
    authors: float
    audience: float

    @classmethod
    def of(cls, event: Event) -> Point:
        """What an event's snapshot says of its minute."""
        known = event.situation
        minute = minute_of(event.assessed_at)
        return cls(minute, event.assessment.risk, known.heat, known.authors, known.audience)


class Counts:
    """Mentions by minute, with quick sums over spans of minutes.

    >>> counts = Counts({10: 2, 12: 1})
    >>> counts.between(10, 12), counts.between(0, 99), counts.first
    (2, 3, 10)
    """

    def __init__(self, by_minute: Mapping[int, int]) -> None:
        self._minutes = sorted(minute for minute, count in by_minute.items() if count)
        self._sums = [0, *accumulate(by_minute[minute] for minute in self._minutes)]

    @property
    def first(self) -> int | None:
        """The minute of the first mention."""
        return self._minutes[0] if self._minutes else None

    def between(self, begin: int, end: int) -> int:
        """Mentions from minute ``begin`` on, and before minute ``end``."""
        at_begin, at_end = (bisect_left(self._minutes, minute) for minute in (begin, end))
        return self._sums[at_end] - self._sums[at_begin]

    def busiest(self, begin: int, end: int, width: int) -> int:
        """Most mentions in ``width`` minutes in a row, within a span.

        >>> Counts({10: 2, 12: 1, 70: 2}).busiest(0, 99, 60)
        3
        """
        first, last = (bisect_left(self._minutes, minute) for minute in (begin, end))
        most, behind = 0, first
        for index in range(first, last):
            while behind < last and self._minutes[behind] < self._minutes[index] + width:
                behind += 1
            most = max(most, self._sums[behind] - self._sums[index])
        return most

    def middle(self, begin: int, end: int) -> int:
        """The minute with which half of a span's mentions had come; ``end`` without any.

        >>> Counts({10: 2, 12: 1, 70: 2}).middle(0, 99)
        12
        """
        first = bisect_left(self._minutes, begin)
        half = (self._sums[first] + self._sums[bisect_left(self._minutes, end)]) / 2
        index = bisect_left(self._sums, half, lo=first) - 1
        return self._minutes[index] if self.between(begin, end) else end


@dataclass(frozen=True, slots=True)
class Series:
    """An event's course: mentions by minute of publication, and the assessed points in order.

    All minutes before ``through`` are closed: nothing more will come for them, but what is late.
    """

    event_id: str
    through: int
    mentions: Counts
    negative: Counts
    emotions: Mapping[str, Counts] = field(default_factory=dict)
    points: Sequence[Point] = ()

    @classmethod
    def of(
        cls, event_id: str, through: int, mentions: Iterable[ScoredMention], events: Iterable[Event]
    ) -> Series:
        """From an event's mentions and snapshots, in any order, repeats left out by the caller.

        Updates of counters are no mentions; negative is what the event counts as such
        (``models.event.negativity``).
        """
        every, negative, emotions = Counter[int](), Counter[int](), dict[str, Counter[int]]()
        for mention in mentions:
            if mention.dedupe is DedupeKind.UPDATE:
                continue
            minute = minute_of(mention.published_at)
            every[minute] += 1
            negative[minute] += negativity(mention) >= NEGATIVE_FROM
            emotions.setdefault(mention.emotion.value, Counter())[minute] += 1
        return cls(
            event_id,
            through,
            Counts(every),
            Counts(negative),
            {name: Counts(counts) for name, counts in sorted(emotions.items())},
            sorted((Point.of(event) for event in events), key=lambda point: point.minute),
        )

    def trend(self, begin: int, end: int) -> Trend:
        """What the event looked like from minute ``begin`` on, and before minute ``end``.

        Means are over the minutes from the first point on; the risk before it is 0.
        """
        mentions, negative = self.mentions.between(begin, end), self.negative.between(begin, end)
        held = _held(self.points, begin, end)
        minutes = sum(length for length, _ in held)

        def mean(values: Iterable[float]) -> float | None:
            pairs = zip((length for length, _ in held), values, strict=True)
            return sum(length * value for length, value in pairs) / minutes if minutes else None

        return Trend(
            mentions=mentions,
            negative=negative,
            negative_share=negative / mentions if mentions else 0.0,
            risk=(mean(point.risk for _, point in held) or 0.0) * minutes / max(end - begin, 1),
            heat=mean(point.heat for _, point in held),
            authors=mean(point.authors for _, point in held),
            audience=mean(point.audience for _, point in held),
            emotions={
                name: count / mentions
                for name, counts in self.emotions.items()
                if (count := counts.between(begin, end))
            },
        )


def _held(points: Sequence[Point], begin: int, end: int) -> list[tuple[int, Point]]:
    """The points that hold in a span, each with the minutes for which it does."""
    ends = [*(point.minute for point in points[1:]), end]
    lengths = (
        min(until, end) - max(point.minute, begin)
        for point, until in zip(points, ends, strict=False)
    )
    return [(length, point) for length, point in zip(lengths, points, strict=True) if length > 0]
