"""A receiver on this machine that shows what it was told, and misbehaves on purpose: for tests."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic_core import from_json


@dataclass(frozen=True, slots=True)
class Told:
    """A request that was answered with 200."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """Its JSON."""
        return from_json(self.raw)


@dataclass(frozen=True, slots=True)
class Answer:
    """How to answer a request; ``close``: with a closed connection, after it was taken."""

    status: int = 200
    body: str = '{"errcode": 0, "code": 0}'
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    close: bool = False


class LocalReceiver:
    """An HTTP server on the loopback address."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.requests = 0
        self.answers: deque[Answer] = deque()
        """For the next requests; then ``otherwise``."""
        self.otherwise = Answer()
        app = web.Application(client_max_size=2**22)
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app)
        self.url = ""

    async def __aenter__(self) -> LocalReceiver:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.requests += 1
        answer = self.answers.popleft() if self.answers else self.otherwise
        raw = await request.read()
        if answer.seconds:
            await asyncio.sleep(answer.seconds)
        if answer.status == 200:
            told = Told(request.path, dict(request.query), dict(request.headers), raw)
            self.told.append(told)
        if answer.close and request.transport is not None:
            request.transport.abort()
        return web.Response(status=answer.status, text=answer.body, headers=dict(answer.headers))
