"""When a scenario's waves come, so that those of one institution do not run into each other."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from random import Random

from wanglou.models.scenario.waves import HARMLESS, HOUR, SIZES, Wave, WaveKind

DAY = 24 * HOUR

INCIDENT_TOPICS = ("run", "outage", "fraud", "default", "executive", "penalty", "service")
"""Risk topics that incidents are about: those with enough texts."""

SLOW_SHARE = 0.3
"""Share of slow burns among incidents."""

HARMLESS_SHARE = 0.25
"""Of each harmless kind, waves for every incident."""

QUIET_AFTER = 72 * HOUR
"""An institution's waves start at least this far apart."""

WARM_UP = 24 * HOUR
"""Before the first wave there is everyday talk only."""

DAYTIME = (8, 22)
ATTEMPTS = 1000


@dataclass(frozen=True, slots=True)
class Size:
    """How large a scenario is."""

    institutions: int
    days: int
    incidents: int
    mentions: int


def plan(size: Size, rng: Random) -> list[Wave]:
    """The waves in order of time. Raises ValueError where they do not fit."""
    kinds = [
        WaveKind.SLOW_BURN if number < round(size.incidents * SLOW_SHARE) else WaveKind.SPIKE
        for number in range(size.incidents)
    ]
    each = round(size.incidents * HARMLESS_SHARE)
    kinds += [kind for kind in HARMLESS for _ in range(each)]
    taken: list[list[int]] = [[] for _ in range(size.institutions)]
    waves = [_place(kind, taken, size, rng) for kind in kinds]
    return sorted(waves, key=lambda wave: (wave.start, wave.institution))


def _place(kind: WaveKind, taken: list[list[int]], size: Size, rng: Random) -> Wave:
    last_day = size.days - QUIET_AFTER // DAY
    for _ in range(ATTEMPTS if last_day > WARM_UP // DAY else 0):
        institution = rng.randrange(size.institutions)
        day = rng.randrange(WARM_UP // DAY, last_day)
        start = day * DAY + int(rng.uniform(*DAYTIME) * HOUR)
        if all(abs(start - other) >= QUIET_AFTER for other in taken[institution]):
            taken[institution].append(start)
            least, most = SIZES[kind]
            mentions = int(exp(rng.uniform(log(least), log(most))))
            return Wave(kind, institution, rng.choice(INCIDENT_TOPICS), start, mentions)
    raise ValueError(
        f"{size.incidents} incidents do not fit into {size.days} days of {size.institutions} "
        "institutions: one takes three days; ask for fewer, or for more days or institutions"
    )
