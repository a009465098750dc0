"""Every metric of the pager, defined once, each with its meaning."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PAGE_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
ACKNOWLEDGEMENT_BUCKETS = (30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


class PagerMetrics:
    """The metrics of one pager, in a registry that the caller passes in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.pages = Counter(
            "wanglou_pages_total",
            "Pages by what became of them: sent, retried (an attempt failed), dead_lettered, "
            "suppressed (told in a summary, or over before it was told).",
            ["receiver", "outcome"],
            registry=registry,
        )
        self.page_duration = Histogram(
            "wanglou_page_seconds",
            "From the broker's taking an alert to its delivery.",
            ["receiver"],
            buckets=PAGE_BUCKETS,
            registry=registry,
        )
        self.waiting = Gauge(
            "wanglou_pages_waiting",
            "Pages that a receiver has not got yet; those that wait for the morning included.",
            ["receiver"],
            registry=registry,
        )
        self.oldest_waiting = Gauge(
            "wanglou_page_oldest_waiting_timestamp_seconds",
            "Since when the oldest page waits that is not held for the morning; 0 for none.",
            ["receiver"],
            registry=registry,
        )
        self.unacknowledged = Gauge(
            "wanglou_unacknowledged_cases",
            "Open cases at orange or red that nobody has acknowledged.",
            ["level"],
            registry=registry,
        )
        self.unacknowledged_oldest = Gauge(
            "wanglou_unacknowledged_oldest_timestamp_seconds",
            "Since when the oldest of them waits for somebody; 0 for none.",
            ["level"],
            registry=registry,
        )
        self.escalations = Counter(
            "wanglou_page_escalations_total",
            "Times that the next person was called because nobody had acknowledged.",
            ["level"],
            registry=registry,
        )
        self.acknowledgement_duration = Histogram(
            "wanglou_acknowledgement_seconds",
            "From a case's rise to orange or red to somebody's acknowledgement.",
            ["level"],
            buckets=ACKNOWLEDGEMENT_BUCKETS,
            registry=registry,
        )
