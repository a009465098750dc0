"""Channels of an event: its first source, who spread it most, and the way that it took to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from wanglou.schemas.mention import Author, Kind, ScoredMention
from wanglou.schemas.risk import Source, Spreader

MAX_SPREADERS = 5

MAX_PATH = 3
"""Mentions of a path that are told: its root, and the last of those after it."""

MAX_URL_BYTES = 512
MAX_ID_BYTES = 256
"""A longer URL is left out, and a longer id out of a path: cut, they would lead nowhere. Ids of 256
Latin characters fit."""


def kept_url(url: str | None) -> str | None:
    """The URL, if it is short enough to be kept with an event."""
    return url if url is not None and len(url.encode()) <= MAX_URL_BYTES else None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a mention came from, and what it answers."""

    id: str
    platform: str
    kind: Kind
    published_at: datetime
    reached: int
    """The larger of the author's followers and the mention's reads."""
    author: Author | None = None
    url: str | None = None
    parent_id: str | None = None
    root_id: str | None = None

    @classmethod
    def of(cls, mention: ScoredMention) -> Origin:
        """That of a mention."""
        return cls(
            id=mention.id,
            platform=mention.platform,
            kind=mention.kind,
            published_at=mention.published_at,
            reached=reached(mention),
            author=mention.author,
            url=kept_url(mention.url),
            parent_id=mention.parent_id,
            root_id=mention.root_id,
        )

    @property
    def rank(self) -> tuple[int, datetime, str]:
        """Who reached more comes first, of equals the earlier."""
        return -self.reached, self.published_at, self.id


def reached(mention: ScoredMention) -> int:
    """How many a mention came to: the author's followers or its reads, whichever is more."""
    followers = 0 if mention.author is None else mention.author.followers
    return max(followers, mention.engagement.reads or 0)


def earliest(first: Origin | None, mention: ScoredMention) -> Origin:
    """The first source once a mention has come; of one instant that with the lower id."""
    if first is not None and (first.published_at, first.id) <= (mention.published_at, mention.id):
        return first
    return Origin.of(mention)


def add_spreader(spreaders: dict[str, Origin], mention: ScoredMention) -> None:
    """Keep the five authors who reached most, by their hash, each with the mention that did."""
    if mention.author is None:
        return
    if len(spreaders) == MAX_SPREADERS:
        least = min(one.reached for one in spreaders.values())
        if reached(mention) < least:
            return
    spreader, before = Origin.of(mention), spreaders.get(mention.author.id)
    if before is None or spreader.rank < before.rank:
        spreaders[mention.author.id] = spreader
    if len(spreaders) > MAX_SPREADERS:
        del spreaders[max(spreaders, key=lambda one: spreaders[one].rank)]


def channels(
    first: Origin | None, spreaders: Collection[Origin]
) -> tuple[Source | None, tuple[Spreader, ...]]:
    """The first source; the spreaders, who reached most first; each with its path."""
    known = {one.id: one for one in spreaders}
    if first is not None:
        known[first.id] = first
    return (
        None if first is None else Source.trusted(**_told(first, known)),
        tuple(
            Spreader.trusted(**_told(one, known), reached=one.reached)
            for one in sorted(spreaders, key=lambda one: one.rank)
        ),
    )


def _told(origin: Origin, known: Mapping[str, Origin]) -> dict[str, object]:
    return {
        "id": origin.id,
        "platform": origin.platform,
        "kind": origin.kind,
        "published_at": origin.published_at,
        "author": origin.author,
        "url": origin.url,
        "path": path(origin, known),
    }


def path(origin: Origin, known: Mapping[str, Origin]) -> tuple[str, ...]:
    """Ids of mentions from the root to what this one answers, as far as they are known.

    Of a long path the middle is left out.
    """
    ids: list[str] = []
    at: Origin | None = origin
    while at is not None and (answered := at.parent_id or at.root_id) is not None:
        if answered == origin.id or answered in ids:
            break
        ids.insert(0, answered)
        at = known.get(answered)
    if origin.root_id not in (None, origin.id, *ids):
        ids.insert(0, str(origin.root_id))
    ids = [one for one in ids if len(one.encode()) <= MAX_ID_BYTES]
    return (*ids[:1], *ids[1:][1 - MAX_PATH :])
