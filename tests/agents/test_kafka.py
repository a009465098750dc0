"""Keys lie where Kafka's own clients put them; sending waits for the broker; readers stop."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
)

from wanglou.agents import kafka
from wanglou.agents.kafka import Message, contract_in, partition_of, send_all, stop_reader
from wanglou.schemas.mention import RawMention

# Hashes from Kafka's own tests: clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java
KAFKA_VECTORS = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}
LARGEST = 2**31
"""With so many partitions the partition is the hash itself, without its sign bit."""


@pytest.mark.parametrize(("key", "signed_hash"), KAFKA_VECTORS.items())
def test_a_key_has_the_hash_that_java_has(key: str, signed_hash: int) -> None:
    assert partition_of(key, LARGEST) == signed_hash & 0x7FFFFFFF


@pytest.mark.parametrize(("key", "signed_hash"), KAFKA_VECTORS.items())
@pytest.mark.parametrize("partitions", [1, 2, 3, 4, 12, 100])
def test_a_key_lies_on_javas_partition(key: str, signed_hash: int, partitions: int) -> None:
    assert partition_of(key, partitions) == (signed_hash & 0x7FFFFFFF) % partitions


def test_a_key_is_hashed_as_utf_8() -> None:
    assert 0 <= partition_of("和兴银行", 7) < 7


def message(value: bytes) -> Message:
    return Message("topic", b"key", value)


async def test_all_are_sent_in_order(producer: Any) -> None:
    messages = [message(b"%d" % number) for number in range(5)]
    assert await send_all(producer, messages) == []
    assert [value for _, _, value in producer.sent] == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("error", [KafkaTimeoutError(), NotLeaderForPartitionError()])
async def test_what_is_not_acknowledged_is_sent_again_until_it_is(
    producer: Any, monkeypatch: pytest.MonkeyPatch, error: KafkaError
) -> None:
    monkeypatch.setattr(kafka, "RETRY_SECONDS", 0)
    failures = [error, error]

    def fail(value: bytes | None) -> None:
        if value == b"1" and failures:
            raise failures.pop()

    producer.fail = fail
    retried: list[int] = []
    assert await send_all(producer, [message(b"0"), message(b"1")], retried.append) == []
    assert [value for _, _, value in producer.sent] == [b"0", b"1"]
    assert retried == [1, 1]


async def test_what_the_broker_refuses_for_good_is_returned(producer: Any) -> None:
    def fail(value: bytes | None) -> None:
        if value == b"too large":
            raise MessageSizeTooLargeError

    producer.fail = fail
    refused = await send_all(producer, [message(b"0"), message(b"too large"), message(b"2")])
    assert [(one.value, type(error)) for one, error in refused] == [
        (b"too large", MessageSizeTooLargeError)
    ]
    assert [value for _, _, value in producer.sent] == [b"0", b"2"]


async def test_an_error_that_is_not_kafkas_is_not_swallowed(producer: Any) -> None:
    def fail(value: bytes | None) -> None:
        raise ZeroDivisionError

    producer.fail = fail
    with pytest.raises(ZeroDivisionError):
        await send_all(producer, [message(b"0")])


def read(value: bytes | None) -> RawMention | None:
    record = SimpleNamespace(topic="t", partition=1, offset=7, value=value)
    return contract_in(record, RawMention)


def test_a_message_that_is_none_of_ours_is_passed_over_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = b'{"id": "a", "platform": "b", "text": "c", "published_at": "2026-03-02T00:00:00Z"}'
    found = read(good)
    assert found is not None
    assert found.id == "a"
    assert read(None) is None
    assert caplog.text == ""
    assert read(b'{"id": "a"}') is None
    assert "t/1/7 is no RawMention: platform: Field required" in caplog.text


class Reader:
    """A consumer that is stopped while a fetch of its own is cancelled."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.go_on = asyncio.Event()
        self.is_closed = False
        self._client = self

    async def stop(self) -> None:
        self.stopping.set()
        await self.go_on.wait()
        raise asyncio.CancelledError

    async def close(self) -> None:
        self.is_closed = True


async def test_a_reader_whose_fetch_was_cancelled_does_not_end_its_caller() -> None:
    reader = Reader()
    reader.go_on.set()
    await stop_reader(reader)  # type: ignore[arg-type]  # a stand-in
    assert reader.is_closed


async def test_a_caller_that_is_cancelled_while_it_stops_a_reader_ends() -> None:
    reader = Reader()
    stopping = asyncio.create_task(stop_reader(reader))  # type: ignore[arg-type]
    await reader.stopping.wait()
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
