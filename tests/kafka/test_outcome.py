"""The comparison finds what a fault could do."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from aiokafka import ConsumerRecord
from outcome import Expected, Found, difference

from wanglou.schemas.cloudevents import cloudevents_headers
from wanglou.schemas.control import WATERMARK_TYPE
from wanglou.schemas.risk import Alert, AlertKind, Assessment, Level, Situation, Subject
from wanglou.schemas.topics import ACCEPTED, ALERTS, Topic

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def record(topic: Topic, id: str, value: bytes, type: str | None = None) -> ConsumerRecord:
    headers = cloudevents_headers(id=id, type=type or topic.event_type, source="/t", time=NOW)
    return ConsumerRecord(
        topic=topic.name,
        partition=0,
        offset=0,
        timestamp=0,
        timestamp_type=0,
        key=b"k",
        value=value,
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=len(value),
        headers=headers,
    )


def alert(id: str = "alert-1", risk: float = 30.0, sequence: int = 1) -> Alert:
    situation = Situation(
        mentions=9,
        updates=0,
        late=0,
        negative=8,
        clusters=3,
        heat=20.5,
        authors=9,
        audience=900,
        platforms={"weibo": 9},
        emotions={"fear": 9},
        depth=1,
        first_at=NOW,
        last_at=NOW,
    )
    return Alert(
        id=id,
        kind=AlertKind.RAISED,
        sequence=sequence,
        event_id="hexing-bank.run",
        institution=Subject(id="hexing-bank", name="和兴银行"),
        topic=Subject(id="run", name="挤兑传言"),
        level=Level.YELLOW,
        decided_at=NOW,
        title="title",
        assessment=Assessment(risk=risk, likelihood=0.5, impact=0.6, terms=()),
        situation=situation,
        evidence=(),
        received_at=NOW,
    )


def expected() -> Expected:
    """One accepted mention and one alert."""
    of_one = Found()
    of_one.take(ACCEPTED, record(ACCEPTED, "1", b"mention"))
    of_one.take(ALERTS, record(ALERTS, "1", alert().to_json()))
    messages = {topic: len(copies) for topic, copies in of_one.copies.items() if copies}
    return Expected(messages=Counter(messages), alerts=of_one.alerts)


def found(*messages: tuple[Topic, str, bytes]) -> Found:
    there = Found()
    for topic, id, value in messages:
        there.take(topic, record(topic, id, value))
    return there


MENTION = (ACCEPTED, "1", b"mention")
ALERT = (ALERTS, "1", alert().to_json())


def test_what_is_as_it_should_be_does_not_differ() -> None:
    differs = difference(found(MENTION, ALERT), expected())
    assert (differs.lost, differs.wrong) == ([], [])


def test_a_repeat_is_counted_and_is_not_wrong() -> None:
    there = found(MENTION, ALERT, MENTION, ALERT, MENTION)
    assert there.repeats() == 3
    differs = difference(there, expected())
    assert (differs.lost, differs.wrong) == ([], [])


def test_what_tells_of_time_is_no_message() -> None:
    there = found(MENTION, ALERT)
    there.take(ACCEPTED, record(ACCEPTED, "w", b"{}", type=WATERMARK_TYPE))
    assert there.total() == 2


def test_what_is_missing_is_lost() -> None:
    assert difference(found(ALERT), expected()).lost == ["mentions.accepted: a message"]
    lost = difference(found(MENTION), expected()).lost
    assert lost == ["alerts: a message", "alert alert-1"]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ((ACCEPTED, "2", b"mention"), "mentions.accepted: a message too many"),
        ((ACCEPTED, "1", b"other"), "mentions.accepted 1: a repeat has other bytes"),
        ((ALERTS, "2", alert("alert-2").to_json()), f"event hexing-bank.run has 2 alerts at {NOW}"),
        ((ALERTS, "2", alert(risk=31.0).to_json()), "alert alert-1: a repeat has other bytes"),
    ],
)
def test_what_should_not_be_is_wrong(message: tuple[Topic, str, bytes], said: str) -> None:
    assert said in difference(found(MENTION, ALERT, message), expected()).wrong


def test_an_alert_with_other_numbers_is_wrong() -> None:
    there = found(MENTION, (ALERTS, "1", alert(risk=31.0).to_json()))
    assert difference(there, expected()).wrong == ["alert alert-1 differs in assessment"]
