"""Create the topics, and compare those of a broker with their definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from wanglou.agents.kafka import TopicProblem, new_admin, partition_counts
from wanglou.agents.settings import BrokerSettings, TopicSettings
from wanglou.schemas.topics import TOPICS, Topic

TOPIC_EXISTS = 36
"""Kafka's error code of a topic that is there already."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a topic, and what to do."""

    topic: str
    problem: str
    repair: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.problem}. {self.repair}"


async def create(
    broker: BrokerSettings, settings: TopicSettings, topics: Sequence[Topic] = TOPICS
) -> list[str]:
    """Create the topics that are missing; the names of those created.

    A state topic gets the partitions that its source has. Raises ``TopicProblem`` where the
    broker refuses.
    """
    there = await partition_counts(broker)
    missing = [topic for topic in topics if topic.name not in there]
    admin = new_admin(broker)
    try:
        await admin.start()
        for topic in missing:
            source = topic.source.name if topic.source else ""
            await _create(admin, topic, there.get(source, settings.partitions), settings)
    finally:
        await admin.close()
    return [topic.name for topic in missing]


async def _create(
    admin: AIOKafkaAdminClient, topic: Topic, partitions: int, settings: TopicSettings
) -> None:
    new = NewTopic(
        name=topic.name,
        num_partitions=partitions,
        replication_factor=settings.replication_factor,
        topic_configs=dict(topic.configuration()),
    )
    try:
        response = await admin.create_topics([new])
    except KafkaError as error:
        raise TopicProblem(f"{topic.name}: cannot be created: {error}") from error
    for _, code, *message in response.topic_errors:
        if code not in (0, TOPIC_EXISTS):
            detail = message[0] if message and message[0] else for_code(code).__name__
            raise TopicProblem(f"{topic.name}: cannot be created: {detail}")


def findings(there: dict[str, int], topics: Sequence[Topic] = TOPICS) -> list[Finding]:
    """What is wrong with the topics of a broker (partition counts by name)."""
    found = []
    for topic in topics:
        if topic.name not in there:
            found.append(Finding(topic.name, "is missing", "Run: wanglou topics create"))
        elif topic.source is not None:
            wanted = there.get(topic.source.name)
            if wanted is not None and there[topic.name] != wanted:
                found.append(_mismatch(topic, topic.source, there[topic.name], wanted))
    return found


def _mismatch(topic: Topic, source: Topic, count: int, wanted: int) -> Finding:
    problem = f"has {count} partitions, but its source {source.name} has {wanted}"
    if count < wanted:
        repair = f"Give it {wanted} partitions (kafka-topics --alter), then restart the workers"
    else:
        repair = (
            f"Give {source.name} {count} partitions, or stop the workers, delete {topic.name} and "
            "run: wanglou topics create (the state is then built anew)"
        )
    return Finding(topic.name, problem, repair)
