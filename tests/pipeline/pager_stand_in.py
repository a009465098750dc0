"""A stand-in for the pager: its metrics with made-up values. It sends no page.

It shows pages that come and go, one receiver that fails, and one case that nobody acknowledges.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server

from wanglou.agents.embedded_broker import free_port
from wanglou.agents.pager_metrics import PagerMetrics

RECEIVERS = ("alertmanager", "dingtalk")
OUTCOMES = ("sent", "retried", "dead_lettered", "suppressed")
LEVELS = ("orange", "red")
STEP_SECONDS = 2.0


class PagerStandIn(PagerMetrics):
    """The pager's metrics, and what moves them here."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry())
        for receiver in RECEIVERS:
            for outcome in OUTCOMES:
                self.pages.labels(receiver, outcome)
        for level in LEVELS:
            self.escalations.labels(level)
            self.acknowledgement_duration.labels(level)

    def move(self, number: int) -> None:
        """What happens at a step, from 0 on."""
        for receiver in RECEIVERS:
            fails = receiver == "dingtalk" and number % 5 == 0
            self.pages.labels(receiver, "retried" if fails else "sent").inc()
            self.page_duration.labels(receiver).observe(0.3)
            self.waiting.labels(receiver).set(fails)
            self.oldest_waiting.labels(receiver).set(time.time() if fails else 0)
        if number % 6 == 2:
            self.acknowledgement_duration.labels("orange").observe(240 + 60 * (number % 7))
        if number % 10 == 4:
            self.escalations.labels("red").inc()
            self.acknowledgement_duration.labels("red").observe(420)
        self.unacknowledged.labels("orange").set(number % 6 < 2)
        self.unacknowledged.labels("red").set(number % 10 < 4)
        for level in LEVELS:
            self.unacknowledged_oldest.labels(level).set(time.time())


@contextlib.contextmanager
def running_pager_stand_in() -> Iterator[str]:
    """Serve the metrics while the block runs; yields where."""
    pager, ended, port = PagerStandIn(), threading.Event(), free_port()

    def live() -> None:
        number = 0
        while not ended.is_set():
            pager.move(number)
            number += 1
            ended.wait(STEP_SECONDS)

    server, served = start_http_server(port, "127.0.0.1", pager.registry)
    moved = threading.Thread(target=live)
    moved.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        served.join()
        moved.join()
