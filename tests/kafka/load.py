"""The load: the demo's recorded stream, several times at once, each about other institutions.

A chapter is two days of event time. Everything in it follows from the seed and its number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import yaml

from wanglou.agents.demo import EXPECTED, STREAM
from wanglou.agents.replay import collected_seconds, read_lines
from wanglou.models.intake import fields_of

BANKS = ("和兴", "云汀", "霁川", "望澜")
"""What their names and aliases begin with: each world of a chapter calls them otherwise."""

ANY_BANK = re.compile("|".join(BANKS))
SEED = "wanglou"
WORLDS = 2
CHAPTER = timedelta(hours=54)
"""From the beginning of a chapter to that of the next: all of it is later."""

NOON = datetime.fromisoformat("2026-03-02T12:00:00+08:00")
LATEST_START_SECONDS = 3 * 3600
JITTER_SECONDS = 45
DROPPED = 0.25
"""Share of the mentions that a world leaves out."""

Raw = dict[str, Any]


@cache
def recorded() -> tuple[tuple[bytes, Raw | None], ...]:
    """The demo's lines; None beside those that are malformed, which stay as they are."""
    malformed = {one["line"] for one in yaml.safe_load(EXPECTED.read_text("utf-8"))["malformed"]}
    return tuple(
        (line.value, None if line.number in malformed else json.loads(line.value))
        for line in read_lines(STREAM)
    )


@dataclass(frozen=True)
class Chapter:
    """Lines in the order in which they are sent."""

    number: int
    lines: list[bytes]

    @property
    def noon(self) -> datetime:
        """A time in the midst of it."""
        return NOON + self.number * CHAPTER


def new_chapter(number: int, seed: str) -> Chapter:
    """A chapter of a seed."""
    timed: list[tuple[float, bytes]] = []
    first = Random(f"{seed}/{number}").randrange(len(BANKS))
    for world in range(WORLDS):
        rng = Random(f"{seed}/{number}/{world}")
        at = 0.0
        for value in _world(f"{number}.{world}.", number, first + world, rng):
            at = collected_seconds(fields_of(value)) or at
            timed.append((at, value))
    timed.sort(key=lambda line: line[0])
    return Chapter(number, [value for _, value in timed])


def _world(prefix: str, number: int, turn: int, rng: Random) -> Iterator[bytes]:
    names = {bank: BANKS[(place + turn) % len(BANKS)] for place, bank in enumerate(BANKS)}
    later = number * CHAPTER + timedelta(seconds=rng.randrange(LATEST_START_SECONDS))
    for value, raw in recorded():
        if raw is None:
            yield value
        elif rng.random() >= DROPPED:
            moved = later + timedelta(seconds=rng.randrange(JITTER_SECONDS))
            yield _told_anew(raw, prefix, names, moved)


def _told_anew(raw: Raw, prefix: str, names: dict[str, str], later: timedelta) -> bytes:
    """The mention with other ids, institutions and times."""
    anew = dict(raw)
    for field in ("id", "parent_id", "root_id"):
        if field in anew:
            anew[field] = prefix + anew[field]
    for field in ("text", "title"):
        if field in anew:
            anew[field] = ANY_BANK.sub(lambda name: names[name[0]], anew[field])
    for field in ("published_at", "collected_at"):
        if field in anew:
            anew[field] = (datetime.fromisoformat(anew[field]) + later).isoformat()
    return json.dumps(anew, ensure_ascii=False, separators=(",", ":")).encode()


def mixed(lines: Sequence[bytes], others: Sequence[bytes]) -> list[bytes]:
    """The lines with others spread over their second fifth, each in the midst of a batch."""
    result, fifth = list(lines), len(lines) // 5
    for number, value in enumerate(others):
        result.insert(fifth + number * fifth // len(others), value)
    return result
