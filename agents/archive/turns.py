"""Alerts and responses of a partition in one order: that in which the broker took them.

A response is about a case as it was then: whoever archives a year anew must not meet the first
response after the last alert. So of both the earlier comes first, and one whose other side is not
known to be later waits for it.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar


class Timed(Protocol):
    """A record of a topic."""

    @property
    def timestamp(self) -> int:
        """When the broker took it, in milliseconds."""


R = TypeVar("R", bound=Timed)


class Turns(Generic[R]):
    """The records of one partition that wait for their turn.

    >>> from types import SimpleNamespace as At
    >>> turns = Turns()
    >>> turns.alerts.append(At(timestamp=5)); turns.responses.append(At(timestamp=7))
    >>> [one.timestamp for one in turns.release(alerts_end=False, responses_end=True)]
    [5]
    >>> [one.timestamp for one in turns.release(alerts_end=True, responses_end=True)]
    [7]
    """

    def __init__(self) -> None:
        self.alerts: deque[R] = deque()
        self.responses: deque[R] = deque()

    def release(self, *, alerts_end: bool, responses_end: bool) -> list[R]:
        """Those whose turn has come; ``…_end``: nothing more stands in that topic now."""
        released: list[R] = []
        while self.alerts or self.responses:
            if not self.responses:
                if not responses_end:
                    break
                released.append(self.alerts.popleft())
            elif not self.alerts:
                if not alerts_end:
                    break
                released.append(self.responses.popleft())
            elif self.alerts[0].timestamp <= self.responses[0].timestamp:
                released.append(self.alerts.popleft())
            else:
                released.append(self.responses.popleft())
        return released
