"""Where every task and every thread of the process stands, as text for the log."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import traceback
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any

AWAITED = (CoroutineType, GeneratorType, AsyncGeneratorType, asyncio.Future)
"""What may stand behind an object that is awaited."""

Frames = list[tuple[FrameType, int]]


def all_stacks() -> str:
    """The stacks of all asyncio tasks, of every event loop, and of all threads.

    They name code, and show no values of it: a message may be secret. Any thread may ask, also
    while an event loop is blocked.
    """
    tasks = [one for one in gc.get_objects() if issubclass(type(one), asyncio.Task)]
    told = [*map(_task, (one for one in tasks if not one.done())), *_threads()]
    return "\n".join(told)


def _task(task: asyncio.Task[Any]) -> str:
    """A task's stack through all that it awaits; its own ``get_stack`` ends at the outermost."""
    frames: Frames = []
    awaited: object = task.get_coro()
    while (found := _suspended(awaited)) is not None:
        frame, awaited = found
        frames.append((frame, frame.f_lineno))
    waits = f"  waits for {_name(awaited)}\n" if awaited is not None else ""
    return f"Task {_name(task)}:\n{_format(frames)}{waits}"


def _suspended(awaited: object) -> tuple[FrameType, object] | None:
    """The frame of something awaited, and what it awaits itself; None where that ends."""
    frame: FrameType | None = None
    inner: object = None
    if isinstance(awaited, CoroutineType):
        frame, inner = awaited.cr_frame, awaited.cr_await
    elif isinstance(awaited, GeneratorType):
        frame, inner = awaited.gi_frame, awaited.gi_yieldfrom
    elif isinstance(awaited, AsyncGeneratorType):
        frame, inner = awaited.ag_frame, awaited.ag_await
    return None if frame is None else (frame, _behind(inner))


def _behind(awaited: object) -> object:
    """What stands behind the helper objects of ``async for`` and of awaiting a future."""
    if awaited is None or isinstance(awaited, AWAITED):
        return awaited
    referents = (one for one in gc.get_referents(awaited) if isinstance(one, AWAITED))
    return next(referents, awaited)


def _name(awaited: object) -> str:
    if isinstance(awaited, asyncio.Task):
        coroutine = awaited.get_coro()
        return f"{awaited.get_name()} ({getattr(coroutine, '__qualname__', type(coroutine))})"
    return type(awaited).__name__


def _threads() -> Iterator[str]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        yield f"Thread {names.get(ident, ident)}:\n{_format([*traceback.walk_stack(frame)][::-1])}"


def _format(frames: Frames) -> str:
    return "".join(traceback.StackSummary.extract(iter(frames)).format())
