"""Which partitions make no progress although there is something to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a partition's reader has come.

    ``committed`` is the first offset that is not finished; where nothing was ever committed, or
    what was is no longer kept, the partition's first offset. ``end`` is where it ends now.
    ``waits`` says for what, if the agent holds messages back on purpose.
    """

    committed: int
    end: int
    waits: str | None = None


@dataclass(frozen=True, slots=True)
class Stuck:
    """A partition that makes no progress, for ``seconds`` so far."""

    partition: str
    seconds: float
    reading: Reading

    def __str__(self) -> str:
        reading = self.reading
        why = f", {reading.waits}" if reading.waits else ""
        return (
            f"{self.partition}: stands at {reading.committed} of {reading.end} "
            f"for {self.seconds:.0f} s{why}"
        )


@dataclass(slots=True)
class _Stand:
    """Where a partition stands, since when, and since when it does not even wait."""

    committed: int
    since: float
    free_since: float


class ProgressWatch:
    """Finds the partitions whose committed offset stands below their end.

    One is stuck after ``stuck_seconds``, and after ``waiting_seconds`` if it waits: for that it may
    have a good reason, but not for ever. The end need not move meanwhile, a backlog is enough. The
    time begins anew when the committed offset moves, when nothing is left, and when the partition
    is assigned; for ``stuck_seconds`` also when a wait is over.
    """

    def __init__(self, stuck_seconds: float, waiting_seconds: float) -> None:
        self._stuck_seconds = stuck_seconds
        self._waiting_seconds = waiting_seconds
        self._stands: dict[str, _Stand] = {}

    def observe(self, readings: Mapping[str, Reading], now: float) -> list[Stuck]:
        """The partitions stuck at ``now`` (seconds of any clock that only goes on), by name.

        ``readings`` are those assigned; any other is forgotten.

        >>> watch = ProgressWatch(stuck_seconds=60, waiting_seconds=600)
        >>> watch.observe({"raw/0": Reading(7, 9)}, now=0)
        []
        >>> [str(one) for one in watch.observe({"raw/0": Reading(7, 12)}, now=60)]
        ['raw/0: stands at 7 of 12 for 60 s']
        """
        self._stands = {one: self._stand(one, readings[one], now) for one in sorted(readings)}
        return [
            Stuck(one, now - stand.since, readings[one])
            for one, stand in self._stands.items()
            if now - stand.free_since >= self._stuck_seconds
            or now - stand.since >= self._waiting_seconds
        ]

    def _stand(self, partition: str, reading: Reading, now: float) -> _Stand:
        stand = self._stands.get(partition)
        done = reading.committed >= reading.end
        if stand is None or done or stand.committed != reading.committed:
            return _Stand(reading.committed, now, now)
        if reading.waits is not None:
            stand.free_since = now
        return stand
