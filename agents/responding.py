"""Write what was done about a case to the topic of responses."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from aiokafka import AIOKafkaProducer

from wanglou.agents.kafka import Message, send_all
from wanglou.schemas.cloudevents import cloudevents_headers
from wanglou.schemas.response import Act, Response
from wanglou.schemas.topics import RESPONSES


async def send_response(producer: AIOKafkaProducer, response: Response, source: str) -> None:
    """Write a response; the broker has acknowledged it when this returns."""
    headers = cloudevents_headers(
        id=response.id, type=RESPONSES.event_type, source=source, time=response.at
    )
    key = response.event_id.encode()
    await send_all(producer, [Message(RESPONSES.name, key, response.to_json(), headers)])


async def send_acknowledgement(
    producer: AIOKafkaProducer, event_id: str, alert_id: str, by: str
) -> None:
    """Write an acknowledgement of an alert; the same person's of the same alert has the same id."""
    response = Response(
        id=str(uuid5(NAMESPACE_URL, f"acknowledgement\n{alert_id}\n{by}")),
        event_id=event_id,
        alert_id=alert_id,
        act=Act.ACKNOWLEDGEMENT,
        by=by,
        at=datetime.now(UTC),
    )
    await send_response(producer, response, "/wanglou/pager")
