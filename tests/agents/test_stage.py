"""One bad record costs no other; what is put aside can be repaired; headers tell outputs apart."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.agents.builders import as_read, counts, run_through
from wanglou.agents.changelog import MARK_KEY, Changelog, decode_mark, encode_mark
from wanglou.agents.dead_letter_limit import DeadLetterLimits, History
from wanglou.agents.kafka import Message
from wanglou.agents.metrics import Metrics
from wanglou.agents.record import Emission, Record, Rejected, decode
from wanglou.agents.settings import Settings
from wanglou.agents.stage import Stage
from wanglou.agents.step1_intake import Intake
from wanglou.agents.step2_dedupe import Dedupe
from wanglou.agents.step3_sentiment import Sentiment
from wanglou.agents.step4_risk import Risk
from wanglou.models.order import Mark
from wanglou.models.rules import Rules
from wanglou.models.state import Entry, KeyedState
from wanglou.schemas.dead_letter import MAX_ORIGINAL_BYTES, DeadLetter, Reason
from wanglou.schemas.mention import Mention, RawMention
from wanglou.schemas.topics import (
    ACCEPTED,
    ALERTS,
    DEAD_LETTERS,
    EVENTS,
    INTAKE_STATE,
    RAW,
    SENTIMENT_STATE,
)

Make = Callable[..., Record]
MakeRaw = Callable[..., dict[str, Any]]
MIB = 1024 * 1024
PHONE = "13912345678"


class Echo(Stage[None, None]):
    """Puts every record aside or lets it pass, by what a test tells it."""

    name = "echo"
    upstream = None
    source = RAW
    output = ACCEPTED
    writes = (ACCEPTED, DEAD_LETTERS)
    state_topic = SENTIMENT_STATE

    def new_state(self) -> KeyedState[None]:
        return KeyedState(60)

    def new_step(self, state: KeyedState[None]) -> None:
        return None

    async def process(self, records: Sequence[Record]) -> list[Emission]:
        raise NotImplementedError


@pytest.fixture
def stage(metrics: Metrics, settings: Settings) -> Echo:
    changelog = Changelog(SENTIMENT_STATE, type(None), settings.broker)
    return Echo(metrics, changelog, counts(), DeadLetterLimits(), 64)


def letter(emission: Emission) -> DeadLetter:
    assert emission.message.topic == DEAD_LETTERS.name
    assert emission.message.value is not None
    return DeadLetter.model_validate_json(emission.message.value)


def test_the_log_of_a_failure_names_the_mention_and_shows_nothing_of_it(
    stage: Echo, record: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def act() -> list[Emission]:
        raise KeyError(PHONE)

    stage.guard(record(b"value", 17, partition=3), act)
    (said,) = caplog.records
    assert said.__dict__["agent"] == "echo"
    assert said.__dict__["mention"] == "3/17"
    assert "KeyError" in said.getMessage()
    assert "in act" in said.getMessage()
    assert PHONE not in said.getMessage()


def counted(stage: Stage, reason: Reason) -> float:
    labels = {"agent": stage.name, "reason": reason.value}
    return stage.metrics.registry.get_sample_value("wanglou_dead_letters_total", labels) or 0.0


def test_what_succeeds_passes_the_guard(stage: Echo, record: Make, raw_mention: MakeRaw) -> None:
    one = record(raw_mention())
    emission = stage.emit_mention(one, "key", RawMention.model_validate(raw_mention()))
    assert stage.guard(one, lambda: [emission]) == [emission]
    assert counted(stage, Reason.FAILED) == 0


def rejected() -> list[Emission]:
    raise Rejected(Reason.TOO_LARGE, "message has too many bytes")


def invalid() -> list[Emission]:
    RawMention.model_validate_json('{"id": ""}')
    raise AssertionError


def not_json() -> list[Emission]:
    RawMention.model_validate_json('{"id": ')
    raise AssertionError


def failed() -> list[Emission]:
    raise ZeroDivisionError("of our own making")


@pytest.mark.parametrize(
    ("act", "reason", "error"),
    [
        (rejected, Reason.TOO_LARGE, "message has too many bytes"),
        (invalid, Reason.INVALID, "id: String should have at least 1 character"),
        (not_json, Reason.NOT_JSON, "Invalid JSON"),
        (failed, Reason.FAILED, "ZeroDivisionError: of our own making"),
    ],
)
def test_what_fails_becomes_a_dead_letter_with_its_reason(
    stage: Echo, record: Make, act: Callable[[], list[Emission]], reason: Reason, error: str
) -> None:
    (emission,) = stage.guard(record(b"value", 17), act)
    found = letter(emission)
    assert found.reason is reason
    assert error in found.error
    assert counted(stage, reason) == 1


def test_an_error_that_ends_the_process_is_not_caught(stage: Echo, record: Make) -> None:
    def interrupted() -> list[Emission]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.guard(record(b""), interrupted)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"weibo:1", b'{"id": 7}'),
        (None, b"\xff\xfe\x00 no UTF-8 \x80"),
        (b"\xff", b""),
        (b"", None),
        (None, bytes(range(256)) * 4096),  # the 1 MiB that a topic takes
        (None, b"\xff" * MAX_ORIGINAL_BYTES),
    ],
    ids=["text", "no UTF-8", "empty", "no value", "1 MiB", "longest"],
)
def test_the_original_is_kept_byte_by_byte(
    stage: Echo, record: Make, key: bytes | None, value: bytes | None
) -> None:
    one = record(value, 17, key=key, partition=2)
    emission = stage.dead_letter(one, Rejected(Reason.INVALID, "why"))
    found = letter(emission)
    assert (found.key, found.value) == (key, value)
    assert found.omitted_bytes is None
    assert (found.topic, found.partition, found.offset) == (RAW.name, 2, 17)
    assert found.id == "wanglou.mentions.raw.v1/2/17"
    assert found.timestamp == one.timestamp
    assert emission.message.key == found.id.encode()
    assert len(emission.message.value or b"") < DEAD_LETTERS.max_message_bytes - 64 * 1024


def test_an_original_of_10_mb_is_named_with_its_length_and_the_letter_still_fits(
    stage: Echo, record: Make
) -> None:
    """A compressed batch brings more than the topic's limit; as base64 no topic would take it."""
    value = b"\xff" * (10 * MIB)
    too_large = Rejected(Reason.TOO_LARGE, "too large")
    emission = stage.dead_letter(record(value, 17, key=b"abc"), too_large)
    found = letter(emission)
    assert found.omitted_bytes == 10 * MIB + 3
    assert found.value is None
    assert (found.topic, found.offset) == (RAW.name, 17)
    assert len(emission.message.value or b"") < 64 * 1024


