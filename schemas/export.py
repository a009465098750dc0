"""JSON Schemas and an AsyncAPI 3 document, generated from the contracts and topics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wanglou.schemas.base import Contract
from wanglou.schemas.control import AGAIN_HEADER, CLOCK_HEADER, ORDER_HEADER
from wanglou.schemas.topics import TOPICS, VERSION, Topic

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_FORMAT = "application/schema+json;version=2020-12"
"""That dialect in AsyncAPI. Draft-07, which all its tools know, ignores what stands beside a
``$ref``."""
CLOUDEVENTS_HEADERS = {
    "type": "object",
    "description": "CloudEvents 1.0 in Kafka binary mode.",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "description": "Unique together with ce_source."},
        "ce_type": {
            "type": "string",
            "description": "Name of the topic; of messages that only tell the time their own.",
        },
        "ce_source": {"type": "string", "examples": ["/wanglou/risk"]},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"type": "string", "const": "application/json"},
        CLOCK_HEADER: {
            "type": "string",
            "format": "date-time",
            "description": "On raw mentions, optional: the latest publication that the sender has "
            "sent to any partition. With it the order of a replay does not depend on its speed.",
        },
        AGAIN_HEADER: {
            "type": "string",
            "description": "On a raw message that wanglou dlq replay sends again: the institution "
            "whose mention was put aside.",
        },
        ORDER_HEADER: {
            "type": "string",
            "description": "On mentions between agents: the partition that it was made from, then "
            "its place in the order of everything: clock in milliseconds, raw partition, offset "
            "there, part; between slashes.",
        },
    },
}


def message_topics() -> list[Topic]:
    """The topics with a published message (all but state topics)."""
    return [topic for topic in TOPICS if topic.message is not None]


def json_schema(contract: type[Contract]) -> dict[str, Any]:
    """The JSON Schema of what readers of a contract can rely on."""
    schema = contract.model_json_schema(mode="validation")
    return {"$schema": SCHEMA_DIALECT, **schema}


def _file_name(contract: type[Contract]) -> str:
    return f"{contract.__name__}.{VERSION}.schema.json"


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document of all topics; its payloads refer to the JSON Schema files."""
    channels, operations, messages = {}, {}, {}
    for topic in message_topics():
        if topic.message is None:
            continue
        channel = topic.short_name
        contracts = _contracts(topic)
        for contract in contracts:
            messages[contract.__name__] = _message(contract, topic)
        channels[channel] = {
            "address": topic.name,
            "description": topic.description,
            "messages": {
                name: {"$ref": f"#/components/messages/{name}"}
                for name in (contract.__name__ for contract in contracts)
            },
            "bindings": {"kafka": {"topicConfiguration": _topic_configuration(topic)}},
        }
        for action, people in (("send", topic.written_by), ("receive", topic.read_by)):
            operations[f"{action}.{channel}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{channel}"},
                "summary": f"{'Written' if action == 'send' else 'Read'} by {', '.join(people)}.",
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Wanglou 望楼",
            "version": VERSION,
            "description": "Watches public opinion for risk to financial institutions.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _contracts(topic: Topic) -> list[type[Contract]]:
    """The topic's own message, and what tells the time between them."""
    return [contract for contract in (topic.message, topic.control) if contract is not None]


def _message(contract: type[Contract], topic: Topic) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": contract.__name__,
        "title": (contract.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/json",
        "headers": CLOUDEVENTS_HEADERS,
        "payload": {
            "schemaFormat": SCHEMA_FORMAT,
            "schema": {"$ref": _file_name(contract)},
        },
    }
    if contract is topic.message:
        key = {"type": "string", "description": topic.key}
        message["bindings"] = {"kafka": {"key": key}}
    return message


def _topic_configuration(topic: Topic) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "cleanup.policy": ["compact" if topic.compacted else "delete"],
        "max.message.bytes": topic.max_message_bytes,
    }
    if topic.retention is not None:
        configuration["retention.ms"] = int(topic.retention.total_seconds() * 1000)
    return configuration


def documents() -> Mapping[str, str]:
    """All generated files by name."""
    files = {"asyncapi.json": asyncapi()}
    for topic in message_topics():
        for contract in _contracts(topic):
            files[_file_name(contract)] = json_schema(contract)
    return {
        name: json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for name, content in files.items()
    }


def write(folder: Path) -> None:
    """Write the generated files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_bytes(text.encode())


def differences(folder: Path) -> list[str]:
    """Names of files that are missing in a folder, say something else, or are left over."""
    texts = documents()
    changed = [
        name
        for name, text in texts.items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != text.encode()
    ]
    left_over = {file.name for file in folder.glob(f"*.{VERSION}.schema.json")} - texts.keys()
    return changed + sorted(left_over)
