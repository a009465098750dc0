"""Writes down what was read, and what follows from it for the cases, in one transaction."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from aiokafka import ConsumerRecord
from aiokafka import TopicPartition as Place
from pydantic import ValidationError

from wanglou.agents.archive.effects import SERIES_KINDS, evaluations, series_of
from wanglou.agents.archive.entries import Entry, Kind
from wanglou.agents.archive.metrics import ArchiveMetrics
from wanglou.agents.archive.recording import (
    alert_entry,
    event_entry,
    mention_entry,
    page_entry,
    refusal_entry,
    response_entry,
)
from wanglou.agents.archive.store import Archive, CaseRow, Transaction
from wanglou.agents.kafka import Message, partition_of, place_of
from wanglou.agents.record import order_in
from wanglou.agents.rejecting import rejection
from wanglou.models.response.case_file import CaseFile, Refused, after_alert, after_response
from wanglou.models.response.responsibilities import Responsibilities
from wanglou.schemas.cloudevents import cloudevents_headers
from wanglou.schemas.control import ORDER_HEADER
from wanglou.schemas.dead_letter import Reason
from wanglou.schemas.evaluation import Evaluation
from wanglou.schemas.page import PageRecord
from wanglou.schemas.problems import describe
from wanglou.schemas.response import Response
from wanglou.schemas.risk import Alert
from wanglou.schemas.topics import ALERTS, EVALUATIONS, EVENTS, RESPONSES, SCORED

logger = logging.getLogger(__name__)

AGENT = "archive"
ID_HEADER = "ce_id"

LOOK_BACK = timedelta(days=7)
"""So long before its opening the course of an event is looked at."""

Moves = Mapping[Place, tuple[int | None, int]]
"""Of each partition what was to be read next before, and is afterwards."""


class Scribe:
    """Writes for the process; every method is one transaction, or several that stand alone.

    ``partitions`` are those of the topics that are keyed by event.
    """

    def __init__(
        self,
        archive: Archive,
        responsibilities: Responsibilities,
        metrics: ArchiveMetrics,
        partitions: int,
        now: Callable[[], datetime],
    ) -> None:
        self._archive = archive
        self._responsibilities = responsibilities
        self._metrics = metrics
        self._partitions = partitions
        self._now = now

    def partition_of(self, event_id: str) -> int:
        """The partition on which a case's alerts and responses lie."""
        return partition_of(event_id, self._partitions)

    def write(self, records: Sequence[ConsumerRecord], moves: Moves) -> list[CaseFile]:
        """Write records, and how far was read; the cases that changed.

        A record that says nothing that can be written becomes a dead letter. Raises
        ``ArchiveError``; nothing is then written.
        """
        many: defaultdict[str, list[Entry]] = defaultdict(list)
        ordered: list[tuple[ConsumerRecord, Alert | Response]] = []
        letters: list[Message] = []
        for record in records:
            try:
                if record.topic == ALERTS.name:
                    ordered.append((record, Alert.model_validate_json(record.value)))
                elif record.topic == RESPONSES.name:
                    ordered.append((record, Response.model_validate_json(record.value)))
                else:
                    chain, entry = _entry_of(record)
                    many[chain].append(entry)
            except ValidationError as error:
                letters.append(rejection(record, AGENT, Reason.of(error), describe(error)))
            except (ValueError, KeyError, TypeError) as error:
                text = f"{type(error).__name__}: {error}"
                letters.append(rejection(record, AGENT, Reason.INVALID, text))
        with self._archive.transaction() as transaction:
            transaction.lock({*many, *(one.event_id for _, one in ordered)})
            desk = _Desk(transaction, self._responsibilities, self._now())
            for chain, entries in many.items():
                desk.append(chain, *entries)
            for record, one in ordered:
                if isinstance(one, Alert):
                    desk.take_alert(one, record.value)
                else:
                    desk.take_response(one, record)
            for message in (*letters, *desk.letters):
                transaction.queue(message)
            for place, (old, new) in moves.items():
                transaction.move_offset(place.topic, place.partition, old, new)
        self._count(desk)
        return list(desk.cases.values())

    def evaluate(self, id: str, through: int) -> CaseFile:
        """Evaluate the measures of a case that are due at an event minute; the case afterwards."""
        row = self._archive.case(id)
        assert row is not None, f"{id} is no case"
        case = CaseFile.model_validate_json(row.body)
        since = case.opened_at - LOOK_BACK
        records = self._archive.records(
            id, SERIES_KINDS, since=since, is_opened=lambda fields: False
        )
        series = series_of(case, through, records)
        made = evaluations(case, series)
        with self._archive.transaction() as transaction:
            transaction.lock({id})
            desk = _Desk(transaction, self._responsibilities, self._now())
            case = desk.case(id) or case
            for evaluation in made:
                fields = evaluation.model_dump(mode="json", exclude_none=True)
                at = evaluation.evaluated_at
                if desk.append(id, Entry(Kind.EVALUATION, evaluation.id, at, fields)):
                    case.evaluated.append(evaluation.id)
                    transaction.queue(_message(evaluation))
            desk.save(case)
        self._count(desk)
        return case

    def _count(self, desk: _Desk) -> None:
        self._metrics.refusals.inc(len(desk.letters))
        for kind, number in desk.written.items():
            self._metrics.records.labels(kind.value).inc(number)


