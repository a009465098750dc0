"""What every act on a case does: write it to Kafka, and wait for the archive to record it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import click

from wanglou.agents.archive.entries import Kind
from wanglou.agents.archive.opening import open_archive
from wanglou.agents.archive.store import Archive
from wanglou.agents.commands.shared import printable, run, settings_with
from wanglou.agents.kafka import start_producer
from wanglou.agents.responding import send_response
from wanglou.agents.settings import BrokerSettings
from wanglou.models.response.case_file import CaseFile
from wanglou.schemas.response import Act, Response

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.2


def act_on(
    act: Act, case_id: str, by: str, at: datetime | None, broker: str | None, **fields: Any
) -> None:
    """Act on a case, and say what became of it. Raises ``ClickException``."""
    settings = settings_with(broker)
    archive = open_archive(settings.archive)
    if archive.case(case_id) is None:
        raise click.ClickException(f"{case_id}: there is no such case; see wanglou case list")
    response = Response(
        id=uuid4().hex[:12],
        event_id=case_id,
        act=act,
        by=by,
        at=at or datetime.now(UTC),
        **{name: value for name, value in fields.items() if value is not None},
    )
    run(_send(settings.broker, response))
    click.echo(printable(_await_record(archive, response)))


async def _send(broker: BrokerSettings, response: Response) -> None:
    producer = await start_producer(broker)
    try:
        await send_response(producer, response, "/wanglou/case")
    finally:
        await producer.stop()


def _await_record(archive: Archive, response: Response) -> str:
    """What the archive made of a response. Raises ``ClickException`` if it was refused."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        row = archive.case(response.event_id)
        case = CaseFile.model_validate_json(row.body) if row is not None else None
        if case is not None and response.id in case.responses:
            status = f"{case.id} {case.status.chinese}"
            return f"{response.act.chinese} {response.id} by {response.by}: {status}"
        for record in archive.records(response.event_id, [Kind.REFUSAL]):
            if record.fields is not None and record.fields["id"] == response.id:
                raise click.ClickException(f"refused: {record.fields['refused']}")
        time.sleep(POLL_SECONDS)
    raise click.ClickException(
        f"{response.id} was sent, but not recorded within {WAIT_SECONDS:.0f} s. "
        "Does wanglou archive run run? It will be recorded once it does"
    )
