"""For consumers of alerts and events: drop what was read before. Needs neither Kafka nor Faust.

Delivery is at least once: after a crash some messages are written again. An alert's id derives from
the transition that it tells, so a repeat has the same id and the same bytes. An event is written
whole each time, so what counts is its latest ``assessed_at``; a repeat steps back for a moment.

These helpers forget at the end of the process. For an effect that must happen once, whatever
crashes, keep the ids where the effect is, and in the same transaction::

    CREATE TABLE alerts (alert_id text PRIMARY KEY, …);
    INSERT INTO alerts (alert_id, …) VALUES (…) ON CONFLICT (alert_id) DO NOTHING;

and commit the offset only afterwards. For events the same with the time::

    INSERT INTO events (event_id, assessed_at, …) VALUES (…)
    ON CONFLICT (event_id) DO UPDATE SET assessed_at = EXCLUDED.assessed_at, …
    WHERE events.assessed_at < EXCLUDED.assessed_at;
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime


class Repeats:
    """The ids of what was dealt with: the last ``limit`` of them, the least recently met go first.

    Ask before acting and remember afterwards: an act that failed is then tried again. 100,000 ids
    of alerts take about 25 MB. Raises ``ValueError`` for a limit below 1. Not for several threads.

    >>> repeats, acted = Repeats(), []
    >>> for id in ("a", "b", "a"):
    ...     if not repeats.is_repeat(id):
    ...         acted.append(id)
    ...         repeats.remember(id)
    >>> acted
    ['a', 'b']
    """

    def __init__(self, limit: int = 100_000) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self._limit = limit
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ids)

    def is_repeat(self, id: str) -> bool:
        """Whether an id is remembered; it is then kept longer."""
        if id not in self._ids:
            return False
        self._ids.move_to_end(id)
        return True

    def remember(self, id: str) -> None:
        """What has this id was dealt with."""
        self._ids[id] = None
        self._ids.move_to_end(id)
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)


class LatestEvents:
    """The latest ``assessed_at`` of each event: one for each institution and risk topic.

    >>> from datetime import UTC, datetime
    >>> events, at = LatestEvents(), datetime(2026, 3, 2, 9, tzinfo=UTC)
    >>> events.is_news("hexing-bank.run", at), events.is_news("hexing-bank.run", at)
    (True, False)
    >>> events.is_news("hexing-bank.run", at.replace(minute=1))
    True
    >>> events.is_news("hexing-bank.run", at)
    False
    """

    def __init__(self) -> None:
        self._latest: dict[str, datetime] = {}

    def is_news(self, id: str, assessed_at: datetime) -> bool:
        """Whether a state of an event is later than every one before; it is then the latest.

        Raises ``TypeError`` for a time without an offset beside one that has it.
        """
        latest = self._latest.get(id)
        if latest is not None and assessed_at <= latest:
            return False
        self._latest[id] = assessed_at
        return True
