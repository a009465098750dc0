"""The whole way of a mention without a broker: the same steps, over a recorded stream."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import NamedTuple

from wanglou.models.dedupe import DedupeStep
from wanglou.models.intake import IntakeStep, Rejection, SenderClock, raw_key
from wanglou.models.opinion import OpinionModel
from wanglou.models.order import BEGINNING, Position, before
from wanglou.models.risk import Decision, RiskStep
from wanglou.models.rules import Rules
from wanglou.models.scoring import ScoringStep
from wanglou.schemas.base import minute_of
from wanglou.schemas.mention import DedupedMention, DedupeKind
from wanglou.schemas.risk import Alert, Event, Level

BATCH = 512
"""Lines that are taken through a step before the next step: batches for the model."""

PartitionOf = Callable[[str], int]


class Moment(NamedTuple):
    """An open event at the close of a minute."""

    at: datetime
    risk: float
    heat: float
    level: Level | None


@dataclass
class BacktestResult:
    """What came of a recorded stream."""

    counts: Counter[str] = field(default_factory=Counter)
    """Messages at each step, by the names that the metrics use."""
    rejections: list[tuple[int, Rejection]] = field(default_factory=list)
    """Line numbers, from 1, of what was no mention."""
    alerts: list[Alert] = field(default_factory=list)
    events: dict[str, Event] = field(default_factory=dict)
    """Latest state of each event that was ever open, by id."""
    mentions: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """Mentions of each institution, without counter updates, by the event minute of publication."""
    trail: defaultdict[str, list[Moment]] = field(default_factory=lambda: defaultdict(list))
    """How each event went while it was open, by id."""


@dataclass(slots=True)
class _Placed:
    """A line, by its number from 1, with its position."""

    number: int
    value: bytes
    position: Position


class Backtest:
    """Takes recorded raw mentions through intake, dedupe, scoring and risk.

    Keys lie on the partitions on which Kafka would put them, so that each step sees the threads,
    institutions and near-duplicates that its agent sees, in the order in which it sees them.
    """

    def __init__(
        self, rules: Rules, model: OpinionModel, author_key: bytes, partition_of: PartitionOf
    ) -> None:
        self.result = BacktestResult()
        self._partition_of = partition_of
        self._scoring = ScoringStep(rules.watchlist, rules.taxonomy, model)
        self._intake = defaultdict[int, IntakeStep](lambda: rules.intake_step(author_key))
        self._dedupe = defaultdict[int, DedupeStep](rules.dedupe_step)
        self._risk = defaultdict[int, RiskStep](rules.risk_step)
        self._lines = defaultdict[int, int](int)
        self._clock = SenderClock()

    def feed(self, lines: Iterable[bytes]) -> Iterator[int]:
        """Take lines through all steps; yields how many lines each batch had."""
        ordered = self._in_order(line.rstrip(b"\r\n") for line in lines)
        while batch := list(islice(ordered, BATCH)):
            deduped = [pair for line in batch for pair in self._prepare(line)]
            scored = self._scoring.process([mention for _, mention in deduped])
            for (position, _), mention in zip(deduped, scored, strict=True):
                self._close(before(position.time))
                step = self._risk[self._partition_of(mention.institution)]
                self.result.counts["scored"] += 1
                self._keep(step.process(mention, position=position))
            self._close(before(batch[-1].position.time))
            yield len(batch)

    def _in_order(self, values: Iterable[bytes]) -> Iterator[_Placed]:
        """The lines in the order of their positions: by clock, then raw partition and offset."""
        placed = (self._place(number, value) for number, value in enumerate(values, 1))
        for _, same_clock in groupby(placed, lambda line: line.position.time):
            yield from sorted(same_clock, key=lambda line: line.position)

    def _place(self, number: int, value: bytes) -> _Placed:
        clock = self._clock.after(value, datetime.now(UTC))
        partition = self._partition_of(raw_key(value) or "")
        offset = self._lines[partition]
        self._lines[partition] += 1
        time = BEGINNING.time if clock is None else clock
        return _Placed(number, value, Position(time, partition, offset, 0))

    def _close(self, position: Position) -> None:
        for step in self._risk.values():
            self._keep(step.close(position))

    def _keep(self, decision: Decision) -> None:
        self.result.alerts.extend(decision.alerts)
        for event in decision.events:
            self.result.events[event.id] = event
            moment = Moment(
                event.assessed_at, event.assessment.risk, event.situation.heat, event.level
            )
            self.result.trail[event.id].append(moment)

    def _prepare(self, line: _Placed) -> Iterator[tuple[Position, DedupedMention]]:
        counts = self.result.counts
        counts["raw"] += 1
        intake = self._intake[line.position.partition]
        mentions = intake.process(line.value, position=line.position, received_at=None)
        if isinstance(mentions, Rejection):
            counts["dead-letter"] += 1
            self.result.rejections.append((line.number, mentions))
            return
        counts["irrelevant"] += not mentions
        for part, mention in enumerate(mentions):
            counts["accepted"] += 1
            step = self._dedupe[self._partition_of(mention.institution)]
            position = line.position._replace(part=part)
            deduped = step.process(mention, position=position)
            counts["repeat" if deduped is None else deduped.dedupe.value] += 1
            if deduped is not None:
                if deduped.dedupe is not DedupeKind.UPDATE:
                    self.result.mentions[mention.institution][minute_of(mention.published_at)] += 1
                yield position, deduped
