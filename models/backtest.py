"""The whole way of a mention without a broker: the same steps, over a recorded stream."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice

from wanglou.models.dedupe import DedupeStep
from wanglou.models.intake import IntakeStep, Rejection, raw_key
from wanglou.models.opinion import OpinionModel
from wanglou.models.risk import RiskStep
from wanglou.models.rules import Rules
from wanglou.models.scoring import ScoringStep
from wanglou.schemas.mention import DedupedMention
from wanglou.schemas.risk import Alert, Event

BATCH = 512
"""Lines that are taken through a step before the next step: batches for the model."""

PartitionOf = Callable[[str], int]


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


class Backtest:
    """Takes recorded raw mentions through intake, dedupe, scoring and risk.

    Keys lie on the partitions on which Kafka would put them, so that each step sees the threads,
    institutions and clocks that its agent sees.
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
        self._offsets = count()

    def feed(self, lines: Iterable[bytes]) -> Iterator[int]:
        """Take lines through all steps; yields how many lines each batch had."""
        numbered = ((number, line.rstrip(b"\r\n")) for number, line in enumerate(lines, 1))
        while batch := list(islice(numbered, BATCH)):
            deduped = [mention for number, line in batch for mention in self._prepare(number, line)]
            for mention in self._scoring.process(deduped):
                self.result.counts["scored"] += 1
                step = self._risk[self._partition_of(mention.institution)]
                decision = step.process(mention, offset=next(self._offsets))
                self.result.alerts.extend(decision.alerts)
                self.result.events.update((event.id, event) for event in decision.events)
            yield len(batch)

    def _prepare(self, number: int, line: bytes) -> Iterator[DedupedMention]:
        counts = self.result.counts
        counts["raw"] += 1
        intake = self._intake[self._partition_of(raw_key(line) or "")]
        mentions = intake.process(line, offset=next(self._offsets), received_at=None)
        if isinstance(mentions, Rejection):
            counts["dead-letter"] += 1
            self.result.rejections.append((number, mentions))
            return
        counts["irrelevant"] += not mentions
        for mention in mentions:
            counts["accepted"] += 1
            step = self._dedupe[self._partition_of(mention.institution)]
            deduped = step.process(mention, offset=next(self._offsets))
            counts["repeat" if deduped is None else deduped.dedupe.value] += 1
            if deduped is not None:
                yield deduped
