"""Feed a board from the events and alerts topics."""

from __future__ import annotations

from collections.abc import AsyncIterator

from wanglou.agents.board import Board
from wanglou.agents.kafka import new_reader, places_of
from wanglou.agents.settings import BrokerSettings
from wanglou.agents.topic_admin import TopicProblem
from wanglou.schemas.risk import Alert, Event
from wanglou.schemas.topics import ALERTS, EVENTS

POLL_MS = 200


async def feed(board: Board, broker: BrokerSettings) -> AsyncIterator[list[Alert]]:
    """Show what stands in the topics and what comes; yields the new alerts of every poll."""
    reader = new_reader(broker)
    await reader.start()
    try:
        places = [place for topic in (EVENTS, ALERTS) for place in await places_of(reader, topic.name)]
        if not places:
            raise TopicProblem(f"{EVENTS.name}: is missing. Run: wanglou topics create")
        reader.assign(places)
        await reader.seek_to_beginning(*places)
        while True:
            news: list[Alert] = []
            for place, records in (await reader.getmany(timeout_ms=POLL_MS)).items():
                for record in records:
                    if record.value is None:
                        continue
                    if place.topic == EVENTS.name:
                        board.take_event(Event.model_validate_json(record.value))
                    else:
                        alert = Alert.model_validate_json(record.value)
                        if board.take_alert(alert):
                            news.append(alert)
            yield news
    finally:
        await reader.stop()
