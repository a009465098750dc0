"""wanglou ack"""

from __future__ import annotations

import click

from wanglou.agents.commands.alerts import alerts_in_topic, the_one
from wanglou.agents.commands.shared import broker_option, printable, run, settings_with
from wanglou.agents.kafka import start_producer
from wanglou.agents.responding import send_acknowledgement
from wanglou.agents.settings import BrokerSettings
from wanglou.schemas.risk import Alert


@click.command()
@click.argument("alert")
@click.option("--by", required=True, metavar="NAME", help="Who takes the case.")
@broker_option
def ack(alert: str, by: str, broker: str | None) -> None:
    """Acknowledge a page, so that nobody else is called.

    ALERT is the alert's id, or the beginning of it. It counts for the level of that alert: a case
    that rises further calls again.
    """
    name = by.strip()
    if not name or not name.isprintable():
        raise click.UsageError("--by: give a name, without control characters")
    found = run(_acknowledge(settings_with(broker).broker, alert, name))
    click.echo(printable(f"acknowledged by {name}: {found.title}"))


async def _acknowledge(broker: BrokerSettings, wanted: str, by: str) -> Alert:
    alert = the_one(await alerts_in_topic(broker), wanted)
    producer = await start_producer(broker)
    try:
        await send_acknowledgement(producer, alert.event_id, alert.id, by)
    finally:
        await producer.stop()
    return alert
