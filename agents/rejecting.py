"""A record that a plain consumer puts aside: its dead letter, with the original bytes."""

from __future__ import annotations

from datetime import UTC, datetime

from aiokafka import ConsumerRecord

from wanglou.agents.kafka import Message, place_of
from wanglou.schemas.cloudevents import cloudevents_headers
from wanglou.schemas.dead_letter import MAX_ERROR_CHARACTERS, DeadLetter, Reason
from wanglou.schemas.topics import DEAD_LETTERS


def rejection(
    record: ConsumerRecord, agent: str, reason: Reason, error: str, suffix: str = ""
) -> Message:
    """The dead letter of a record; ``suffix`` tells several of the same record apart."""
    letter = DeadLetter(
        id=place_of(record) + suffix,
        agent=agent,
        reason=reason,
        error=error[:MAX_ERROR_CHARACTERS],
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=datetime.fromtimestamp(record.timestamp / 1000, UTC),
    ).model_copy(update={"key": record.key, "value": record.value})
    headers = cloudevents_headers(
        id=letter.id,
        type=DEAD_LETTERS.event_type,
        source=f"/wanglou/{agent}",
        time=letter.timestamp,
    )
    return Message(DEAD_LETTERS.name, letter.id.encode(), letter.to_json(), headers)
