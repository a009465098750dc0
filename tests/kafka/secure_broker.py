"""A real Kafka with TLS, SCRAM and an authorizer, one listener for each way to connect.

It is found as ``real_kafka`` finds one (``WANGLOU_KAFKA_HOME``, else ``../shared/kafka``).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from wanglou.agents.embedded_broker import free_port
from wanglou.agents.program import stop
from wanglou.agents.settings import BrokerSettings

HOST = "127.0.0.1"
ANOTHER_HOST = "kafka.example.com"
EXPIRED_ON = datetime(2024, 5, 6, 7, 8, tzinfo=UTC)
MECHANISM = "SCRAM-SHA-512"
READY_SECONDS = 180
STOP_SECONDS = 30

ACL_COMMAND = "org.apache.kafka.tools.AclCommand"
"""What Kafka's own kafka-acls.sh runs."""

PROTOCOLS = {
    "OPEN": "PLAINTEXT",
    "SCRAM": "SASL_PLAINTEXT",
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "SECURE": "SASL_SSL",
    "EXPIRED": "SASL_SSL",
    "ELSEWHERE": "SASL_SSL",
}
"""The listeners. On OPEN and TLS everyone is the super user ANONYMOUS."""


class Certificates:
    """An authority, what it signed, and an authority that nobody trusts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA(organization_name="Authority of the tests")
        self.authority = self._write("authority.pem", self._authority.cert_pem.bytes())
        self._stranger = trustme.CA(organization_name="A stranger")
        self.stranger = self._write("stranger.pem", self._stranger.cert_pem.bytes())

    def issue(self, name: str, *identities: str, trusted: bool = True, **more: Any) -> Path:
        """A file with the certificate of some host names, its chain and its key (PKCS #8)."""
        authority = self._authority if trusted else self._stranger
        issued = authority.issue_cert(*identities, **more)
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self._write(name, pem + b"".join(one.bytes() for one in issued.cert_chain_pems))

    def _write(self, name: str, content: bytes) -> Path:
        file = self._folder / name
        file.write_bytes(content)
        return file


@dataclass
class SecureBroker:
    """A broker with its users (password by name)."""

    script: Path
    folder: Path
    users: Mapping[str, str]
    certificates: Certificates
    ports: dict[str, int] = field(default_factory=lambda: {one: free_port() for one in PROTOCOLS})

    def address(self, listener: str, host: str = HOST) -> str:
        """host:port of a listener."""
        return f"{host}:{self.ports[listener]}"

    def fields(self, listener: str, user: str | None = None, **more: Any) -> dict[str, Any]:
        """The broker settings that fit a listener; keywords replace single ones."""
        fields: dict[str, Any] = {"url": self.address(listener)}
        if PROTOCOLS[listener].endswith("SSL"):
            fields |= {"security": "tls", "ca_file": str(self.certificates.authority)}
        if PROTOCOLS[listener].startswith("SASL"):
            name = user or next(iter(self.users))
            password = self.users[name]
            fields |= {"sasl_mechanism": MECHANISM, "username": name, "password": password}
        return {**fields, **more}

    def settings(self, listener: str, user: str | None = None, **more: Any) -> BrokerSettings:
        """The same as settings."""
        return BrokerSettings(**self.fields(listener, user, **more))

    def environment(self, listener: str, user: str | None = None, **more: Any) -> dict[str, str]:
        """The same as environment variables."""
        fields = self.fields(listener, user, **more)
        return {f"WANGLOU_BROKER__{name.upper()}": value for name, value in fields.items()}

    def administer(self, command: str) -> None:
        """Run what ``wanglou topics acls --format kafka`` prints, or the like."""
        program, *arguments = shlex.split(command)
        assert program == "kafka-acls.sh"
        (self.folder / "admin.properties").touch()  # OPEN needs no password
        java = Path(os.environ["JAVA_HOME"], "bin", "java") if "JAVA_HOME" in os.environ else "java"
        options = ["-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={self._log_settings}"]
        classes = ["-cp", str(self.script.with_name("libs") / "*"), ACL_COMMAND]
        _run([str(java), *options, *classes, *arguments], self.folder)

    @property
    def _log_settings(self) -> Path:
        return self.script.with_name("log4j2.yaml")


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=READY_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _properties(broker: SecureBroker) -> dict[str, str]:
    controller = free_port()
    listeners = [f"{name}://{broker.address(name)}" for name in PROTOCOLS]
    protocols = {**PROTOCOLS, "CONTROLLER": "PLAINTEXT"}
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(broker.folder / "kafka" / "data"),
        "listeners": ",".join([*listeners, f"CONTROLLER://{HOST}:{controller}"]),
        "advertised.listeners": ",".join(listeners),
        "listener.security.protocol.map": ",".join(f"{k}:{v}" for k, v in protocols.items()),
        "inter.broker.listener.name": "OPEN",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "listener.name.mutual.ssl.client.auth": "required",
    }
    issue = broker.certificates.issue
    good = issue("broker.pem", HOST, "localhost")
    stores = {
        "EXPIRED": issue("expired.pem", HOST, not_after=EXPIRED_ON),
        "ELSEWHERE": issue("elsewhere.pem", ANOTHER_HOST),
    }
    for name, protocol in PROTOCOLS.items():
        prefix = f"listener.name.{name.lower()}."
        if protocol.endswith("SSL"):
            properties |= {
                f"{prefix}ssl.keystore.type": "PEM",
                f"{prefix}ssl.keystore.location": str(stores.get(name, good)),
                f"{prefix}ssl.truststore.type": "PEM",
                f"{prefix}ssl.truststore.location": str(broker.certificates.authority),
            }
        if protocol.startswith("SASL"):
            module = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            properties |= {
                f"{prefix}sasl.enabled.mechanisms": MECHANISM,
                f"{prefix}{MECHANISM.lower()}.sasl.jaas.config": module,
            }
    return properties


def _format(broker: SecureBroker, properties: list[str]) -> None:
    """Make the data folder, with the users in it."""
    file = broker.folder / "format.properties"
    file.write_text("\n".join(properties))
    command = ["storage", "format", "--cluster-id", "WangLouTestCluster0001w", "-c", str(file)]
    for name, password in broker.users.items():
        command += ["--add-scram", f"{MECHANISM}=[name={name},password={password}]"]
    _run([str(broker.script), *command], broker.folder)


@contextlib.contextmanager
def running_secure_broker(
    script: Path, folder: Path, users: Mapping[str, str]
) -> Iterator[SecureBroker]:
    """Run it; its log is ``kafka.log`` in the folder."""
    broker = SecureBroker(script, folder, users, Certificates(folder))
    properties = [f"{name}={value}" for name, value in _properties(broker).items()]
    _format(broker, properties)
    kafka, port = str(script), str(broker.ports["OPEN"])
    log = folder / "kafka.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [kafka, "start", str(folder / "kafka"), port, *properties],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        ready = subprocess.run([kafka, "ready", port, str(READY_SECONDS)], check=False)
        assert ready.returncode == 0, log.read_text(errors="replace")[-3000:]
        yield broker
    finally:
        stop(process, STOP_SECONDS)
