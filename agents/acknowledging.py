"""Say that somebody has a case: a response, acknowledged by the broker."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from aiokafka import AIOKafkaProducer

from wanglou.agents.kafka import Message, send_all
from wanglou.schemas.cloudevents import cloudevents_headers
from wanglou.schemas.response import Act, Response
from wanglou.schemas.topics import RESPONSES


async def send_acknowledgement(
    producer: AIOKafkaProducer, event_id: str, alert_id: str, by: str
) -> Response:
    """Write an acknowledgement of an alert; the same person's of the same alert has the same id."""
    response = Response(
        id=str(uuid5(NAMESPACE_URL, f"acknowledgement\n{alert_id}\n{by}")),
        event_id=event_id,
        alert_id=alert_id,
        act=Act.ACKNOWLEDGEMENT,
        by=by,
        at=datetime.now(UTC),
    )
    headers = cloudevents_headers(
        id=response.id, type=RESPONSES.event_type, source="/wanglou/pager", time=response.at
    )
    key = event_id.encode()
    await send_all(producer, [Message(RESPONSES.name, key, response.to_json(), headers)])
    return response
