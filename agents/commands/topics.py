"""wanglou topics create | check | list"""

from __future__ import annotations

import click
from rich.table import Table

from wanglou.agents import topic_admin
from wanglou.agents.commands.shared import broker_option, console, run, settings_with
from wanglou.agents.kafka import new_admin
from wanglou.agents.settings import Settings
from wanglou.schemas.topics import TOPICS


@click.group()
def topics() -> None:
    """Create, check and list the Kafka topics."""


@topics.command()
@broker_option
def create(broker: str | None) -> None:
    """Create the topics that are missing; leaves the others as they are."""
    created = run(_create(settings_with(broker)))
    for name in created:
        click.echo(f"created {name}")
    click.echo(f"{len(created)} created, {len(TOPICS) - len(created)} were there")


@topics.command()
@broker_option
def check(broker: str | None) -> None:
    """Compare the broker's topics with their definition; exit code 5 if one does not fit."""
    found = topic_admin.findings(run(_partition_counts(settings_with(broker))))
    if found:
        raise topic_admin.TopicProblem("\n".join(str(finding) for finding in found))
    click.echo(f"all {len(TOPICS)} topics fit")


@topics.command("list")
def list_topics() -> None:
    """Show the definition of every topic: needs no broker."""
    table = Table("topic", "key", "kept", "written by", "read by", "what")
    for topic in TOPICS:
        kept = "compacted" if topic.compacted else f"{topic.retention.days if topic.retention else 0} d"
        table.add_row(
            topic.name,
            topic.key,
            kept,
            ", ".join(topic.written_by),
            ", ".join(topic.read_by),
            topic.description,
        )
    console().print(table)


async def _create(settings: Settings) -> list[str]:
    admin = new_admin(settings.broker)
    try:
        await admin.start()
        return await topic_admin.create(admin, settings.topics)
    finally:
        await admin.close()


async def _partition_counts(settings: Settings) -> dict[str, int]:
    admin = new_admin(settings.broker)
    try:
        await admin.start()
        return await topic_admin.partition_counts(admin)
    finally:
        await admin.close()
