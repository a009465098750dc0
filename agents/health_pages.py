"""An HTTP server with what a supervisor and Prometheus ask for: metrics, health, readiness."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


class HealthPages:
    """``/metrics``, ``/healthz`` and ``/readyz``. Whoever has more pages adds them to ``app``."""

    def __init__(self, metrics: Callable[[], CollectorRegistry], ready: Callable[[], bool]) -> None:
        self._metrics = metrics
        self._ready = ready
        self.app = web.Application(client_max_size=4096)
        self.app.router.add_get("/metrics", self._show_metrics)
        self.app.router.add_get("/healthz", self._show_health)
        self.app.router.add_get("/readyz", self._show_ready)
        self._runner = web.AppRunner(self.app, access_log=None)  # a log could have secret links

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises ``OSError``."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    async def stop(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    async def _show_metrics(self, request: web.Request) -> web.Response:
        body = generate_latest(self._metrics())
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _show_health(self, request: web.Request) -> web.Response:
        return web.json_response({"healthy": True})

    async def _show_ready(self, request: web.Request) -> web.Response:
        ready = self._ready()
        return web.json_response({"ready": ready}, status=200 if ready else 503)
