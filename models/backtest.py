"""The whole way of a mention without a broker: the same steps, over a recorded stream."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby, islice
from typing import Any, TypeVar

from wanglou.models.dedupe import DedupeStep
from wanglou.models.intake import IntakeStep, Rejection, SenderClock, fields_of, raw_key
from wanglou.models.moment import Moment
from wanglou.models.opinion import OpinionModel
from wanglou.models.order import BEGINNING, Position, before
from wanglou.models.risk import Decision, RiskStep
from wanglou.models.rules import Rules
from wanglou.models.scoring import ScoringStep
from wanglou.models.state import KeyedState
from wanglou.schemas.base import minute_of
from wanglou.schemas.mention import DedupedMention, DedupeKind, ScoredMention
from wanglou.schemas.risk import Alert, Event

BATCH = 512
"""Lines that are taken through a step before the next step: batches for the model."""

PartitionOf = Callable[[str], int]

V = TypeVar("V")


@dataclass
class BacktestResult:
    """What came of a recorded stream."""

    counts: Counter[str] = field(default_factory=Counter)
    """Messages at each step, by the names that the metrics use."""
    rejections: list[tuple[int, Rejection]] = field(default_factory=list)
    """Line numbers, from 1, of what was no mention."""
    alerts: list[Alert] = field(default_factory=list)
    """By time, then event."""
    events: dict[str, Event] = field(default_factory=dict)
    """Latest state of each event that was ever open, by id."""
    mentions: defaultdict[str, Counter[int]] = field(default_factory=partial(defaultdict, Counter))
    """Mentions of each institution, without counter updates, by the event minute of publication."""
    trail: defaultdict[str, list[Moment]] = field(default_factory=partial(defaultdict, list))
    """How each event went while it was open, by id."""

    def add(self, other: BacktestResult) -> None:
        """Take in what came of other institutions in the same stream."""
        self.counts += other.counts
        self.rejections = sorted([*self.rejections, *other.rejections], key=lambda one: one[0])
        self.alerts = sorted([*self.alerts, *other.alerts], key=_order)
        self.events |= other.events
        self.mentions |= other.mentions
        self.trail |= other.trail


def _order(alert: Alert) -> tuple[datetime, str, int]:
    return alert.decided_at, alert.event_id, alert.sequence


@dataclass(frozen=True, slots=True)
class Share:
    """Every ``of``-th institution of the watch list, and every ``of``-th line, from ``number`` on.

    A mention's way does not depend on what is said of other institutions, so shares can be taken
    through the pipeline apart, on a core each. Only intake must see every line, as an answer finds
    its institution by what it answers.
    """

    number: int = 0
    of: int = 1

    def has(self, index: int) -> bool:
        """Whether an institution or a line, by its index, is in the share."""
        return index % self.of == self.number


WHOLE = Share()


@dataclass(slots=True)
class _Line:
    """A line, by its index, with its position, and what dedupe made of it."""

    index: int
    value: bytes
    position: Position
    deduped: Sequence[tuple[Position, DedupedMention]] = ()


class Backtest:
    """Takes recorded raw mentions through intake, dedupe, scoring and risk.

    Keys lie on the partitions on which Kafka would put them, so that each step sees the threads,
    institutions and near-duplicates that its agent sees, in the order in which it sees them.
    """

    def __init__(
        self,
        rules: Rules,
        model: OpinionModel,
        author_key: bytes,
        partition_of: PartitionOf,
        share: Share = WHOLE,
    ) -> None:
        self.result = BacktestResult()
        self._share = share
        self._partition_of = partition_of
        self._partitions = {
            one.id: partition_of(one.id)
            for index, one in enumerate(rules.watchlist.institutions)
            if share.has(index)
        }
        self._scoring = ScoringStep(rules.watchlist, rules.taxonomy, model)
        self._states: list[KeyedState[Any]] = []
        self._intake = defaultdict[int, IntakeStep](
            lambda: rules.intake_step(author_key, self._kept(rules.intake_state()))
        )
        self._dedupe = defaultdict[int, DedupeStep](
            lambda: rules.dedupe_step(self._kept(rules.dedupe_state()))
        )
        self._risk = defaultdict[int, RiskStep](
            lambda: rules.risk_step(self._kept(rules.risk_state()), takes_snapshots=False)
        )
        self._clock = SenderClock()
        self._closed = BEGINNING.minute
        self._last = BEGINNING.minute
        """The minute that the present batch of lines comes to."""

    def feed(self, lines: Iterable[bytes]) -> Iterator[int]:
        """Take lines through all steps; yields how many lines each batch had."""
        ordered = self._in_order(line.rstrip(b"\r\n") for line in lines)
        while batch := list(islice(ordered, BATCH)):
            self._last = batch[-1].position.minute
            for line in batch:
                line.deduped = list(self._prepare(line))
            mentions = [mention for line in batch for _, mention in line.deduped]
            scored = iter(self._scoring.process(mentions))
            for line in batch:
                self._close(line.position)
                for position, _ in line.deduped:
                    self._judge(next(scored), position)
            for state in self._states:
                state.changes()  # nobody keeps them
            yield len(batch)
        self.result.alerts.sort(key=_order)

    def _kept(self, state: KeyedState[V]) -> KeyedState[V]:
        self._states.append(state)
        return state

    def _in_order(self, values: Iterable[bytes]) -> Iterator[_Line]:
        """The lines in the order of their positions: by clock, then raw partition and offset."""
        placed = (self._place(index, value) for index, value in enumerate(values))
        for _, same_clock in groupby(placed, lambda line: line.position.time):
            yield from sorted(same_clock, key=lambda line: line.position)

    def _place(self, index: int, value: bytes) -> _Line:
        fields = fields_of(value)
        clock = self._clock.after(fields, datetime.now(UTC))
        partition = self._partition_of(raw_key(fields) or "")
        time = BEGINNING.time if clock is None else clock
        # offsets may have gaps: the index of the line orders a partition's as well
        return _Line(index, value, Position(time, partition, index, 0))

    def _prepare(self, line: _Line) -> Iterator[tuple[Position, DedupedMention]]:
        """Intake and dedupe."""
        counts, mine = self.result.counts, self._share.has(line.index)
        counts["raw"] += mine
        intake = self._intake[line.position.partition]
        reading = intake.read(line.value, position=line.position, received_at=None)
        if isinstance(reading, Rejection):
            if mine:
                counts["dead-letter"] += 1
                self.result.rejections.append((line.index + 1, reading))
            return
        counts["irrelevant"] += mine and not reading.institutions
        for part, institution in enumerate(reading.institutions):
            partition = self._partitions.get(institution)
            if partition is None:
                continue
            counts["accepted"] += 1
            mention = intake.mention(reading, institution)
            position = line.position._replace(part=part) if part else line.position
            deduped = self._dedupe[partition].process(mention, position=position)
            counts["repeat" if deduped is None else deduped.dedupe.value] += 1
            if deduped is not None:
                if deduped.dedupe is not DedupeKind.UPDATE:
                    self.result.mentions[institution][minute_of(mention.published_at)] += 1
                yield position, deduped

    def _close(self, position: Position) -> None:
        """Close the minutes before a position."""
        if position.minute > self._closed:
            self._closed = position.minute
            for step in self._risk.values():
                self._keep(step, step.close(before(position.time)))

    def _judge(self, mention: ScoredMention, position: Position) -> None:
        """Risk."""
        step = self._risk[self._partitions[mention.institution]]
        self.result.counts["scored"] += 1
        step.process(mention, position=position)  # closes nothing: all minutes before are closed

    def _keep(self, step: RiskStep, decision: Decision) -> None:
        """Keep what a close brought. Only the latest snapshot of an event is wanted: that of its
        end, or of the last close; this may be the last of each batch."""
        self.result.alerts.extend(decision.alerts)
        for one in decision.assessed:
            self.result.trail[one.id].append(Moment.assessed(one))
            if one.level is None or self._closed == self._last:
                self.result.events[one.id] = step.snapshot(one)
