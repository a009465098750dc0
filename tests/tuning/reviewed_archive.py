"""An archive of a generated scenario whose cases were reviewed by people who know what happened."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka import TopicPartition as Place
from prometheus_client import CollectorRegistry
from sqlalchemy import URL

from wanglou.agents.archive.configuration import note_in_force
from wanglou.agents.archive.database import new_engine
from wanglou.agents.archive.metrics import ArchiveMetrics
from wanglou.agents.archive.migration import upgrade
from wanglou.agents.archive.scribe import Scribe
from wanglou.agents.archive.sealing import Keys, read_master_key
from wanglou.agents.archive.store import Archive
from wanglou.agents.kafka import partition_of
from wanglou.agents.record import order_header
from wanglou.agents.settings import load_settings
from wanglou.models.backtest import Backtest
from wanglou.models.incidents import Incident, Incidents
from wanglou.models.labelled_opinion import LabelledOpinion
from wanglou.models.order import Position
from wanglou.models.rules import Rules
from wanglou.models.scenario.plan import Size
from wanglou.models.scenario.stream import Scenario
from wanglou.models.verdict import GRACE
from wanglou.schemas.base import Contract
from wanglou.schemas.cloudevents import Headers
from wanglou.schemas.mention import ScoredMention
from wanglou.schemas.response import Act, Response, ReviewVerdict
from wanglou.schemas.risk import Alert, AlertKind, Level
from wanglou.schemas.topics import ALERTS, RESPONSES, SCORED, Topic

KEY = "0f" * 32
AUTHOR_KEY = b"a key of the tests"
LATE = timedelta(hours=1)
"""A reviewer finds a case late whose level came so long after the incident began."""

BATCH = 1000
OFFICER, APPROVER = "zhang", "li"


@dataclass(frozen=True)
class Told:
    """What a back-test of a scenario gave, and what is true of it."""

    rules: Rules
    incidents: Incidents
    scored: list[tuple[Position, ScoredMention]]
    alerts: list[Alert]


class _Listening(Backtest):
    """A back-test that keeps the scored mentions."""

    def __init__(self, rules: Rules, model: LabelledOpinion) -> None:
        super().__init__(rules, model, AUTHOR_KEY, lambda key: partition_of(key, 4))
        self.scored: list[tuple[Position, ScoredMention]] = []

    def _judge(self, mention: ScoredMention, position: Position) -> None:
        self.scored.append((position, mention))
        super()._judge(mention, position)


def told(rules: Rules, size: Size, seed: int, folder: Path) -> Told:
    """Take a scenario through the rules."""
    made = Scenario(size, seed, rules.watchlist, rules.taxonomy)
    lines = list(made.lines())
    labels = folder / f"labels-{seed}.jsonl"
    labels.write_bytes(b"".join(made.label_lines()))
    ours = replace(rules, watchlist=made.watchlist)
    test = _Listening(ours, LabelledOpinion.load(labels))
    for _ in test.feed(lines):
        pass
    return Told(ours, made.incidents(), test.scored, test.result.alerts)


def under(one: Told, rules: Rules) -> Told:
    """The same mentions under other rules of risk."""
    ours = replace(one.rules, risk=rules.risk)
    step = ours.risk_step()
    alerts = []
    for position, mention in one.scored:
        alerts += step.process(mention, position=position).alerts
    return Told(ours, one.incidents, one.scored, sorted(alerts, key=_order))


def _order(alert: Alert) -> tuple[datetime, str, int]:
    return alert.decided_at, alert.event_id, alert.sequence


def archived(one: Told, file: Path) -> Archive:
    """An archive of what was told, whose cases were reviewed."""
    archive = Archive(
        new_engine(URL.create("sqlite", database=str(file))), Keys(read_master_key(KEY))
    )
    upgrade(archive.engine)
    scribe = Scribe(
        archive,
        load_settings().load_responsibilities(),
        ArchiveMetrics(CollectorRegistry()),
        partitions=1,
        now=lambda: one.alerts[-1].decided_at + timedelta(days=30),
    )
    note_in_force(archive, one.rules)
    records = itertools.chain(_mentions(one), _life(one))
    offsets = {ALERTS.name: 0, RESPONSES.name: 0, SCORED.name: 0}
    while batch := list(itertools.islice(records, BATCH)):
        before = dict(offsets)
        for record in batch:
            offsets[record.topic] += 1
        moves = {
            Place(topic, 0): (before[topic] or None, after)
            for topic, after in offsets.items()
            if after != before[topic]
        }
        scribe.write(batch, moves)
    return archive


def _mentions(one: Told) -> Iterator[ConsumerRecord]:
    for number, (position, mention) in enumerate(one.scored):
        headers = (("ce_id", f"0/{number}/0".encode()), order_header(0, position))
        yield _record(SCORED, mention, headers)


def _life(one: Told) -> Iterator[ConsumerRecord]:
    """The alerts; after an event was resolved people take its case, review it and close it."""
    since: dict[str, list[Alert]] = {}
    for alert in one.alerts:
        yield _record(ALERTS, alert)
        since.setdefault(alert.event_id, []).append(alert)
        if alert.kind is AlertKind.RESOLVED:
            for response in _work(since.pop(alert.event_id), one.incidents.incidents):
                yield _record(RESPONSES, response)


def _work(alerts: list[Alert], incidents: Iterable[Incident]) -> Iterator[Response]:
    act = partial(_act, alerts[-1])
    yield act(1, Act.ACKNOWLEDGEMENT, OFFICER)
    yield act(2, Act.WATCH, OFFICER, text="预警已解除")
    verdict = reviewed(alerts, incidents)
    if verdict:
        yield act(3, Act.REVIEW, APPROVER, **verdict)
    yield act(4, Act.CLOSE, APPROVER, text="平息")


def reviewed(alerts: list[Alert], incidents: Iterable[Incident]) -> dict[str, Any]:
    """What people say of a case who know what happened; nothing of a harmless blue or yellow."""
    begin, end = alerts[0].decided_at, alerts[-1].decided_at
    highest = max(alert.level for alert in alerts if alert.level is not None)
    about = [
        one
        for one in incidents
        if one.event_id == alerts[0].event_id and one.start <= end and begin <= one.end + GRACE
    ]
    if not about:
        is_grave = highest >= Level.ORANGE
        return {"verdict": ReviewVerdict.FALSE_ALARM} if is_grave else {}
    expected, start = max(one.expected for one in about), min(one.start for one in about)
    if highest < expected:
        return {
            "verdict": ReviewVerdict.MISSED,
            "expected_level": expected,
            "missed_from": start,
        }
    reached = next(one.decided_at for one in alerts if one.level and one.level >= expected)
    if reached - start > LATE:
        return {"verdict": ReviewVerdict.LATE, "expected_level": expected, "missed_from": start}
    return {"verdict": ReviewVerdict.RIGHT, "missed_from": start}


def _act(alert: Alert, minute: int, act: Act, by: str, **fields: Any) -> Response:
    at = alert.decided_at + timedelta(minutes=minute)
    id = f"{alert.id[:18]}-{minute}"
    return Response.model_validate(
        {"id": id, "event_id": alert.event_id, "act": act, "by": by, "at": at, **fields}
    )


def _record(topic: Topic, value: Contract, headers: Headers = ()) -> ConsumerRecord:
    written = value.to_json()
    return ConsumerRecord(
        topic=topic.name,
        partition=0,
        offset=0,
        timestamp=0,
        timestamp_type=0,
        key=None,
        value=written,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=len(written),
        headers=headers,
    )
