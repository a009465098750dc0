"""A real Prometheus with the rules of deploy/prometheus, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from wanglou.agents.embedded_broker import free_port
from wanglou.agents.program import prometheus

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules"
SCRAPE_SECONDS = 1
READY_SECONDS = 120.0
POLL_SECONDS = 0.2

Labels = Mapping[str, str]


class QueryError(ValueError):
    """Prometheus does not understand an expression; the message says why."""


class Prometheus:
    """What a running Prometheus answers."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: object) -> Any:
        """The data of an answer of its HTTP API. Raises ``QueryError``."""
        encoded = urllib.parse.urlencode(parameters, doseq=True)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{encoded}", timeout=30) as got:
                return json.load(got)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(f"{error.code}: {error.read().decode()}") from None

    def now(self, query: str) -> list[tuple[Labels, float]]:
        """The series of a query now: labels without the name, and value."""
        found = self.ask("query", query=query)["result"]
        return [(_without_name(one["metric"]), float(one["value"][1])) for one in found]

    def over_time(
        self, query: str, start: float, end: float, step: float = SCRAPE_SECONDS
    ) -> list[tuple[Labels, list[tuple[float, float]]]]:
        """The series of a query between two times: labels, and finite values by time."""
        found = self.ask("query_range", query=query, start=start, end=end, step=step)["result"]
        return [(_without_name(one["metric"]), finite(one["values"])) for one in found]

    def rules(self) -> list[dict[str, Any]]:
        """All rules as Prometheus evaluates them."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]


def finite(samples: list[tuple[float, str]]) -> list[tuple[float, float]]:
    """Those of a range's samples that are finite."""
    read = [(at, float(value)) for at, value in samples]
    return [(at, value) for at, value in read if math.isfinite(value)]


def _without_name(labels: dict[str, str]) -> Labels:
    return {name: value for name, value in labels.items() if name != "__name__"}


@contextlib.contextmanager
def running_prometheus(folder: Path, targets: list[str]) -> Iterator[Prometheus]:
    """Scrape the targets each second, as job ``wanglou``, and evaluate the rules as often.

    Raises ``ProgramMissing``, and ``ProgramFailed`` if it is not ready in two minutes.
    """
    every = f"{SCRAPE_SECONDS}s"
    configuration = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(RULES / "*.yml")],
        "scrape_configs": [{"job_name": "wanglou", "static_configs": [{"targets": targets}]}],
    }
    written = folder / "prometheus.yml"
    written.write_text(yaml.safe_dump(configuration))
    with prometheus(written, folder, free_port(), READY_SECONDS) as url:
        yield Prometheus(url)
