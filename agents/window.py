"""How many raw mentions may be on their way at a time: the back-pressure of the whole pipeline.

An agent that reads several partitions keeps in memory what has to wait for the slowest of them. So
intake lets in no more of a raw partition than a window beyond what the last agent has done; the
rest waits in Kafka. The partition whose clock is least is never held up for good: nothing of it has
to wait for another one, so what was let in of it gets done.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from wanglou.agents.marks import MarkFollower
from wanglou.agents.settings import BrokerSettings
from wanglou.models.order import BEGINNING, Position
from wanglou.schemas.topics import Topic


class Window:
    """The messages of one raw partition that are on their way.

    ``done`` tells up to where the last agent has done everything.

    >>> done = Position(5, 0, 7, 0)
    >>> window = Window(2, lambda: done)
    >>> window.let_in(Position(5, 0, 7, 0)); window.let_in(Position(6, 0, 8, 0)); window.is_full()
    False
    >>> window.let_in(Position(6, 0, 9, 0)); window.is_full()
    True
    >>> done = Position(6, 0, 8, 0); window.is_full()
    False
    """

    def __init__(self, messages: int, done: Callable[[], Position]) -> None:
        self._messages = messages
        self._done = done
        self._under_way: deque[Position] = deque()

    def let_in(self, position: Position) -> None:
        """Note that a message is on its way; in the order of positions."""
        self._under_way.append(position)

    def is_full(self) -> bool:
        """Whether no other message may be let in."""
        if len(self._under_way) >= self._messages:
            done = self._done()
            while self._under_way and self._under_way[0] <= done:
                self._under_way.popleft()
        return len(self._under_way) >= self._messages


async def follow_last_agent(
    broker: BrokerSettings, state_topic: Topic, tell: Callable[[Position], None]
) -> None:
    """Tell up to where all partitions of the last agent have done everything, until cancelled."""
    async with MarkFollower(broker, state_topic) as follower:
        frontiers = dict.fromkeys(range(follower.partitions), BEGINNING)
        async for number, mark in follower.marks(math.inf):
            frontiers[number] = max(frontiers[number], mark.frontier)
            tell(min(frontiers.values()))
