"""A worker that dies at any point, and the one that goes on, bring what one alone would have."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from tests.agents.builders import RECEIVED, as_read, counts, run_through, stands
from wanglou.agents import changelog
from wanglou.agents.kafka import Message
from wanglou.agents.loop import StageLoop
from wanglou.agents.membership import Membership
from wanglou.agents.metrics import Metrics
from wanglou.agents.pacemaker import heartbeat
from wanglou.agents.record import Record, decode, order_header, order_of
from wanglou.agents.settings import Settings
from wanglou.agents.stage import Stage
from wanglou.agents.step1_intake import Intake
from wanglou.agents.step2_dedupe import Dedupe
from wanglou.agents.step3_sentiment import Sentiment
from wanglou.agents.step4_risk import Risk
from wanglou.models.order import BEGINNING, Position, after
from wanglou.models.rules import Rules
from wanglou.schemas.cloudevents import TYPE_HEADER
from wanglou.schemas.control import WATERMARK_TYPE, Watermark
from wanglou.schemas.topics import ALERTS, DEAD_LETTERS, EVENTS, RAW, SCORED, Topic

BATCH = 8
AnyStage = Stage[Any, Any]
MakeStage = Callable[..., AnyStage]
MakeWorld = Callable[..., "World"]
TYPE = WATERMARK_TYPE.encode()


class Crash(Exception):
    """The worker dies."""


@dataclass
class Stream:
    """Stands for Faust's stream over one partition, read from the committed offset on."""

    log: list[Message]
    committed: int

    def noack(self) -> Stream:
        return self

    async def events(self) -> AsyncIterator[Any]:
        app = SimpleNamespace(consumer_generation_id=1, rebalancing=False)
        for record in as_read(self.log)[self.committed :]:
            message = SimpleNamespace(
                topic=record.topic,
                partition=0,
                offset=record.offset,
                timestamp=RECEIVED.timestamp(),
                key=record.key,
                headers=record.headers,
                generation_id=1,
            )
            yield SimpleNamespace(message=message, value=record.value, app=app)

    async def ack(self, event: Any) -> None:
        assert event.message.offset == self.committed, "in the order of offsets"
        self.committed += 1


class Member(Membership):
    """Counts how often a worker asks; at the ``lost_at``th time its partitions are another's."""

    def __init__(self, lost_at: int = 0, sends: Callable[[], int] = lambda: 0) -> None:
        super().__init__(lambda: 1, lambda: 1, 1, 1, lambda: 0.0)
        self.asked = 0
        self.sends_when_lost = 0
        self._lost_at = lost_at
        self._sends = sends

    @property
    def is_lost(self) -> bool:
        return 0 < self._lost_at <= self.asked

    async def is_current(self, generation: int) -> bool:
        self.asked += 1
        self.sends_when_lost = self._sends()
        return not self.is_lost

    async def settled(self) -> None:
        if self.is_lost:
            raise Crash


@dataclass
class World:
    """A source partition, what was written so far, and the workers that come and go."""

    log: list[Message]
    producer: Any
    make_stage: MakeStage
    committed: int = 0
    sends: int = 0
    crash_at: set[int] = field(default_factory=set)
    first: Member = field(default_factory=Member)
    """The first worker."""
    sends_of_first: int = 0

    async def run(self, crash_at: set[int]) -> None:
        """Workers go on, one after the other, until all is done; each dies at its send."""
        self.producer.fail = self._send
        self.crash_at = crash_at
        finished = await self._run_worker(self.first)
        self.sends_of_first = self.sends
        while not finished:
            finished = await self._run_worker(Member())

    async def _run_worker(self, member: Member) -> bool:
        stream = Stream(self.log, self.committed)
        stage = self.make_stage()
        stage.batch_messages = BATCH
        loop = StageLoop(stage, self.producer, 0, lambda: [0], lambda held: None, member)
        try:
            await loop.run(stream)  # type: ignore[arg-type]  # a stand-in
        except Crash:
            return False
        finally:
            self.committed = stream.committed
        return not member.is_lost  # another one goes on

    def _send(self, value: bytes | None) -> None:
        self.sends += 1
        if self.sends in self.crash_at:
            raise Crash

    def written(self, topic: Topic) -> list[tuple[bytes | None, bytes | None, dict[str, bytes]]]:
        """Key, value and headers of what stands in a topic."""
        return [
            (key, value, headers)
            for (name, key, value), headers in zip(
                self.producer.sent, self.producer.headers, strict=True
            )
            if name == topic.name
        ]


