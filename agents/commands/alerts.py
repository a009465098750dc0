"""The alerts that stand in the topic, and the one that somebody means."""

from __future__ import annotations

from collections.abc import Sequence

import click

from wanglou.agents.kafka import contract_in, read_to_end
from wanglou.agents.settings import BrokerSettings
from wanglou.schemas.risk import Alert
from wanglou.schemas.topics import ALERTS


async def alerts_in_topic(broker: BrokerSettings) -> list[Alert]:
    """All alerts, each once: a repeat says the same."""
    alerts: dict[str, Alert] = {}
    async for record in read_to_end(broker, ALERTS.name):
        alert = contract_in(record, Alert)
        if alert is not None:
            alerts.setdefault(alert.id, alert)
    return list(alerts.values())


def the_one(alerts: Sequence[Alert], wanted: str) -> Alert:
    """The alert whose id is, or begins with, ``wanted``. Raises ``ClickException``."""
    found = [one for one in alerts if one.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    problem = f"{len(found)} alerts begin like this" if found else "no alert has this id"
    raise click.ClickException(f"{wanted}: {problem}; {len(alerts)} were read")
