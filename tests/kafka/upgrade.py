"""Upgrade and roll back under load, on a real Kafka: ``python tests/kafka/upgrade.py``

Two workers of one release (``--old``, a revision in git) are replaced one by one by the next
release, and then by the old one again, each while a part of the demo's stream is on its way. The
next release is ``--new`` with one more optional field in its alerts. At last comes a release whose
state values have another version: it has to refuse, and the others have to go on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fleet import SESSION_SECONDS
from outcome import BROKERS_CLOCK, Content
from real_kafka import NoKafka, running_kafka

from wanglou.agents import topic_admin
from wanglou.agents.commands.shared import ExitCode
from wanglou.agents.demo import STREAM, own_environment
from wanglou.agents.kafka import read_to_end
from wanglou.agents.progress import wait_drained
from wanglou.agents.replay import read_lines, replayed
from wanglou.agents.settings import BrokerSettings, TopicSettings
from wanglou.agents.worker_process import COMMAND_LINE, WorkerProcess
from wanglou.schemas.compatibility import breaking_changes
from wanglou.schemas.risk import Alert
from wanglou.schemas.topics import ALERTS

TOP = Path(__file__).parents[2]
PARTS = 6
PART_SECONDS = 30.0
STREAM_SECONDS = 2 * 24 * 3600.0
READY_SECONDS = 120.0
DRAIN_SECONDS = 300.0
REFUSAL_SECONDS = 120.0


@dataclass(frozen=True)
class Edit:
    """New text for old in a file, wherever it stands."""

    file: str
    old: str
    new: str


FIELD = "    reports: tuple[RegulatorReport, ...] = Field(\n"
MARKED = (
    Edit("schemas/risk.py", FIELD, f'    written_by: str = Field("next", description="")\n{FIELD}'),
)
"""An optional field that tells which release wrote an alert."""

OTHER_STATE = (
    Edit("agents/changelog.py", "STATE_VERSION: Final = 3", "STATE_VERSION: Final = 4"),
    Edit("agents/changelog.py", "Literal[3]", "Literal[4]"),
)


@dataclass(frozen=True)
class Release:
    """Wanglou's code in a folder of its own; its libraries are those of this environment."""

    name: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """With it Python runs this code."""
        session = {"WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS)}
        return {"PYTHONPATH": str(self.folder), **session}


def install(name: str, revision: str, folder: Path, edits: Iterable[Edit] = ()) -> Release:
    """A revision, edited, in a folder below ``folder``. Raises ``ValueError`` for an edit of what
    is not there."""
    source, target = folder / f"{name}-source", folder / name
    source.mkdir()
    archive = subprocess.run(
        ["git", "-C", TOP, "archive", revision], capture_output=True, check=True
    )
    subprocess.run(["tar", "-x", "-C", source], input=archive.stdout, check=True)
    for edit in edits:
        file = source / edit.file
        text = file.read_text(encoding="utf-8")
        if edit.old not in text:
            raise ValueError(f"{edit.file} has no {edit.old!r}")
        file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target]
    subprocess.run([*pip, source], check=True)
    return Release(name, target)


def schema_of_alerts(release: Release) -> dict[str, Any]:
    """The JSON Schema of a release's alerts."""
    code = "import json, wanglou.schemas.risk as r; print(json.dumps(r.Alert.model_json_schema()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **release.environment},
        capture_output=True,
        check=True,
    )
    schema: dict[str, Any] = json.loads(done.stdout)
    return schema


def backtest(release: Release, folder: Path) -> dict[str, Content]:
    """The alerts that a release finds in the stream, without a broker, by id."""
    file = folder / "alerts.jsonl"
    command = [sys.executable, *COMMAND_LINE, "backtest", str(STREAM), "--alerts", str(file)]
    environment = {**os.environ, **release.environment}
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return {one.id: content(one) for one in map(Alert.model_validate_json, file.open("rb"))}


def content(alert: Alert) -> Content:
    """What must be the same, whoever wrote it and when."""
    return alert.model_dump(exclude=BROKERS_CLOCK)


