"""Whether the broker lets this client do what it must: asked before anything is done."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    TopicAuthorizationFailedError,
    for_code,
)

from wanglou.agents.acls import Grant
from wanglou.agents.allowed_operations import Operations, allowed_on_group, allowed_on_topics
from wanglou.agents.kafka import new_admin
from wanglou.agents.settings import BrokerSettings
from wanglou.schemas.topics import TOPICS

logger = logging.getLogger(__name__)

DENIED = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)


class AccessDenied(RuntimeError):
    """ACLs are missing; the message names them, and who lacks them."""


def names_a_client(broker: BrokerSettings) -> bool:
    """Whether a client says who it is, so that ACLs can be meant for it."""
    return broker.sasl_mechanism != "none" or broker.certificate_file is not None


async def check_access(broker: BrokerSettings, needed: Iterable[Grant]) -> None:
    """Ask the broker for each grant. Raises ``AccessDenied`` with all that are missing.

    Raises ``KafkaError`` without a connection. A broker older than Kafka 2.3 cannot be asked.
    """
    grants = sorted(set(needed))
    admin = new_admin(broker)
    try:
        await admin.start()
        allowed = await allowed_on_topics(admin, [topic.name for topic in TOPICS])
        missing = [grant for grant in grants if not await _has(admin, grant, allowed)]
    except NotImplementedError:
        logger.warning("the broker is too old to say whether an ACL is missing")
        return
    finally:
        await admin.close()
    if missing:
        raise AccessDenied(_message(broker, missing))


async def _has(
    admin: AIOKafkaAdminClient, grant: Grant, allowed: Mapping[str, Operations | None]
) -> bool:
    if grant.resource == "group":
        operations = await allowed_on_group(admin, grant.name)
        return operations is None or grant.operation in operations
    concerned = {name: one for name, one in allowed.items() if grant.covers(name)}
    absent = [name for name, operations in concerned.items() if operations is None]
    if absent and grant.operation == "CREATE" and not await _may_create(admin, absent[0]):
        return False
    return all(one is None or grant.operation in one for one in concerned.values())


async def _may_create(admin: AIOKafkaAdminClient, topic: str) -> bool:
    """Whether a topic might be created; does not create it."""
    response = await admin.create_topics([NewTopic(topic, 1, 1)], validate_only=True)
    return all(for_code(code) not in DENIED for _, code, *_ in response.topic_errors)


def _message(broker: BrokerSettings, missing: Sequence[Grant]) -> str:
    who = f"User:{broker.username}"
    if broker.sasl_mechanism == "none":
        who = f"the user of the certificate in {broker.certificate_file}"
    listed = "; ".join(map(str, missing))
    return f"{who} lacks ACLs: {listed}. All that are needed: wanglou topics acls"
