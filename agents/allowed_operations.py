"""What the broker lets a client do: requests that aiokafka does not make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

Operations = frozenset[str]
"""Names of operations as Kafka spells them, e.g. READ."""

_BITS = {"READ": 3, "WRITE": 4, "CREATE": 5, "DESCRIBE": 8}
_NOT_SAID = -(2**31)


async def allowed_on_topics(
    admin: AIOKafkaAdminClient, topics: Sequence[str]
) -> Mapping[str, Operations | None]:
    """What the client may do with each topic; None for one that is not there.

    Raises ``KafkaError``; ``NotImplementedError`` for a broker older than Kafka 2.3.
    """
    node = admin._client.get_random_node()
    response = await admin._client.send(node, _TopicsRequest(topics))
    allowed: dict[str, Operations | None] = {}
    for code, topic, _, _, bits in response.topics:
        error = for_code(code)
        if error is TopicAuthorizationFailedError:
            allowed[topic] = Operations()
        elif error is UnknownTopicOrPartitionError:
            allowed[topic] = None
        else:
            allowed[topic] = _operations(bits)
    return allowed


async def allowed_on_group(admin: AIOKafkaAdminClient, group: str) -> Operations | None:
    """What the client may do with a group; None if its coordinator cannot say so now.

    Raises the same.
    """
    try:
        node = await admin.find_coordinator(group)
    except GroupAuthorizationFailedError:
        return Operations()
    except KafkaError as error:
        if not error.retriable:
            raise
        return None  # a new cluster has no coordinator yet
    response = await admin._client.send(node, _GroupRequest(group))
    ((code, *_, bits),) = response.groups
    if for_code(code) is GroupAuthorizationFailedError:
        return Operations()
    return _operations(bits)


def _operations(bits: int) -> Operations | None:
    if bits == _NOT_SAID:
        return None
    return Operations(name for name, bit in _BITS.items() if bits >> bit & 1)


class _TopicsResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(
                ("node_id", Int32),
                ("host", String("utf-8")),
                ("port", Int32),
                ("rack", String("utf-8")),
            ),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _TopicsStruct(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _TopicsResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _TopicsRequest(Request[_TopicsStruct]):  # type: ignore[misc]
    """Metadata with the operations allowed, which aiokafka's own does not ask for."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: type[_TopicsStruct]) -> _TopicsStruct:
        return request_struct_class(self._topics, False, False, True)


class _GroupStruct(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 15
    API_VERSION = 3
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = Schema(("groups", Array(String("utf-8"))), ("include_authorized_operations", Boolean))


class _GroupRequest(Request[_GroupStruct]):  # type: ignore[misc]
    """DescribeGroups with the operations allowed, which aiokafka's own leaves unread."""

    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[_GroupStruct]) -> _GroupStruct:
        return request_struct_class([self._group], True)
