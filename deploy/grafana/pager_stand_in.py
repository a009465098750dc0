"""A stand-in for the pager: its metrics, with made-up values. It sends no page.

The test of the queries and the renderings replay two days in a minute or two; nobody acknowledges
a case in that time, so the numbers of the pager's panels are made up. They say nothing of a pager.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from wanglou.agents.embedded_broker import free_port

OUTCOMES = ("sent", "retried", "dead_lettered", "suppressed")
LEVELS = ("orange", "red")
RECEIVER = "stand-in"
STEP_SECONDS = 1.0
ROUND = 20
"""Steps after which the made-up values come again."""


class PagerStandIn:
    """The metrics, and what they say at each step."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._pages = Counter(
            "wanglou_pages", "Made up.", ["receiver", "outcome"], registry=registry
        )
        self._seconds = Histogram(
            "wanglou_page_seconds", "Made up.", ["receiver"], registry=registry
        )
        self._waiting = Gauge("wanglou_pages_waiting", "Made up.", ["receiver"], registry=registry)
        self._oldest_waiting = Gauge(
            "wanglou_page_oldest_waiting_timestamp_seconds",
            "Made up.",
            ["receiver"],
            registry=registry,
        )
        self._cases = Gauge(
            "wanglou_unacknowledged_cases", "Made up.", ["level"], registry=registry
        )
        self._oldest_case = Gauge(
            "wanglou_unacknowledged_oldest_timestamp_seconds",
            "Made up.",
            ["level"],
            registry=registry,
        )
        self._escalations = Counter(
            "wanglou_page_escalations", "Made up.", ["level"], registry=registry
        )
        self._acknowledgements = Histogram(
            "wanglou_acknowledgement_seconds",
            "Made up.",
            ["level"],
            buckets=(30, 60, 120, 300, 600, 900, 1800, 3600, 7200),
            registry=registry,
        )
        for outcome in OUTCOMES:
            self._pages.labels(RECEIVER, outcome)
        self.step(0)

    def step(self, number: int) -> None:
        """What is so at the step with this number."""
        phase, now = number % ROUND, time.time()
        waiting = phase % 4 == 1
        self._waiting.labels(RECEIVER).set(waiting)
        self._oldest_waiting.labels(RECEIVER).set(now if waiting else 0)
        if phase % 4 == 2:
            self._pages.labels(RECEIVER, "sent").inc()
            self._seconds.labels(RECEIVER).observe(0.4)
        if phase == ROUND - 1:
            self._pages.labels(RECEIVER, "retried").inc()
            self._pages.labels(RECEIVER, "suppressed").inc()
        for rank, level in enumerate(LEVELS, 1):
            cases = max(0, phase // (4 * rank) - rank + 1)
            self._cases.labels(level).set(cases)
            self._oldest_case.labels(level).set(now if cases else 0)
            if phase % (5 * rank) == 0:
                self._acknowledgements.labels(level).observe((240 + 30 * phase) / rank)
            if phase == 10 * rank - 1:
                self._escalations.labels(level).inc()


@contextlib.contextmanager
def running_stand_in() -> Iterator[str]:
    """Serve the metrics while the block runs; yields host and port."""
    stand_in, port, over = PagerStandIn(), free_port(), threading.Event()

    def go_on() -> None:
        number = 0
        while not over.wait(STEP_SECONDS):
            number += 1
            stand_in.step(number)

    server, _ = start_http_server(port, "127.0.0.1", stand_in.registry)
    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        over.set()
        thread.join()
        server.shutdown()
        server.server_close()
