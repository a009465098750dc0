"""A gate before each batch: closed while partitions change hands, and for good at the end."""

from __future__ import annotations

import asyncio


class Gate:
    """Lets one batch through at a time, as long as it is open. Of one event loop.

    >>> async def passing() -> str:
    ...     gate = Gate()
    ...     async with gate:
    ...         closing = asyncio.create_task(gate.close())
    ...         await asyncio.sleep(0)
    ...         during = closing.done()
    ...     await closing
    ...     return f"closed during the batch: {during}, after it: {closing.done()}"
    >>> asyncio.run(passing())
    'closed during the batch: False, after it: True'
    """

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._empty = asyncio.Event()
        self._empty.set()

    async def __aenter__(self) -> None:
        await self._open.wait()
        self._empty.clear()

    async def __aexit__(self, *reason: object) -> None:
        self._empty.set()

    async def close(self) -> None:
        """Let no batch begin until `open`, and wait for the end of the one in work."""
        self._open.clear()
        await self._empty.wait()

    def open(self) -> None:
        """Let batches begin again."""
        self._open.set()
