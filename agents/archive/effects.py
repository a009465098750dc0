"""The effect of the measures of a case, from what the archive holds of its event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from wanglou.agents.archive.entries import Kind, Record
from wanglou.models.response.case_file import CaseFile
from wanglou.models.response.effect import SPANS, evaluate, evaluation_id
from wanglou.models.response.series import Measure, Series
from wanglou.schemas.base import minute_of
from wanglou.schemas.evaluation import Evaluation
from wanglou.schemas.mention import DedupeKind, Emotion, PolarityProbabilities, ScoredMention
from wanglou.schemas.response import EVALUATED
from wanglou.schemas.risk import Event

SERIES_KINDS = (Kind.MENTION, Kind.EVENT)
"""What a series is made of."""


def measures_of(case: CaseFile) -> list[Measure]:
    """The measures of a case that are evaluated."""
    return [
        Measure(one.response_id, minute_of(one.at), one.act)
        for one in case.measures
        if one.act in EVALUATED
    ]


def _outstanding(case: CaseFile) -> Iterator[tuple[int, Measure, int]]:
    """The evaluations that were not made: the minute when one is due, the measure, the span."""
    made = set(case.evaluated)
    for measure in measures_of(case):
        for span in SPANS:
            if evaluation_id(measure, span) not in made:
                yield measure.minute + span, measure, span


def due_minute(case: CaseFile) -> int | None:
    """The event minute of the next evaluation; None if there is none to come."""
    return min((minute for minute, _, _ in _outstanding(case)), default=None)


def evaluations(case: CaseFile, series: Series) -> list[Evaluation]:
    """The evaluations that are due and were not made."""
    measures = measures_of(case)
    return [
        evaluate(series, measure, measures, span)
        for minute, measure, span in _outstanding(case)
        if minute <= series.through
    ]


def series_of(case: CaseFile, through: int, records: Iterable[Record]) -> Series:
    """The event's course until a minute; ``records`` are its mentions and snapshots."""
    mentions: list[ScoredMention] = []
    events: list[Event] = []
    for record in records:
        if record.fields is None:
            continue
        if record.kind is Kind.MENTION:
            mentions.append(stored_mention(record.fields))
        else:
            events.append(event_of(case, record.fields, {}))
    return Series.of(case.id, through, mentions, events)


def stored_mention(fields: dict[str, Any]) -> ScoredMention:
    """What a series needs of a mention; the ledger has only what was valid."""
    given: dict[str, Any] = {
        "dedupe": DedupeKind(fields["dedupe"]),
        "published_at": datetime.fromisoformat(fields["published_at"]),
        "emotion": Emotion(fields["emotion"]),
        "inherited": fields["inherited"],
        "institution_negative_probability": fields.get("institution_negative_probability"),
        "polarity_probabilities": PolarityProbabilities.model_construct(
            **fields["polarity_probabilities"]
        ),
    }
    return ScoredMention.model_construct(**given)


GONE = "（原文已删除）"
"""Instead of a text that was erased or purged, or was not looked for."""


def quotations(fields: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """What quotes a mention in a snapshot, and the mention's id."""
    for one in fields.get("evidence", ()):
        yield one, one["id"]
    for one in fields["situation"].get("viewpoints", ()):
        yield one, one["mention_id"]


def event_of(case: CaseFile, fields: dict[str, Any], texts: Mapping[str, str]) -> Event:
    """A snapshot of the event, with the texts of the mentions that it quotes.

    Of one that was kept in short what it lacks is empty.
    """
    for quotation, id in quotations(fields):
        quotation["text"] = texts.get(id, GONE)
    situation = {"platforms": {}, "emotions": {}, **fields["situation"]}
    return Event.model_validate(
        {
            "institution": case.institution,
            "topic": case.topic,
            "evidence": (),
            **fields,
            "situation": situation,
        }
    )
