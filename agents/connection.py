"""Why there is no connection to the broker: aiokafka logs the cause and raises without it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from wanglou.agents.certificates import Validity
from wanglou.agents.kafka_security import client_security, ssl_context
from wanglou.agents.settings import BrokerSettings

T = TypeVar("T")

TRIAL_SECONDS = 5.0
"""How long an address may take to answer, if requests may not fail earlier."""

EXPIRED, HOST_MISMATCH, IP_MISMATCH = 10, 62, 64
"""OpenSSL's codes of a failed verification (X509_V_ERR_…)."""

_ADDRESS = (
    "Is it running there? Its address is --broker, WANGLOU_BROKER__URL or broker.url in the "
    "settings file"
)
_USER = "Check broker.username and broker.password or broker.password_file"
_OWN = "Set broker.certificate_file and broker.key_file to what the broker's authority has signed"


class _Obstacle(Exception):
    """Keeps a client from one address."""

    def __init__(self, problem: str, repair: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.repair = repair


async def explain_connection(broker: BrokerSettings) -> str | None:
    """What keeps a client from the broker, and how to repair it; None if nothing does.

    Connects once to each address of the settings, and to those that the broker then names. Raises
    ``CertificateError`` and ``SettingsError`` like every client.
    """
    given = [(host, port) for host, port, _ in collect_hosts(broker.url, randomize=False)]
    waiting, visited = list(given), set()
    obstacles: list[_Obstacle] = []
    while waiting:
        place = waiting.pop(0)
        if place in visited:
            continue
        visited.add(place)
        try:
            waiting += await _visit(broker, *place)
        except _Obstacle as obstacle:
            named = "" if place in given else " (so the broker names itself: advertised.listeners)"
            problem = f"{place[0]}:{place[1]}{named}: {obstacle.problem}"
            obstacles.append(_Obstacle(problem, obstacle.repair))
    return _joined(obstacles) if obstacles else None


def _joined(obstacles: list[_Obstacle]) -> str:
    problems = "; ".join(one.problem for one in obstacles)
    repairs = list(dict.fromkeys(one.repair for one in obstacles))
    head = (
        "the broker cannot be reached" if repairs == [_ADDRESS] else "no connection to the broker"
    )
    return f"{head}: {problems}. {'. '.join(repairs)}"


async def _visit(broker: BrokerSettings, host: str, port: int) -> list[tuple[str, int]]:
    """Connect and ask which brokers there are. Raises ``_Obstacle``."""
    security = client_security(broker)
    try:
        connection = await create_conn(
            host, port, request_timeout_ms=_timeout_ms(broker), **security
        )
    except (OSError, KafkaError, ValueError) as error:
        raise await _Diagnosis(broker, host, port).obstacle(error) from error
    try:
        metadata = await connection.send(MetadataRequest([]))
    except (OSError, KafkaError) as error:
        raise _at_first_request(broker) from error
    finally:
        connection.close()
    return [(one_host, one_port) for _, one_host, one_port, *_ in metadata.brokers]


def _timeout_ms(broker: BrokerSettings) -> int:
    return int(min(TRIAL_SECONDS, broker.request_timeout_seconds) * 1000)


def _at_first_request(broker: BrokerSettings) -> _Obstacle:
    if broker.sasl_mechanism == "none":
        return _Obstacle(
            "closes the connection at the first request, as one does that wants a user name and "
            "password",
            "Set broker.sasl_mechanism, broker.username and broker.password_file",
        )
    return _Obstacle("closes the connection at the first request", "Its log says why")


class _Diagnosis:
    """Finds out what an error of a connection means."""

    def __init__(self, broker: BrokerSettings, host: str, port: int) -> None:
        self._broker = broker
        self._host = host
        self._port = port

    async def obstacle(self, error: Exception) -> _Obstacle:
        cause = error.__cause__ if isinstance(error, KafkaConnectionError) else None
        cause = cause or error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return await self._untrusted(cause)
        return self._named(cause) or await self._other(cause)

    def _named(self, error: BaseException) -> _Obstacle | None:
        """The obstacle of an error that says it all."""
        mechanism = self._broker.sasl_mechanism
        match error:
            case socket.gaierror():
                return _Obstacle("the host name cannot be resolved", _ADDRESS)
            case ConnectionRefusedError():
                return _Obstacle("nothing listens there", _ADDRESS)
            case SaslAuthenticationFailed():
                user = f"refuses user {self._broker.username!r}"
                return _Obstacle(f"{user}: wrong user name or password ({mechanism})", _USER)
            case UnsupportedSaslMechanismError():
                repair = "Set broker.sasl_mechanism to what the broker offers"
                return _Obstacle(f"does not offer {mechanism}", repair)
            case IllegalSaslStateError():
                repair = "Set broker.sasl_mechanism to none, or use another port"
                return _Obstacle("asks for no user name and password on this port", repair)
        return None

    async def _other(self, error: BaseException) -> _Obstacle:
        if self._broker.security == "plaintext" and await self._speaks_tls():
            return _Obstacle(
                "speaks TLS, but broker.security is plaintext",
                "Set broker.security to tls, or use another port",
            )
        if self._broker.security == "tls" and await self._speaks_plaintext():
            repair = "Set broker.security to plaintext, or use another port"
            return _Obstacle("speaks no TLS, but broker.security is tls", repair)
        if isinstance(error, ssl.SSLError):
            return self._refused_certificate(error)
        if isinstance(error, TimeoutError):
            return _Obstacle("does not answer", _ADDRESS)
        return _Obstacle(str(error) or type(error).__name__, _ADDRESS)

    def _refused_certificate(self, error: ssl.SSLError) -> _Obstacle:
        reason = error.reason or str(error)
        if "CERTIFICATE" not in reason and "UNKNOWN_CA" not in reason:
            return _Obstacle(f"TLS fails: {reason}", "The broker's log says more")
        if self._broker.certificate_file is None:
            return _Obstacle("asks for a client certificate", _OWN)
        file = self._broker.certificate_file
        return _Obstacle(f"refuses the client certificate in {file} ({reason})", _OWN)

    async def _untrusted(self, error: ssl.SSLCertVerificationError) -> _Obstacle:
        if error.verify_code == EXPIRED:
            return _Obstacle(await self._expired(), "Renew it on the broker")
        if error.verify_code in (HOST_MISMATCH, IP_MISMATCH):
            return _Obstacle(
                f"its certificate is for {await self._names()}, not for {self._host}",
                f"Use that name in broker.url, or give the broker a certificate for {self._host}",
            )
        trusted = self._broker.ca_file or "this system (broker.ca_file is not set)"
        return _Obstacle(
            f"its certificate is signed by no authority of {trusted}: {error.verify_message}",
            "Set broker.ca_file to the PEM file of the authority that signed it",
        )

    async def _expired(self) -> str:
        context = _unverified()
        der = await self._ask(context, lambda peer: peer.getpeercert(binary_form=True))
        problem = der and Validity.of(der).problem(datetime.now(UTC))
        return f"its certificate {problem or 'or one of its chain has expired'}"

    async def _names(self) -> str:
        context = ssl_context(self._broker) or _unverified()
        context.check_hostname = False
        shown = await self._ask(context, lambda peer: peer.getpeercert())
        names = [str(one[1]) for one in (shown or {}).get("subjectAltName", ())]
        return ", ".join(names) or "another host"

    async def _speaks_tls(self) -> bool:
        return await self._ask(_unverified(), lambda peer: peer.version()) is not None

    async def _speaks_plaintext(self) -> bool:
        try:
            connection = await create_conn(
                self._host, self._port, request_timeout_ms=_timeout_ms(self._broker)
            )
        except (OSError, KafkaError):
            return False
        connection.close()
        return True

    async def _ask(
        self, context: ssl.SSLContext, question: Callable[[ssl.SSLObject], T]
    ) -> T | None:
        """What a TLS handshake shows of the other side, None if there is none."""
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_timeout_ms(self._broker) / 1000):
                _, writer = await asyncio.open_connection(self._host, self._port, ssl=context)
                try:
                    return question(writer.get_extra_info("ssl_object"))
                finally:
                    writer.close()
        return None


def _unverified() -> ssl.SSLContext:
    """For a handshake that carries no data: what the other side shows is only talked about."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
