"""ACLs given and taken over the wire: Kafka's own command takes seconds for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from wanglou.agents.kafka import new_admin
from wanglou.agents.settings import BrokerSettings

RESOURCES = {"topic": 2, "group": 3}
PATTERNS = {"literal": 3, "prefixed": 4}
OPERATIONS = {"READ": 3, "WRITE": 4, "CREATE": 5, "DESCRIBE": 8}
ALLOW = 3

Binding = Mapping[str, str]
"""As ``wanglou topics acls --format json`` prints it."""

FIELDS = (
    ("resource_type", Int8),
    ("resource_name", String("utf-8")),
    ("pattern_type", Int8),
    ("principal", String("utf-8")),
    ("host", String("utf-8")),
    ("operation", Int8),
    ("permission_type", Int8),
)
OUTCOME = (("error_code", Int16), ("error_message", String("utf-8")))


class _Created(Response):
    API_KEY = 30
    API_VERSION = 1
    SCHEMA = Schema(("throttle_time_ms", Int32), ("results", Array(*OUTCOME)))


class _Deleted(Response):
    API_KEY = 31
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", Array(*OUTCOME, ("matching", Array(*OUTCOME, *FIELDS)))),
    )


class _CreateStruct(RequestStruct):
    API_KEY = 30
    API_VERSION = 1
    RESPONSE_TYPE = _Created
    SCHEMA = Schema(("bindings", Array(*FIELDS)))


class _DeleteStruct(RequestStruct):
    API_KEY = 31
    API_VERSION = 1
    RESPONSE_TYPE = _Deleted
    SCHEMA = _CreateStruct.SCHEMA


class _Create(Request[_CreateStruct]):
    API_KEY = 30

    def __init__(self, bindings: Sequence[Binding]) -> None:
        self._bindings = bindings

    def build(self, request_struct_class: type[_CreateStruct]) -> _CreateStruct:
        return request_struct_class([_row(one) for one in self._bindings])


class _Delete(Request[_DeleteStruct]):
    API_KEY = 31

    def __init__(self, bindings: Sequence[Binding]) -> None:
        self._bindings = bindings

    def build(self, request_struct_class: type[_DeleteStruct]) -> _DeleteStruct:
        return request_struct_class([_row(one) for one in self._bindings])


def _row(binding: Binding) -> tuple[int | str, ...]:
    return (
        RESOURCES[binding["resource_type"]],
        binding["resource_name"],
        PATTERNS[binding["pattern_type"]],
        binding["principal"],
        "*",
        OPERATIONS[binding["operation"]],
        ALLOW,
    )


async def give(broker: BrokerSettings, bindings: Sequence[Binding]) -> None:
    """Add ACLs, from any host."""
    assert await _errors(broker, _Create(bindings)) == ["NoError"] * len(bindings)


async def take(broker: BrokerSettings, bindings: Sequence[Binding]) -> None:
    """Remove ACLs."""
    assert await _errors(broker, _Delete(bindings)) == ["NoError"] * len(bindings)


async def _errors(broker: BrokerSettings, request: Request[RequestStruct]) -> list[str]:
    admin = new_admin(broker)
    await admin.start()
    try:
        response = await admin._client.send(admin._client.get_random_node(), request)
    finally:
        await admin.close()
    return [for_code(code).__name__ for code, *_ in response.results]
