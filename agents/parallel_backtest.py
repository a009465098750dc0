"""A back-test on several cores: each takes its share of the institutions."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from wanglou.agents.kafka import partition_of
from wanglou.models.backtest import WHOLE, Backtest, BacktestResult, Share
from wanglou.models.opinion import OpinionModel
from wanglou.models.rules import Rules

SELDOM = 100_000
"""Objects that came and did not go before Python looks for cycles among them; 700 are usual."""

THREADS = 16_384
"""Roots whose partition is remembered for their answers."""


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Let Python seldom look for cycles: a state of a million objects has none, and it is looked
    through again and again as it grows."""
    before = gc.get_threshold()
    gc.set_threshold(SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@dataclass(frozen=True)
class Recording:
    """A recorded stream, and what it is taken through."""

    file: Path
    rules: Rules
    model: OpinionModel
    author_key: bytes = field(repr=False)
    partitions: int

    @_seldom_collecting()
    def run(
        self, share: Share, advance: Callable[[int], None] = lambda lines: None
    ) -> BacktestResult:
        """What comes of a share; ``advance`` is told how many lines each batch had."""
        place = lru_cache(THREADS)(partial(partition_of, partitions=self.partitions))
        test = Backtest(self.rules, self.model, self.author_key, place, share)
        with self.file.open("rb") as lines:
            for count in test.feed(lines):
                advance(count)
        return test.result


@_seldom_collecting()
def run_parallel(recording: Recording, jobs: int, advance: Callable[[int], None]) -> BacktestResult:
    """The same as with one process, whatever ``jobs``; the model must be one that can be pickled.

    This process takes a share too, and tells of its own lines: all shares are about as long.
    """
    if jobs == 1:
        return recording.run(WHOLE, advance)
    # a fork would take along locks that another thread of this process may hold
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs - 1, mp_context=spawn) as pool:
        shares = [Share(number, jobs) for number in range(1, jobs)]
        others = [pool.submit(recording.run, share) for share in shares]
        result = recording.run(Share(0, jobs), advance)
        for other in others:
            result.add(other.result())
    return result
