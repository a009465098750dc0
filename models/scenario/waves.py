"""What happens in a scenario beside everyday talk: incidents, and what only looks like one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from random import Random

from wanglou.models.scenario.people import People, Person
from wanglou.models.scenario.shapes import LogNormal, Shapes
from wanglou.models.scenario.texts import LabelledText, Library
from wanglou.models.taxonomy import OTHER
from wanglou.schemas.mention import Polarity

MINUTE = 60
HOUR = 60 * MINUTE

LONGEST_DELAY_MINUTES = 48 * 60
"""An answer that would come later than this comes sooner."""


class WaveKind(StrEnum):
    """What sort of wave it is."""

    SPIKE = "spike"
    SLOW_BURN = "slow burn"
    MARKETING = "marketing wave"
    BOTS = "bot flood"
    RIVAL = "rival's crisis"
    HOSTILE = "hostile posts"

    @property
    def is_incident(self) -> bool:
        """Whether it must be found."""
        return self in (WaveKind.SPIKE, WaveKind.SLOW_BURN)


HARMLESS = tuple(kind for kind in WaveKind if not kind.is_incident)

SIZES: Mapping[WaveKind, tuple[int, int]] = {
    WaveKind.SPIKE: (400, 3000),
    WaveKind.SLOW_BURN: (300, 1000),
    WaveKind.MARKETING: (500, 3000),
    WaveKind.BOTS: (200, 800),
    WaveKind.RIVAL: (300, 1500),
    WaveKind.HOSTILE: (6, 15),
}
"""Least and most mentions of a wave; the logarithm is uniform between them."""

Mood = Mapping[Polarity, float]
"""Shares of the polarities among answers."""

MOODS: Mapping[str, Mood] = {
    "trouble": {Polarity.NEGATIVE: 0.6, Polarity.NEUTRAL: 0.32, Polarity.POSITIVE: 0.08},
    "calm": {Polarity.NEGATIVE: 0.15, Polarity.NEUTRAL: 0.6, Polarity.POSITIVE: 0.25},
    "cheer": {Polarity.NEGATIVE: 0.12, Polarity.NEUTRAL: 0.33, Polarity.POSITIVE: 0.55},
}

ABOUT_ANOTHER_TOPIC = 0.08
"""Of the troubled posts in an incident, those that are about other trouble."""

CALM_POSTS = 0.15
"""Of the posts in an incident, those that say nothing bad."""

NAMING_BOTH = 0.3
"""Of the posts in a rival's crisis, those that also name the watched institution."""


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave as planned: whom it is about, when it starts (seconds), and how many mentions."""

    kind: WaveKind
    institution: int
    topic: str
    start: int
    mentions: int


@dataclass(frozen=True, slots=True)
class Post:
    """A post before it is written down; ``answers`` are delays in seconds."""

    at: int
    institution: int
    text: LabelledText
    author: Person
    answers: Sequence[int]
    topic: str
    mood: Mood


def delay_seconds(shape: LogNormal, rng: Random) -> int:
    """A delay of at most `LONGEST_DELAY_MINUTES`."""
    minutes = shape.draw(rng)
    if minutes > LONGEST_DELAY_MINUTES:
        minutes = rng.uniform(0, LONGEST_DELAY_MINUTES)
    return int(minutes * MINUTE)


def answer_delays(count: int, shapes: Shapes, rng: Random) -> list[int]:
    """When a post's answers come, in seconds after it."""
    return [
        delay_seconds(
            shapes.repost_delay if rng.random() < shapes.reposts else shapes.comment_delay, rng
        )
        for _ in range(count)
    ]