@pytest.fixture
def producer_topics(producer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """State topics are read back from what the producer sent."""

    async def read_place(reader: object, place: Any, position: int) -> AsyncIterator[Any]:
        sent = zip(producer.sent, producer.headers, strict=True)
        standing = [one for one in sent if one[0][0] == place.topic]
        for offset, ((_, key, value), headers) in list(enumerate(standing))[position:]:
            yield stands(place, offset, key, value, tuple(headers.items()))

    class Reader:
        async def start(self) -> None:
            pass

        async def stop(self) -> None:
            pass

    monkeypatch.setattr(changelog, "new_reader", lambda broker: Reader())
    monkeypatch.setattr(changelog, "read_place", read_place)


@pytest.fixture
def make_stage(
    settings: Settings,
    rules: Rules,
    metrics: Metrics,
    word_model: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> MakeStage:
    monkeypatch.setattr("wanglou.agents.step3_sentiment.load_model", lambda settings: word_model)
    return lambda agent, partitions=1: agent(settings, rules, metrics, counts(partitions))


def storm(raw_mention: Callable[..., dict[str, Any]], rules: Rules) -> list[dict[str, Any]]:
    """Ten a minute about two institutions for nine minutes, with repeats and updates."""
    names = [institution.name for institution in rules.watchlist.institutions[:2]]
    return [
        raw_mention(
            id=f"weibo:{number % 70}",
            text=(
                f"{number % 70 * 7919 % 10007}号网点排长队,{names[number % 70 % 2]}要倒闭了,"
                "取不出钱,系统也崩了"
            ),
            author={"id": str(number), "followers": 100_000, "tier": "media"},
            engagement={"reposts": 2000, "comments": 900, "likes": 5000 + number // 80},
            published_at=f"2026-03-02T08:{number // 10:02}:{number % 10 * 6:02}+08:00",
        )
        for number in range(90)
    ]


async def sources(make_stage: MakeStage, raw: list[Message]) -> dict[str, list[Message]]:
    """What each agent reads, if none ever dies; watermarks come after every few messages."""
    logs, log = {}, raw
    for agent in AGENTS:
        logs[agent.name] = log
        stage = make_stage(agent)
        await stage.prepare(0, 1)
        records, written = as_read(log), []
        for start in range(0, len(records), 13):
            emissions = await run_through(stage, records[start : start + 13])
            written += [one.message for one in emissions] + stage.watermarks()
        log = written
    return logs


def raw_messages(mentions: list[dict[str, Any]]) -> list[Message]:
    """Mentions in the raw topic; in the end heartbeats, an hour from each to the next."""
    last = datetime(2026, 3, 2, 0, 9, tzinfo=UTC)
    values = [json.dumps(one, ensure_ascii=False).encode() for one in mentions]
    beats = [last + timedelta(minutes=1), *(last + timedelta(hours=n) for n in range(1, 30))]
    return [
        *(Message(RAW.name, b"k", value) for value in values),
        *(heartbeat(0, int(beat.timestamp() * 1000)) for beat in beats),
    ]


def taken(messages: list[tuple[bytes | None, bytes | None, dict[str, bytes]]]) -> list[Any]:
    """What the reader of a partition takes of it: each position once, in order."""
    latest, found = BEGINNING, []
    for offset, (key, value, headers) in enumerate(messages):
        record = Record("", 0, offset, RECEIVED, key, value, tuple(headers.items()))
        if record.type == WATERMARK_TYPE:
            latest = max(latest, Position(*decode(record, Watermark).positions[0]))
            continue
        _, position = order_of(record)
        if position > latest:
            latest = position
            found.append((position, key, value))
    return found


def told(world: World) -> Any:
    """What comes of a worker's writing for those who read it, whatever was written twice."""
    stage = world.make_stage()
    if stage.output is not None:
        return taken(world.written(stage.output)), letters(world)
    alerts: dict[Any, Any] = {}
    for _, value, headers in world.written(ALERTS):
        assert alerts.setdefault(headers["ce_id"], value) == value
    events = {key: value for key, value, _ in world.written(EVENTS)}
    return alerts, events, letters(world)


def letters(world: World) -> dict[Any, Any]:
    return {key: value for key, value, _ in world.written(DEAD_LETTERS)}


AGENTS = (Intake, Dedupe, Sentiment, Risk)


@pytest.fixture
async def logs(
    make_stage: MakeStage,
    raw_mention: Callable[..., dict[str, Any]],
    rules: Rules,
    producer_topics: None,
) -> dict[str, list[Message]]:
    return await sources(make_stage, raw_messages(storm(raw_mention, rules)))


@pytest.fixture
def make_world(producer: Any, producer_topics: None, make_stage: MakeStage) -> MakeWorld:
    def make(agent: type[Any], log: list[Message], partitions: int = 1) -> World:
        producer.sent.clear()
        producer.headers.clear()
        return World(log, producer, partial(make_stage, agent, partitions))

    return make


async def die_at_every_send(make: Callable[[], World]) -> None:
    """A world in which no worker dies, and one for each of its sends at which one does."""
    unbroken = make()
    await unbroken.run(crash_at=set())
    expected, sends = told(unbroken), unbroken.sends
    assert unbroken.committed == len(unbroken.log)
    assert all(expected[:-1])
    for first in range(1, sends + 1):
        broken = make()
        await broken.run(crash_at={first, first + 3, first + 40, first + 90})
        assert broken.committed == len(broken.log)
        assert told(broken) == expected, first


@pytest.mark.parametrize("agent", AGENTS, ids=lambda one: one.name)
async def test_a_worker_may_die_at_any_send(
    agent: type[Any], logs: dict[str, list[Message]], make_world: MakeWorld
) -> None:
    await die_at_every_send(lambda: make_world(agent, logs[agent.name]))


@pytest.mark.parametrize("agent", AGENTS, ids=lambda one: one.name)
async def test_a_worker_that_lost_its_partitions_writes_no_more(
    agent: type[Any], logs: dict[str, list[Message]], make_world: MakeWorld
) -> None:
    """It may find out before it emits, or before it writes state; what follows is another's."""
    unbroken = make_world(agent, logs[agent.name])
    await unbroken.run(crash_at=set())
    expected, asked = told(unbroken), unbroken.first.asked
    assert asked > 4
    for lost_at in range(1, asked + 1):
        world = make_world(agent, logs[agent.name])
        world.first = Member(lost_at, lambda world=world: world.sends)  # type: ignore[misc]
        await world.run(crash_at=set())
        assert world.first.is_lost
        assert world.sends_of_first == world.first.sends_when_lost
        assert told(world) == expected, lost_at


class Restless(Member):
    """Its partitions are assigned anew, and stay with it, each time that it has emitted a batch."""

    async def is_current(self, generation: int) -> bool:
        self.asked += 1
        return self.asked % 4 != 2


@pytest.mark.parametrize("agent", AGENTS, ids=lambda one: one.name)
async def test_a_worker_that_keeps_its_partitions_repeats_nothing(
    agent: type[Any], logs: dict[str, list[Message]], make_world: MakeWorld
) -> None:
    """Though it did not know so between emitting and writing state."""
    unbroken = make_world(agent, logs[agent.name])
    await unbroken.run(crash_at=set())
    expected, once = told(unbroken), emitted(unbroken)
    restless = make_world(agent, logs[agent.name])
    restless.first = Restless()
    await restless.run(crash_at=set())
    assert restless.committed == len(restless.log)
    assert told(restless) == expected
    assert emitted(restless) == once


def emitted(world: World) -> Counter[Any]:
    """What a worker has sent, but for state and watermarks."""
    own = world.make_stage().state_topic.name
    return Counter(one for one in world.producer.sent if one[0] != own and one[1] is not None)


def mentions_in(log: list[Message]) -> list[Message]:
    return [one for one in log if (TYPE_HEADER, TYPE) not in one.headers]


def watermark(**positions: Position) -> Message:
    """What the writer of the risk agent's source tells of its partitions."""
    come = {int(name[1:]): position for name, position in positions.items()}
    value = Watermark(positions=come).to_json()
    return Message(SCORED.name, None, value, ((TYPE_HEADER, TYPE),))


HOUR_LATER = int(datetime(2026, 3, 2, 2, tzinfo=UTC).timestamp() * 1000)


async def test_minutes_are_closed_wherever_a_batch_ends(
    logs: dict[str, list[Message]], make_world: MakeWorld
) -> None:
    """All waits for a silent partition; what is then released fills batches to the last place."""
    mentions = mentions_in(logs["risk"])
    mentions = mentions[: len(mentions) // BATCH * BATCH]
    log = [*mentions, watermark(p0=after(HOUR_LATER), p1=after(HOUR_LATER))]
    await die_at_every_send(lambda: make_world(Risk, log, partitions=2))


async def test_a_message_that_cannot_be_read_closes_its_minutes_like_any(
    logs: dict[str, list[Message]], make_world: MakeWorld
) -> None:
    """An hour after the others; it takes the last place of a batch."""
    mentions = mentions_in(logs["risk"])
    mentions = mentions[: len(mentions) // BATCH * BATCH - 1]
    place = Position(HOUR_LATER, 0, 1_000_000, 0)
    bad = Message(SCORED.name, b"k", b"{", (order_header(0, place),))
    log = [*mentions, bad, watermark(p1=place.end())]
    await die_at_every_send(lambda: make_world(Risk, log, partitions=2))
