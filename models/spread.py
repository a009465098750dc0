"""Who spoke of an event lately: what reach and source level are computed from.

An event can live for weeks on everyday talk. Whom a storm reaches are those who hear of it now, not
all who ever complained: so a mention counts in the window of its minute and in the next one, and at
each minute the window of that minute is looked at. It holds the last one to two windows.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from wanglou.models.reach import AuthorSketch

StoredSketch = Annotated[
    AuthorSketch,
    PlainValidator(
        lambda value: value if isinstance(value, AuthorSketch) else AuthorSketch(b64decode(value))
    ),
    PlainSerializer(lambda sketch: b64encode(sketch.to_bytes()).decode(), return_type=str),
]
"""A sketch that is base64 in JSON."""


@dataclass(slots=True)
class Spread:
    """What was seen in a window and the one before it."""

    authors: StoredSketch = field(default_factory=AuthorSketch)
    platforms: Counter[str] = field(default_factory=Counter)
    depth: int = 0
    source_weight: float = 0.0
    """Weight of the highest tier that spoke negatively."""


Spreads = dict[int, Spread]
"""By the number of the window: n begins ``n * window_minutes`` after the Unix epoch."""


def spread_at(spreads: Spreads, minute: int, window_minutes: int) -> Spread:
    """Whom the last one to two windows before the close of ``minute`` knew.

    >>> spreads = Spreads()
    >>> for one in opened(spreads, minute=359, clock=359, window_minutes=360):
    ...     one.depth = 2
    >>> [spread_at(spreads, minute, 360).depth for minute in (359, 719, 720)]
    [2, 2, 0]
    """
    return spreads.get(minute // window_minutes) or Spread()


def opened(spreads: Spreads, *, minute: int, clock: int, window_minutes: int) -> list[Spread]:
    """The windows in which a mention of ``minute`` counts; those that ``clock`` left behind go.

    The one before the clock's stays: its last minute may have to be assessed again.
    """
    oldest = clock // window_minutes - 1
    for number in [number for number in spreads if number < oldest]:
        del spreads[number]
    first = minute // window_minutes
    numbers = [number for number in (first, first + 1) if number >= oldest]
    for number in numbers:
        if number not in spreads:  # `setdefault` would make a sketch for each mention
            spreads[number] = Spread()
    return [spreads[number] for number in numbers]
