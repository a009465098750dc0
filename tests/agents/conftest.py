"""A clean environment, and agents without a broker."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from tests.environment import clean_environment
from wanglou.agents.changelog import Changelog
from wanglou.agents.metrics import Metrics
from wanglou.agents.record import Record
from wanglou.agents.settings import Settings, load_settings
from wanglou.models.opinion import NO_EVENT, Opinion, Passage
from wanglou.models.rules import Rules
from wanglou.schemas.mention import EmotionProbabilities, PolarityProbabilities

__all__ = ["clean_environment"]  # a fixture for all of them

HANG_SECONDS = 60
"""Far longer than any test takes: a command that hangs fails its test, not the whole run."""


@pytest.fixture
def hang_guard() -> Iterator[None]:
    """Fails a test that hangs."""

    def fail(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"still running after {HANG_SECONDS} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(HANG_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def closed_address() -> Iterator[str]:
    """host:port that refuses connections, as long as the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def silent_address() -> Iterator[str]:
    """host:port that accepts connections and never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(16)
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def settings() -> Settings:
    return load_settings(model={"enabled": False}, author_key="a key of the tests")


@pytest.fixture(scope="session")
def rules() -> Rules:
    return Settings().load_rules()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
def empty_state_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents find nothing in their state topics, and need no broker for it."""

    async def read(self: object, partition: int, position: int) -> AsyncIterator[object]:
        for nothing in ():
            yield nothing

    monkeypatch.setattr(Changelog, "_read", read)


@pytest.fixture
def raw_mention() -> Callable[..., dict[str, Any]]:
    """A raw mention of 和兴银行 (of the built-in watch list); keywords replace its fields."""

    def make(**fields: Any) -> dict[str, Any]:
        return {
            "id": "weibo:1",
            "platform": "weibo",
            "text": "和兴银行的手机银行又崩了,转账一直失败,客服电话也打不通",
            "published_at": "2026-03-02T08:00:00+08:00",
            **fields,
        }

    return make


@pytest.fixture
def record() -> Callable[..., Record]:
    """A record of the raw topic; a value that is no bytes is written as JSON."""

    def make(value: Any, offset: int = 0, **fields: Any) -> Record:
        if value is not None and not isinstance(value, bytes):
            value = json.dumps(value, ensure_ascii=False).encode()
        defaults: dict[str, Any] = {
            "topic": "wanglou.mentions.raw.v1",
            "partition": 0,
            "timestamp": datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC),
            "key": b"weibo:1",
        }
        return Record(**{**defaults, "offset": offset, "value": value, **fields})

    return make


class WordModel:
    """A model that knows two words, and cannot bear a third.

    崩 and 倒闭 are negative, angry, 歇业停业 and against the institution; all else is none of that.
    """

    DOWN = Opinion(
        polarity=PolarityProbabilities(negative=0.9, neutral=0.1, positive=0.0),
        emotion=EmotionProbabilities(
            happy=0.0, angry=0.7, sad=0.1, fear=0.2, surprise=0.0, neutral=0.0
        ),
        event_type={NO_EVENT: 0.25, "歇业停业": 0.75},
        institution_negative=0.875,
    )
    QUIET = Opinion(
        polarity=PolarityProbabilities(negative=0.1, neutral=0.7, positive=0.2),
        emotion=EmotionProbabilities(
            happy=0.1, angry=0.0, sad=0.0, fear=0.0, surprise=0.1, neutral=0.8
        ),
        event_type={NO_EVENT: 1.0, "歇业停业": 0.0},
        institution_negative=0.125,
    )

    def __init__(self) -> None:
        self.calls: list[list[Passage]] = []

    @property
    def texts(self) -> list[list[str]]:
        """The texts of each call."""
        return [[passage.text for passage in call] for call in self.calls]

    def read(self, passages: Sequence[Passage]) -> list[Opinion]:
        self.calls.append(list(passages))
        if any("炸弹" in passage.text for passage in passages):
            raise ValueError("a text that the model cannot bear")
        return [self._opinion(passage) for passage in passages]

    def _opinion(self, passage: Passage) -> Opinion:
        opinion = self.DOWN if any(word in passage.text for word in ("崩", "倒闭")) else self.QUIET
        return opinion if passage.names else replace(opinion, institution_negative=None)


@pytest.fixture
def word_model() -> WordModel:
    return WordModel()


class MemoryProducer:
    """Stands for aiokafka's producer: keeps what is sent; ``fail`` may raise instead."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None]] = []
        self.headers: list[dict[str, bytes]] = []
        self.fail: Callable[[bytes | None], None] = lambda value: None

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def send(
        self,
        topic: str,
        *,
        value: bytes | None,
        key: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        **rest: object,
    ) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        try:
            self.fail(value)
        except KafkaError as error:
            future.set_exception(error)
        else:
            self.sent.append((topic, key, value))
            self.headers.append(dict(headers))
            future.set_result(None)
        return future


@pytest.fixture
def producer() -> MemoryProducer:
    return MemoryProducer()
