"""Generated courses of events on which nothing was done, and measures with a known effect.

A course is when an event's negative mentions come. Five kinds, of all sizes, so that little is
known of a course from its beginning: a spike; a slow burn; waves that nothing announces; a quiet
beginning before the storm; steady talk. In each posts draw answers and those draw answers
(a branching process, Hawkes and Oakes 1974) after the delays of ``models/scenario/shapes.yaml``,
faster or slower from course to course (``PACES``), and at night and at weekends fewer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from wanglou.models.response.series import Counts
from wanglou.models.scenario.shapes import load_shapes

DAY = 24 * 60
DAYS = 14
"""Length of a course; everyday talk may have gone on for as long before it."""

FIRST_MINUTE = 20_474 * DAY - 8 * 60
"""A midnight in Beijing, a Monday."""

SMALLEST, LARGEST = 30, 30_000
PHASES = ("rising", "peak", "decaying", "steady")
SHAPES = load_shapes()
PACES = ((0.0, 0.8, 0.5, 1.1), (-0.7, 1.4, 0.3, 1.25))
"""How delays of a course differ from ``SHAPES``, which are those of all recorded cascades together:
mean and deviation of the logarithm of how much slower they are, least and most of how much wider.
The first are those of events of many posts, as assumed; the second are measured within cascades of
one post (``recorded_paces.py``)."""
HOURS = np.array(SHAPES.hours) / np.mean(SHAPES.hours)

Times = NDArray[np.float64]


class Case(NamedTuple):
    """A course (event minutes of its mentions, sorted) and the minute of a measure."""

    times: NDArray[np.int64]
    minute: int
    phase: str

    @property
    def size(self) -> int:
        """Mentions in all."""
        return len(self.times)


def cases(seed: int, courses: int) -> Iterator[Case]:
    """Cases of so many courses: a measure in each phase that the course has."""
    rng = np.random.default_rng(seed)
    made = 0
    while made < courses:
        times, steady = course(rng)
        if len(times) >= SMALLEST:
            made += 1
            yield from (Case(times, *one) for one in placed(times, rng, steady=steady))


def counts_of(times: NDArray[np.int64]) -> Counts:
    """Mentions by minute."""
    return Counts(Counter(times.tolist()))


def placed(
    times: NDArray[np.int64], rng: Generator, *, steady: bool = False
) -> Iterator[tuple[int, str]]:
    """Minutes of measures and the phase that hindsight sees there: by the busiest hour."""
    first, last = int(times[0]), int(times[-1])
    if steady:
        if last - first > 4 * DAY:
            yield int(rng.uniform(first + DAY, last - 3 * DAY)), "steady"
        return
    ahead = np.searchsorted(times, times + 60) - np.arange(len(times))
    peak = int(times[np.argmax(ahead)]) + 30
    known = int(times[min(10, len(times) - 1)])
    if known < peak - 15:
        yield int(rng.uniform(known, peak - 15)), "rising"
    yield peak + int(rng.uniform(-15, 45)), "peak"
    yield peak + int(np.exp(rng.uniform(np.log(90), np.log(2 * DAY)))), "decaying"


def course(rng: Generator) -> tuple[NDArray[np.int64], bool]:
    """A course, and whether it is steady talk."""
    size = np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))
    pace = _Pace(rng)
    kind = rng.choice(5, p=(0.42, 0.18, 0.15, 0.15, 0.1))
    posts, weights = _posts(kind, size, pace, rng)
    branching = rng.uniform(0, 0.8)
    times = _answered(posts, weights, size, branching, pace, rng)
    talk = rng.integers(0, 2) * rng.uniform(0, 0.2) * size
    before = rng.integers(0, 2) * DAYS * DAY
    everyday = rng.uniform(-before, DAYS * DAY, rng.poisson(talk * (1 + before / DAYS / DAY)))
    clock = _Clock(rng)
    minutes = clock.minutes(np.concatenate([times, everyday]))
    end = FIRST_MINUTE + (DAYS + 7) * DAY
    return np.sort(minutes[minutes < end]).astype(np.int64), kind == 4


class _Pace:
    """Delays of answers, in busy minutes."""

    def __init__(self, rng: Generator) -> None:
        self._rng = rng
        slower, deviation, least, most = PACES[rng.integers(0, len(PACES))]
        self._slower = rng.normal(slower, deviation)
        self._wider = rng.uniform(least, most)

    def delays(self, count: int) -> Times:
        reposts = self._rng.random(count) < SHAPES.reposts
        repost, comment = SHAPES.repost_delay, SHAPES.comment_delay
        mean = np.where(reposts, repost.mean, comment.mean) + self._slower
        deviation = np.where(reposts, repost.deviation, comment.deviation) * self._wider
        return np.exp(mean + deviation * self._rng.standard_normal(count))


class _Clock:
    """Time passes faster when people are awake: busy minutes to event minutes."""

    def __init__(self, rng: Generator) -> None:
        hours = np.arange((3 * DAYS + 14) * 24)
        strength, weekend = rng.uniform(0, 1), rng.uniform(0.6, 1)
        rate = HOURS[hours % 24] ** strength / np.mean(HOURS**strength)
        rate = np.where(hours // 24 % 7 >= 5, weekend * rate, rate)
        self._passed = np.concatenate([[0.0], np.cumsum(60 * rate)])
        self._begin = np.interp(
            (DAYS + rng.uniform(0, 7)) * DAY, 60 * np.arange(len(self._passed)), self._passed
        )

    def minutes(self, busy: Times) -> Times:
        at = 60.0 * np.arange(len(self._passed))
        passed = np.interp(busy + self._begin, self._passed, at, left=0, right=np.inf)
        return FIRST_MINUTE - DAYS * DAY + passed


def _posts(kind: int, size: float, pace: _Pace, rng: Generator) -> tuple[Times, Times]:
    """When the posts come that draw answers, and how many each draws, against the others."""
    sources = 1 + int(rng.poisson(rng.choice([0, 2, 6])))
    quiet = 0
    if kind == 0:  # a spike
        at = np.concatenate([[0.0], pace.delays(sources - 1)])
    elif kind == 1:  # a slow burn: more and more, for half a day or longer
        posts = max(1, int(min(size / 2, rng.lognormal(4, 1))))
        lasting = rng.uniform(6, 48) * 60
        at = lasting * np.sort(rng.random(posts)) ** rng.uniform(0.33, 1)
    elif kind == 2:  # waves that nothing announces
        begins = np.concatenate([[0.0], rng.uniform(0, 4 * DAY, 1 + rng.poisson(1.5))])
        at = np.concatenate([begins, np.repeat(begins, 2) + pace.delays(2 * len(begins))])
    elif kind == 3:  # a quiet beginning
        quiet = 3 + int(rng.poisson(10))
        storm = np.exp(rng.uniform(np.log(60), np.log(1.5 * DAY)))
        at = np.concatenate([rng.uniform(0, storm, quiet), storm + pace.delays(sources)])
    else:  # steady talk
        at = rng.uniform(0, DAYS * DAY, max(1, int(size / rng.uniform(1, 20))))
    weights = np.exp(rng.uniform(0.3, 1.7) * rng.standard_normal(len(at)))
    weights[:quiet] *= 0.02
    return at, weights / weights.sum()


def _answered(
    posts: Times, weights: Times, size: float, branching: float, pace: _Pace, rng: Generator
) -> Times:
    """Posts, their answers, the answers to those, and so on."""
    times = [posts]
    uneven = rng.choice([0.5, 1.5])
    born = np.repeat(posts, rng.poisson(weights * size * (1 - branching)))
    generation = born + pace.delays(len(born))
    while len(generation):
        times.append(generation)
        generation = generation[generation < DAYS * DAY]
        spread = rng.lognormal(-(uneven**2) / 2, uneven, len(generation))
        born = np.repeat(generation, rng.poisson(np.minimum(branching * spread, 300)))
        generation = born + pace.delays(len(born))
        if sum(map(len, times)) > 10 * size + 1000:
            break
    return np.concatenate(times)


class Effect(NamedTuple):
    """What a measure does: from ``onset`` minutes on, ``ratio`` of the mentions come."""

    name: str
    ratio: float
    onset: int = 0


NONE = Effect("none", 1.0)
EFFECTS = (
    NONE,
    Effect("30 % fewer", 0.7),
    Effect("50 % fewer", 0.5),
    Effect("80 % fewer", 0.2),
    Effect("80 % fewer after 2 h", 0.2, 120),
    Effect("twice as many", 2.0),
)


def changed(case: Case, effect: Effect, rng: Generator) -> NDArray[np.int64]:
    """The course with the measure: each later mention is kept, dropped or doubled by chance."""
    begin = np.searchsorted(case.times, case.minute + effect.onset)
    before, after = case.times[:begin], case.times[begin:]
    kept = after[rng.random(len(after)) < effect.ratio]
    more = after[rng.random(len(after)) < effect.ratio - 1]
    return np.sort(np.concatenate([before, kept, more]))


def true_ratio(case: Case, effect: Effect, span: int) -> float:
    """What is expected to come in the span with the measure, over what comes without it."""
    begin, onset, end = np.searchsorted(
        case.times, (case.minute, case.minute + min(effect.onset, span), case.minute + span)
    )
    if begin == end:
        return effect.ratio
    return float(((onset - begin) + (end - onset) * effect.ratio) / (end - begin))
