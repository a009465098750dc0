"""The stacks name what a task waits for, however deep, and no value that it holds."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator

from wanglou.agents.stacks import all_stacks

SECRET = "s3cret-of-the-tests"


async def innermost(released: asyncio.Event, text: str) -> None:
    await released.wait()


async def middle(released: asyncio.Event) -> None:
    await innermost(released, SECRET)


async def outermost(released: asyncio.Event) -> None:
    await middle(released)


def block_of(stacks: str, heading: str) -> str:
    """The lines under a heading."""
    (block,) = re.findall(rf"^{heading}:\n((?:  .*\n)*)", stacks, re.MULTILINE)
    return str(block)


def functions(block: str) -> list[str]:
    return re.findall(r", in (\w+)\n", block)


async def test_a_task_is_shown_through_all_that_it_awaits() -> None:
    released = asyncio.Event()
    task = asyncio.create_task(outermost(released), name="agent")
    await asyncio.sleep(0)
    block = block_of(all_stacks(), r"Task agent \(outermost\)")
    assert functions(block) == ["outermost", "middle", "innermost", "wait"]
    assert "await innermost(released, SECRET)" in block
    assert block.endswith("  waits for Future\n")
    released.set()
    await task


async def test_an_async_generator_is_looked_through() -> None:
    released = asyncio.Event()

    async def batches() -> AsyncIterator[int]:
        await innermost(released, SECRET)
        yield 1

    async def loop() -> int:
        return sum([one async for one in batches()])

    task = asyncio.create_task(loop(), name="agent")
    await asyncio.sleep(0)
    shown = functions(block_of(all_stacks(), r"Task agent \(.*loop\)"))
    assert shown[-3:] == ["batches", "innermost", "wait"]
    assert shown[0] == "loop"
    released.set()
    assert await task == 1


async def test_a_task_that_waits_for_another_names_it() -> None:
    released = asyncio.Event()
    inner = asyncio.create_task(outermost(released), name="inner")

    async def waits() -> None:
        await inner

    outer = asyncio.create_task(waits(), name="outer")
    await asyncio.sleep(0)
    block = block_of(all_stacks(), r"Task outer \(.*waits\)")
    assert block.endswith("  waits for inner (outermost)\n")
    released.set()
    await outer


async def test_no_value_is_shown() -> None:
    released = asyncio.Event()
    task = asyncio.create_task(innermost(released, SECRET), name="agent")
    await asyncio.sleep(0)
    assert SECRET not in all_stacks()
    released.set()
    await task


async def test_a_task_that_is_done_is_not_shown() -> None:
    name = "finished"
    task = asyncio.create_task(asyncio.sleep(0), name=name)
    assert f"Task {name} (" in all_stacks()
    await task
    assert f"Task {name} (" not in all_stacks()


def test_tasks_of_another_threads_loop_are_shown_and_threads_too() -> None:
    """Faust's consumer has a loop of its own."""
    started = threading.Event()
    ended: list[asyncio.Event] = []
    loop = asyncio.new_event_loop()

    async def consume() -> None:
        ended.append(asyncio.Event())
        loop.call_soon(started.set)
        await outermost(ended[0])

    def run_consumer() -> None:
        loop.run_until_complete(loop.create_task(consume(), name="fetcher"))

    thread = threading.Thread(target=run_consumer, name="consumer")
    thread.start()
    assert started.wait(30)
    stacks = all_stacks()
    loop.call_soon_threadsafe(ended[0].set)
    thread.join(30)
    loop.close()
    shown = functions(block_of(stacks, r"Task fetcher \(.*consume\)"))
    assert shown == ["consume", "outermost", "middle", "innermost", "wait"]
    assert "run_consumer" in functions(block_of(stacks, "Thread consumer"))
    assert "all_stacks" in functions(block_of(stacks, "Thread MainThread"))