class Waves:
    """Writes the posts of waves."""

    def __init__(
        self, library: Library, people: People, shapes: Shapes, names: Sequence[str], rival: str
    ) -> None:
        self._library = library
        self._people = people
        self._shapes = shapes
        self._names = names
        self._rival = rival

    def posts(self, wave: Wave, rng: Random) -> list[Post]:
        """All posts of a wave, in order of time."""
        written = {
            WaveKind.SPIKE: self._spike,
            WaveKind.SLOW_BURN: self._slow_burn,
            WaveKind.MARKETING: self._marketing,
            WaveKind.BOTS: self._bots,
            WaveKind.RIVAL: self._rivals_crisis,
            WaveKind.HOSTILE: self._hostile,
        }[wave.kind](wave, rng)
        return sorted(written, key=lambda post: post.at)

    def trouble(self, topic: str, institution: int, rng: Random) -> LabelledText:
        """A text that is negative about an institution."""
        return rng.choice(self._library.trouble[topic]).about(self._names[institution])

    def everyday(self, polarity: Polarity, institution: int, rng: Random) -> LabelledText:
        """A text that is not."""
        return rng.choice(self._library.everyday[polarity]).about(self._names[institution])

    def _in_incident(self, wave: Wave, rng: Random) -> LabelledText:
        if rng.random() < CALM_POSTS:
            return self.everyday(Polarity.NEUTRAL, wave.institution, rng)
        topic = wave.topic if rng.random() >= ABOUT_ANOTHER_TOPIC else OTHER
        return self.trouble(topic, wave.institution, rng)

    def _cascade(self, wave: Wave, rng: Random, *, answers: float, mood: str) -> Iterator[Post]:
        """Some posts of leaders, that draw the answers, and posts of persons after the first."""
        sources = 1 + wave.mentions // 500
        answered = int(wave.mentions * answers)
        is_good = wave.kind is WaveKind.MARKETING
        write = (
            partial(self.everyday, Polarity.POSITIVE, wave.institution)
            if is_good
            else partial(self.trouble, wave.topic, wave.institution)
        )
        for number in range(sources):
            author = rng.choice(self._people.media if number == 1 else self._people.leaders)
            at = wave.start + (delay_seconds(self._shapes.repost_delay, rng) if number else 0)
            delays = answer_delays(answered // sources, self._shapes, rng)
            yield self._post(wave, at, write(rng), author, delays, mood)
        for _ in range(wave.mentions - answered - sources):
            at = wave.start + delay_seconds(self._shapes.repost_delay, rng)
            author = rng.choice(self._people.persons)
            text = write(rng) if is_good else self._in_incident(wave, rng)
            yield self._post(wave, at, text, author, (), mood)

    def _post(
        self,
        wave: Wave,
        at: int,
        text: LabelledText,
        author: Person,
        answers: Sequence[int],
        mood: str,
    ) -> Post:
        topic = wave.topic if mood == "trouble" else OTHER
        return Post(at, wave.institution, text, author, answers, topic, MOODS[mood])

    def _spike(self, wave: Wave, rng: Random) -> Iterator[Post]:
        return self._cascade(wave, rng, answers=0.55, mood="trouble")

    def _marketing(self, wave: Wave, rng: Random) -> Iterator[Post]:
        return self._cascade(wave, rng, answers=0.4, mood="cheer")

    def _slow_burn(self, wave: Wave, rng: Random) -> Iterator[Post]:
        """Persons post more and more over half a day or longer, by day more than by night."""
        lasting = rng.uniform(12, 36) * HOUR
        busiest = max(self._shapes.hours)
        left = wave.mentions
        first = True
        while left > 0:
            at = wave.start + int(lasting * rng.random() ** 0.5)
            if first:
                at, first = wave.start, False
            elif rng.random() > self._shapes.hours[at // HOUR % 24] / busiest:
                continue
            count = min(left - 1, int(self._shapes.answers.draw(rng)), 40) * (rng.random() < 0.1)
            left -= 1 + count
            delays = answer_delays(count, self._shapes, rng)
            author = rng.choice(self._people.persons)
            yield self._post(wave, at, self._in_incident(wave, rng), author, delays, "trouble")

    def _bots(self, wave: Wave, rng: Random) -> Iterator[Post]:
        """A few accounts post a few texts again and again; nobody answers."""
        bots = self._people.bots(rng.randint(4, 10), rng)
        texts = [self.trouble(wave.topic, wave.institution, rng) for _ in range(3)]
        lasting = rng.randint(2, 6) * HOUR
        for _ in range(wave.mentions):
            at = wave.start + rng.randrange(lasting)
            text = rng.choice(texts)
            signed = LabelledText(text.text + "!" * rng.randrange(4), text.label)
            yield self._post(wave, at, signed, rng.choice(bots), (), "trouble")

    def _rivals_crisis(self, wave: Wave, rng: Random) -> Iterator[Post]:
        """Another institution's trouble; some compare it with the watched one."""
        own = self._names[wave.institution]
        for number in range(wave.mentions // 2):
            at = wave.start + (delay_seconds(self._shapes.repost_delay, rng) if number else 0)
            if rng.random() < NAMING_BOTH:
                text = rng.choice(self._library.comparisons).about(self._rival, own)
            else:
                text = rng.choice(self._library.trouble[wave.topic]).about(self._rival)
            author = rng.choice(self._people.persons)
            delays = answer_delays(10, self._shapes, rng) if rng.random() < 0.1 else ()
            yield self._post(wave, at, text, author, delays, "trouble")

    def _hostile(self, wave: Wave, rng: Random) -> Iterator[Post]:
        """A few people are angry, and nobody takes it up."""
        for _ in range(wave.mentions):
            at = wave.start + rng.randrange(6 * HOUR)
            text = self.trouble(wave.topic, wave.institution, rng)
            yield self._post(wave, at, text, rng.choice(self._people.persons), (), "trouble")
