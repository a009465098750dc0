"""Stop the worker before it drains a topic into the dead letters, as a bad deployment would.

Two tallies are kept for each partition of an agent's source:

- *failed*: messages that we cannot cope with, among those that could be read. Strict. These are
  ``failed`` and ``rejected-by-broker``, and where no stranger writes to the topic every reason. A
  stranger's message that cannot be read says nothing about us: it neither lengthens a run of
  failures nor ends it.
- *all*: every dead letter, among all messages. Lenient, as a stranger's mess costs nothing but
  room: this stops a worker that can read nothing any more (a wrong format, a contract of ours made
  too strict), not one whose feed is half rubbish.

Each has a longest run, and a highest ratio over a window of the last messages. A ratio counts only
once the window is full, so three bad ones of the first five stop nothing. Every message is judged
at its place, so it does not matter where one batch ends and the next begins.

The rule for restarts: a worker that stopped, or another that gets its partition, reads the same
messages again. Were the tallies fresh, each restart would put aside one more run, and the topic
would be drained after all; so it is with sentry's arroyo, after which this is made (fresh, it knows
only that the message before the committed offset may have been bad). Here the tallies are part of
the partition's state: written with its mark, restored with it. In a row, over all restarts and
workers, never more than the limit are put aside. A repaired worker goes on: one success ends the
run, and for a ratio what this worker itself has read must be too bad as well, not only the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from wanglou.schemas.dead_letter import Reason

FAILURES = frozenset({Reason.FAILED, Reason.REJECTED_BY_BROKER})
"""Reasons that are our own doing, whatever the message holds."""

SECTION = "dead_letters"
"""Section of the settings that holds the limits."""

SHOWN_CHARACTERS = 300
"""How much of the last error the message shows."""

Run = Annotated[int, Field(ge=1, le=1_000_000)]
Ratio = Annotated[float, Field(gt=0, le=1)]


class DeadLetterLimits(BaseModel):
    """How many messages of a partition may be put aside before the worker stops."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_consecutive_failed: Run = Field(
        50, description="Most messages in a row that may fail by our own fault."
    )
    max_failed_ratio: Ratio = Field(
        0.25, description="Highest share of them among the last readable ones; 1 is no limit."
    )
    max_consecutive: Run = Field(
        1000, description="Most messages in a row that may be put aside, for whatever reason."
    )
    max_ratio: Ratio = Field(
        0.9, description="Highest share of them among the last messages; 1 is no limit."
    )
    window_messages: Annotated[int, Field(ge=10, le=10_000)] = Field(
        1000, description="Length of the window of last messages; a ratio counts once it is full."
    )


class TooManyDeadLetters(RuntimeError):
    """So much of a partition would be put aside that the worker stops; the message says what,
    why, and what to do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message; without a ``reason`` it was processed."""

    partition: int
    offset: int
    reason: Reason | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """Which of the last messages were bad: one bit each, the newest lowest.

    >>> tally = Tally().add(True, window=4).add(False, window=4).add(True, window=4)
    >>> f"{tally.bits:b}", tally.messages, tally.run
    ('101', 3, 1)
    """

    bits: int = 0
    messages: int = 0
    run: int = 0
    """Bad ones in a row, up to the newest."""

    def add(self, bad: bool, window: int) -> Tally:
        """The tally with one more message."""
        bits = (self.bits << 1 | bad) & _ones(window)
        return Tally(bits, min(self.messages + 1, window), self.run + 1 if bad else 0)

    def ratio(self, messages: int) -> float:
        """Share of bad ones among the last ``messages``; 0 if there were not so many."""
        if not 0 < messages <= self.messages:
            return 0.0
        return (self.bits & _ones(messages)).bit_count() / messages


def _ones(count: int) -> int:
    return (1 << count) - 1


@dataclass(frozen=True, slots=True)
class History:
    """The tallies of a partition: what is kept with its state."""

    failed: Tally = Tally()
    all: Tally = Tally()


