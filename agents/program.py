"""A program of somebody else's, run beside ours: for the demo, ``wanglou ops`` and the tests."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.1

ALERTMANAGER = ("alertmanager", "prometheus-alertmanager")
PROMETHEUS = ("prometheus",)
"""What the programs are called, by their makers and by Debian."""


class ProgramMissing(RuntimeError):
    """A program is not installed; the message says which, and how to get it."""


class ProgramFailed(RuntimeError):
    """A program did not start; the message says which, with the end of its log."""


def find(names: Sequence[str]) -> str:
    """The path of a program that has one of these names. Raises ``ProgramMissing``."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise ProgramMissing(
        f"{names[0]} is not installed: on Debian and Ubuntu, apt-get install {names[-1]}"
    )


@contextlib.contextmanager
def running(
    command: Sequence[str], ready_url: str, log: Path, ready_seconds: float
) -> Iterator[None]:
    """Run a program while the block runs, once its page answers. Raises ``ProgramFailed``."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + ready_seconds
        while not _answers(ready_url):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-1000:]
                raise ProgramFailed(f"{command[0]} did not start: {tail}")
            time.sleep(POLL_SECONDS)
        yield
    finally:
        stop(process, STOP_SECONDS)


def stop(process: subprocess.Popen[bytes], seconds: float) -> None:
    """SIGTERM, and SIGKILL if it has not ended after ``seconds``."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@contextlib.contextmanager
def alertmanager(configuration: Path, folder: Path, port: int) -> Iterator[str]:
    """Run Alertmanager; yields its URL."""
    url = f"http://127.0.0.1:{port}"
    command = [find(ALERTMANAGER), f"--config.file={configuration}"]
    command += [f"--storage.path={folder / 'alertmanager'}", "--cluster.listen-address="]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    with running(command, f"{url}/-/ready", folder / "alertmanager.log", READY_SECONDS):
        yield url


@contextlib.contextmanager
def prometheus(
    configuration: Path, folder: Path, port: int, ready_seconds: float = READY_SECONDS
) -> Iterator[str]:
    """Run Prometheus; yields its URL."""
    url = f"http://127.0.0.1:{port}"
    command = [find(PROMETHEUS), f"--config.file={configuration}"]
    command += [f"--storage.tsdb.path={folder / 'prometheus'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    with running(command, f"{url}/-/ready", folder / "prometheus.log", ready_seconds):
        yield url
