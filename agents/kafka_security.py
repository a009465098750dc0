"""Who a client of the broker is, and whom it trusts: for aiokafka and for Faust."""

from __future__ import annotations

import ssl
from typing import Any

import faust

from wanglou.agents.certificates import show_own, trust_authorities
from wanglou.agents.settings import BrokerSettings


def ssl_context(broker: BrokerSettings) -> ssl.SSLContext | None:
    """The TLS settings, None without TLS. The broker must prove its host name.

    Raises ``CertificateError`` for a file that cannot be used (any more).
    """
    if broker.security == "plaintext":
        return None
    if broker.ca_file is None:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust_authorities(context, broker.ca_file)
    if broker.certificate_file is not None:
        show_own(context, broker.certificate_file, broker.key_file)
    return context


def client_security(broker: BrokerSettings) -> dict[str, Any]:
    """The security arguments of every aiokafka client.

    Raises ``CertificateError``, and ``SettingsError`` for the password's file.
    """
    context = ssl_context(broker)
    transport = "PLAINTEXT" if context is None else "SSL"
    if broker.sasl_mechanism == "none":
        return {"security_protocol": transport, "ssl_context": context}
    return {
        "security_protocol": f"SASL_{transport}",
        "ssl_context": context,
        "sasl_mechanism": broker.sasl_mechanism,
        "sasl_plain_username": broker.username,
        "sasl_plain_password": broker.load_password(),
    }


def faust_credentials(
    broker: BrokerSettings,
) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """The same for Faust's own clients; raises the same."""
    security = client_security(broker)
    if broker.sasl_mechanism != "none":
        return faust.SASLCredentials(
            username=security["sasl_plain_username"],
            password=security["sasl_plain_password"],
            mechanism=security["sasl_mechanism"],
            ssl_context=security["ssl_context"],
        )
    context = security["ssl_context"]
    return None if context is None else faust.SSLCredentials(context)
