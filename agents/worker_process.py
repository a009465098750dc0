"""A worker as a process of its own: for the demo, the tests and measurements."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from prometheus_client.parser import text_string_to_metric_families

from wanglou.agents.embedded_broker import free_port

POLL_SECONDS = 0.1
STOP_SECONDS = 30.0

COMMAND_LINE = ("-m", "wanglou.agents.commands")
"""What Python runs: the arguments of ``wanglou``."""


class WorkerProcessError(RuntimeError):
    """A worker did not start or stop as it should; the message has the end of its log."""


class WorkerProcess:
    """``wanglou worker``, or another that runs on, as a child process; its output is ``log``."""

    def __init__(
        self,
        broker: str,
        log: Path,
        *,
        agents: Iterable[str] = (),
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        program: Sequence[str] = COMMAND_LINE,
        command: Literal["worker", "pager", "archive run"] = "worker",
        port: int | None = None,
    ) -> None:
        self.port = port or free_port()
        self.log = log
        line = [sys.executable, *program, *command.split()]
        line += ["--broker", broker, "--port", str(self.port)]
        if agents:
            line += ["--agents", ",".join(agents)]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                line,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=folder,
            )

    def page(self, path: str) -> tuple[int, str]:
        """Status and body of one of the worker's pages; status 0 while it does not answer."""
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self, seconds: float) -> None:
        """Wait until the worker has its partitions. Raises ``WorkerProcessError``."""
        deadline = time.monotonic() + seconds
        while self.page("/readyz")[0] != 200:
            if self.process.poll() is not None:
                raise WorkerProcessError(f"the worker ended: {self.log_tail()}")
            if time.monotonic() > deadline:
                raise WorkerProcessError(f"the worker is not ready: {self.log_tail()}")
            time.sleep(POLL_SECONDS)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.page("/metrics")[1])
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def stop(self) -> int:
        """SIGTERM, and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise WorkerProcessError(f"the worker ignored SIGTERM: {self.log_tail()}") from None

    def kill(self) -> None:
        """SIGKILL, as a crash of the machine would."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP: it does nothing until ``thaw``, as in a paused container."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def log_tail(self, characters: int = 2000) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-characters:]
