"""The least that each principal must be allowed to do on the broker, from agents and topics.

WRITE and READ include DESCRIBE in Kafka; WRITE on a topic includes what an idempotent producer
needs (since Kafka 2.8).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from wanglou.agents.app import APP_ID, STAGES
from wanglou.schemas.topics import (
    ALERTS,
    DEAD_LETTERS,
    EVALUATIONS,
    EVENTS,
    PAGER_STATE,
    PAGES,
    PREFIX,
    RAW,
    RESPONSES,
    RISK_STATE,
    SCORED,
    Topic,
)

Operation = Literal["READ", "WRITE", "CREATE", "DESCRIBE"]
Resource = Literal["topic", "group"]

CONSUMER_GROUPS = f"{APP_ID}-consumer"
"""How the consumer groups of downstream systems begin."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """An operation on a resource; ``prefixed``: on all whose name begins so."""

    resource: Resource
    name: str
    operation: Operation
    prefixed: bool = False

    def __str__(self) -> str:
        """As errors name it.

        >>> print(Grant("topic", "wanglou.", "DESCRIBE", prefixed=True))
        DESCRIBE on topic wanglou.*
        """
        return f"{self.operation} on {self.resource} {self.name}{'*' if self.prefixed else ''}"

    def covers(self, name: str) -> bool:
        """Whether a resource of that name is meant."""
        return name.startswith(self.name) if self.prefixed else name == self.name


ALL_TOPICS = Grant("topic", PREFIX, "DESCRIBE", prefixed=True)
"""Lets a client see which topics there are, with how many partitions."""


def _on(operation: Operation, topics: Iterable[Topic]) -> tuple[Grant, ...]:
    return tuple(Grant("topic", topic.name, operation) for topic in topics)


def agent_grants(agent: str) -> tuple[Grant, ...]:
    """What an agent needs to run in a worker.

    It sees all topics because it compares them with their definition, and because any member of
    the group may have to assign the partitions of all.
    """
    stage = STAGES[agent]
    reads = _on("READ", (stage.source, stage.state_topic, *stage.follows))
    writes = _on("WRITE", (*stage.writes, stage.state_topic))
    return tuple(sorted({ALL_TOPICS, Grant("group", APP_ID, "READ"), *reads, *writes}))


_SOURCES = tuple(stage.source for stage in STAGES.values())
_LETTERS = _on("READ", [DEAD_LETTERS])
_BOARD = _on("READ", [EVENTS, ALERTS])

_OPERATOR = (
    "topics create",
    "topics check",
    "watch",
    "explain",
    "ack",
    "dlq list",
    "dlq show",
    "dlq replay",
)

_PAGER = (
    ALL_TOPICS,
    Grant("group", "wanglou-pager", "READ"),
    *_on("READ", [ALERTS, RESPONSES, PAGER_STATE]),
    *_on("WRITE", [RESPONSES, PAGES, PAGER_STATE, DEAD_LETTERS]),
)

_ARCHIVE = (
    ALL_TOPICS,
    Grant("group", "wanglou-archive", "READ"),
    *_on("READ", [ALERTS, EVENTS, RESPONSES, PAGES, SCORED, RISK_STATE]),
    *_on("WRITE", [EVALUATIONS, DEAD_LETTERS]),
)
_CASE = _on("WRITE", [RESPONSES])
_ACTS = (
    "acknowledge",
    "assign",
    "draft",
    "approve",
    "reject",
    "release",
    "measure",
    "done",
    "watch",
    "close",
    "review",
)

COMMANDS: Mapping[str, tuple[Grant, ...]] = {
    "replay": _on("WRITE", [RAW]),
    "topics create": (ALL_TOPICS, Grant("topic", PREFIX, "CREATE", prefixed=True)),
    "topics check": (ALL_TOPICS,),
    "watch": _BOARD,
    "explain": _on("READ", [ALERTS]),
    "pager": _PAGER,
    "ack": (*_on("READ", [ALERTS]), *_on("WRITE", [RESPONSES])),
    "archive run": _ARCHIVE,
    **{f"case {act}": _CASE for act in _ACTS},
    "dlq list": _LETTERS,
    "dlq show": _LETTERS,
    "dlq replay": (*_LETTERS, *_on("WRITE", (*_SOURCES, ALERTS))),
}
"""What each command needs; ``worker`` needs what its agents need."""


def principals() -> dict[str, tuple[Grant, ...]]:
    """What each principal needs, by its short name: the agents, and who works with them."""
    operator = {grant for command in _OPERATOR for grant in COMMANDS[command]}
    groups = Grant("group", CONSUMER_GROUPS, "READ", prefixed=True)
    return {
        **{agent: agent_grants(agent) for agent in STAGES},
        "pager": tuple(sorted(_PAGER)),
        "archive": tuple(sorted(_ARCHIVE)),
        "collector": COMMANDS["replay"],
        "operator": tuple(sorted(operator)),
        "consumer": tuple(sorted({groups, *_BOARD})),
        "scaler": (ALL_TOPICS, Grant("group", APP_ID, "DESCRIBE")),
    }


def as_commands(prefix: str, broker: str) -> list[str]:
    """The list as commands of Kafka's; ``admin.properties`` says how an administrator connects."""
    lines = []
    for name, grants in principals().items():
        for (operation, prefixed), resources in _by_operation(grants).items():
            words = ["kafka-acls.sh", "--bootstrap-server", broker]
            words += ["--command-config", "admin.properties", "--add"]
            words += ["--allow-principal", f"{prefix}{name}", "--operation", operation]
            words += ["--resource-pattern-type", "prefixed"] if prefixed else []
            words += chain.from_iterable((f"--{one.resource}", one.name) for one in resources)
            lines.append(shlex.join(words))
    return lines


def _by_operation(grants: Iterable[Grant]) -> dict[tuple[Operation, bool], list[Grant]]:
    groups: dict[tuple[Operation, bool], list[Grant]] = {}
    for grant in grants:
        groups.setdefault((grant.operation, grant.prefixed), []).append(grant)
    return groups


def as_objects(prefix: str) -> list[dict[str, str]]:
    """The list as Kafka's ACL bindings, from any host."""
    return [
        as_object(f"{prefix}{name}", grant)
        for name, grants in principals().items()
        for grant in grants
    ]


def as_object(principal: str, grant: Grant) -> dict[str, str]:
    """One ACL binding."""
    return {
        "principal": principal,
        "operation": grant.operation,
        "resource_type": grant.resource,
        "resource_name": grant.name,
        "pattern_type": "prefixed" if grant.prefixed else "literal",
    }
