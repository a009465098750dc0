"""Every metric of a worker, defined once, each with its meaning.

No label has free values: ``deploy/prometheus/README.md`` says how many series a worker has at most.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from wanglou.schemas.dead_letter import Reason

LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The metrics of one worker, in a registry that the caller passes in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.messages_in = Counter(
            "wanglou_messages_in_total",
            "Messages that an agent has read and finished with.",
            ["agent"],
            registry=registry,
        )
        self.messages_out = Counter(
            "wanglou_messages_out_total",
            "Messages that an agent has written and the broker has acknowledged, by topic.",
            ["agent", "topic"],
            registry=registry,
        )
        self.outcomes = Counter(
            "wanglou_outcomes_total",
            "What became of messages: accepted, irrelevant, repeat, original, and so on.",
            ["agent", "outcome"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "wanglou_dead_letters_total",
            "Messages put aside because they could not be processed, by reason.",
            ["agent", "reason"],
            registry=registry,
        )
        self.step_latency = Histogram(
            "wanglou_step_latency_seconds",
            "From the broker's taking a message to the acknowledgement of what came of it.",
            ["agent"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.mention_latency = Histogram(
            "wanglou_raw_to_event_seconds",
            "From the broker's taking a raw mention to its being counted in its event.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.alert_latency = Histogram(
            "wanglou_raw_to_alert_seconds",
            "From the broker's taking the latest mention that an alert counts to the alert's "
            "acknowledgement; the end of the minute is awaited in between.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.batch_messages = Histogram(
            "wanglou_batch_messages",
            "Messages in a micro-batch.",
            ["agent"],
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self.batch_duration = Histogram(
            "wanglou_batch_seconds",
            "From having a micro-batch to having acknowledged it.",
            ["agent"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.lag = Gauge(
            "wanglou_lag_messages",
            "Messages of a partition that the agent has not finished with.",
            ["agent", "partition"],
            registry=registry,
        )
        self.model_duration = Histogram(
            "wanglou_model_seconds",
            "Time that the model takes for a micro-batch.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.model_texts = Counter(
            "wanglou_model_texts_total",
            "Mentions that were given to the model (equal texts are read once).",
            registry=registry,
        )
        self.state_entries = Gauge(
            "wanglou_state_entries",
            "Entries that an agent keeps for a partition.",
            ["agent", "partition"],
            registry=registry,
        )
        self.state_limit = Gauge(
            "wanglou_state_limit_entries",
            "Entries of a partition's state that the worker was planned for.",
            registry=registry,
        )
        self.waiting = Gauge(
            "wanglou_waiting_messages",
            "Messages of a partition that an agent has read and that wait for their turn.",
            ["agent", "partition"],
            registry=registry,
        )
        self.watermark = Gauge(
            "wanglou_watermark_timestamp_seconds",
            "Event time to which an agent has come on a partition; nothing earlier will follow.",
            ["agent", "partition"],
            registry=registry,
        )
        self.heartbeats = Counter(
            "wanglou_heartbeats_total",
            "Heartbeats written into raw partitions that were silent while others went on.",
            registry=registry,
        )
        self.stuck = Gauge(
            "wanglou_stuck_partitions",
            "Partitions of this worker that make no progress although there is something to do.",
            registry=registry,
        )
        self.restores = Counter(
            "wanglou_state_restores_total",
            "Partitions whose state was read back from its topic.",
            ["agent"],
            registry=registry,
        )
        self.send_retries = Counter(
            "wanglou_send_retries_total",
            "Messages that the broker did not acknowledge in time and that were sent again.",
            ["agent"],
            registry=registry,
        )
        self.open_events = Gauge(
            "wanglou_open_events",
            "Open events by level and risk topic, on the partitions of this worker.",
            ["level", "topic"],
            registry=registry,
        )
        self.institution_risk = Gauge(
            "wanglou_institution_risk",
            "Highest risk (0 to 100) of an institution's open events on this worker; 0 without.",
            ["institution"],
            registry=registry,
        )
        self.institution_mentions = Counter(
            "wanglou_institution_mentions_total",
            "Mentions counted in an institution's events, by whether they speak ill of it.",
            ["institution", "negative"],
            registry=registry,
        )
        self.topic_mentions = Counter(
            "wanglou_topic_mentions_total",
            "Mentions counted in events, by risk topic.",
            ["topic"],
            registry=registry,
        )
        self.build_info = Gauge(
            "wanglou_build_info",
            "Version of the program and of its rules; the value is always 1.",
            ["version", "rules"],
            registry=registry,
        )

    def begin(self, agent: str, outcomes: Iterable[str], topics: Iterable[str]) -> None:
        """Show an agent's counters from 0 on: a rate does not see how a series begins."""
        for counter in (self.messages_in, self.restores, self.send_retries):
            counter.labels(agent)
        for outcome in outcomes:
            self.outcomes.labels(agent, outcome)
        for reason in Reason:
            self.dead_letters.labels(agent, reason.value)
        for topic in topics:
            self.messages_out.labels(agent, topic)

    def forget_partitions(self) -> None:
        """Drop what was measured of partitions, which may be another worker's by now."""
        for gauge in (self.lag, self.state_entries, self.waiting, self.watermark):
            gauge.clear()
