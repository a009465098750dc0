"""On a Kafka with TLS, SCRAM and an authorizer: the generated ACLs do, and what fails is named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from acl_requests import give, take
from click.testing import CliRunner, Result
from fleet import READY_SECONDS, SESSION_SECONDS, SLOW_WORKER
from real_kafka import NoKafka, kafka_script
from secure_broker import ANOTHER_HOST, EXPIRED_ON, HOST, SecureBroker, running_secure_broker

from wanglou.agents import acls
from wanglou.agents.access import AccessDenied, check_access
from wanglou.agents.acls import COMMANDS, Grant, principals
from wanglou.agents.allowed_operations import allowed_on_group, allowed_on_topics
from wanglou.agents.app import APP_ID, STAGES
from wanglou.agents.commands import main
from wanglou.agents.commands.shared import ExitCode
from wanglou.agents.demo import STREAM, own_environment
from wanglou.agents.kafka import Message, new_admin, read_to_end, send_all, start_producer
from wanglou.agents.progress import wait_drained
from wanglou.agents.worker_process import WorkerProcess
from wanglou.schemas.topics import ACCEPTED, ALERTS, EVALUATIONS, EVENTS, RAW, TOPICS

pytestmark = pytest.mark.kafka

PREFIX = "wanglou-"
STRANGER = "wanglou-nobody"
"""A user without any ACL."""

USERS = {f"{PREFIX}{name}": f"s3cret-of-{name}" for name in (*principals(), "nobody")}
USERS["copy-consumer"] = "s3cret-of-the-copy"
LINES = 1000
"""Of the demo's stream: an incident is among them, and a malformed one."""

DRAIN_SECONDS = 180
POLL_SECONDS = 0.1


@pytest.fixture(scope="module")
def broker() -> Iterator[SecureBroker]:
    """The broker with the generated ACLs; the operator has created the topics."""
    try:
        script = kafka_script()
    except NoKafka as reason:
        pytest.skip(str(reason))
    if script is None:
        pytest.skip("no Apache Kafka: set WANGLOU_KAFKA_HOME to a folder with a script `kafka`")
    with (
        TemporaryDirectory(prefix="wanglou-secure-", ignore_cleanup_errors=True) as folder,
        running_secure_broker(script, Path(folder), USERS) as running,
    ):
        bindings = json.loads(wanglou({}, "topics", "acls", "--format", "json").stdout)
        asyncio.run(give(running.settings("OPEN"), bindings))
        result = wanglou(running.environment("SECURE", "wanglou-operator"), "topics", "create")
        assert result.stdout.endswith(f"{len(TOPICS)} created, 0 were there\n"), result.output
        asyncio.run(wait_for_coordinator(running))
        yield running


