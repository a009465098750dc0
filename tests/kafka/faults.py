"""The faults: what is done to workers and broker while their buffers are full."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from fleet import READY_SECONDS, SECONDS_PER_TEXT, SESSION_SECONDS, Fleet
from flow import Flow
from load import Chapter
from poison import Poison, new_poison, no_poison
from real_kafka import Kafka, RealKafka

from wanglou.agents.worker_process import WorkerProcess

BROKER_FREEZE_SECONDS = 20.0
WORKER_FREEZE_SECONDS = SESSION_SECONDS + 4.0
GUEST_MESSAGES = 200
"""What a worker that joined has done when it leaves again."""

SIGTERM_EXIT = 0


@dataclass
class Scene:
    """What a fault can be done to."""

    kafka: Kafka
    fleet: Fleet
    flow: Flow
    random: Random
    notes: list[str] = field(default_factory=list)
    """What was not as it should be."""

    @property
    def own_kafka(self) -> RealKafka:
        """The broker, if it is ours to break."""
        if not isinstance(self.kafka, RealKafka):
            raise TypeError("a given broker is not ours to break")
        return self.kafka


async def worker_killed(scene: Scene) -> None:
    """SIGKILL to one of two workers: the other has to go on."""
    scene.fleet.kill(scene.random.choice(scene.fleet.workers))


async def worker_stopped(scene: Scene) -> None:
    """SIGTERM to one of two workers, as in a rolling restart."""
    await _stop(scene, scene.random.choice(scene.fleet.workers))


async def _stop(scene: Scene, worker: WorkerProcess) -> None:
    code = await scene.fleet.stop(worker)
    if code != SIGTERM_EXIT:
        scene.notes.append(f"SIGTERM: exit code {code}")


async def rolling_restart(scene: Scene) -> None:
    """Three workers, each of which is stopped and replaced; then the third leaves.

    The next one is stopped when all flows again, as an operator or ``minReadySeconds`` would wait.
    """
    await _join(scene)
    for worker in list(scene.fleet.workers):
        await _stop(scene, worker)
        await _join(scene)
    await _stop(scene, scene.fleet.workers[-1])


async def _join(scene: Scene) -> None:
    scene.fleet.start()
    await scene.fleet.ready()
    await scene.flow.flowing()


async def worker_joins_and_leaves(scene: Scene) -> None:
    """A third worker comes, works, and is stopped."""
    guest = scene.fleet.start()
    await asyncio.to_thread(guest.wait_ready, READY_SECONDS)
    while scene.flow.waiting:
        if await asyncio.to_thread(guest.metric, "wanglou_messages_in_total") >= GUEST_MESSAGES:
            break
        await scene.flow.go_on()
    await _stop(scene, guest)


async def worker_lags(scene: Scene) -> None:
    """Two more workers come, of which one takes ten times as long for a text: all wait for it."""
    scene.fleet.start()
    scene.fleet.start(10 * SECONDS_PER_TEXT)
    await scene.fleet.ready()


async def worker_frozen(scene: Scene) -> None:
    """A worker does nothing until its session is over, then goes on as if nothing had been."""
    worker = scene.random.choice(scene.fleet.workers)
    worker.freeze()
    await asyncio.sleep(WORKER_FREEZE_SECONDS)
    worker.thaw()


async def empty_disks(scene: Scene) -> None:
    """All workers are killed; new ones start on machines that have nothing local.

    Until their processes are up nothing could move.
    """
    with scene.flow.outage():
        for worker in list(scene.fleet.workers):
            scene.fleet.kill(worker)
        scene.fleet.fill()
        await scene.fleet.up()
    await scene.fleet.ready()


async def broker_stopped(scene: Scene) -> None:
    """SIGTERM to the broker, and a start on the same folder."""
    with scene.flow.outage():
        await asyncio.to_thread(scene.own_kafka.stop)
        await asyncio.to_thread(scene.own_kafka.start)


async def broker_killed(scene: Scene) -> None:
    """SIGKILL to the broker, and a start on the same folder."""
    with scene.flow.outage():
        await asyncio.to_thread(scene.own_kafka.kill)
        await asyncio.to_thread(scene.own_kafka.start)


async def broker_frozen(scene: Scene) -> None:
    """The broker answers nobody for longer than any session."""
    with scene.flow.outage():
        scene.own_kafka.freeze()
        await asyncio.sleep(BROKER_FREEZE_SECONDS)
        scene.own_kafka.thaw()


async def nothing(scene: Scene) -> None:
    """Nothing is done: what there is, is in the messages."""


@dataclass(frozen=True)
class Fault:
    """A fault by its name."""

    name: str
    strike: Callable[[Scene], Awaitable[None]]
    breaks_broker: bool = False
    is_orderly: bool = False
    """Nobody is killed: no alert may be written twice."""
    poison: Callable[[Chapter], Poison] = no_poison


UNDISTURBED = Fault("undisturbed", nothing)
FOUR_WORKERS = Fault("one of four is slow", worker_lags, is_orderly=True)
"""No fault, but the result must be the same."""

FAULTS = (
    Fault("worker SIGKILL", worker_killed),
    Fault("worker SIGTERM", worker_stopped, is_orderly=True),
    Fault("rolling restart", rolling_restart, is_orderly=True),
    Fault("worker joins, leaves", worker_joins_and_leaves, is_orderly=True),
    Fault("worker frozen", worker_frozen),
    Fault("empty disks", empty_disks),
    Fault("broker SIGTERM", broker_stopped, breaks_broker=True),
    Fault("broker SIGKILL", broker_killed, breaks_broker=True),
    Fault("broker frozen", broker_frozen, breaks_broker=True),
    Fault("poison", nothing, poison=new_poison),
)
"""All of them."""
