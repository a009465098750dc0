"""TLS and SCRAM: who a client is reaches every client, and what is wrong is named, no secret is."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import shlex
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import faust
import pytest
import trustme
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from wanglou.agents import access, acls
from wanglou.agents.access import AccessDenied, names_a_client
from wanglou.agents.acls import COMMANDS, Grant, agent_grants, principals
from wanglou.agents.app import STAGES, WorkerApp
from wanglou.agents.certificates import CertificateError, Validity
from wanglou.agents.commands import main, shared
from wanglou.agents.commands.shared import ExitCode
from wanglou.agents.connection import explain_connection
from wanglou.agents.kafka import new_admin, new_producer, new_reader
from wanglou.agents.kafka_security import client_security, faust_credentials, ssl_context
from wanglou.agents.metrics import Metrics
from wanglou.agents.settings import BrokerSettings, SettingsError, load_settings
from wanglou.schemas.topics import PREFIX, RAW, TOPICS

SECRET = "s3cret-of-the-tests"
USER = {"sasl_mechanism": "SCRAM-SHA-512", "username": "wanglou-intake", "password": SECRET}
PAST = datetime(2024, 5, 6, 7, 8, tzinfo=UTC)
PAST_TEXT = "2024-05-06 07:08 UTC"


class Files:
    """An authority and what it issues, as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.ca = self.write("ca.pem", self.authority.cert_pem.bytes())

    def write(self, name: str, content: bytes) -> Path:
        file = self.folder / name
        file.write_bytes(content)
        return file

    def issue(self, name: str, *identities: str, **more: Any) -> tuple[Path, Path]:
        """Certificate and key."""
        issued = self.authority.issue_cert(*(identities or ("127.0.0.1",)), **more)
        chain = b"".join(one.bytes() for one in issued.cert_chain_pems)
        key = self.write(f"{name}.key", issued.private_key_pem.bytes())
        return self.write(f"{name}.pem", chain), key


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def problem(**fields: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(broker={"security": "tls", **fields})
    return str(caught.value)


# Settings that name certificates.


def test_good_files_are_taken(files: Files) -> None:
    certificate, key = files.issue("client")
    both = files.write("both.pem", certificate.read_bytes() + key.read_bytes())
    for own in ({"certificate_file": certificate, "key_file": key}, {"certificate_file": both}):
        broker = load_settings(broker={"security": "tls", "ca_file": files.ca, **own}).broker
        context = ssl_context(broker)
        assert context is not None
        assert [one["serialNumber"] for one in context.get_ca_certs()] == [serial(files.ca)]


def serial(file: Path) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file)
    (one,) = context.get_ca_certs()
    return str(one["serialNumber"])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe no certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
)
def test_what_is_no_certificate_is_named(files: Files, content: bytes) -> None:
    file = files.write("broken.pem", content)
    _, key = files.issue("client")
    assert problem(ca_file=file) == (
        f"broker.ca_file: {file}: holds no certificate that can be read (PEM)"
    )
    line = problem(certificate_file=file, key_file=key)
    assert line.startswith(f"broker: {file}: ")
    assert "(PEM)" in line


def test_a_key_that_does_not_fit_is_named(files: Files) -> None:
    certificate, _ = files.issue("client")
    _, other = files.issue("other")
    nothing = files.write("nothing.key", b"")
    absent = files.folder / "absent.key"
    for key, says in [
        (other, f"{other}: is not the key of {certificate}"),
        (nothing, f"{nothing}: holds no private key that can be read (PEM)"),
        (None, f"{certificate}: holds no private key that can be read (PEM)"),
        (absent, f"{absent}: No such file or directory"),
    ]:
        assert problem(certificate_file=certificate, key_file=key) == f"broker: {says}"


def test_a_damaged_key_is_named(files: Files) -> None:
    certificate, key = files.issue("client")
    lines = key.read_text().splitlines()
    key.write_text("\n".join([lines[0], "AAAA", *lines[2:]]))
    line = problem(certificate_file=certificate, key_file=key)
    assert line.startswith(f"broker: {certificate}: cannot be read with the key in {key} (PEM)")


