"""Every metric of the archive's process, defined once, each with its meaning."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge

from wanglou.agents.archive.entries import Kind
from wanglou.models.response.case_file import CaseFile
from wanglou.schemas.risk import Level


class ArchiveMetrics:
    """The metrics of one process, in a registry that the caller passes in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.records = Counter(
            "wanglou_archive_records_total",
            "Records written to the ledger, by kind.",
            ["kind"],
            registry=registry,
        )
        for kind in Kind:
            self.records.labels(kind.value)
        self.refusals = Counter(
            "wanglou_responses_refused_total",
            "Responses that their case, or the role of who acted, does not allow.",
            registry=registry,
        )
        self.unevaluated = Counter(
            "wanglou_archive_unevaluated_total",
            "Cases whose measures could not be evaluated; the log says why.",
            registry=registry,
        )
        self.time = Gauge(
            "wanglou_archive_event_timestamp_seconds",
            "The event time up to which all is recorded and evaluated.",
            registry=registry,
        )
        self._up = Gauge(
            "wanglou_archive_database_up",
            "1 while the database answers, 0 while it is gone, full or locked.",
            registry=registry,
        )
        self.overdue = Gauge(
            "wanglou_overdue_tasks",
            "Tasks of open cases that are past their deadline in event time, by the case's level; "
            "none once it is resolved.",
            ["level"],
            registry=registry,
        )
        self.overdue_oldest = Gauge(
            "wanglou_overdue_task_oldest_seconds",
            "How long the oldest of them is past its deadline; 0 for none.",
            registry=registry,
        )

    @property
    def is_up(self) -> bool:
        """Whether the database answered when it was last asked."""
        return self._is_up

    @is_up.setter
    def is_up(self, up: bool) -> None:
        self._is_up = up
        self._up.set(up)

    _is_up = False

    def show_overdue(self, cases: Iterable[CaseFile], now: datetime) -> None:
        """Set the gauges of overdue tasks."""
        counts: Counts[str] = Counts()
        oldest = 0.0
        for case in cases:
            for task in case.overdue(now):
                counts[_level(case.level)] += 1
                oldest = max(oldest, (now - task.due_at).total_seconds())
        for level in (None, *Level):
            self.overdue.labels(_level(level)).set(counts[_level(level)])
        self.overdue_oldest.set(oldest)


def _level(level: Level | None) -> str:
    return "none" if level is None else level.label
