"""Feed a board from the events and alerts topics."""

from __future__ import annotations

from collections.abc import AsyncIterator

from wanglou.agents.board import Board
from wanglou.agents.kafka import contract_in, new_reader, places_of, stop_reader
from wanglou.agents.settings import BrokerSettings
from wanglou.schemas.risk import Alert, Event
from wanglou.schemas.topics import ALERTS, EVENTS

POLL_MS = 200


async def feed(board: Board, broker: BrokerSettings) -> AsyncIterator[list[Alert]]:
    """Show what stands in the topics and what comes; yields the new alerts of every poll."""
    places = await places_of(broker, [EVENTS.name, ALERTS.name])
    reader = new_reader(broker)
    await reader.start()
    try:
        reader.assign(places)
        await reader.seek_to_beginning(*places)
        while True:
            news: list[Alert] = []
            for place, records in (await reader.getmany(timeout_ms=POLL_MS)).items():
                for record in records:
                    if place.topic == EVENTS.name:
                        event = contract_in(record, Event)
                        if event is not None:
                            board.take_event(event)
                    else:
                        alert = contract_in(record, Alert)
                        if alert is not None and board.take_alert(alert):
                            news.append(alert)
            yield news
    finally:
        await stop_reader(reader)