def test_an_endless_error_message_does_not_make_the_letter_too_long(
    stage: Echo, record: Make
) -> None:
    endless = Rejected(Reason.FAILED, "no" * 5 * MIB)
    emission = stage.dead_letter(record(b"x" * MAX_ORIGINAL_BYTES), endless)
    assert letter(emission).error.startswith("nono")
    assert len(emission.message.value or b"") < DEAD_LETTERS.max_message_bytes - 64 * 1024


def test_the_same_record_gives_the_same_bytes(stage: Echo, record: Make) -> None:
    why = Rejected(Reason.FAILED, "why")
    first, second = (stage.dead_letter(record(b"x", 3), why) for _ in range(2))
    assert first.message == second.message
    assert first.rejected is why


@pytest.mark.parametrize("value", [b"", b"[]", b"null", b'{"id": "a"}', b"\xff", b"{" * 10_000])
def test_decode_refuses_what_is_no_mention(record: Make, value: bytes) -> None:
    with pytest.raises(ValueError, match="Mention"):
        decode(record(value), Mention)


def test_decode_refuses_a_tombstone(record: Make) -> None:
    with pytest.raises(Rejected) as caught:
        decode(record(None), Mention)
    assert caught.value.reason is Reason.NO_VALUE


@pytest.fixture
def intake(settings: Settings, rules: Rules, metrics: Metrics, empty_state_topics: None) -> Intake:
    return Intake(settings, rules, metrics, counts())


async def test_a_bad_neighbour_costs_nothing_else(
    intake: Intake, record: Make, raw_mention: MakeRaw
) -> None:
    await intake.prepare(0, 1)
    bad = [b"\xff\xfe", None, b"{}", b"[" * 100_000, b"x" * (10 * MIB)]
    records = []
    for number, value in enumerate(bad):
        records.append(record(raw_mention(id=f"weibo:{number}"), 2 * number))
        records.append(record(value, 2 * number + 1))
    emissions = await run_through(intake, records)

    accepted = [one for one in emissions if one.message.topic == ACCEPTED.name]
    assert [one.record.offset for one in accepted] == [0, 2, 4, 6, 8]
    letters = [letter(one) for one in emissions if one.message.topic == DEAD_LETTERS.name]
    assert [(one.offset, one.reason) for one in letters] == [
        (1, Reason.NOT_JSON),
        (3, Reason.NO_VALUE),
        (5, Reason.INVALID),
        (7, Reason.TOO_LARGE),
        (9, Reason.TOO_LARGE),
    ]
    assert [one.value for one in letters[:4]] == bad[:4]
    assert len(emissions) == len(records)