async def wait_for_coordinator(broker: SecureBroker) -> None:
    """A new cluster has one only some time after the first question about a group."""

    async def has_one() -> bool:
        return await allowed_on_group(admin, APP_ID) is not None

    admin = new_admin(broker.settings("OPEN"))
    await admin.start()
    try:
        await until(has_one)
    finally:
        await admin.close()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Ask the broker again and again: it tells nobody when something is done."""
    while True:
        if await true():
            return
        await asyncio.sleep(POLL_SECONDS)


def wanglou(environment: dict[str, str], *arguments: str) -> Result:
    """Run a command with these settings only; no password is in what it prints."""
    runner = CliRunner(env=environment)
    with own_environment(), runner.isolated_filesystem():
        result = runner.invoke(main, arguments, prog_name="wanglou")
    assert not [one for one in USERS.values() if one in result.output]
    return result


def last_line(result: Result) -> str:
    assert result.exit_code == ExitCode.BROKER
    return str(result.stderr.splitlines()[-1])


# Exactly the generated ACLs.


async def test_mentions_go_all_the_way_with_a_user_for_each_agent(
    broker: SecureBroker, tmp_path: Path
) -> None:
    stream = tmp_path / "stream.jsonl"
    with STREAM.open("rb") as lines:
        stream.write_bytes(b"".join(islice(lines, LINES)))
    workers = [start_worker(broker, agent, tmp_path) for agent in STAGES]
    try:
        for worker in workers:
            await asyncio.to_thread(worker.wait_ready, READY_SECONDS)
        collector = broker.environment("SECURE", "wanglou-collector")
        replayed = await asyncio.to_thread(
            wanglou, collector, "replay", str(stream), "--speed", "max"
        )
        assert replayed.exit_code == ExitCode.DONE, replayed.output
        await wait_drained(broker.settings("OPEN"), DRAIN_SECONDS)
        consumer = broker.settings("SECURE", "wanglou-consumer")
        for topic in (EVENTS, ALERTS):
            assert [record async for record in read_to_end(consumer, topic.name)]
        assert [await asyncio.to_thread(worker.stop) for worker in workers] == [0] * len(workers)
    finally:
        for worker in workers:
            worker.kill()
    logs = "".join(worker.log.read_text() for worker in workers)
    assert "Authorization" not in logs
    assert not [one for one in USERS.values() if one in logs]


def start_worker(broker: SecureBroker, agent: str, folder: Path) -> WorkerProcess:
    """A worker that runs one agent as its own user, whose password stands in a file."""
    user = f"{PREFIX}{agent}"
    password_file = folder / f"{agent}.password"
    password_file.write_text(USERS[user] + "\n")
    fields = broker.fields("SECURE", user, password_file=str(password_file))
    del fields["password"]
    with own_environment():
        return WorkerProcess(
            fields["url"],
            folder / f"{agent}.log",
            agents=[agent],
            environment={
                **{f"WANGLOU_BROKER__{name.upper()}": value for name, value in fields.items()},
                "WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            },
            folder=folder,
            program=(str(SLOW_WORKER), "0"),
        )


def test_the_operator_can_do_its_work(broker: SecureBroker) -> None:
    operator = broker.environment("SECURE", "wanglou-operator")
    for command in ("topics check", "topics create", "dlq list", "dlq replay --all"):
        result = wanglou(operator, *command.split())
        assert result.exit_code == ExitCode.DONE, result.output


@pytest.mark.parametrize("name", principals())
async def test_the_broker_allows_what_is_on_the_list_and_no_more(
    broker: SecureBroker, name: str
) -> None:
    granted = principals()[name]
    admin = new_admin(broker.settings("SECURE", f"{PREFIX}{name}"))
    await admin.start()
    try:
        allowed = await allowed_on_topics(admin, [topic.name for topic in TOPICS])
        assert allowed == {topic.name: operations(granted, topic.name) for topic in TOPICS}
        for group in (APP_ID, f"{APP_ID}-consumer-1", "another"):
            assert await allowed_on_group(admin, group) == operations(granted, group, "group")
    finally:
        await admin.close()


def operations(grants: tuple[Grant, ...], name: str, resource: str = "topic") -> frozenset[str]:
    """What grants allow on a resource: READ and WRITE include DESCRIBE."""
    mine = {one.operation for one in grants if one.resource == resource and one.covers(name)}
    return frozenset(mine | ({"DESCRIBE"} if mine & {"READ", "WRITE"} else set()))


def test_kafkas_own_command_takes_the_list(broker: SecureBroker) -> None:
    commands = acls.as_commands("User:copy-", broker.address("OPEN"))
    for command in commands:
        if " User:copy-consumer " in command:
            broker.administer(command)
    copy = broker.settings("SECURE", "copy-consumer")
    asyncio.run(check_access(copy, principals()["consumer"]))
    with pytest.raises(AccessDenied):
        asyncio.run(check_access(copy, principals()["collector"]))


def test_an_idempotent_producer_needs_no_more_than_write(broker: SecureBroker) -> None:
    async def send() -> list[Any]:
        producer = await start_producer(broker.settings("SECURE", "wanglou-collector"))
        try:
            assert producer._txn_manager is not None
            return await send_all(producer, [Message(RAW.name, b"key", b"no mention")])
        finally:
            await producer.stop()

    assert asyncio.run(send()) == []


@pytest.mark.parametrize(
    ("listener", "more"),
    [
        ("OPEN", {}),
        ("TLS", {}),
        ("SCRAM", {}),
        ("SECURE", {"host": "localhost"}),
    ],
)
def test_each_way_to_connect(broker: SecureBroker, listener: str, more: dict[str, str]) -> None:
    url = broker.address(listener, **more)
    result = wanglou(broker.environment(listener, "wanglou-operator", url=url), "topics", "check")
    assert result.exit_code == ExitCode.DONE, result.output


# A missing ACL.

WITHOUT_RIGHTS = [
    (f"worker --agents {agent}", grants)
    for agent, grants in principals().items()
    if agent in STAGES
]
WITHOUT_RIGHTS += list(COMMANDS.items())


ARGUMENTS = {
    "dlq show": "id",
    "dlq replay": "--all",
    "ack": "id --by me",
    "replay": str(STREAM),
    **{f"case {act}": "case --by me" for act in ("acknowledge", "assign", "draft")},
    **{f"case {act}": "case draft --by me" for act in ("approve", "release")},
    "case reject": "case draft --by me --why not",
    "case measure": "case guidance --by me",
    "case done": "case task --by me",
    **{f"case {act}": "case --by me --why not" for act in ("watch", "close")},
    "case review": "case right --by me",
}
"""What a command cannot do without."""


@pytest.mark.parametrize(("command", "needed"), WITHOUT_RIGHTS, ids=[c for c, _ in WITHOUT_RIGHTS])
def test_a_user_without_rights_is_told_which(
    broker: SecureBroker, command: str, needed: tuple[Grant, ...]
) -> None:
    words = [*command.split(), *ARGUMENTS.get(command, "").split()]
    result = wanglou(broker.environment("SECURE", STRANGER), *words)
    listed = "; ".join(map(str, sorted(needed)))
    assert last_line(result) == (
        f"wanglou: User:{STRANGER} lacks ACLs: {listed}. All that are needed: wanglou topics acls"
    )


@pytest.mark.parametrize(
    "grant",
    [
        Grant("topic", RAW.name, "READ"),
        Grant("topic", ACCEPTED.name, "WRITE"),
        Grant("group", APP_ID, "READ"),
        Grant("topic", "wanglou.", "DESCRIBE", prefixed=True),
    ],
    ids=str,
)
def test_a_worker_whose_user_lost_an_acl_does_not_start(broker: SecureBroker, grant: Grant) -> None:
    intake = broker.environment("SECURE", "wanglou-intake")
    binding = acls.as_object("User:wanglou-intake", grant)
    asyncio.run(take(broker.settings("OPEN"), [binding]))
    try:
        result = wanglou(intake, "worker", "--agents", "intake")
    finally:
        asyncio.run(give(broker.settings("OPEN"), [binding]))
    assert last_line(result) == (
        f"wanglou: User:wanglou-intake lacks ACLs: {grant}. "
        "All that are needed: wanglou topics acls"
    )


def test_who_may_not_create_a_topic_is_told_before(broker: SecureBroker) -> None:
    async def delete(name: str) -> None:
        async def is_gone() -> bool:
            return (await allowed_on_topics(admin, [name]))[name] is None

        admin = new_admin(broker.settings("OPEN"))
        await admin.start()
        try:
            await admin.delete_topics([name])
            await until(is_gone)
        finally:
            await admin.close()

    asyncio.run(delete(EVALUATIONS.name))
    result = wanglou(broker.environment("SECURE", "wanglou-intake"), "topics", "create")
    assert "User:wanglou-intake lacks ACLs: CREATE on topic wanglou.*." in last_line(result)
    result = wanglou(broker.environment("SECURE", "wanglou-operator"), "topics", "create")
    assert result.stdout.splitlines()[0] == f"created {EVALUATIONS.name}"


# No connection.

USER = "wanglou-operator"


def errors(broker: SecureBroker) -> dict[str, tuple[dict[str, str], str]]:
    """What can be wrong: settings, and what is said after the address."""
    files = broker.certificates

    def settings(listener: str, **more: Any) -> dict[str, str]:
        return broker.environment(listener, USER, **more)

    own = str(files.issue("own.pem", "somebody", trusted=False))
    user_refused = (
        "wrong user name or password (SCRAM-SHA-512). Check broker.username and broker.password or "
        "broker.password_file"
    )
    authority = "Set broker.ca_file to the PEM file of the authority that signed it"
    untrusted = "unable to get local issuer certificate"
    return {
        "wrong password": (
            settings("SECURE", password="wrong-s3cret"),
            f"refuses user {USER!r}: {user_refused}",
        ),
        "unknown user": (
            settings("SECURE", username="somebody"),
            f"refuses user 'somebody': {user_refused}",
        ),
        "wrong password without TLS": (
            settings("SCRAM", password="wrong-s3cret"),
            f"refuses user {USER!r}: {user_refused}",
        ),
        "another mechanism": (
            settings("SECURE", sasl_mechanism="SCRAM-SHA-256"),
            "does not offer SCRAM-SHA-256. Set broker.sasl_mechanism to what the broker offers",
        ),
        "untrusted authority": (
            settings("SECURE", ca_file=str(files.stranger)),
            f"its certificate is signed by no authority of {files.stranger}: {untrusted}. "
            f"{authority}",
        ),
        "expired certificate": (
            settings("EXPIRED"),
            f"its certificate expired on {EXPIRED_ON:%Y-%m-%d %H:%M} UTC. Renew it on the broker",
        ),
        "certificate of another host": (
            settings("ELSEWHERE"),
            f"its certificate is for {ANOTHER_HOST}, not for {HOST}. Use that name in broker.url, "
            f"or give the broker a certificate for {HOST}",
        ),
        "plaintext on a TLS port": (
            settings("OPEN", url=broker.address("SECURE")),
            "speaks TLS, but broker.security is plaintext. Set broker.security to tls, or use "
            "another port",
        ),
        "TLS on a plaintext port": (
            settings("TLS", url=broker.address("OPEN")),
            "speaks no TLS, but broker.security is tls. Set broker.security to plaintext, or use "
            "another port",
        ),
        "no user on a SASL port": (
            settings("TLS", url=broker.address("SECURE")),
            "closes the connection at the first request, as one does that wants a user name and "
            "password. Set broker.sasl_mechanism, broker.username and broker.password_file",
        ),
        "a user on a port without SASL": (
            settings("SECURE", url=broker.address("TLS")),
            "asks for no user name and password on this port. Set broker.sasl_mechanism to none, "
            "or use another port",
        ),
        "no client certificate": (
            settings("MUTUAL"),
            "asks for a client certificate. Set broker.certificate_file and broker.key_file to "
            "what the broker's authority has signed",
        ),
        "client certificate of a stranger": (
            settings("MUTUAL", certificate_file=own),
            f"refuses the client certificate in {own} (SSLV3_ALERT_CERTIFICATE_UNKNOWN). Set "
            "broker.certificate_file and broker.key_file to what the broker's authority has signed",
        ),
    }


ERRORS = (
    "wrong password",
    "unknown user",
    "wrong password without TLS",
    "another mechanism",
    "untrusted authority",
    "expired certificate",
    "certificate of another host",
    "plaintext on a TLS port",
    "TLS on a plaintext port",
    "no user on a SASL port",
    "a user on a port without SASL",
    "no client certificate",
    "client certificate of a stranger",
)


@pytest.mark.parametrize("command", ["topics check", "worker", "replay STREAM"])
@pytest.mark.parametrize("error", ERRORS)
def test_what_is_wrong_is_named(broker: SecureBroker, error: str, command: str) -> None:
    environment, says = errors(broker)[error]
    arguments = [str(STREAM) if one == "STREAM" else one for one in command.split()]
    line = last_line(wanglou(environment, *arguments))
    address = environment["WANGLOU_BROKER__URL"]
    assert line == f"wanglou: no connection to the broker: {address}: {says}"
    assert "wrong-s3cret" not in line


def test_a_client_certificate_names_a_user(broker: SecureBroker) -> None:
    own = broker.certificates.issue("known.pem", "known.example.com")
    environment = broker.environment("MUTUAL", certificate_file=str(own))
    assert last_line(wanglou(environment, "topics", "check")) == (
        f"wanglou: the user of the certificate in {own} lacks ACLs: DESCRIBE on topic wanglou.*. "
        "All that are needed: wanglou topics acls"
    )
