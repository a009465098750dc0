"""A real Prometheus, with the committed rules, for the test of the queries and for renderings."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from wanglou.agents.embedded_broker import free_port

CONFIGURATION = Path(__file__).resolve().parents[1] / "prometheus" / "prometheus.yml"
SCRAPE_SECONDS = 1
READY_SECONDS = 30.0
POLL_SECONDS = 0.1


class PrometheusError(RuntimeError):
    """Prometheus did not start, or refused a query; the message has its answer."""


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: its labels, and its finite values by Unix time (seconds)."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


class Prometheus:
    """The HTTP API of a Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """Values every ``step`` seconds; series without a finite one are left out."""
        found = self._get(
            "query_range", {"query": expression, "start": start, "end": end, "step": step}
        )
        series = [
            Series(
                one["metric"],
                [(at, float(text)) for at, text in one["values"] if math.isfinite(float(text))],
            )
            for one in found["result"]
        ]
        return [one for one in series if one.points]

    def instant(self, expression: str, at: float) -> list[Series]:
        """Values at one time (Unix, seconds)."""
        return self.range(expression, at, at, SCRAPE_SECONDS)

    def rules(self) -> list[dict[str, Any]]:
        """All rules, with their health, as Prometheus tells them."""
        groups = self._get("rules", {})["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def _get(self, name: str, parameters: Mapping[str, object]) -> Any:
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{name}?{query}", timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise PrometheusError(f"{parameters}: {error.read().decode()}") from error


def configuration(targets: Sequence[str]) -> dict[str, Any]:
    """The committed configuration, for targets on this machine; it tells no Alertmanager."""
    content: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    interval = f"{SCRAPE_SECONDS}s"
    content["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
    content["rule_files"] = [str(CONFIGURATION.parent / name) for name in content["rule_files"]]
    del content["alerting"]
    [job] = content["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": list(targets)}]
    return content


@contextlib.contextmanager
def running_prometheus(folder: Path, targets: Sequence[str]) -> Iterator[Prometheus]:
    """Run Prometheus over ``targets`` (host:port) while the block runs, its files in ``folder``.

    Raises ``PrometheusError`` if it does not start.
    """
    program = shutil.which("prometheus")
    if program is None:
        raise PrometheusError("prometheus is missing: make tools")
    file, log, address = folder / "prometheus.yml", folder / "prometheus.log", _address()
    file.write_text(yaml.safe_dump(configuration(targets)), encoding="utf-8")
    command = [program, f"--config.file={file}", f"--web.listen-address={address}"]
    command += [f"--storage.tsdb.path={folder / 'tsdb'}", "--log.level=warn"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_ready(process, f"http://{address}/-/ready", log)
        yield Prometheus(f"http://{address}")
    finally:
        process.terminate()
        process.wait()


def _address() -> str:
    return f"127.0.0.1:{free_port()}"


def _wait_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise PrometheusError(f"Prometheus is not ready: {log.read_text()[-2000:]}")
        time.sleep(POLL_SECONDS)
