"""Every metric says what it means, in the words of Prometheus."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from wanglou.agents.metrics import Metrics

UNITS = ("_seconds", "_bytes", "_messages", "_entries", "_events", "_partitions", "_risk", "_info")


def collectors() -> list[Any]:
    found = vars(Metrics(CollectorRegistry())).values()
    return [one for one in found if isinstance(one, MetricWrapperBase)]


def families() -> list[tuple[str, str, str]]:
    """Name, type and help as they are exposed."""
    described = [family for one in collectors() for family in one.describe()]
    return [
        (one.name + ("_total" if one.type == "counter" else ""), one.type, one.documentation)
        for one in described
    ]


each_metric = pytest.mark.parametrize(
    ("name", "kind", "meaning"), families(), ids=[name for name, _, _ in families()]
)


def test_all_metrics_are_found_and_registered() -> None:
    metrics = Metrics(CollectorRegistry())
    assert len(list(metrics.registry.collect())) == len(collectors()) > 10
    assert len({name for name, _, _ in families()}) == len(families())


@each_metric
def test_the_help_is_a_sentence(name: str, kind: str, meaning: str) -> None:
    assert meaning.endswith(".")
    assert meaning[0].isupper()
    assert len(meaning.split()) >= 3


@each_metric
def test_the_name_has_the_prefix_and_a_unit(name: str, kind: str, meaning: str) -> None:
    assert re.fullmatch(r"wanglou(_[a-z]+)+", name)
    assert name.endswith(("_total",) if kind == "counter" else UNITS)


@each_metric
def test_labels_are_few_and_known(name: str, kind: str, meaning: str) -> None:
    """A label with free values (an id, a text) would make endless time series."""
    known = {"agent", "topic", "outcome", "reason", "partition", "level"}
    known |= {"institution", "negative", "version", "rules"}
    for one in collectors():
        assert set(one._labelnames) <= known


def test_two_workers_in_one_process_do_not_share_metrics() -> None:
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    first.model_texts.inc()
    assert second.registry.get_sample_value("wanglou_model_texts_total") == 0
