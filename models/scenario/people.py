"""Who speaks in a scenario: persons, and accounts that many follow."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from wanglou.models.scenario.shapes import Kind, Shapes
from wanglou.schemas.mention import Tier

PERSONS = 30_000
LEADERS = 400
"""Accounts that posts come from which others answer."""

MOST_FOLLOWERS = 50_000_000
BOT_FOLLOWERS = 60


class Person(NamedTuple):
    """An account."""

    id: str
    followers: int
    tier: Tier


class People:
    """All accounts of a scenario, made at once."""

    def __init__(self, shapes: Shapes, rng: Random) -> None:
        self.persons = [_person(shapes.comment, f"p{number}", rng) for number in range(PERSONS)]
        self.leaders = [_person(shapes.post, f"l{number}", rng) for number in range(LEADERS)]
        self.media = [one for one in self.leaders if one.tier is Tier.MEDIA]

    def bots(self, count: int, rng: Random) -> list[Person]:
        """Accounts that hardly anybody follows."""
        first = rng.getrandbits(32)
        return [
            Person(f"b{first}-{number}", rng.randrange(BOT_FOLLOWERS), Tier.PERSON)
            for number in range(count)
        ]


def _person(kind: Kind, name: str, rng: Random) -> Person:
    (tier,) = rng.choices(list(kind.tiers), list(kind.tiers.values()))
    return Person(name, min(int(kind.followers.draw(rng)), MOST_FOLLOWERS), tier)