class _Desk:
    """The cases that one transaction changes."""

    def __init__(
        self, transaction: Transaction, responsibilities: Responsibilities, now: datetime
    ) -> None:
        self._transaction = transaction
        self._responsibilities = responsibilities
        self._now = now
        self.cases: dict[str, CaseFile] = {}
        self.letters: list[Message] = []
        self.written: Counter[Kind] = Counter()

    def append(self, chain: str, *entries: Entry) -> int:
        """Append to a chain; how many it did not hold yet."""
        new = self._transaction.append(chain, entries)
        if entries:
            self.written[entries[0].kind] += new
        return new

    def case(self, id: str) -> CaseFile | None:
        """A case as it stands."""
        if id not in self.cases:
            row = self._transaction.case(id)
            if row is None:
                return None
            self.cases[id] = CaseFile.model_validate_json(row.body)
        return self.cases[id]

    def save(self, case: CaseFile) -> None:
        """Write a case as it stands now."""
        self.cases[case.id] = case
        self._transaction.save_case(
            CaseRow(
                id=case.id,
                body=case.model_dump_json().encode(),
                status=case.status.value,
                institution=case.institution.id,
                opened_at=case.opened_at,
                level=case.level.label if case.level else None,
                owner=case.owner,
                closed_at=case.closed_at,
                next_deadline=case.next_deadline(),
            )
        )

    def take_alert(self, alert: Alert, value: bytes) -> None:
        """An alert: its case is opened, or has more to do."""
        chain, entry = alert_entry(value)
        if self.append(chain, entry):
            self.save(after_alert(self.case(chain), alert))

    def take_response(self, response: Response, record: ConsumerRecord) -> None:
        """A response: recorded with its case, or refused."""
        case = self.case(response.event_id)
        try:
            if case is None:
                raise Refused(f"event_id: there is no case {response.event_id}")
            response = self._named(response)
            self._responsibilities.may(response.by, response.act, case.institution.id)
            if not after_response(case, response, self._now):
                return
        except Refused as error:
            self.letters.append(rejection(record, AGENT, Reason.INVALID, str(error)))
            if case is not None:
                entry = refusal_entry(response, place_of(record), str(error))
                self.append(response.event_id, entry)
            logger.warning("%s is refused: %s", place_of(record), error)
            return
        self.append(response.event_id, response_entry(response))
        self.save(case)

    def _named(self, response: Response) -> Response:
        """With everybody by id: whoever is told as 张三 and as ``zhang`` is one person."""
        id_of = self._responsibilities.id_of
        named = {
            "by": id_of(response.by),
            "owner": None if response.owner is None else id_of(response.owner),
            "team": tuple(map(id_of, response.team)),
        }
        return response.model_copy(update=named)


def _entry_of(record: ConsumerRecord) -> tuple[str, Entry]:
    """The chain and the entry of what is only recorded."""
    if record.topic == SCORED.name:
        headers = dict(record.headers)
        id = headers.get(ID_HEADER)
        _, position = order_in(headers.get(ORDER_HEADER))
        return mention_entry(id.decode() if id else place_of(record), position, record.value)
    if record.topic == EVENTS.name:
        return event_entry(record.value)
    page = PageRecord.model_validate_json(record.value)
    return page.event_id, page_entry(page)


def _message(evaluation: Evaluation) -> Message:
    headers = cloudevents_headers(
        id=evaluation.id,
        type=EVALUATIONS.event_type,
        source=f"/wanglou/{AGENT}",
        time=evaluation.evaluated_at,
    )
    return Message(EVALUATIONS.name, evaluation.event_id.encode(), evaluation.to_json(), headers)