@pytest.mark.usefixtures("hang_guard")
def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(files: Files) -> None:
    certificate, key = files.issue("client")
    parsed = load_pem_private_key(key.read_bytes(), None)
    locked = BestAvailableEncryption(SECRET.encode())
    key.write_bytes(parsed.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    assert problem(certificate_file=certificate, key_file=key) == (
        f"broker: {key}: is encrypted; give a key without a passphrase"
    )


def test_an_expired_certificate_is_named_with_its_date(files: Files) -> None:
    certificate, key = files.issue("client", not_after=PAST)
    expired = f"{certificate}: expired on {PAST_TEXT}; replace it"
    assert problem(certificate_file=certificate, key_file=key) == f"broker: {expired}"
    leaf = certificate.read_bytes()
    authority = files.write("old.pem", leaf)
    assert problem(ca_file=authority) == (
        f"broker.ca_file: {authority}: expired on {PAST_TEXT}; replace it"
    )
    beside = files.write("roll-over.pem", leaf + files.ca.read_bytes())
    load_settings(broker={"security": "tls", "ca_file": beside})


def test_a_certificate_that_is_not_valid_yet_is_named_with_its_date(files: Files) -> None:
    later = datetime(2090, 1, 2, 3, 4, tzinfo=UTC)
    certificate, key = files.issue("client", not_before=later)
    assert problem(certificate_file=certificate, key_file=key) == (
        f"broker: {certificate}: is valid only from 2090-01-02 03:04 UTC on; replace it"
    )


def test_a_certificate_may_expire_while_a_worker_runs(files: Files) -> None:
    certificate, key = files.issue("client")
    fields = {"security": "tls", "certificate_file": certificate, "key_file": key}
    broker = BrokerSettings(**fields)
    files.issue("client", not_after=PAST)
    with pytest.raises(CertificateError, match=f"client.pem: expired on {PAST_TEXT}"):
        client_security(broker)


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        (datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)),
        (datetime(1960, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, 1, 1, 1, tzinfo=UTC)),
        (datetime(2070, 2, 3, tzinfo=UTC), datetime(2999, 2, 3, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("kind", list(trustme.KeyType))
def test_validity_is_read_from_both_forms_of_time(
    files: Files, begins: datetime, ends: datetime, kind: trustme.KeyType
) -> None:
    file, _ = files.issue("any", not_before=begins, not_after=ends, key_type=kind)
    validity = Validity.of(ssl.PEM_cert_to_DER_cert(file.read_text()))
    assert validity == Validity(begins, ends)
    second = timedelta(seconds=1)
    assert validity.problem(begins) is None
    assert validity.problem(ends) is None
    assert validity.problem(begins - second) == f"is valid only from {begins:%Y-%m-%d %H:%M} UTC on"
    assert validity.problem(ends + second) == f"expired on {ends:%Y-%m-%d %H:%M} UTC"


# The arguments of clients.


def test_without_settings_nothing_is_sent_and_nothing_encrypted() -> None:
    broker = BrokerSettings()
    assert client_security(broker) == {"security_protocol": "PLAINTEXT", "ssl_context": None}
    assert faust_credentials(broker) is None
    assert not names_a_client(broker)


def test_tls_alone(files: Files) -> None:
    broker = BrokerSettings(security="tls", ca_file=files.ca)
    security = client_security(broker)
    assert security.pop("security_protocol") == "SSL"
    assert security.pop("ssl_context").check_hostname
    assert security == {}
    credentials = faust_credentials(broker)
    assert isinstance(credentials, faust.SSLCredentials)
    assert credentials.context.verify_mode is ssl.CERT_REQUIRED
    assert not names_a_client(broker)


def test_a_client_certificate_names_a_client(files: Files) -> None:
    certificate, key = files.issue("client")
    broker = BrokerSettings(security="tls", certificate_file=certificate, key_file=key)
    assert names_a_client(broker)


@pytest.mark.parametrize(
    ("security", "protocol"), [("plaintext", "SASL_PLAINTEXT"), ("tls", "SASL_SSL")]
)
async def test_a_user_reaches_every_client(security: str, protocol: str) -> None:
    broker = BrokerSettings(security=security, **USER)
    assert names_a_client(broker)
    admin, reader, producer = new_admin(broker), new_reader(broker), new_producer(broker)
    for client in (admin._client, reader._client, producer.client):
        assert client._security_protocol == protocol
        assert client._sasl_mechanism == "SCRAM-SHA-512"
        assert client._sasl_plain_username == "wanglou-intake"
        assert client._sasl_plain_password == SECRET
        context = client._ssl_context
        assert (context is None) == (security == "plaintext")
        assert context is None or (context.check_hostname, context.verify_mode) == (
            True,
            ssl.CERT_REQUIRED,
        )
    await reader.stop()
    await producer.stop()


@pytest.mark.parametrize(
    ("security", "protocol"), [("plaintext", "SASL_PLAINTEXT"), ("tls", "SASL_SSL")]
)
async def test_a_user_reaches_faust(metrics: Metrics, security: str, protocol: str) -> None:
    settings = load_settings(broker={"security": security, **USER})
    credentials = WorkerApp(settings, [], metrics).faust.conf.broker_credentials
    assert isinstance(credentials, faust.SASLCredentials)
    assert credentials.protocol.value == protocol
    assert credentials.mechanism.value == "SCRAM-SHA-512"
    assert (credentials.username, credentials.password) == ("wanglou-intake", SECRET)
    assert (credentials.ssl_context is None) == (security == "plaintext")
    assert SECRET not in repr(credentials)


# Why there is no connection.


@contextlib.asynccontextmanager
async def tls_server(certificate: Path, key: Path) -> AsyncIterator[int]:
    """A port that speaks TLS, and nothing after the handshake."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def explained(port: int, **fields: Any) -> str:
    broker = BrokerSettings(url=f"127.0.0.1:{port}", request_timeout_seconds=1, **fields)
    text = await explain_connection(broker)
    assert text is not None
    assert SECRET not in text
    return text.replace(f"127.0.0.1:{port}", "ADDRESS")


async def test_an_authority_that_is_not_trusted(files: Files) -> None:
    stranger = files.write("stranger.pem", trustme.CA().cert_pem.bytes())
    async with tls_server(*files.issue("server")) as port:
        assert await explained(port, security="tls", ca_file=stranger, **USER) == (
            f"no connection to the broker: ADDRESS: its certificate is signed by no authority of "
            f"{stranger}: unable to get local issuer certificate. Set broker.ca_file to the PEM "
            "file of the authority that signed it"
        )
        assert "no authority of this system (broker.ca_file is not set)" in await explained(
            port, security="tls"
        )


async def test_a_server_certificate_that_expired(files: Files) -> None:
    async with tls_server(*files.issue("server", not_after=PAST)) as port:
        assert await explained(port, security="tls", ca_file=files.ca) == (
            f"no connection to the broker: ADDRESS: its certificate expired on {PAST_TEXT}. "
            "Renew it on the broker"
        )


async def test_a_server_certificate_for_another_host(files: Files) -> None:
    async with tls_server(*files.issue("server", "kafka.example.com", "10.1.2.3")) as port:
        text = await explained(port, security="tls", ca_file=files.ca)
        assert "its certificate is for kafka.example.com, 10.1.2.3, not for 127.0.0.1." in text


async def test_a_plaintext_client_on_a_tls_port(files: Files) -> None:
    async with tls_server(*files.issue("server")) as port:
        assert await explained(port) == (
            "no connection to the broker: ADDRESS: speaks TLS, but broker.security is plaintext. "
            "Set broker.security to tls, or use another port"
        )


async def test_nothing_listens_or_nothing_answers(closed_address: str, silent_address: str) -> None:
    broker = BrokerSettings(url=f"{closed_address},{silent_address}", request_timeout_seconds=1)
    assert await explain_connection(broker) == (
        f"the broker cannot be reached: {closed_address}: nothing listens there; {silent_address}: "
        "does not answer. Is it running there? Its address is --broker, WANGLOU_BROKER__URL or "
        "broker.url in the settings file"
    )


async def test_a_host_name_that_cannot_be_resolved() -> None:
    broker = BrokerSettings(url="nowhere.invalid:1", request_timeout_seconds=1)
    text = await explain_connection(broker)
    assert text is not None
    assert "nowhere.invalid:1: the host name cannot be resolved. " in text


# The access lists.


def test_agents_are_granted_what_their_classes_say() -> None:
    for name, stage in STAGES.items():
        grants = agent_grants(name)
        state = stage.state_topic
        topics = [one for one in grants if one.resource == "topic" and not one.prefixed]
        assert {one.name for one in topics if one.operation == "WRITE"} == {
            topic.name for topic in (*stage.writes, state)
        }
        assert {one.name for one in topics if one.operation == "READ"} == {
            topic.name for topic in (stage.source, state, *stage.follows)
        }
        assert Grant("group", "wanglou", "READ") in grants
        assert Grant("topic", PREFIX, "DESCRIBE", prefixed=True) in grants
        assert len(grants) == len(topics) + 2


def test_the_definition_of_the_topics_and_the_agents_agree() -> None:
    for name, stage in STAGES.items():
        assert name in stage.source.read_by
        for topic in set(stage.writes) - {stage.source}:  # there it writes only heartbeats
            assert {name, "every agent"} & set(topic.written_by)


def test_a_collector_may_only_write_and_a_consumer_only_read() -> None:
    assert principals()["collector"] == (Grant("topic", RAW.name, "WRITE"),)
    assert {one.operation for one in principals()["consumer"]} == {"READ"}


def test_every_name_is_a_topic_or_a_group_of_ours() -> None:
    names = {topic.name for topic in TOPICS}
    for grants in principals().values():
        assert len(set(grants)) == len(grants)
        for grant in grants:
            if grant.resource == "group":
                assert grant.name in (
                    *("wanglou", "wanglou-pager"),
                    *("wanglou-archive", "wanglou-consumer"),
                )
            else:
                assert grant.name == PREFIX if grant.prefixed else grant.name in names


def broker_commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            yield from broker_commands(part, (*path, name))
    elif any(one.name == "broker" for one in command.params):
        yield " ".join(path)


def test_it_is_known_what_each_command_needs() -> None:
    assert {*broker_commands(main)} == {"worker", *COMMANDS}


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="wanglou")


def test_the_table_has_every_grant_in_a_line() -> None:
    lines = invoke("topics", "acls", "--principal-prefix", "User:x-").stdout.splitlines()
    for name, grants in principals().items():
        for grant in grants:
            words = f"User:x-{name} {grant}".replace(" on ", " ")
            (line,) = (one for one in lines if one.replace("│", " ").split() == words.split())
            assert line


def test_the_objects_are_kafkas_bindings() -> None:
    objects = json.loads(invoke("topics", "acls", "--format", "json").stdout)
    assert len(objects) == sum(map(len, principals().values()))
    assert {
        "principal": "User:wanglou-risk",
        "operation": "WRITE",
        "resource_type": "topic",
        "resource_name": "wanglou.alerts.v1",
        "pattern_type": "literal",
    } in objects


def test_the_commands_are_the_same_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_BROKER__URL", "kafka:1")
    output = invoke("topics", "acls", "--format", "kafka", "--principal-prefix", "User:a b-")
    found = set()
    for line in output.stdout.splitlines():
        program, *words = shlex.split(line)
        assert program == "kafka-acls.sh"
        assert words[:5] == [
            *("--bootstrap-server", "kafka:1"),
            *("--command-config", "admin.properties", "--add"),
        ]
        (principal,) = values(words, "--allow-principal")
        (operation,) = values(words, "--operation")
        prefixed = values(words, "--resource-pattern-type") == ["prefixed"]
        for resource in ("topic", "group"):
            for name in values(words, f"--{resource}"):
                found.add((principal, Grant(resource, name, operation, prefixed)))
    assert found == {
        (f"User:a b-{name}", grant) for name, grants in principals().items() for grant in grants
    }


def values(words: list[str], option: str) -> list[str]:
    return [words[place + 1] for place, word in enumerate(words) if word == option]


# Commands.


def test_a_command_asks_for_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, set[Grant]] = {}

    def deny(path: str) -> Any:
        async def check(broker: BrokerSettings, grants: list[Grant]) -> None:
            asked[path] = set(grants)
            raise AccessDenied("User:wanglou-intake lacks ACLs")

        return check

    for name, value in USER.items():
        monkeypatch.setenv(f"WANGLOU_BROKER__{name.upper()}", value)
    for path, arguments in {
        "worker": ["worker", "--agents", "intake,risk"],
        "dlq replay": ["dlq", "replay", "--all"],
        "topics check": ["topics", "check"],
    }.items():
        monkeypatch.setattr(shared, "check_access", deny(path))
        result = invoke(*arguments)
        assert result.exit_code == ExitCode.BROKER
        assert result.stderr == "wanglou: User:wanglou-intake lacks ACLs\n"
    assert asked == {
        "worker": {*agent_grants("intake"), *agent_grants("risk")},
        "dlq replay": set(COMMANDS["dlq replay"]),
        "topics check": {acls.ALL_TOPICS},
    }


async def test_a_broker_that_is_too_old_to_be_asked_is_believed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def nothing() -> None:
        pass

    async def too_old(*arguments: object) -> None:
        raise NotImplementedError

    admin = SimpleNamespace(start=nothing, close=nothing)
    monkeypatch.setattr(access, "new_admin", lambda broker: admin)
    monkeypatch.setattr(access, "allowed_on_topics", too_old)
    await access.check_access(BrokerSettings(**USER), COMMANDS["watch"])
    assert "too old to say whether an ACL is missing" in caplog.text


@pytest.mark.usefixtures("hang_guard")
def test_a_client_without_a_name_is_not_checked(
    monkeypatch: pytest.MonkeyPatch, closed_address: str
) -> None:
    async def check(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(shared, "check_access", check)
    result = invoke("topics", "check", "--broker", closed_address)
    assert result.exit_code == ExitCode.BROKER
    assert "nothing listens there" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            TopicAuthorizationFailedError("wanglou.events.v1"),
            "an ACL is missing: [Error 29] TopicAuthorizationFailedError: wanglou.events.v1. "
            "All that are needed: wanglou topics acls",
        ),
        (KafkaConnectionError("gone"), "the broker cannot be reached: KafkaConnectionError: gone"),
    ],
)
def test_an_error_of_a_broker_that_answers_stays_what_it_is(
    monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    async def fail(*arguments: object) -> None:
        raise error

    async def nothing(broker: BrokerSettings) -> None:
        return None

    module = importlib.import_module("wanglou.agents.commands.topics")
    monkeypatch.setattr(module, "partition_counts", fail)
    monkeypatch.setattr(shared, "explain_connection", nothing)
    result = invoke("topics", "check")
    assert result.exit_code == ExitCode.BROKER
    assert result.stderr.startswith(f"wanglou: {says}")


@pytest.mark.parametrize("command", ["show", "check"])
def test_neither_configuration_command_shows_the_password(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANGLOU_MODEL__ENABLED", "false")
    (tmp_path / "wanglou.toml").write_text(
        f'[broker]\nsasl_mechanism = "SCRAM-SHA-512"\nusername = "u"\npassword = "{SECRET}"\n'
    )
    result = invoke("config", command)
    assert result.exit_code == 0
    assert "SCRAM-SHA-512" in result.stdout
    assert SECRET not in result.output
    monkeypatch.setenv("WANGLOU_BROKER__SECURITY", "ssl")
    result = invoke("config", command)
    assert result.exit_code == ExitCode.SETTINGS
    assert SECRET not in result.output
