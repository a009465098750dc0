"""Workers, each on a machine of its own: a folder that holds all that is local to it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from wanglou.agents.demo import own_environment
from wanglou.agents.worker_process import POLL_SECONDS, WorkerProcess

SESSION_SECONDS = 6.0
READY_SECONDS = 90.0
WORKERS = 2
SECONDS_PER_TEXT = 0.002
"""Of the model's stand-in: 500 texts a second and worker."""

SLOW_WORKER = Path(__file__).with_name("slow_worker.py")


class Fleet:
    """The workers of a cluster; those that a fault ended are taken out of it."""

    def __init__(self, address: str, folder: Path) -> None:
        self.workers: list[WorkerProcess] = []
        self._address = address
        self._folder = folder
        self._machines: dict[int, Path] = {}
        self._started = 0

    def start(self, seconds_per_text: float = SECONDS_PER_TEXT) -> WorkerProcess:
        """Start a worker on a new machine."""
        self._started += 1
        machine = self._folder / f"machine{self._started}"
        machine.mkdir()
        with own_environment():
            worker = WorkerProcess(
                self._address,
                self._folder / f"worker{self._started}.log",
                environment={
                    "WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
                    "HOME": str(machine),
                    "TMPDIR": str(machine),
                },
                folder=machine,
                program=(str(SLOW_WORKER), str(seconds_per_text)),
            )
        self.workers.append(worker)
        self._machines[worker.port] = machine
        return worker

    def fill(self) -> None:
        """Start workers until there are as many as should be."""
        for _ in range(len(self.workers), WORKERS):
            self.start()

    async def up(self) -> None:
        """Wait until every process has started and answers."""
        for worker in self.workers:
            await asyncio.to_thread(_wait_up, worker)

    async def ready(self) -> None:
        """Wait until every worker has its partitions. Raises ``WorkerProcessError``."""
        for worker in self.workers:
            await asyncio.to_thread(worker.wait_ready, READY_SECONDS)

    async def stop(self, worker: WorkerProcess) -> int:
        """SIGTERM; the exit code."""
        self.workers.remove(worker)
        return await asyncio.to_thread(worker.stop)

    def kill(self, worker: WorkerProcess) -> None:
        """SIGKILL, and nothing of its machine is left."""
        self.workers.remove(worker)
        worker.kill()
        shutil.rmtree(self._machines.pop(worker.port))

    def ended(self) -> list[str]:
        """What is to be said of workers that ended by themselves; they are taken out."""
        ended = [one for one in self.workers if one.process.poll() is not None]
        self.workers = [one for one in self.workers if one not in ended]
        return [
            f"{one.log.name}: exit code {one.process.returncode}: {one.log_tail(500)}"
            for one in ended
        ]

    def keep_logs(self, folder: Path) -> None:
        """Copy the logs of all workers that there were."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for log in self._folder.glob("worker*.log"):
            shutil.copy(log, folder)

    def close(self) -> None:
        """Kill all."""
        for worker in self.workers:
            worker.kill()


def _wait_up(worker: WorkerProcess) -> None:
    while worker.page("/healthz")[0] == 0 and worker.process.poll() is None:
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def running_fleet(address: str) -> Iterator[Fleet]:
    """A fleet without workers yet; at the end they and their machines are gone."""
    with TemporaryDirectory(prefix="wanglou-fleet-") as folder:
        fleet = Fleet(address, Path(folder))
        try:
            yield fleet
        finally:
            fleet.close()
