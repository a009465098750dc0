"""The pager's record: its state topic, in which only one pager at a time can write a partition."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final, Literal
from uuid import uuid4

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from pydantic import BaseModel, ConfigDict, ValidationError

from wanglou.agents.changelog import StateError, TakenOver
from wanglou.agents.kafka import REFUSED, RETRY_SECONDS, new_reader, read_place, stop_reader
from wanglou.agents.settings import BrokerSettings
from wanglou.models.case import Case
from wanglou.schemas.problems import describe
from wanglou.schemas.topics import PAGER_STATE

logger = logging.getLogger(__name__)

VERSION: Final = 1
CLAIM_KEY = b""
"""Key of a claim; no other key is empty."""
EPOCH_HEADER = "epoch"

Changes = Mapping[str, Case | None]
"""Cases by event id; None takes one away."""


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = VERSION
    case: Case


class Ledger:
    """One partition of the state topic.

    Whoever opens it writes a claim with the next epoch; what an earlier epoch writes behind it does
    not count. So the log alone says who the pager is. A pager that was paused and has lost its
    partition learns so from its first write, because its record does not lie right behind its last
    one: before it tells anybody anything. What it wrote is written over, so that compaction cannot
    leave only that.
    """

    def __init__(self, broker: BrokerSettings, producer: AIOKafkaProducer, partition: int) -> None:
        self._broker = broker
        self._producer = producer
        self._partition = partition
        self._name = uuid4().bytes
        self._mine = False
        self._epoch = 0
        self._end = 0
        self._cases: dict[str, bytes] = {}
        """What stands in the log, as it is written."""
        self._set_back: set[str] = set()
        self._writing = asyncio.Lock()

    async def open(self) -> dict[str, Case]:
        """Claim the partition, and read what stands there. Raises ``StateError``."""
        async with self._writing:
            await self._follow()
            while not self._mine:
                await self._send([(CLAIM_KEY, self._name)], self._epoch + 1)
                await self._follow()
            await self._repair()
            return {key: self._decoded(key, value) for key, value in self._cases.items()}

    async def write(self, changes: Changes) -> None:
        """Record changes; they last when this returns. Raises ``TakenOver``."""
        encoded = {key: _encoded(case) for key, case in changes.items()}
        async with self._writing:
            await self._put(encoded)
            await self._repair()

    async def patrol(self) -> None:
        """Look whether anybody else wrote. Raises ``TakenOver``."""
        async with self._writing:
            await self._follow()
            await self._repair()

    async def _put(self, encoded: Mapping[str, bytes | None]) -> None:
        for key, value in encoded.items():
            if value is None:
                self._cases.pop(key, None)
            else:
                self._cases[key] = value
        records = [(key.encode(), value) for key, value in encoded.items()]
        offsets = await self._send(records, self._epoch)
        if offsets == list(range(self._end, self._end + len(offsets))):
            self._end += len(offsets)
        else:
            await self._follow()

    async def _repair(self) -> None:
        """Write again what a late writer has set back."""
        while self._set_back:
            keys, self._set_back = self._set_back, set()
            logger.warning("%s: %d older values stood last", self._where(self._end), len(keys))
            await self._put({key: self._cases.get(key) for key in keys})

    async def _follow(self) -> None:
        """Take in what was written since the last look."""
        async for record in self._read():
            self._end = record.offset + 1
            epoch = _epoch_of(record)
            if epoch < self._epoch:
                self._set_back.add(record.key.decode())
            elif epoch > self._epoch and self._mine:
                raise TakenOver(f"{self._where(record.offset)}: another pager has the partition")
            elif record.key == CLAIM_KEY:
                if epoch > self._epoch:  # of two at once the first counts
                    self._epoch, self._mine = epoch, record.value == self._name
            elif not self._mine:
                self._epoch = epoch
                self._take(record)

    def _take(self, record: ConsumerRecord) -> None:
        key = record.key.decode()
        self._set_back.discard(key)
        if record.value is None:
            self._cases.pop(key, None)
        else:
            self._cases[key] = record.value

    async def _read(self) -> AsyncIterator[ConsumerRecord]:
        reader = new_reader(self._broker)
        try:
            await reader.start()
            place = TopicPartition(PAGER_STATE.name, self._partition)
            async for record in read_place(reader, place, self._end):
                yield record
        finally:
            await stop_reader(reader)

    async def _send(self, records: Iterable[tuple[bytes, bytes | None]], epoch: int) -> list[int]:
        """Write, however long it takes; the offsets."""
        offsets, waiting = [], list(records)
        headers = [(EPOCH_HEADER, str(epoch).encode())]
        while waiting:
            try:
                futures = [
                    await self._producer.send(
                        PAGER_STATE.name,
                        value=value,
                        key=key,
                        partition=self._partition,
                        headers=headers,
                    )
                    for key, value in waiting
                ]
                offsets += [(await future).offset for future in futures]
                waiting = []
            except (*REFUSED, TopicAuthorizationFailedError):
                raise
            except KafkaError as error:
                logger.warning("the record was not acknowledged, writing it again: %r", error)
                offsets = []  # none will fit: what was written is looked for
                await asyncio.sleep(RETRY_SECONDS)
        return offsets

    def _decoded(self, key: str, value: bytes) -> Case:
        try:
            return _Stored.model_validate_json(value).case
        except ValidationError as error:
            raise StateError(
                f"{self._where(self._end)}: {key}: is no case of version {VERSION}: "
                f"{describe(error, hidden=('case',))}. Run the release that wrote it, or stop the "
                "pagers and delete the topic: open cases are then told again"
            ) from error

    def _where(self, offset: int) -> str:
        return f"{PAGER_STATE.name}/{self._partition}/{offset}"


def _encoded(case: Case | None) -> bytes | None:
    return None if case is None else _Stored(case=case).model_dump_json().encode()


def _epoch_of(record: ConsumerRecord) -> int:
    return int(next(value for name, value in record.headers if name == EPOCH_HEADER))
