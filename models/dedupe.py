"""Dedupe: repeats, counter updates and near-duplicates among the mentions of an institution."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import count

from wanglou.models.near_duplicate import (
    JACCARD_THRESHOLD,
    CandidateIndex,
    bigrams,
    jaccard,
)
from wanglou.models.order import Position
from wanglou.models.phrases import PhraseFinder
from wanglou.models.remember import remembers
from wanglou.models.state import MINUTES_PER_HOUR, KeyedState
from wanglou.models.taxonomy import Taxonomy
from wanglou.models.text import normalise
from wanglou.schemas.mention import DedupedMention, DedupeKind, Engagement, Mention

MIN_BIGRAMS = 8
"""A shorter text (转发微博, 太可怕了) means something else in every thread: never clustered."""

COUNTERS = ("reads", "likes", "comments", "reposts")


@dataclass(frozen=True, slots=True)
class Seen:
    """What dedupe remembers of a mention. ``text`` is set for originals only."""

    cluster_id: str
    highest: Engagement
    text: str | None = None
    context: str | None = None


def highest(left: Engagement, right: Engagement) -> Engagement:
    """The higher of two readings of each counter.

    >>> highest(Engagement(likes=9), Engagement(likes=4, reposts=1))
    Engagement(reads=None, likes=9, comments=None, reposts=1)
    """
    return Engagement(
        **{
            name: max(
                (one for one in (getattr(left, name), getattr(right, name)) if one is not None),
                default=None,
            )
            for name in COUNTERS
        }
    )


def change(before: Engagement, now: Engagement) -> Engagement:
    """How far each counter rose above its highest reading so far, never negative.

    >>> change(Engagement(likes=9, reposts=2), Engagement(likes=12, reposts=1, reads=5))
    Engagement(reads=5, likes=3, comments=None, reposts=0)
    """
    rises: dict[str, int] = {}
    for name in COUNTERS:
        reading = getattr(now, name)
        if reading is not None:
            rises[name] = max(0, reading - (getattr(before, name) or 0))
    return Engagement(**rises)


def rose(rise: Engagement) -> bool:
    """Whether any counter rose."""
    return any(getattr(rise, name) for name in COUNTERS)


class DedupeStep:
    """Dedupe for one partition of the accepted topic.

    A cluster is a star: its members are near-duplicates of its original, which alone is indexed,
    so that a storm of reposts costs one comparison each.
    """

    def __init__(self, taxonomy: Taxonomy, state: KeyedState[Seen]) -> None:
        self._state = state
        self._denials = PhraseFinder((normalise(term), term) for term in taxonomy.denial_terms)
        self._stance = remembers(texts=4096)(self._find_stance)
        self._indexes = defaultdict[str, CandidateIndex](CandidateIndex)
        """By institution."""
        self._key_by_text: dict[tuple[str, str], str] = {}
        """Originals by institution and text: most copies of a post are to the letter."""
        self._key_by_number: dict[int, str] = {}
        self._number_by_key: dict[str, int] = {}
        self._numbers = count()
        state.on_expire = self._forget
        for key, seen in state.items():
            if seen.text is not None:
                self._remember(key, seen.text)

    def process(
        self, mention: Mention, *, position: Position, again: bool = False
    ) -> DedupedMention | None:
        """The mention with its cluster; None for a repeat, which brings nothing new.

        ``again``: it was put aside after dedupe, and comes as if for the first time.
        """
        self._state.observe(position.minute)
        key = f"{mention.institution}/{mention.id}"
        if self._state.applied(key) >= position:
            return None
        seen = self._state.get(key)
        if seen is not None and again:
            kind = DedupeKind.ORIGINAL if seen.cluster_id == key else DedupeKind.DUPLICATE
            return self._deduped(mention, seen.cluster_id, kind, mention.engagement)
        if seen is not None:
            return self._update(key, seen, mention, position)
        return self._first(key, mention, position)

    def _update(
        self, key: str, seen: Seen, mention: Mention, position: Position
    ) -> DedupedMention | None:
        rise = change(seen.highest, mention.engagement)
        if not rose(rise):
            return None
        newer = replace(seen, highest=highest(seen.highest, mention.engagement))
        self._state.put(key, newer, position=position, minute=position.minute)
        return self._deduped(mention, seen.cluster_id, DedupeKind.UPDATE, rise)

    def _first(self, key: str, mention: Mention, position: Position) -> DedupedMention:
        clusters = len(bigrams(mention.text)) >= MIN_BIGRAMS
        original = self._find_original(mention) if clusters else None
        if original is not None:
            self._keep_alive(original, position)
        elif clusters:
            self._remember(key, mention.text)
        indexed = clusters and original is None
        seen = Seen(
            original or key,
            mention.engagement,
            mention.text if indexed else None,
            mention.context if indexed else None,
        )
        self._state.put(key, seen, position=position, minute=position.minute)
        kind = DedupeKind.ORIGINAL if original is None else DedupeKind.DUPLICATE
        return self._deduped(mention, seen.cluster_id, kind, mention.engagement)

    def _find_original(self, mention: Mention) -> str | None:
        """Key of the most similar original of the same institution and the same stance."""
        same = self._key_by_text.get((mention.institution, mention.text))
        if same is not None and self._state.get(same) is not None:
            # no other is as similar: it would be this one's duplicate
            return same
        shingles = bigrams(mention.text)
        signature = CandidateIndex.signature(shingles)
        best: tuple[float, str] | None = None
        for number in self._indexes[mention.institution].candidates(signature):
            key = self._key_by_number[number]
            seen = self._state.get(key)
            if seen is None or seen.text is None:
                continue
            similarity = jaccard(shingles, bigrams(seen.text))
            if similarity >= JACCARD_THRESHOLD and (
                self._stance(seen.text) == self._stance(mention.text)
            ):
                best = min(best or (0.0, key), (-similarity, key))
        return best[1] if best else None

    def _find_stance(self, text: str) -> frozenset[str]:
        return frozenset(match.tag for match in self._denials.find(text))

    def _keep_alive(self, original: str, position: Position) -> None:
        """Let an original live as long as its duplicates come, written at most once an hour."""
        seen, touched = self._state.get(original), self._state.minute(original)
        if seen is None or touched is None or position.minute < touched + MINUTES_PER_HOUR:
            return
        self._state.put(original, seen, position=position, minute=position.minute)

    def _deduped(
        self, mention: Mention, cluster_id: str, kind: DedupeKind, rise: Engagement
    ) -> DedupedMention:
        original = self._state.get(cluster_id)
        differs = original is not None and original.text not in (None, mention.text)
        added = {
            "cluster_id": cluster_id,
            "dedupe": kind,
            "original_text": original.text if original and differs else None,
            "original_context": original.context if original and differs else None,
            "engagement_change": rise,
        }
        return DedupedMention.extending(mention, added)

    def _remember(self, key: str, text: str) -> None:
        number, institution = next(self._numbers), _institution(key)
        self._key_by_text[institution, text] = key
        self._key_by_number[number] = key
        self._number_by_key[key] = number
        self._indexes[institution].add(number, CandidateIndex.signature(bigrams(text)))

    def _forget(self, key: str, seen: Seen) -> None:
        number, institution = self._number_by_key.pop(key, None), _institution(key)
        if number is not None and seen.text is not None:
            self._key_by_text.pop((institution, seen.text), None)
            del self._key_by_number[number]
            self._indexes[institution].remove(number)


def _institution(key: str) -> str:
    return key.partition("/")[0]
