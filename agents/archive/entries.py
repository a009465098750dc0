"""What goes into the ledger, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from wanglou.models import chain

CONFIGURATION_CHAIN = "configuration"
"""The chain of what concerns no single case: an event's id has a dot, this has none."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Kind(StrEnum):
    """What a record is; its class for retention."""

    MENTION = "mention"
    EVENT = "event"
    ALERT = "alert"
    PAGE = "page"
    RESPONSE = "response"
    REFUSAL = "refusal"
    EVALUATION = "evaluation"
    REPORT = "report"
    CONFIGURATION = "configuration"
    ACCESS = "access"
    HOLD = "hold"
    RETENTION = chain.RETENTION
    ERASURE = "erasure"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return _CHINESE[self]


_CHINESE = {
    Kind.MENTION: "声量",
    Kind.EVENT: "事件快照",
    Kind.ALERT: "预警",
    Kind.PAGE: "通知",
    Kind.RESPONSE: "处置",
    Kind.REFUSAL: "驳回",
    Kind.EVALUATION: "成效评估",
    Kind.REPORT: "报告",
    Kind.CONFIGURATION: "配置版本",
    Kind.ACCESS: "查阅",
    Kind.HOLD: "保全",
    Kind.RETENTION: "到期清除",
    Kind.ERASURE: "个人信息删除",
}


KEPT = frozenset({Kind.HOLD, Kind.RETENTION, Kind.ERASURE})
"""What says why other things are there or gone: it is never purged."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to record. ``id`` is unique within its chain and kind.

    ``sealed`` are the sensitive ones of its fields; ``person`` is whom they concern (the keyed
    hash of an author), None where it is the case itself.
    """

    kind: Kind
    id: str
    at: datetime
    fields: Mapping[str, Any]
    sealed: Mapping[str, Any] = field(default_factory=dict)
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the ledger as read, opened. ``fields`` is None where it was purged."""

    chain: str
    sequence: int
    kind: Kind
    id: str
    at: datetime
    recorded_at: datetime
    fields: dict[str, Any] | None


def to_microseconds(time: datetime) -> int:
    """Whole microseconds since the Unix epoch. Raises ``TypeError`` for a time without offset.

    >>> to_microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (time - _EPOCH) // _MICROSECOND


def to_time(microseconds: int) -> datetime:
    """The time, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
