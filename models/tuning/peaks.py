"""Thresholds from streams in which it is known what should be found: read off the highest risks.

Weights and half saturations decide how well incidents stand out; thresholds only where the lines
are drawn. So they follow from the peaks by rules that a person can check.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from math import sqrt

from wanglou.models.incidents import Incidents, Span
from wanglou.models.moment import Moment
from wanglou.models.verdict import DAY, GRACE
from wanglou.schemas.risk import Level

HYSTERESIS = 0.5
"""A level is left below this share of the risk that enters it."""

Trail = Mapping[str, Sequence[Moment]]
"""How each event went, by its id."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What the thresholds should do on the streams that they are read off."""

    found: float = 0.98
    """Share of incidents that reach yellow."""
    grave_a_day: float = 0.07
    """Rises to orange a day that belong to no incident: a third of the goal."""


@dataclass(slots=True)
class Peaks:
    """Highest risks, 0 to 100; those of several streams add up."""

    incidents: list[float] = field(default_factory=list)
    """Of each incident while it lasts."""
    silent: list[float] = field(default_factory=list)
    """Of each institution while nothing must be alerted, as in a marketing wave."""
    strays: list[float] = field(default_factory=list)
    """Of each event and day (UTC), where it is no incident."""
    days: float = 0.0

    def add(self, trail: Trail, labelled: Incidents, silent_kinds: Collection[str]) -> None:
        """Take in a stream: ``silent_kinds`` are the harmless kinds that must raise nothing.

        The trail must come of levels so low that it leaves out nothing that matters.
        """
        incidents = labelled.incidents
        self.incidents += [_highest(trail.get(one.event_id, ()), one) for one in incidents]
        spans: dict[str, list[Span]] = {}
        for one in incidents:
            spans.setdefault(one.event_id, []).append(one)
        strays = {
            event: [one for one in moments if not _in_any(one, spans.get(event, ()))]
            for event, moments in trail.items()
        }
        for harmless in labelled.harmless:
            if harmless.kind in silent_kinds:
                about = f"{harmless.institution}."
                mine = (strays[event] for event in strays if event.startswith(about))
                self.silent.append(max((_highest(one, harmless) for one in mine), default=0.0))
        for moments in strays.values():
            self.strays += _by_day(moments)
        times = [one.at for moments in trail.values() for one in moments]
        self.days += (max(times) - min(times)) / DAY


def thresholds(peaks: Peaks, aim: Aim) -> dict[Level, tuple[float, float]]:
    """Where each level is entered and left.

    Yellow lies midway between the incidents that may be missed and those that must be found, blue
    as far above what must stay silent as below yellow, in proportion; orange midway between the
    strays that are allowed and those that are not; red, of which no incident is labelled, midway
    from orange to 100. Raises ValueError where there is no incident or no stray to go by.

    >>> peaks = Peaks(incidents=[20, 30, 40, 60], silent=[8, 10], strays=[50, 44, 10], days=10)
    >>> for level, (enter, leave) in thresholds(peaks, Aim(found=0.75, grave_a_day=0.1)).items():
    ...     print(level.label, enter, leave)
    blue 15.8 7.9
    yellow 25.0 12.5
    orange 47.0 23.5
    red 73.5 36.8
    """
    if not peaks.incidents or not peaks.strays:
        raise ValueError("there is no incident or no stray to read thresholds off")
    found, strays = sorted(peaks.incidents), sorted(peaks.strays, reverse=True)
    yellow = _between(found, int((1 - aim.found) * len(found)))
    orange = max(_between(strays, int(aim.grave_a_day * peaks.days)), yellow)
    enters = {
        Level.BLUE: sqrt(max(peaks.silent, default=0.0) * yellow),
        Level.YELLOW: yellow,
        Level.ORANGE: orange,
        Level.RED: (orange + 100) / 2,
    }
    return {
        level: (round(enter, 1), round(HYSTERESIS * enter, 1)) for level, enter in enters.items()
    }


def _between(peaks: Sequence[float], count: int) -> float:
    """Midway between the last of the first ``count`` peaks and the next one."""
    before, after = list(pairwise([peaks[0], *peaks]))[min(count, len(peaks) - 1)]
    return (before + after) / 2


def _within(moment: Moment, span: Span) -> bool:
    return span.start <= moment.at <= span.end + GRACE


def _in_any(moment: Moment, spans: Iterable[Span]) -> bool:
    return any(_within(moment, span) for span in spans)


def _highest(moments: Iterable[Moment], span: Span) -> float:
    return max((one.risk for one in moments if _within(one, span)), default=0.0)


def _by_day(moments: Iterable[Moment]) -> Iterator[float]:
    highest: dict[date, float] = {}
    for one in moments:
        day = one.at.date()
        highest[day] = max(highest.get(day, 0.0), one.risk)
    yield from highest.values()
