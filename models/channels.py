"""Channels of an event: its first source, who spread it most, and the way that it took to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from wanglou.schemas.mention import ScoredMention
from wanglou.schemas.risk import Source, Spreader

MAX_SPREADERS = 5

MAX_PATH = 4
"""Mentions of a path that are told: its root, and the last of those after it."""

MAX_URL_BYTES = 1024
"""A longer URL is left out: cut, it would lead nowhere."""


def kept_url(url: str | None) -> str | None:
    """The URL, if it is short enough to be kept with an event."""
    return url if url is not None and len(url.encode()) <= MAX_URL_BYTES else None


def earliest(first: Source | None, mention: ScoredMention) -> Source:
    """The first source once a mention has come; of one instant that with the lower id."""
    if first is not None and (first.published_at, first.id) <= (mention.published_at, mention.id):
        return first
    return Source.model_construct(**_source(mention))


def add_spreader(spreaders: dict[str, Spreader], mention: ScoredMention) -> None:
    """Keep the five authors who reached most, by their hash, each with the mention that did.

    Of two who reached as many the earlier comes first.
    """
    author = mention.author
    if author is None:
        return
    reached = max(author.followers, mention.engagement.reads or 0)
    if len(spreaders) == MAX_SPREADERS and reached < min(one.reached for one in spreaders.values()):
        return
    spreader = Spreader.model_construct(**_source(mention), reached=reached, path=())
    before = spreaders.get(author.id)
    if before is None or _rank(spreader) < _rank(before):
        spreaders[author.id] = spreader
    if len(spreaders) > MAX_SPREADERS:
        del spreaders[max(spreaders, key=lambda one: _rank(spreaders[one]))]


def _source(mention: ScoredMention) -> dict[str, Any]:
    return {
        "id": mention.id,
        "platform": mention.platform,
        "kind": mention.kind,
        "published_at": mention.published_at,
        "author": mention.author,
        "url": kept_url(mention.url),
        "parent_id": mention.parent_id,
        "root_id": mention.root_id,
    }


def _rank(spreader: Spreader) -> tuple[Any, ...]:
    return -spreader.reached, spreader.published_at, spreader.id


def with_paths(first: Source | None, spreaders: Collection[Spreader]) -> tuple[Spreader, ...]:
    """The spreaders, who reached most first, with the paths that are known between them all."""
    known: dict[str, Source] = {one.id: one for one in spreaders}
    if first is not None:
        known[first.id] = first
    return tuple(
        one.model_copy(update={"path": path(one, known)}) for one in sorted(spreaders, key=_rank)
    )


def path(source: Source, known: Mapping[str, Source]) -> tuple[str, ...]:
    """Ids of mentions from the root to this one: what it answers, and so on while that is known.

    Of a long path the middle is left out.
    """
    ids, at = [source.id], known.get(source.id, source)
    while (answered := at.parent_id or at.root_id) is not None and answered not in ids:
        ids.insert(0, answered)
        if answered not in known:
            break
        at = known[answered]
    if source.root_id is not None and source.root_id not in ids:
        ids.insert(0, source.root_id)
    return (ids[0], *ids[1:][1 - MAX_PATH :])
