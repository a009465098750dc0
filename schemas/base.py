"""What every contract of Wanglou has in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

MAX_COUNT = 10**12
"""Largest believable counter or audience: above it a collector is broken."""

Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
"""A whole number of people or acts, never negative."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""A share or probability in [0, 1]."""

Identifier = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""An opaque id; at most 256 characters and no control characters, so that it fits into keys,
headers, log lines and databases."""

PairOfIdentifiers = Annotated[str, Field(min_length=3, max_length=513)]
"""Two identifiers with a character between them."""

CHINA = timezone(timedelta(hours=8))
"""Chinese standard time, in which people live and operators read."""

Timestamp = AwareDatetime
"""A point in time that always has an offset (RFC 3339)."""


class Contract(BaseModel):
    """A message, or a part of one: immutable; unknown fields are ignored, so that writers can be
    ahead of readers (the compatibility rule of ``schemas.compatibility``)."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")

    @classmethod
    def trusted(cls, **values: Any) -> Self:
        """One of values that were checked before: all its fields, in their order.

        It is ``model_construct`` without defaults and aliases, which take most of its time.
        """
        return cls._of(values)

    @classmethod
    def extending(cls, other: Contract, values: Mapping[str, Any]) -> Self:
        """The same for a contract that says what another does, and then ``values``."""
        return cls._of({**vars(other), **values})

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Self:
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", values)
        object.__setattr__(made, "__pydantic_fields_set__", _fields(cls))
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made

    def to_json(self) -> bytes:
        """UTF-8 JSON without fields that are null: what stands on the wire."""
        return self.model_dump_json(exclude_none=True).encode()


@cache
def _fields(contract: type[Contract]) -> set[str]:
    """The names of a contract's fields; one set for all of its messages, which nobody changes."""
    return set(contract.model_fields)


def minute_of(time: datetime) -> int:
    """The tumbling one-minute bucket of a time, in whole minutes since the Unix epoch.

    >>> minute_of(datetime.fromisoformat("1970-01-01T08:02:59+08:00"))
    2
    """
    return int(time.timestamp() // 60)


def time_of(minute: int) -> datetime:
    """When a minute since the Unix epoch begins, in UTC.

    >>> time_of(29_000_000).isoformat()
    '2025-02-19T21:20:00+00:00'
    """
    return datetime.fromtimestamp(minute * 60, UTC)
