"""The generated documents: up to date, and a right AsyncAPI 3 document."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from wanglou.agents.commands import main
from wanglou.schemas.export import asyncapi, differences, documents, message_topics, write
from wanglou.schemas.topics import Topic

GENERATED = Path(__file__).parents[2] / "schemas" / "generated"
DOCUMENT = asyncapi()
each_topic = pytest.mark.parametrize("topic", message_topics(), ids=lambda one: one.short_name)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(reference: str) -> Any:
    """What a reference in the AsyncAPI document points to, in it or in a file beside it."""
    file, _, pointer = reference.partition("#")
    node: Any = json.loads((GENERATED / file).read_text(encoding="utf-8")) if file else DOCUMENT
    for part in pointer.split("/")[1:]:
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GENERATED, tmp_path / "generated"))


def test_the_generated_files_are_up_to_date() -> None:
    assert differences(GENERATED) == [], "run: wanglou schema export schemas/generated"


def test_what_is_written_is_up_to_date(tmp_path: Path) -> None:
    assert set(differences(tmp_path)) == documents().keys()
    write(tmp_path / "new")
    assert differences(tmp_path / "new") == []
    assert {file.name for file in (tmp_path / "new").iterdir()} == documents().keys()


@pytest.mark.parametrize("name", sorted(documents()))
def test_a_changed_file_is_found(copy: Path, name: str) -> None:
    text = (copy / name).read_text(encoding="utf-8")
    (copy / name).write_text(text + " ", encoding="utf-8")
    assert differences(copy) == [name]


def test_a_missing_a_garbled_and_a_left_over_file_are_found(copy: Path) -> None:
    (copy / "Alert.v1.schema.json").unlink()
    (copy / "Event.v1.schema.json").write_bytes(b"\xff")
    (copy / "Gone.v1.schema.json").write_text("{}")
    (copy / "mine.json").write_text("{}")
    assert set(differences(copy)) == {
        "Alert.v1.schema.json",
        "Event.v1.schema.json",
        "Gone.v1.schema.json",
    }


def test_the_command_checks_and_exports(copy: Path) -> None:
    def export(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["schema", "export", str(copy), *arguments])
        return result.exit_code, result.output

    assert export("--check") == (0, "")
    (copy / "Alert.v1.schema.json").write_text("{}")
    code, output = export("--check")
    assert code == 1
    assert "Alert.v1.schema.json is not up to date: run wanglou schema export" in output
    assert (copy / "Alert.v1.schema.json").read_text() == "{}"
    assert export()[0] == 0
    assert export("--check") == (0, "")


def test_every_reference_resolves() -> None:
    found = list(references(DOCUMENT))
    assert len(found) >= 4 * len(message_topics())
    for reference in found:
        assert isinstance(resolve(reference), dict), reference


@pytest.mark.parametrize("name", sorted(name for name in documents() if "schema" in name))
def test_every_reference_in_a_json_schema_stays_in_it(name: str) -> None:
    schema = json.loads(documents()[name])
    for reference in references(schema):
        head, defs, definition = reference.split("/")
        assert (head, defs) == ("#", "$defs")
        assert definition in schema["$defs"]


@each_topic
def test_every_topic_is_a_channel_with_its_message_and_operations(topic: Topic) -> None:
    assert topic.message is not None
    channel = DOCUMENT["channels"][topic.short_name]
    assert channel["address"] == topic.name
    messages = [resolve(reference["$ref"]) for reference in channel["messages"].values()]
    titles = [resolve(one["payload"]["schema"]["$ref"])["title"] for one in messages]
    control = [] if topic.control is None else [topic.control.__name__]
    assert titles == list(channel["messages"]) == [topic.message.__name__, *control]
    assert messages[0]["bindings"]["kafka"]["key"]["description"] == topic.key
    assert all("bindings" not in one for one in messages[1:])  # they have no key
    for action, people in (("send", topic.written_by), ("receive", topic.read_by)):
        operation = DOCUMENT["operations"][f"{action}.{topic.short_name}"]
        assert operation["action"] == action
        assert resolve(operation["channel"]["$ref"]) is channel
        assert all(one in operation["summary"] for one in people)


def test_there_is_nothing_but_the_topics() -> None:
    assert DOCUMENT["channels"].keys() == {topic.short_name for topic in message_topics()}
    assert len(DOCUMENT["operations"]) == 2 * len(message_topics())


@each_topic
def test_the_bindings_give_the_brokers_settings_in_their_types(topic: Topic) -> None:
    binding = DOCUMENT["channels"][topic.short_name]["bindings"]["kafka"]["topicConfiguration"]
    configuration = topic.configuration()
    assert binding["cleanup.policy"] == [configuration["cleanup.policy"]]
    assert binding["max.message.bytes"] == int(configuration["max.message.bytes"])
    assert str(binding.get("retention.ms")) == str(configuration.get("retention.ms"))


@each_topic
def test_the_payload_is_said_to_be_of_the_dialect_that_its_schema_names(topic: Topic) -> None:
    """AsyncAPI: the format of what is referred to must be that of what refers to it."""
    assert topic.message is not None
    payload = DOCUMENT["components"]["messages"][topic.message.__name__]["payload"]
    dialect = resolve(payload["schema"]["$ref"])["$schema"]
    version = dialect.removeprefix("https://json-schema.org/draft/").removesuffix("/schema")
    assert payload["schemaFormat"] == f"application/schema+json;version={version}"


def test_the_headers_are_a_schema_of_the_draft_that_asyncapi_uses_for_its_own() -> None:
    for message in DOCUMENT["components"]["messages"].values():
        Draft7Validator.check_schema(message["headers"])


def official_schema() -> dict[str, Any]:
    """The JSON Schema of AsyncAPI 3.0, from the npm package ``@asyncapi/specs``."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: npm install --global @asyncapi/specs")
    folders = [Path.cwd() / "node_modules"]
    asked = subprocess.run([npm, "root", "--global"], capture_output=True, text=True, check=False)
    folders += [Path(asked.stdout.strip())] if asked.returncode == 0 else []
    for folder in folders:
        file = folder / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
        if file.is_file():
            return dict(json.loads(file.read_text(encoding="utf-8")))
    pytest.skip("the official schema is not installed: npm install --global @asyncapi/specs")


def test_the_document_fits_the_official_schema() -> None:
    Draft7Validator(official_schema()).validate(DOCUMENT)
