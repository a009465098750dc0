"""The headers against CloudEvents 1.0.2 and its Kafka binding (binary content mode)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from wanglou.schemas.cloudevents import cloudevents_headers
from wanglou.schemas.control import (
    AGAIN_HEADER,
    CLOCK_HEADER,
    HEARTBEAT_TYPE,
    ORDER_HEADER,
    WATERMARK_TYPE,
)
from wanglou.schemas.export import CLOUDEVENTS_HEADERS
from wanglou.schemas.topics import TOPICS

RFC_3339 = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:\d\d)"
)
CHINA = timezone(timedelta(hours=8))


def headers_at(time: datetime) -> dict[str, bytes]:
    return dict(
        cloudevents_headers(
            id="wanglou.mentions.raw.v1/0/7",
            type="wanglou.mentions.accepted.v1",
            source="/wanglou/intake",
            time=time,
        )
    )


def test_the_required_attributes_are_there_once_and_not_empty() -> None:
    headers = cloudevents_headers(id="7", type="t", source="/s", time=datetime.now(UTC))
    names = [name for name, _ in headers]
    assert len(set(names)) == len(names)
    assert {"ce_specversion", "ce_id", "ce_source", "ce_type"} <= set(names)
    assert all(value for _, value in headers)


def test_the_values_are_those_given() -> None:
    assert headers_at(datetime(2026, 3, 2, tzinfo=UTC)) == {
        "ce_specversion": b"1.0",
        "ce_id": b"wanglou.mentions.raw.v1/0/7",
        "ce_source": b"/wanglou/intake",
        "ce_type": b"wanglou.mentions.accepted.v1",
        "ce_time": b"2026-03-02T00:00:00Z",
        "content-type": b"application/json",
    }


def test_attribute_names_are_lower_case_letters_and_digits_after_the_prefix() -> None:
    for name in headers_at(datetime.now(UTC)):
        if name != "content-type":  # the binding's name for datacontenttype
            assert re.fullmatch(r"ce_[a-z0-9]{1,20}", name)


def test_text_that_is_not_ascii_is_utf_8() -> None:
    headers = cloudevents_headers(id="和兴", type="t", source="/s", time=datetime.now(UTC))
    assert dict(headers)["ce_id"].decode("utf-8") == "和兴"


@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 3, 2, tzinfo=UTC),
        datetime(2026, 3, 2, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 3, 2, 4, 5, 6, 120_000, tzinfo=CHINA),
    ],
)
def test_the_time_is_rfc_3339_in_utc_and_the_same_instant(time: datetime) -> None:
    stamp = headers_at(time)["ce_time"].decode()
    assert RFC_3339.fullmatch(stamp)
    assert stamp.endswith("Z")
    assert datetime.fromisoformat(stamp) == time


def test_the_document_describes_exactly_these_headers_and_those_of_the_order() -> None:
    names = headers_at(datetime.now(UTC)).keys()
    assert names == set(CLOUDEVENTS_HEADERS["required"])
    ours = {CLOCK_HEADER, ORDER_HEADER, AGAIN_HEADER}
    assert CLOUDEVENTS_HEADERS["properties"].keys() == names | ours
    assert all(re.fullmatch(r"ce_[a-z0-9]{1,20}", name) for name in ours)


def test_every_topic_has_its_own_event_type() -> None:
    types = [topic.event_type for topic in TOPICS]
    assert len(set(types)) == len(types)


def test_a_control_message_has_a_type_that_no_topic_has() -> None:
    controls = {topic.control_type for topic in TOPICS if topic.control is not None}
    assert controls == {HEARTBEAT_TYPE, WATERMARK_TYPE}
    assert controls.isdisjoint(topic.event_type for topic in TOPICS)
    assert {topic.control_type for topic in TOPICS if topic.control is None} == {None}