class Trial:
    """The workers on a broker, and what is replayed to them."""

    def __init__(self, broker: BrokerSettings, folder: Path) -> None:
        self.sent = 0
        """Lines of the stream that the broker has."""
        self.workers: list[WorkerProcess] = []
        """All that were ever started."""
        self._broker = broker
        self._folder = folder
        self._running: list[tuple[Release, WorkerProcess]] = []

    async def start(self, release: Release) -> None:
        """One worker more, and wait until it has its partitions."""
        worker = self._start(release)
        self._running.append((release, worker))
        await asyncio.to_thread(worker.wait_ready, READY_SECONDS)
        self._say()

    async def stop_oldest(self) -> None:
        """SIGTERM to the worker that has run for longest, and wait for its end."""
        release, worker = self._running.pop(0)
        code = await asyncio.to_thread(worker.stop)
        assert code == 0, f"{release.name} ended with {code}: {worker.log_tail()}"
        self._say()

    async def replay(self, part: int) -> None:
        """A part of the stream, from 0, in about ``PART_SECONDS``."""
        lines = list(read_lines(STREAM))
        first, last = (len(lines) * number // PARTS for number in (part, part + 1))
        speed = STREAM_SECONDS / PARTS / PART_SECONDS
        async for sent in replayed(self._broker, iter(lines[first:last]), speed):
            assert not sent.refused
            self.sent = sent.line

    async def refuse(self, release: Release, part: int) -> int:
        """The exit code of a worker that joins, and has to end when it is given a partition."""
        worker = self._start(release)
        await asyncio.to_thread(worker.wait_ready, READY_SECONDS)
        replay = asyncio.create_task(self.replay(part))
        code = await asyncio.to_thread(worker.process.wait, REFUSAL_SECONDS)
        await replay
        return code

    def _start(self, release: Release) -> WorkerProcess:
        log = self._folder / f"worker{len(self.workers)}.log"
        worker = WorkerProcess(
            self._broker.url, log, environment=release.environment, folder=self._folder
        )
        self.workers.append(worker)
        return worker

    def _say(self) -> None:
        names = " + ".join(release.name for release, _ in self._running)
        print(f"line {self.sent:5}  {names}", flush=True)


async def replace_oldest(trial: Trial, release: Release, part: int) -> None:
    """A worker less, and one of a release more, while a part of the stream is on its way."""
    replay = asyncio.create_task(trial.replay(part))
    await trial.stop_oldest()
    await trial.start(release)
    await replay


async def run(
    broker: BrokerSettings, trial: Trial, old: Release, new: Release, other: Release
) -> None:
    """The whole trial. Raises ``AssertionError`` where something is not as it must be."""
    expected = backtest(old, old.folder)
    await topic_admin.create(broker, TopicSettings())
    await trial.start(old)
    await trial.start(old)
    await trial.replay(0)
    for part, release in enumerate((new, new, old, old), 1):
        await replace_oldest(trial, release, part)
    code = await trial.refuse(other, PARTS - 1)
    print(f"line {trial.sent:5}  other state version: exit code {code}", flush=True)
    assert code == ExitCode.STATE
    await wait_drained(broker, DRAIN_SECONDS)
    records = [record async for record in read_to_end(broker, ALERTS.name)]
    found = [Alert.model_validate_json(record.value) for record in records]
    marked = sum(b'"written_by"' in record.value for record in records)
    print(f"alerts     {len(records)} in the topic, of them {marked} by the next release")
    assert {one.id: content(one) for one in found} == expected, "other alerts than the back-test's"
    print(f"           the {len(expected)} of the back-test, read by the contract of the old one")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--old", default="HEAD", help="Revision of the first release.")
    parser.add_argument("--new", default="HEAD", help="Revision of the next, to which is added.")
    arguments = parser.parse_args()
    try:
        with (
            TemporaryDirectory(prefix="wanglou-upgrade-", ignore_cleanup_errors=True) as name,
            running_kafka() as kafka,
            own_environment(),
        ):
            folder = Path(name)
            old = install("old", arguments.old, folder)
            new = install("next", arguments.new, folder, MARKED)
            other = install("other", arguments.new, folder, OTHER_STATE)
            changes = breaking_changes(schema_of_alerts(old), schema_of_alerts(new))
            print(f"contract of alerts: {changes or 'compatible'}")
            broker = BrokerSettings(url=kafka.address)
            trial = Trial(broker, folder)
            try:
                asyncio.run(run(broker, trial, old, new, other))
            finally:
                for worker in trial.workers:
                    worker.kill()
    except NoKafka as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
