"""State written to its topic is the state read back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agents.builders import stands
from wanglou.agents import changelog
from wanglou.agents.changelog import (
    MARK_KEY,
    POSITION_HEADER,
    Changelog,
    Restored,
    StateError,
    TakenOver,
    decode_mark,
    encode_mark,
)
from wanglou.agents.dead_letter_limit import History, Tally
from wanglou.agents.settings import BrokerSettings
from wanglou.models.burst import Baseline
from wanglou.models.dedupe import Seen
from wanglou.models.event import Bucket, EventState, add_mention
from wanglou.models.intake import Thread
from wanglou.models.levels import LevelState
from wanglou.models.order import LAST, Mark, Position
from wanglou.models.rules import Rules
from wanglou.models.spread import Spread
from wanglou.models.state import Entry, KeyedState
from wanglou.schemas.base import MAX_COUNT, minute_of
from wanglou.schemas.cloudevents import Headers
from wanglou.schemas.mention import Emotion, Engagement, ScoredMention
from wanglou.schemas.risk import Level
from wanglou.schemas.topics import DEDUPE_STATE, INTAKE_STATE, RISK_STATE

BROKER = BrokerSettings()
START = datetime(2026, 3, 2, tzinfo=UTC)

THREADS: Changelog[Thread] = Changelog(INTAKE_STATE, Thread, BROKER)
SEEN: Changelog[Seen] = Changelog(DEDUPE_STATE, Seen, BROKER)
EVENTS: Changelog[EventState] = Changelog(RISK_STATE, EventState, BROKER)

numbers = st.integers(0, LAST)
positions = st.builds(Position, numbers, numbers, numbers, numbers)
marks = st.builds(Mark, positions, numbers, st.dictionaries(st.integers(0, 99), positions))
tallies = st.builds(Tally, st.integers(0, 2**1000), st.integers(0, 1000), st.integers(0, 1000))
histories = st.builds(History, tallies, tallies)
minutes = st.integers(0, 2**31)
texts = st.text()
counters = st.none() | st.integers(0, MAX_COUNT)
engagements = st.builds(
    Engagement, reads=counters, likes=counters, comments=counters, reposts=counters
)
threads = st.builds(Thread, st.lists(texts, min_size=1).map(tuple), texts)
seen = st.builds(Seen, texts, engagements, st.none() | texts, st.none() | texts)


def there_and_back(log: Changelog[Any], entry: Entry[Any]) -> Entry[Any]:
    return log.decode(log.encode(entry), "here")


def at(number: int) -> Position:
    """A position with this number in all its parts."""
    return Position(number, number, number, number)


@given(positions, minutes, threads)
def test_a_thread_comes_back(position: Position, minute: int, value: Thread) -> None:
    entry = Entry(position, minute, value)
    assert there_and_back(THREADS, entry) == entry


@given(positions, minutes, seen)
def test_what_dedupe_has_seen_comes_back(position: Position, minute: int, value: Seen) -> None:
    entry = Entry(position, minute, value)
    assert there_and_back(SEEN, entry) == entry


def scored(number: int, **fields: Any) -> ScoredMention:
    """A mention of minute ``number``, from an author of its own."""
    time = START + timedelta(minutes=number)
    return ScoredMention.model_validate(
        {
            "id": f"weibo:{number}",
            "institution": "hexing-bank",
            "platform": ("weibo", "zhihu")[number % 2],
            "kind": "post",
            "text": f"和兴银行第{number}次崩了 \u2028\U0001f600",
            "author": {"id": f"{number:032x}", "followers": 10 * number},
            "published_at": time,
            "collected_at": time,
            "received_at": time,
            "engagement": {"likes": number},
            "cluster_id": f"hexing-bank/weibo:{number % 5}",
            "dedupe": "original" if number < 5 else "duplicate",
            "engagement_change": {"likes": number},
            "polarity": "negative",
            "polarity_probabilities": {"negative": number % 10 / 10, "neutral": 1, "positive": 0},
            "emotion": ("fear", "angry", "neutral")[number % 3],
            "emotion_probabilities": dict.fromkeys(Emotion, 1 / len(Emotion)),
            "event_type": "提现困难",
            "event_type_probabilities": {"提现困难": 1.0},
            "risk_topic": "run",
            "risk_topic_probabilities": {"run": 1.0},
            **fields,
        }
    )


def stormy(rules: Rules) -> EventState:
    """An event with buckets, a sketch and evidence, as the risk step would leave it."""
    event = EventState.new(minute_of(START), rules.risk)
    for number in range(40):
        add_mention(event, scored(number), clock=minute_of(START), parameters=rules.risk)
    event.levels = LevelState(Level.ORANGE, since=minute_of(START), below_since=7, quiet_since=None)
    event.sequence = 3
    spread_of(event).source_weight = 1 / 3
    return event


def spread_of(event: EventState) -> Spread:
    """That of the window in which the storm begins."""
    return event.spreads[min(event.spreads)]


def fields_of(event: EventState) -> dict[str, Any]:
    fields = {name: getattr(event, name) for name in EventState.__slots__}
    fields["spreads"] = {
        number: (one.authors.audience(), one.platforms, one.depth, one.source_weight)
        for number, one in event.spreads.items()
    }
    return fields


def test_an_event_comes_back_with_buckets_sketch_and_evidence(rules: Rules) -> None:
    event = stormy(rules)
    assert event.buckets
    assert event.evidence
    assert spread_of(event).authors.audience().authors == 40

    back = there_and_back(EVENTS, Entry(at(9), 1, event)).value
    assert fields_of(back) == fields_of(event)
    assert type(spread_of(back).platforms) is type(spread_of(event).platforms)
    assert all(type(number) is int for number in back.spreads)
    assert type(back.emotions) is type(event.emotions)
    assert all(type(minute) is int for minute in back.buckets)
    assert all(type(bucket) is Bucket for bucket in back.buckets.values())
    assert EVENTS.encode(Entry(at(9), 1, back)) == EVENTS.encode(Entry(at(9), 1, event))


def test_an_event_that_came_back_goes_on_like_the_one_that_never_left(rules: Rules) -> None:
    stayed = stormy(rules)
    back = there_and_back(EVENTS, Entry(at(9), 1, stormy(rules))).value
    for event in (stayed, back):
        for number in range(30, 60):  # ten authors of them are known already
            add_mention(event, scored(number), clock=minute_of(START), parameters=rules.risk)
    assert fields_of(back) == fields_of(stayed)
    assert spread_of(back).authors.audience().authors == 60


def test_a_new_event_comes_back(rules: Rules) -> None:
    event = EventState.new(5, rules.risk)
    assert fields_of(there_and_back(EVENTS, Entry(at(0), 5, event)).value) == fields_of(event)


@given(st.floats(0, 1e9), st.floats(0, 1e18))
def test_a_baseline_comes_back_to_the_last_bit(mean: float, square: float) -> None:
    event = EventState(5, Baseline(mean, square, 4), assessed_through=4)
    back = there_and_back(EVENTS, Entry(at(0), 5, event)).value
    assert (back.baseline.mean, back.baseline.mean_square) == (mean, square)


def stored(**changes: Any) -> bytes:
    value = Thread(("hexing-bank",), "电话 13800138000")
    fields = json.loads(THREADS.encode(Entry(at(4), 5, value)))
    assert changes.keys() <= fields.keys() | {"shape"}
    return json.dumps({**fields, **changes}).encode()


def test_the_version_is_written() -> None:
    (version,) = get_args(changelog._Stored.model_fields["version"].annotation)
    assert json.loads(stored())["version"] == version == changelog.STATE_VERSION


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (stored(version=1), "version: Input should be 3 (got 1)"),
        (stored(version=None), "version: "),
        (stored(shape="new"), "shape: "),
        (stored(value={"institutions": "电话 13800138000"}), "value.institutions: "),
        (stored(position=[1, 2, 3]), "position"),
        (b"{}", "position: Field required"),
        (b"\xff", "Invalid JSON"),
    ],
)
def test_state_of_another_release_is_refused_with_its_place_and_what_to_do(
    value: bytes, problem: str
) -> None:
    with pytest.raises(StateError) as caught:
        THREADS.decode(value, "wanglou.state.intake.v1/2/17")
    line = str(caught.value)
    assert line.startswith("wanglou.state.intake.v1/2/17: is no state of version 3: ")
    assert problem in line
    assert "Run the release that wrote it, or stop the workers and delete the topic" in line
    assert "13800138000" not in line


@given(marks, histories)
def test_a_mark_comes_back_with_what_was_put_aside(mark: Mark, history: History) -> None:
    assert decode_mark(encode_mark(mark, history), "here") == (mark, history)


@pytest.mark.parametrize("value", [None, b"{}", encode_mark(Mark(), History())[:-9]])
def test_a_mark_of_another_release_is_refused_with_its_place(value: bytes | None) -> None:
    with pytest.raises(StateError, match=r"^here: is no state of version 3: "):
        decode_mark(value, "here")


def test_changes_and_marks_are_messages_to_the_partition() -> None:
    state: KeyedState[Thread] = KeyedState(60)
    state.put("old", Thread(("a",), "b"), position=at(1), minute=0)
    state.put("新", Thread(("c",), "d"), position=at(2), minute=1000)
    state.observe(1000)
    written = [*THREADS.changes(3, state), THREADS.mark(3, Mark(at(2), 7), History())]
    assert {one.partition for one in written} == {3}
    assert {one.topic for one in written} == {INTAKE_STATE.name}
    assert [one.key for one in written] == ["新".encode(), b"old", MARK_KEY]
    new, old, mark = written
    assert new.value is not None
    assert THREADS.decode(new.value, "here") == Entry(at(2), 1000, Thread(("c",), "d"))
    assert new.headers == header(2)
    assert (old.value, old.headers) == (None, header(1))
    assert decode_mark(mark.value, "here") == (Mark(at(2), 7), History())
    assert THREADS.changes(3, state) == []


class _Reader:
    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass


Standing = list[tuple[bytes, bytes | None, Any]]


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Standing:
    """What stands in the state topic: key, value and headers, from offset 0 on."""
    standing: Standing = []

    async def read_place(reader: object, place: Any, position: int) -> AsyncIterator[Any]:
        for offset, (key, value, headers) in list(enumerate(standing))[position:]:
            yield stands(place, offset, key, value, headers)

    monkeypatch.setattr(changelog, "new_reader", lambda broker: _Reader())
    monkeypatch.setattr(changelog, "read_place", read_place)
    return standing


def header(number: int) -> Headers:
    return ((POSITION_HEADER, f"{number},{number},{number},{number}".encode()),)


def thread(key: str, number: int, text: str) -> tuple[bytes, bytes, Headers]:
    value = THREADS.encode(Entry(at(number), 5, Thread(("a",), text)))
    return key.encode(), value, header(number)


def tombstone(key: str, number: int) -> tuple[bytes, None, Headers]:
    return key.encode(), None, header(number)


def mark_of(number: int, history: History | None = None) -> tuple[bytes, bytes, tuple[()]]:
    return MARK_KEY, encode_mark(Mark(at(number), number), history or History()), ()


def texts_in(state: KeyedState[Thread]) -> dict[str, str]:
    return {key: value.text for key, value in state.items()}


async def test_state_is_restored_from_its_topic(topic: Standing) -> None:
    counted = History(Tally(1, 1, 1), Tally())
    topic += [
        thread("kept", 1, "old"),
        thread("gone", 2, "gone"),
        thread("kept", 3, "new"),
        tombstone("gone", 2),
        mark_of(3, counted),
    ]
    state: KeyedState[Thread] = KeyedState(60)
    restored = await THREADS.restore(0, state)
    assert restored == Restored(Mark(at(3), 3), counted, 5)
    assert texts_in(state) == {"kept": "new"}
    assert state.applied("kept") == at(3)
    assert state.changes() == []


async def test_what_a_worker_that_woke_up_set_back_is_written_again(topic: Standing) -> None:
    topic += [
        thread("value", 3, "new"),
        thread("grave", 3, "alive"),
        mark_of(3),
        thread("value", 2, "older"),
        tombstone("grave", 1),
        mark_of(2),
    ]
    state: KeyedState[Thread] = KeyedState(60)
    restored = await THREADS.restore(0, state)
    assert restored.mark == Mark(at(3), 3)
    assert texts_in(state) == {"value": "new", "grave": "alive"}
    repaired = dict(state.changes())
    assert repaired == {
        "value": Entry(at(3), 5, Thread(("a",), "new")),
        "grave": Entry(at(3), 5, Thread(("a",), "alive")),
    }


async def test_the_patrol_finds_what_was_set_back_behind_its_own_writing(topic: Standing) -> None:
    state: KeyedState[Thread] = KeyedState(60)
    state.put("a", Thread(("a",), "new"), position=at(9), minute=5)
    state.changes()
    topic += [thread("a", 8, "own"), thread("a", 9, "new"), mark_of(9)]
    mine = Mark(at(9), 9)
    assert await THREADS.patrol(0, state, mine, 0) == 3
    assert state.changes() == [], "its own values stand in order"
    topic += [thread("a", 8, "of a worker that woke up late"), mark_of(8)]
    assert await THREADS.patrol(0, state, mine, 3) == 5
    assert dict(state.changes()) == {"a": Entry(at(9), 5, Thread(("a",), "new"))}


@pytest.mark.parametrize("written", [thread("a", 9, "of the new owner"), mark_of(9)])
async def test_the_patrol_finds_that_another_worker_has_gone_on(
    topic: Standing, written: tuple[bytes, bytes, Any]
) -> None:
    topic += [thread("a", 8, "own"), mark_of(8), written]
    state: KeyedState[Thread] = KeyedState(60)
    state.put("a", Thread(("a",), "own"), position=at(8), minute=5)
    with pytest.raises(TakenOver, match="1/2: another worker has the partition"):
        await THREADS.patrol(1, state, Mark(at(8), 8), 0)


async def test_the_patrol_keeps_what_is_not_written_yet(topic: Standing) -> None:
    state: KeyedState[Thread] = KeyedState(60)
    state.put("old", Thread(("a",), "x"), position=at(1), minute=0)
    state.put("a", Thread(("a",), "x"), position=at(2), minute=1000)
    topic += [
        (key.encode(), THREADS.encode(entry), header(entry.position.time))
        for key, entry in state.changes()
    ]
    topic += [mark_of(2)]
    state.put("a", Thread(("a",), "new"), position=at(3), minute=1000)
    state.observe(1000)
    assert await THREADS.patrol(0, state, Mark(at(2), 2), 0) == 3
    assert texts_in(state) == {"a": "new"}
    assert {key: entry.value for key, entry in state.changes()} == {
        "a": Thread(("a",), "new"),
        "old": None,
    }


async def test_of_each_key_only_what_counts_is_understood(topic: Standing) -> None:
    topic += [
        (b"a", b"not even JSON", header(1)),
        thread("a", 3, "new"),
        (b"gone", b"nor this", header(2)),
        tombstone("gone", 2),
    ]
    state: KeyedState[Thread] = KeyedState(60)
    await THREADS.restore(0, state)
    assert texts_in(state) == {"a": "new"}


async def test_a_value_without_its_header_is_of_an_earlier_release(topic: Standing) -> None:
    topic += [
        (key, value, ())
        for key, value, _ in [thread("a", 1, "old"), thread("a", 3, "new"), thread("a", 2, "late")]
    ]
    state: KeyedState[Thread] = KeyedState(60)
    await THREADS.restore(0, state)
    assert texts_in(state) == {"a": "new"}
    assert list(dict(state.changes())) == ["a"], "an older one stands last"


async def test_a_tombstone_without_its_position_is_refused(topic: Standing) -> None:
    topic += [(b"a", None, ())]
    with pytest.raises(StateError, match=r"/3/0: is a tombstone without the header 'position'"):
        await THREADS.restore(3, KeyedState(60))


async def test_an_unknown_version_names_where_it_stands(topic: Standing) -> None:
    topic += [thread("a", 1, "x"), (b"b", stored(version=9), ())]
    with pytest.raises(StateError, match=r"^wanglou\.state\.intake\.v1/3/1: .*version: "):
        await THREADS.restore(3, KeyedState(60))
