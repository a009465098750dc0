"""wanglou topics create | check | list | acls"""

from __future__ import annotations

import json

import click
from rich.table import Column, Table

from wanglou.agents import acls as access_lists
from wanglou.agents import strimzi, topic_admin
from wanglou.agents.commands.shared import broker_option, console, run, settings_with
from wanglou.agents.kafka import TopicProblem, partition_counts
from wanglou.schemas.topics import TOPICS


@click.group()
def topics() -> None:
    """Create, check and list the Kafka topics, and their ACLs."""


@topics.command()
@broker_option
def create(broker: str | None) -> None:
    """Create the topics that are missing; leaves the others as they are."""
    settings = settings_with(broker)
    created = run(topic_admin.create(settings.broker, settings.topics))
    for name in created:
        click.echo(f"created {name}")
    click.echo(f"{len(created)} created, {len(TOPICS) - len(created)} were there")


@topics.command()
@broker_option
def check(broker: str | None) -> None:
    """Compare the broker's topics with their definition.

    One that is missing or does not fit is named with its repair; the exit code is then 5.
    """
    found = topic_admin.findings(run(partition_counts(settings_with(broker).broker)))
    if found:
        raise TopicProblem("\n".join(str(finding) for finding in found))
    click.echo(f"all {len(TOPICS)} topics fit")


cluster_option = click.option(
    "--cluster", default="wanglou", show_default=True, help="Name of the cluster in Strimzi."
)


@topics.command("list")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "strimzi"]),
    default="text",
    show_default=True,
    help="A table, or Strimzi's KafkaTopics with the partitions and replicas of the settings.",
)
@cluster_option
def list_topics(layout: str, cluster: str) -> None:
    """Show the definition of every topic: needs no broker."""
    if layout == "strimzi":
        resources = strimzi.topics(cluster, settings_with().topics)
        click.echo(strimzi.as_yaml(resources), nl=False)
        return
    others = ("key", "kept", "written by", "read by", "what")
    table = Table(Column("topic", no_wrap=True), *(Column(one, overflow="fold") for one in others))
    for topic in TOPICS:
        days = topic.retention.days if topic.retention else 0
        kept = "compacted" if topic.compacted else f"{days} d"
        table.add_row(
            topic.name,
            topic.key,
            kept,
            ", ".join(topic.written_by),
            ", ".join(topic.read_by),
            topic.description,
        )
    console().print(table)


@topics.command()
@click.option(
    "--principal-prefix",
    default="User:wanglou-",
    show_default=True,
    help="Comes before agent, collector, operator, consumer and scaler.",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "kafka", "json", "strimzi"]),
    default="text",
    show_default=True,
    help="A table, commands for Kafka's kafka-acls.sh, ACL bindings, or Strimzi's KafkaUsers.",
)
@cluster_option
def acls(principal_prefix: str, layout: str, cluster: str) -> None:
    """Show the least access that each principal needs.

    Needs no broker.

    \b
    collector   sends raw mentions (wanglou replay, your collectors)
    operator    wanglou topics, watch and dlq
    consumer    reads events and alerts, in groups that begin with
                wanglou-consumer
    scaler      sees how far the workers lag (KEDA)
    The others are the agents: the user that a worker runs as needs what
    its agents need. The commands take the broker's address from the
    settings, and from admin.properties how an administrator connects.
    """
    if layout == "kafka":
        url = settings_with().broker.url
        click.echo("\n".join(access_lists.as_commands(principal_prefix, url)))
    elif layout == "json":
        click.echo(json.dumps(access_lists.as_objects(principal_prefix), indent=2))
    elif layout == "strimzi":
        name_prefix = principal_prefix.removeprefix("User:")
        click.echo(strimzi.as_yaml(strimzi.users(cluster, name_prefix)), nl=False)
    else:
        table = Table(Column("principal", no_wrap=True), "operation", Column("on", no_wrap=True))
        for name, grants in access_lists.principals().items():
            for grant in grants:
                resource = f"{grant.resource} {grant.name}{'*' if grant.prefixed else ''}"
                table.add_row(f"{principal_prefix}{name}", grant.operation, resource)
        console().print(table)
