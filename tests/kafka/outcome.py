"""What came of the load: as it stands in the topics, as it should be, and how the two differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from poison import Poison
from stand_in import StandIn

from wanglou.agents.demo import own_environment
from wanglou.agents.kafka import new_reader, partition_of, places_of, read_place, stop_reader
from wanglou.agents.settings import BrokerSettings, Settings
from wanglou.models.backtest import Backtest
from wanglou.schemas.dead_letter import DeadLetter, Reason
from wanglou.schemas.mention import ScoredMention
from wanglou.schemas.risk import Alert, Event
from wanglou.schemas.topics import (
    ACCEPTED,
    ALERTS,
    DEAD_LETTERS,
    DEDUPED,
    EVENTS,
    SCORED,
    Topic,
)

WRITTEN = (ACCEPTED, DEDUPED, SCORED, EVENTS, ALERTS, DEAD_LETTERS)
"""The topics that agents write for others to read."""

BROKERS_CLOCK = {"received_at"}
"""When the broker took a message: the only thing in which two runs may differ."""

MentionId = tuple[str, ...]
Moment = tuple[str, datetime]
"""An event, and the close of the minute that was assessed."""

Content = dict[str, Any]


def mention_id(mention: ScoredMention) -> MentionId:
    """What makes a scored mention the one it is."""
    read_at = mention.collected_at.isoformat()
    return mention.institution, mention.id, mention.dedupe.value, read_at


@dataclass
class Expected:
    """What must come of the load, whatever happens on the way."""

    messages: Counter[str] = field(default_factory=Counter)
    """By short name of the topic, each once; how often an event is told depends on the pace."""
    letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Dead letters by agent and reason."""
    alerts: dict[str, Content] = field(default_factory=dict)
    events: dict[str, Content] = field(default_factory=dict)
    scored: dict[MentionId, Content] | None = None
    """None where nobody has seen them: the back-test only counts them."""
    states: dict[Moment, Content] = field(default_factory=dict)
    """What was told of an event on its way, as far as that has been seen."""

    def as_in(self, undisturbed: Found) -> Expected:
        """With what the back-test does not tell and an undisturbed run of the same load shows."""
        return replace(self, scored=undisturbed.scored, states=undisturbed.states)

    def with_poison(self, poison: Poison) -> Expected:
        """With what must have come of poison among the good messages."""
        unscorable = len(poison.unscorable)
        letters = Counter({("intake", why.value): n for why, n in poison.reasons.items()})
        letters["sentiment", Reason.FAILED.value] = unscorable
        messages = {
            ACCEPTED.short_name: unscorable,
            DEDUPED.short_name: unscorable,
            DEAD_LETTERS.short_name: letters.total(),
        }
        return replace(
            self, messages=self.messages + Counter(messages), letters=self.letters + letters
        )


class Reference:
    """The same steps over the same lines, without a broker."""

    def __init__(self, partitions: int) -> None:
        with own_environment():
            settings = Settings()
        self._test = Backtest(
            settings.load_rules(),
            StandIn(),
            settings.load_author_key(),
            lambda key: partition_of(key, partitions),
        )

    def feed(self, lines: Iterable[bytes]) -> None:
        """Take lines through all steps."""
        for _ in self._test.feed(lines):
            pass

    @property
    def expected(self) -> Expected:
        """What must have come of all lines so far."""
        result = self._test.result
        letters = Counter(("intake", one.reason.value) for _, one in result.rejections)
        messages = {
            ACCEPTED.short_name: result.counts["accepted"],
            DEDUPED.short_name: result.counts["scored"],
            SCORED.short_name: result.counts["scored"],
            ALERTS.short_name: len(result.alerts),
            DEAD_LETTERS.short_name: letters.total(),
        }
        return Expected(
            messages=Counter(messages),
            letters=letters,
            alerts={one.id: one.model_dump(exclude=BROKERS_CLOCK) for one in result.alerts},
            events={key: one.model_dump() for key, one in result.events.items()},
        )


