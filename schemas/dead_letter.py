"""What could not be processed, with everything needed to repair and replay it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Base64Bytes, Field, ValidationError

from wanglou.schemas.base import Contract, Count, Identifier, Timestamp

MAX_ORIGINAL_BYTES = 2 * 1024 * 1024
"""Longest original that is kept: with its base64 and the rest it fits into the topic's messages."""

MAX_ERROR_CHARACTERS = 4096


class Reason(StrEnum):
    """Why a message was put aside: the label of the dead-letter metric."""

    NO_VALUE = "no-value"
    TOO_LARGE = "too-large"
    NOT_JSON = "not-json"
    INVALID = "invalid"
    IMPLAUSIBLE_TIME = "implausible-time"
    REJECTED_BY_BROKER = "rejected-by-broker"
    FAILED = "failed"  # an error of ours: the class and message say which

    @classmethod
    def of(cls, error: ValidationError) -> Reason:
        """Why a contract did not accept a message."""
        not_json = error.errors(include_url=False)[0]["type"] == "json_invalid"
        return cls.NOT_JSON if not_json else cls.INVALID


class DeadLetter(Contract):
    """A message that an agent could not process (topic ``dead-letters``)."""

    id: Identifier = Field(
        description="topic/partition/offset of the message.",
        examples=["wanglou.mentions.raw.v1/2/17"],
    )
    agent: Identifier = Field(description="Agent that put it aside.", examples=["intake"])
    reason: Reason = Field(description="Why, as one of a few words.")
    error: str = Field(description="Error class and message; names the field and its place.")
    topic: str = Field(description="Topic that it was read from.")
    partition: Count = Field(description="Partition that it was read from.")
    offset: Count = Field(description="Offset that it was read from.")
    timestamp: Timestamp = Field(description="Kafka timestamp of the message.")
    raw_partition: Count | None = Field(
        None, description="Partition of the raw message that it came of, if it is not that itself."
    )
    raw_offset: Count | None = Field(None, description="Offset of that raw message.")
    key: Base64Bytes | None = Field(None, description="Original key, base64.")
    value: Base64Bytes | None = Field(None, description="Original bytes, base64.")
    omitted_bytes: Count | None = Field(
        None,
        description="Length of an original too long to stand here: it is only in the source topic.",
    )
