"""A scenario as a stream of raw mentions in the order of their collection, with all labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import heappop, heappush, merge
from random import Random
from typing import Any

from wanglou.models.incidents import Incident, Incidents, Span
from wanglou.models.scenario.institutions import cast, rivals
from wanglou.models.scenario.people import People, Person
from wanglou.models.scenario.plan import DAY, Size, plan
from wanglou.models.scenario.shapes import Kind, load_shapes
from wanglou.models.scenario.talk import Talk
from wanglou.models.scenario.texts import Label, LabelledText, Library
from wanglou.models.scenario.waves import MINUTE, Post, Wave, WaveKind, Waves
from wanglou.models.taxonomy import Taxonomy
from wanglou.models.watchlist import Watchlist
from wanglou.schemas.base import CHINA
from wanglou.schemas.risk import Level

START = datetime(2026, 1, 5, tzinfo=CHINA)
"""A Monday, in Beijing time."""

PLATFORMS = ("weibo", "douyin", "wechat", "zhihu")
PLATFORM_WEIGHTS = (66, 80, 90, 100)
"""Cumulative, in percent."""

COLLECTED_WITHIN = 60
"""Seconds from publication to collection, at most."""

READ_AGAIN = (10 * MINUTE, 60 * MINUTE, 360 * MINUTE)
"""Seconds after which the counters of a post that is liked are read again."""

LIKED = 50
"""Likes in the end, from which a post's counters are read again."""

QUOTING = 0.15
"""Of the reposts, those that repeat the text of the post."""

ENDS_AT = 0.9
"""Share of an incident's mentions after which it is over."""

SEVERE = ("run", "fraud", "default")
"""Topics of which a spike must reach orange; everything else must reach yellow."""

_Raw = dict[str, Any]
_Due = tuple[int, int, int, _Raw]
"""When a mention is collected (seconds); number of its post, and its own there; the mention."""