@dataclass
class Found:
    """What stands in the topics; ``read_on`` takes in what has come since the last time."""

    copies: dict[str, Counter[str]] = field(
        default_factory=lambda: {topic.short_name: Counter() for topic in WRITTEN}
    )
    """How often each message stands in a topic, by its CloudEvents id."""
    letters: dict[str, tuple[str, str]] = field(default_factory=dict)
    alerts: dict[str, Content] = field(default_factory=dict)
    pages: dict[Moment, set[str]] = field(default_factory=dict)
    """Ids of the alerts of an event at a moment: more than one would page twice."""
    events: dict[str, Content] = field(default_factory=dict)
    states: dict[Moment, Content] = field(default_factory=dict)
    scored: dict[MentionId, Content] = field(default_factory=dict)
    unlike: set[str] = field(default_factory=set)
    """Messages whose repeat has other bytes."""
    _bytes: dict[str, bytes] = field(default_factory=dict)
    _positions: dict[TopicPartition, int] = field(default_factory=dict)

    async def read_on(self, broker: BrokerSettings) -> None:
        """Read every topic from where the last reading ended."""
        reader = new_reader(broker)
        await reader.start()
        try:
            for topic in WRITTEN:
                for place in await places_of(broker, [topic.name]):
                    position = self._positions.get(place, 0)
                    async for record in read_place(reader, place, position):
                        position = record.offset + 1
                        self.take(topic, record)
                    self._positions[place] = position
        finally:
            await stop_reader(reader)

    def repeats(self, *topics: Topic) -> int:
        """Messages that stand again in one of these topics, by default in any."""
        counted = [self.copies[topic.short_name] for topic in topics or WRITTEN]
        return sum(copies.total() - len(copies) for copies in counted)

    def total(self) -> int:
        """Messages of all topics."""
        return sum(copies.total() for copies in self.copies.values())

    def take(self, topic: Topic, record: ConsumerRecord) -> None:
        """Take in one message of a topic."""
        headers = {name: value.decode() for name, value in record.headers}
        if headers["ce_type"] != topic.event_type:
            return  # tells of time, not of a mention
        id = headers["ce_id"]
        self.copies[topic.short_name][id] += 1
        where = f"{topic.short_name} {id}"
        if self._bytes.setdefault(where, record.value) != record.value:
            self.unlike.add(where)
        if topic is ALERTS:
            alert = Alert.model_validate_json(record.value)
            content = alert.model_dump(exclude=BROKERS_CLOCK)
            if self.alerts.setdefault(alert.id, content) != content:
                self.unlike.add(f"alert {alert.id}")
            self.pages.setdefault((alert.event_id, alert.decided_at), set()).add(alert.id)
        elif topic is EVENTS:
            event = Event.model_validate_json(record.value)
            content = self.events[event.id] = event.model_dump()
            if self.states.setdefault((event.id, event.assessed_at), content) != content:
                self.unlike.add(f"event {event.id} at {event.assessed_at}")
        elif topic is SCORED:
            mention = ScoredMention.model_validate_json(record.value)
            self.scored[mention_id(mention)] = mention.model_dump(exclude=BROKERS_CLOCK)
        elif topic is DEAD_LETTERS:
            letter = DeadLetter.model_validate_json(record.value)
            self.letters[letter.id] = (letter.agent, letter.reason.value)


@dataclass(frozen=True)
class Difference:
    """What two outcomes do not have in common, one line each."""

    lost: Sequence[str]
    wrong: Sequence[str]


def difference(found: Found, expected: Expected) -> Difference:
    """What is missing, and what is there but should not be, or otherwise."""
    lost, wrong = [], []
    for topic, count in expected.messages.items():
        there = len(found.copies[topic])
        lost += [f"{topic}: a message"] * max(0, count - there)
        wrong += [f"{topic}: a message too many"] * max(0, there - count)
    letters = Counter(found.letters.values())
    lost += [f"dead letter of {agent}: {why}" for agent, why in expected.letters - letters]
    wrong += [f"dead letter of {agent}: {why}" for agent, why in letters - expected.letters]
    pairs: list[tuple[str, dict[Any, Content], dict[Any, Content]]] = [
        ("alert", found.alerts, expected.alerts),
        ("event", found.events, expected.events),
    ]
    if expected.scored is not None:
        pairs.append(("scored", found.scored, expected.scored))
    for what, there_are, should_be in pairs:
        lost += [f"{what} {key}" for key in should_be if key not in there_are]
        wrong += [f"{what} {key} should not be" for key in there_are if key not in should_be]
        wrong += _otherwise(what, there_are, should_be)
    wrong += _otherwise("state", found.states, expected.states)
    wrong += [f"{where}: a repeat has other bytes" for where in sorted(found.unlike)]
    wrong += [
        f"event {event} has {len(ids)} alerts at {at}"
        for (event, at), ids in found.pages.items()
        if len(ids) > 1
    ]
    return Difference(lost, wrong)


def _otherwise(
    what: str, there_are: dict[Any, Content], should_be: dict[Any, Content]
) -> Iterator[str]:
    for key, content in there_are.items():
        right = should_be.get(key, content)
        if content != right:
            fields = [name for name in content if content[name] != right.get(name)]
            yield f"{what} {key} differs in {', '.join(fields)}"
