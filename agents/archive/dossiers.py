"""The dossier of a case, from the archive: record by record, so memory stays flat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from wanglou.agents.archive.database import reading
from wanglou.agents.archive.effects import event_of, quotations, stored_mention
from wanglou.agents.archive.entries import Kind
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.verifying import head_of
from wanglou.models.chain import EMPTY
from wanglou.models.event import EVIDENCE_CHARACTERS, negativity
from wanglou.models.moment import Moment
from wanglou.models.response.case_file import CaseFile
from wanglou.models.response.dossier import Chain, Course, Dossier
from wanglou.models.scoring import NEGATIVE_FROM
from wanglou.schemas.base import minute_of
from wanglou.schemas.evaluation import Evaluation
from wanglou.schemas.mention import DedupeKind
from wanglou.schemas.page import PageRecord
from wanglou.schemas.response import Response

Fields = dict[str, Any]


def dossier_of(archive: Archive, case: CaseFile, as_of: datetime) -> Dossier:
    """Everything that a report of the case says. Raises ``ArchiveError``."""
    moments: list[Moment] = []
    told: list[Fields] = []
    """The last whole snapshot of every time that the event was there."""
    peak: tuple[float, Fields] | None = None
    for fields in _fields(archive, case, Kind.EVENT):
        snapshot = event_of(case, fields, {})
        moments.append(Moment.of(snapshot))
        if "evidence" not in fields:
            continue
        if told and fields["situation"]["first_at"] <= told[-1]["situation"]["first_at"]:
            told[-1] = fields
        else:
            told.append(fields)
        if peak is None or snapshot.assessment.risk > peak[0]:
            peak = snapshot.assessment.risk, fields
    quoting = [*told, *([peak[1]] if peak else [])]
    mentions, negative, texts = _mentions(archive, case, _quoted(quoting))
    with reading(archive.engine) as connection:
        head = head_of(connection, case.id) or EMPTY
    course = Course(
        moments,
        [event_of(case, one, texts) for one in told],
        event_of(case, peak[1], texts) if peak else None,
    )
    return Dossier(
        case=case,
        as_of=as_of,
        mentions=mentions,
        negative=negative,
        course=course,
        evaluations=[
            Evaluation.model_validate(one) for one in _fields(archive, case, Kind.EVALUATION)
        ],
        pages=[PageRecord.model_validate(one) for one in _fields(archive, case, Kind.PAGE)],
        responses=[Response.model_validate(one) for one in _fields(archive, case, Kind.RESPONSE)],
        chain=Chain(head.sequence, head.hash.hex()),
    )


def _fields(archive: Archive, case: CaseFile, kind: Kind) -> Iterator[Fields]:
    for record in archive.records(case.id, [kind]):
        if record.fields is not None:
            yield record.fields


def _mentions(
    archive: Archive, case: CaseFile, quoted: set[str]
) -> tuple[Mapping[int, int], Mapping[int, int], Mapping[str, str]]:
    """Mentions and negative ones by minute of publication, and the texts that are quoted."""
    every: Counter[int] = Counter()
    negative: Counter[int] = Counter()
    texts: dict[str, str] = {}
    found = archive.records(case.id, [Kind.MENTION], is_opened=lambda one: one["id"] in quoted)
    for fields in (one.fields for one in found if one.fields is not None):
        if fields["id"] in quoted:
            texts.setdefault(fields["id"], fields["text"][:EVIDENCE_CHARACTERS])
        mention = stored_mention(fields)
        if mention.dedupe is not DedupeKind.UPDATE:
            minute = minute_of(mention.published_at)
            every[minute] += 1
            negative[minute] += negativity(mention) >= NEGATIVE_FROM
    return every, negative, texts


def _quoted(snapshots: list[Fields]) -> set[str]:
    return {id for fields in snapshots for _, id in quotations(fields)}
