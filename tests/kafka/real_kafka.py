"""A real Apache Kafka for the tests: found, started, stopped, killed, frozen.

``WANGLOU_KAFKA_HOME`` names a folder with a script ``kafka``; ``kafka start DIR PORT`` runs one
node in the foreground. Without it ``../shared/kafka`` beside the project is looked for. Where there
is neither, ``WANGLOU_KAFKA_BOOTSTRAP`` names a broker that runs already, without topics of Wanglou.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from wanglou.agents.embedded_broker import listens

HOME_VARIABLE = "WANGLOU_KAFKA_HOME"
BOOTSTRAP_VARIABLE = "WANGLOU_KAFKA_BOOTSTRAP"
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "kafka"
PORTS = (15_000, 30_000)
READY_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.05


class NoKafka(RuntimeError):
    """There is no Kafka to test on; the message says where one was looked for."""


class KafkaError(RuntimeError):
    """The Kafka did not start or stop; the message has the end of its log."""


class GivenKafka:
    """A broker that somebody else runs: nothing can be done to it."""

    def __init__(self, address: str) -> None:
        self.address = address


class RealKafka:
    """One node of Apache Kafka in a process of its own; what it holds lies in ``folder``."""

    def __init__(self, script: Path, folder: Path) -> None:
        self._script = script
        self._folder = folder
        self._port = _free_pair()
        self._log = folder / "kafka.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start on what the folder holds, and wait until it answers. Raises ``KafkaError``."""
        command = [str(self._script), "start", str(self._folder), str(self._port)]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(  # Ctrl-C is ours to hand on
                command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + READY_SECONDS
        while not listens(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise KafkaError(f"Kafka did not start: {self._log_tail()}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """SIGTERM, and wait until it has ended. Raises ``KafkaError``."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise KafkaError(f"Kafka ignores SIGTERM: {self._log_tail()}") from None

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        process = self._running()
        process.kill()
        process.wait()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._running().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise KafkaError("Kafka was never started")
        return self._process

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


Kafka = RealKafka | GivenKafka


def kafka_script() -> Path | None:
    """The script of a Kafka on this machine, None where there is none. Raises ``NoKafka``."""
    home = os.environ.get(HOME_VARIABLE)
    script = (Path(home) if home else BESIDE) / "kafka"
    if script.is_file():
        return script
    if home:
        raise NoKafka(f"{HOME_VARIABLE}: there is no script `kafka` in {home}")
    return None


@contextlib.contextmanager
def running_kafka() -> Iterator[Kafka]:
    """The Kafka at hand, running while the block runs. Raises ``NoKafka``."""
    script, address = kafka_script(), os.environ.get(BOOTSTRAP_VARIABLE)
    if script is None:
        if not address:
            raise NoKafka(
                f"no Apache Kafka: set {HOME_VARIABLE} (a folder with a script `kafka`) or "
                f"{BOOTSTRAP_VARIABLE} (host:port of a broker without topics of Wanglou)"
            )
        yield GivenKafka(address)
        return
    with TemporaryDirectory(prefix="wanglou-kafka-", ignore_cleanup_errors=True) as folder:
        kafka = RealKafka(script, Path(folder))
        try:
            kafka.start()
            yield kafka
        finally:
            kafka.close()


def _free_pair() -> int:
    """A port that is free with its successor: clients use the first, the controller the second.

    From below those that the system gives to connections: while the broker is down, one of its
    clients could get such a port, and the broker would not start again.
    """
    while True:
        port = random.randrange(*PORTS)
        if not (listens(port) or listens(port + 1)):
            return port
