"""Topics and access as resources of Strimzi, which runs Kafka in Kubernetes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from wanglou.agents.acls import Grant, principals
from wanglou.agents.settings import TopicSettings
from wanglou.schemas.topics import TOPICS, Topic

API_VERSION = "kafka.strimzi.io/v1"
CLUSTER_LABEL = "strimzi.io/cluster"

Resource = dict[str, Any]


def topics(
    cluster: str, settings: TopicSettings, topics: Sequence[Topic] = TOPICS
) -> list[Resource]:
    """A ``KafkaTopic`` for each topic of a cluster."""
    return [
        {
            **_head("KafkaTopic", topic.name, cluster),
            "spec": {
                "partitions": settings.partitions,
                "replicas": settings.replication_factor,
                "config": dict(topic.configuration()),
            },
        }
        for topic in topics
    ]


def users(cluster: str, name_prefix: str) -> list[Resource]:
    """A ``KafkaUser`` with a password (SCRAM-SHA-512) for each principal."""
    return [
        {
            **_head("KafkaUser", f"{name_prefix}{name}", cluster),
            "spec": {
                "authentication": {"type": "scram-sha-512"},
                "authorization": {"type": "simple", "acls": _acls(grants)},
            },
        }
        for name, grants in principals().items()
    ]


def as_yaml(resources: Iterable[Resource]) -> str:
    """Resources as one YAML stream."""
    return yaml.safe_dump_all(resources, sort_keys=False)


def _head(kind: str, name: str, cluster: str) -> Resource:
    metadata = {"name": name, "labels": {CLUSTER_LABEL: cluster}}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata}


def _acls(grants: Iterable[Grant]) -> list[Resource]:
    return [
        {
            "resource": {
                "type": grant.resource,
                "name": grant.name,
                "patternType": "prefix" if grant.prefixed else "literal",
            },
            "operations": [grant.operation.capitalize()],
            "host": "*",
        }
        for grant in grants
    ]