@dataclass(frozen=True, slots=True)
class _Held:
    """A history, and how many of its messages this worker has read itself."""

    history: History
    failed: int = 0
    all: int = 0


Judged = Mapping[int, _Held]
"""The tallies after a batch, by partition: from ``check`` for ``commit``."""


class DeadLetterLimit:
    """The limits over one agent's source.

    ``begin`` a partition when its state is restored. Then for each batch: ``check`` before the dead
    letters are sent (again, with the new outcomes, before the letters for what the broker refused),
    ``commit`` when they are acknowledged, and write ``history`` with the partition's state.
    """

    def __init__(
        self, agent: str, topic: str, limits: DeadLetterLimits, *, from_outside: bool
    ) -> None:
        """``from_outside``: strangers write to the topic."""
        self._agent = agent
        self._topic = topic
        self._limits = limits
        self._from_outside = from_outside
        self._held: dict[int, _Held] = {}

    def begin(self, partition: int, history: History) -> None:
        """Go on from what was kept of a partition."""
        self._held[partition] = _Held(history)

    def history(self, partition: int) -> History:
        """What to keep of a partition that was begun."""
        return self._held[partition].history

    def check(self, outcomes: Iterable[Outcome]) -> Judged:
        """The tallies after these outcomes, each partition's in the order of processing.

        Changes nothing. Raises ``TooManyDeadLetters``: then none of the batch may have an effect.
        """
        judged: dict[int, _Held] = {}
        for outcome in outcomes:
            held = judged.get(outcome.partition) or self._held[outcome.partition]
            held = judged[outcome.partition] = self._add(held, outcome)
            if outcome.reason is not None:
                self._judge(held, outcome, outcome.reason)
        return judged

    def commit(self, judged: Judged) -> None:
        """Keep what ``check`` returned."""
        self._held.update(judged)

    def _add(self, held: _Held, outcome: Outcome) -> _Held:
        window, bad = self._limits.window_messages, outcome.reason is not None
        every = held.history.all.add(bad, window)
        if outcome.reason is not None and not self._is_failure(outcome.reason):
            return _Held(History(held.history.failed, every), held.failed, held.all + 1)
        failed = held.history.failed.add(bad, window)
        return _Held(History(failed, every), held.failed + 1, held.all + 1)

    def _is_failure(self, reason: Reason) -> bool:
        return reason in FAILURES or not self._from_outside

    def _judge(self, held: _Held, outcome: Outcome, reason: Reason) -> None:
        limits, window = self._limits, self._limits.window_messages
        failed, every = held.history.failed, held.history.all
        failed_ratio = min(failed.ratio(window), failed.ratio(min(held.failed, window)))
        ratio = min(every.ratio(window), every.ratio(min(held.all, window)))
        if self._is_failure(reason) and failed.run > limits.max_consecutive_failed:
            found = f"{failed.run} messages in a row failed", "max_consecutive_failed"
        elif self._is_failure(reason) and failed_ratio > limits.max_failed_ratio:
            found = f"{failed_ratio:.0%} of the last readable messages failed", "max_failed_ratio"
        elif every.run > limits.max_consecutive:
            found = f"{every.run} messages in a row are dead letters", "max_consecutive"
        elif ratio > limits.max_ratio:
            found = f"{ratio:.0%} of the last messages are dead letters", "max_ratio"
        else:
            return
        raise TooManyDeadLetters(self._explain(outcome, reason, *found))

    def _explain(self, outcome: Outcome, reason: Reason, what: str, setting: str) -> str:
        return (
            f"agent {self._agent} stops at {self._topic}/{outcome.partition}/{outcome.offset}: "
            f"{what}, this one with {reason.value}: {outcome.error[:SHOWN_CHARACTERS]!r}. "
            "Look at wanglou dlq list, repair, restart; what was put aside comes back with wanglou "
            f"dlq replay. If such messages should be put aside, raise {SECTION}.{setting} "
            f"(now {getattr(self._limits, setting)})"
        )