class Scenario:
    """Made from a seed alone; ``labels`` are complete once all ``lines`` have been taken.

    Raises ValueError where the size does not allow what is asked for.
    """

    def __init__(self, size: Size, seed: int, watchlist: Watchlist, taxonomy: Taxonomy) -> None:
        shapes = load_shapes()
        self.watchlist = cast(watchlist, size.institutions)
        self._size = size
        self._seed = seed
        self._shapes = shapes
        self._library = Library(taxonomy, seed)
        self._names = [one.name for one in self.watchlist.institutions]
        people = People(shapes, self._rng("people"))
        rival = self._rng("rival").choice(rivals(self.watchlist))
        self._writer = Waves(self._library, people, shapes, self._names, rival)
        self._talk = Talk(self._writer, people, shapes, self._rng("talk"))
        self._waves = plan(size, self._rng("plan"))
        planned = sum(wave.mentions for wave in self._waves)
        if planned >= size.mentions:
            raise ValueError(
                f"{size.mentions} mentions: the incidents and harmless waves alone have {planned}"
            )
        self._everyday = int((size.mentions - planned) / self._talk.mentions_a_post)
        self._chance = self._rng("mentions")
        self._persons = people.persons
        self.labels: dict[str, Label] = {}
        """The label of each text that was written."""

    def _rng(self, purpose: str) -> Random:
        return Random(f"{self._seed}:{purpose}")

    def incidents(self) -> Incidents:
        """What should be found, and what should not."""
        incidents, harmless = [], []
        for number, wave in enumerate(self._waves):
            posts = self._posts(number, wave)
            times = sorted(time for post in posts for time in _times(post))
            end = times[int(ENDS_AT * (len(times) - 1))]
            span = {
                "institution": self.watchlist.institutions[wave.institution].id,
                "kind": wave.kind.value,
                "from": START + timedelta(seconds=wave.start),
                "to": START + timedelta(seconds=max(end, wave.start + MINUTE)),
            }
            if wave.kind.is_incident:
                severe = wave.kind is WaveKind.SPIKE and wave.topic in SEVERE
                expected = Level.ORANGE if severe else Level.YELLOW
                incidents.append(Incident(**span, topic=wave.topic, expected=expected))
            else:
                harmless.append(Span(**span))
        return Incidents(incidents=tuple(incidents), harmless=tuple(harmless))

    def lines(self) -> Iterator[bytes]:
        """The raw mentions, each a line of JSON."""
        everyday = self._talk.posts(self._everyday, self._size.days, self._size.institutions)
        waves = [self._wave(number, wave) for number, wave in enumerate(self._waves)]
        waiting: list[_Due] = []
        for number, post in enumerate(merge(everyday, *waves, key=lambda post: post.at)):
            while waiting and waiting[0][0] < post.at:
                yield _json(heappop(waiting)[-1])
            for part, (at, raw) in enumerate(self._written(post, number)):
                if at < self._size.days * DAY:
                    heappush(waiting, (at, number, part, raw))
        while waiting:
            yield _json(heappop(waiting)[-1])

    def label_lines(self) -> Iterator[bytes]:
        """The labels as `wanglou evaluate` reads them: a line for each institution of a text."""
        for text, label in self.labels.items():
            known = {
                "text": text,
                "polarity": label.polarity.value,
                "emotion": label.emotion.value,
                "event_type": label.event_type,
            }
            if not label.negative:
                yield _json(known)
            for name, negative in label.negative:
                yield _json({**known, "institution": name, "institution_negative": negative})

    def _posts(self, number: int, wave: Wave) -> list[Post]:
        return self._writer.posts(wave, self._rng(f"wave {number}"))

    def _wave(self, number: int, wave: Wave) -> Iterator[Post]:
        """The posts of a wave, written when its turn comes."""
        yield from self._posts(number, wave)

    def _written(self, post: Post, number: int) -> Iterator[tuple[int, _Raw]]:
        """When a post, the later readings of its counters and its answers are collected."""
        rng, shapes = self._chance, self._shapes
        (platform,) = rng.choices(PLATFORMS, cum_weights=PLATFORM_WEIGHTS)
        likes = _likes(shapes.post if post.answers else shapes.comment, rng)
        root = f"{platform}:{number}"
        raw = self._raw(root, platform, "post", post.text, post.author, post.at)
        collected = rng.randint(3, COLLECTED_WITHIN)
        for wait in (collected, *(READ_AGAIN if likes >= LIKED else ())):
            share = shapes.repost_delay.share_below(wait / MINUTE)
            counters = {
                "likes": int(likes * share),
                "comments": sum(delay <= wait for delay in post.answers),
            }
            read_at = _time(post.at + wait)
            yield post.at + wait, {**raw, "collected_at": read_at, "engagement": counters}
        last = root
        for part, delay in enumerate(sorted(post.answers)):
            is_repost = rng.random() < shapes.reposts
            parent = last if is_repost and rng.random() < shapes.second_step else root
            answer = f"{root}.{part}"
            at = post.at + delay
            raw = {
                **self._raw(
                    answer,
                    platform,
                    "repost" if is_repost else "comment",
                    self._answer(post, is_repost),
                    rng.choice(self._persons),
                    at,
                ),
                "parent_id": parent,
                "root_id": root,
            }
            if is_repost:
                last = answer
            yield max(at + rng.randint(3, COLLECTED_WITHIN), post.at + collected), raw

    def _answer(self, post: Post, is_repost: bool) -> LabelledText:
        if is_repost and self._chance.random() < QUOTING:
            return post.text
        (polarity,) = self._chance.choices(list(post.mood), list(post.mood.values()))
        return self._library.answer(post.topic, polarity, self._chance)

    def _raw(
        self, name: str, platform: str, kind: str, text: LabelledText, author: Person, at: int
    ) -> _Raw:
        self.labels[text.text] = text.label
        return {
            "id": name,
            "platform": platform,
            "kind": kind,
            "text": text.text,
            "author": {"id": author.id, "followers": author.followers, "tier": author.tier.value},
            "published_at": _time(at),
        }


def _json(line: dict[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _time(seconds: int) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def _likes(kind: Kind, rng: Random) -> int:
    """Likes that a mention has in the end."""
    return 0 if rng.random() < kind.unliked else int(kind.likes.draw(rng))


def _times(post: Post) -> Iterator[int]:
    """When a post and its answers are published."""
    yield post.at
    for delay in post.answers:
        yield post.at + delay