async def test_an_agent_that_fails_on_one_record_goes_on(
    intake: Intake, record: Make, raw_mention: MakeRaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    await intake.prepare(0, 1)
    handle = intake.handle

    def fail_on_one(step: Any, one: Record) -> list[Emission]:
        if one.offset == 1:
            raise RuntimeError("a bug of ours")
        return handle(step, one)

    monkeypatch.setattr(intake, "handle", fail_on_one)
    records = [record(raw_mention(id=f"weibo:{number}"), number) for number in range(3)]
    emissions = await run_through(intake, records)
    assert [one.message.topic for one in emissions] == [
        ACCEPTED.name,
        DEAD_LETTERS.name,
        ACCEPTED.name,
    ]
    assert letter(emissions[1]).error == "RuntimeError: a bug of ours"


async def test_a_partition_that_was_given_away_is_forgotten(
    intake: Intake, record: Make, raw_mention: MakeRaw
) -> None:
    for partition in (0, 1):
        await intake.prepare(partition, 1)
    await run_through(intake, [record(raw_mention(), partition=1)])
    marks = {0: [MARK_KEY], 1: [b"weibo:1", MARK_KEY]}
    assert keys_by_partition(intake) == marks
    await run_through(intake, [record(raw_mention(id="weibo:2"), 1, partition=1)])
    intake.keep([0])
    assert keys_by_partition(intake) == {}
    with pytest.raises(KeyError):
        await intake.process([record(raw_mention(), partition=1)])


def keys_by_partition(stage: Stage[Any, Any]) -> dict[int, list[bytes | None]]:
    """The keys that a stage writes to its state topic."""
    found: dict[int, list[bytes | None]] = {}
    for message in [*stage.changes(), *stage.marks()]:
        assert message.topic == stage.state_topic.name
        assert message.partition is not None
        found.setdefault(message.partition, []).append(message.key)
    return found


async def test_a_partition_can_be_given_away_before_anything_came_of_it(intake: Intake) -> None:
    await intake.prepare(0, 1)
    intake.keep([])
    assert keys_by_partition(intake) == {}


async def test_after_an_error_all_state_is_forgotten(
    intake: Intake, record: Make, raw_mention: MakeRaw
) -> None:
    await intake.prepare(0, 1)
    await run_through(intake, [record(raw_mention())])
    intake.discard()
    assert keys_by_partition(intake) == {}


async def test_a_repeat_has_the_bytes_of_the_first(
    intake: Intake, record: Make, raw_mention: MakeRaw
) -> None:
    """A worker that died between sending and writing its state sends again."""
    one = record(raw_mention())
    messages = []
    for generation in (1, 2):
        await intake.prepare(0, generation)
        (emission,) = await run_through(intake, [one])
        messages.append(emission.message)
        intake.discard()
    assert messages[0] == messages[1]


@pytest.fixture
def topic_of_state(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """What stands in the state topic; a test writes to it."""
    standing: list[Message] = []

    async def read(partition: int, position: int) -> AsyncIterator[Any]:
        for offset, one in list(enumerate(standing))[position:]:
            yield SimpleNamespace(
                **dataclasses.asdict(one) | {"partition": partition, "offset": offset}
            )

    monkeypatch.setattr(intake._changelog, "_read", read)
    return standing


async def first_of_three(
    intake: Intake, topic_of_state: list[Message], record: Make, raw_mention: MakeRaw
) -> list[Record]:
    """Three records that were taken in, of which one was processed and its mark written."""
    records = [record(raw_mention(id=f"weibo:{number}"), number) for number in range(3)]
    await intake.prepare(0, 1)
    for one in records:
        intake.take(one)
    await intake.process(intake.release(1))
    topic_of_state += [*intake.changes(), *intake.marks()]
    return records


async def test_what_waits_in_memory_goes_on_if_nobody_else_went_on(
    intake: Intake, topic_of_state: list[Message], record: Make, raw_mention: MakeRaw
) -> None:
    """Of a generation in which it kept the partition; it is read again, and then acknowledged."""
    records = await first_of_three(intake, topic_of_state, record, raw_mention)
    assert await intake.prepare(0, 2)
    assert [one.offset for one in intake.release(9)] == [1, 2]
    intake.take(records[2])
    assert intake.release(9) == []
    assert not intake.waits(0, 2)


async def test_what_waits_in_memory_is_forgotten_if_another_worker_went_on(
    intake: Intake, topic_of_state: list[Message], record: Make, raw_mention: MakeRaw
) -> None:
    records = await first_of_three(intake, topic_of_state, record, raw_mention)
    first, _ = decode_mark(topic_of_state[-1].value, "here")
    further = Mark(first.frontier._replace(offset=2), 1)
    topic_of_state.append(
        Message(INTAKE_STATE.name, MARK_KEY, encode_mark(further, History()), (), 0)
    )
    assert await intake.prepare(0, 2)
    assert intake.release(9) == []
    intake.take(records[1])
    intake.take(records[2])
    assert [one.offset for one in intake.release(9)] == [2]


async def test_a_partition_comes_anew_if_another_worker_died_before_its_mark(
    intake: Intake, topic_of_state: list[Message], record: Make, raw_mention: MakeRaw
) -> None:
    """Its values alone tell that it went on."""
    await first_of_three(intake, topic_of_state, record, raw_mention)
    first = intake._changelog.decode(topic_of_state[0].value or b"", "here")
    entry = Entry(first.position._replace(offset=1), 0, first.value)
    topic_of_state.append(
        Message(INTAKE_STATE.name, b"weibo:1", intake._changelog.encode(entry), (), 0)
    )
    assert await intake.prepare(0, 2)
    assert intake.release(9) == []


async def test_what_was_read_before_brings_nothing_again(
    intake: Intake, record: Make, raw_mention: MakeRaw
) -> None:
    await intake.prepare(0, 1)
    assert len(await run_through(intake, [record(raw_mention(), 7)])) == 1
    assert await run_through(intake, [record(raw_mention(), 7), record(raw_mention(), 6)]) == []


def headers(emission: Emission) -> dict[str, str]:
    return {name: value.decode() for name, value in emission.message.headers}


async def test_the_outputs_of_one_record_have_ids_of_their_own(
    intake: Intake, rules: Rules, record: Make, raw_mention: MakeRaw
) -> None:
    """CloudEvents: source and id together are unique for each distinct event."""
    names = [institution.name for institution in rules.watchlist.institutions]
    assert len(names) >= 3
    await intake.prepare(0, 1)
    one = record(raw_mention(text="、".join(names) + "都出了问题"), 7)
    emissions = await run_through(intake, [one])
    refused = Rejected(Reason.REJECTED_BY_BROKER, "too large")
    emissions.append(intake.dead_letter(one, refused))
    assert len(emissions) == len(names) + 1
    identities = {(headers(one)["ce_source"], headers(one)["ce_id"]) for one in emissions}
    assert len(identities) == len(emissions)
    assert {source for source, _ in identities} == {"/wanglou/intake"}


async def test_headers_name_topic_and_position_of_the_raw_message(
    intake: Intake, record: Make, raw_mention: MakeRaw
) -> None:
    await intake.prepare(2, 1)
    (emission,) = await run_through(intake, [record(raw_mention(), 7, partition=2)])
    assert headers(emission)["ce_type"] == emission.message.topic == ACCEPTED.name
    assert headers(emission)["ce_time"] == "2026-03-02T00:00:00Z"  # of the partition's clock
    assert headers(emission)["ce_id"] == "2/7/0"
    assert headers(emission)["ce_order"] == "2/1772409600000/2/7/0"


async def test_alert_and_event_of_one_mention_have_ids_of_their_own(
    settings: Settings,
    rules: Rules,
    metrics: Metrics,
    empty_state_topics: None,
    record: Make,
    raw_mention: MakeRaw,
    word_model: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Storms about two institutions, taken through all agents, until they raise alerts."""
    names = [institution.name for institution in rules.watchlist.institutions[:2]]
    monkeypatch.setattr("wanglou.agents.step3_sentiment.load_model", lambda settings: word_model)
    agents = (Intake, Dedupe, Sentiment, Risk)
    stages: list[Any] = [agent(settings, rules, metrics, counts()) for agent in agents]
    for one in stages:
        await one.prepare(0, 1)
    records = [
        record(
            raw_mention(
                id=f"weibo:{number}",
                text=(
                    f"{number * 7919 % 10007}号网点排长队,{names[number % 2]}要倒闭了,"
                    "取不出钱,系统也崩了"
                ),
                author={"id": str(number), "followers": 100_000, "tier": "media"},
                engagement={"reposts": 2000, "comments": 900, "likes": 5000},
                published_at=f"2026-03-02T08:{number // 10:02}:{number % 10 * 6:02}+08:00",
            ),
            number,
        )
        for number in range(300)
    ]
    emissions: list[Emission] = []
    for stage in stages:
        emissions = await run_through(stage, records)
        records = as_read(emission.message for emission in emissions)
    assert {one.message.topic for one in emissions} == {ALERTS.name, EVENTS.name}
    events = Counter(one.record.offset for one in emissions if one.message.topic == EVENTS.name)
    assert max(events.values()) == len(names), "one record closed a minute of both"
    identities = [(headers(one)["ce_source"], headers(one)["ce_id"]) for one in emissions]
    assert len(set(identities)) == len(identities)
    alerts = [one for one in emissions if one.message.topic == ALERTS.name]
    assert all(one.received_at is not None for one in alerts)
    ids = [json.loads(one.message.value or b"")["id"] for one in alerts]
    assert len(set(ids)) == len(ids)
