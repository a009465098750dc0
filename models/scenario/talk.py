"""Everyday talk about institutions: posts by hour and weekday, some of which are answered."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from random import Random

from wanglou.models.scenario.people import People
from wanglou.models.scenario.shapes import HOURS, Shapes
from wanglou.models.scenario.waves import HOUR, MOODS, Post, Waves, answer_delays
from wanglou.models.taxonomy import OTHER
from wanglou.schemas.mention import Polarity

WEEKEND = 0.6
"""Rate of a weekend's mentions, of a weekday's."""

ANSWERED = 0.03
"""Share of everyday posts that are answered."""

MOST_ANSWERS, MOST_TO_TROUBLE = 300, 20
"""A complaint with more answers than this would be an incident."""

TROUBLE, POSITIVE = 0.12, 0.23
"""Share of posts that are negative about the institution, and of positive ones."""

TROUBLES = {
    OTHER: 0.5,
    "service": 0.32,
    "outage": 0.03,
    "default": 0.03,
    "fraud": 0.03,
    "penalty": 0.03,
    "executive": 0.02,
    "infection": 0.02,
    "run": 0.02,
}
"""What everyday trouble is about."""

DAYS_A_WEEK, SATURDAY = 7, 5


class Talk:
    """Writes everyday posts."""

    def __init__(self, waves: Waves, people: People, shapes: Shapes, rng: Random) -> None:
        self._waves = waves
        self._people = people
        self._shapes = shapes
        self._rng = rng
        sample = [min(MOST_ANSWERS, int(shapes.answers.draw(rng))) for _ in range(10_000)]
        self.mentions_a_post = 1 + ANSWERED * sum(sample) / len(sample) * (1 - TROUBLE)
        self._topics = list(TROUBLES)
        self._topic_weights = list(accumulate(TROUBLES.values()))

    def posts(self, count: int, days: int, institutions: int) -> Iterator[Post]:
        """That many posts in order of time, from a Monday on."""
        rng = self._rng
        weights = [
            self._shapes.hours[hour % HOURS]
            * (WEEKEND if hour // HOURS % DAYS_A_WEEK >= SATURDAY else 1)
            for hour in range(days * HOURS)
        ]
        hours = rng.choices(range(days * HOURS), weights, k=count)
        times = sorted(hour * HOUR + rng.randrange(HOUR) for hour in hours)
        for time in times:
            yield self._post(time, rng.randrange(institutions))

    def _post(self, at: int, institution: int) -> Post:
        rng, chance = self._rng, self._rng.random()
        topic, mood, most = OTHER, "calm", MOST_ANSWERS
        if chance < TROUBLE:
            (topic,) = rng.choices(self._topics, cum_weights=self._topic_weights)
            text = self._waves.trouble(topic, institution, rng)
            mood, most = "trouble", MOST_TO_TROUBLE
        elif chance < TROUBLE + POSITIVE:
            text = self._waves.everyday(Polarity.POSITIVE, institution, rng)
        else:
            text = self._waves.everyday(Polarity.NEUTRAL, institution, rng)
        author = rng.choice(self._people.persons)
        answers: list[int] = []
        if rng.random() < ANSWERED:
            author = rng.choice(self._people.leaders)
            count = min(most, int(self._shapes.answers.draw(rng)))
            answers = answer_delays(count, self._shapes, rng)
        return Post(at, institution, text, author, answers, topic, MOODS[mood])
