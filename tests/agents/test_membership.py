from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanglou.agents.membership import Membership

GAP, SETTLE = 5.0, 0.2


@dataclass
class Group:
    """A clock, and what Faust and the coordinator tell."""

    now: float = 0.0
    assigned: int = 3
    joined: int = 3

    def member(self) -> Membership:
        return Membership(lambda: self.assigned, lambda: self.joined, GAP, SETTLE, lambda: self.now)


@given(st.lists(st.floats(0, 3 * GAP)))
def test_unsure_for_a_while_after_each_gap_and_only_then(steps: list[float]) -> None:
    group = Group()
    member, sure_at = group.member(), 0.0
    for step in steps:
        group.now += step
        if step > GAP:
            sure_at = group.now + SETTLE
        assert member.unsure_seconds() == max(0.0, sure_at - group.now)


async def ended(task: asyncio.Task[object]) -> bool:
    """Whether a task has ended once all that could go on has gone on."""
    done, _ = await asyncio.wait({task}, timeout=2 * SETTLE)
    return bool(done)


async def test_after_a_pause_it_is_current_once_nobody_has_said_otherwise() -> None:
    group = Group()
    member = group.member()
    group.now = 100.0
    asking = asyncio.create_task(member.is_current(3))
    assert not await ended(asking)
    group.now += SETTLE
    assert await asking


async def test_it_is_lost_as_soon_as_the_group_says_so() -> None:
    group = Group()
    member = group.member()
    group.now = 100.0
    asking = asyncio.create_task(member.is_current(3))
    await asyncio.sleep(0)
    group.joined = -1
    assert not await asking


async def test_a_pause_is_noticed_by_whoever_runs_first() -> None:
    """The watch's own look may come before that of the batch."""
    group = Group()
    member = group.member()
    group.now = 100.0
    member.unsure_seconds()
    assert not await ended(asyncio.create_task(member.is_current(3)))


@pytest.mark.parametrize("joined", [-1, 4])
async def test_it_is_settled_when_the_partitions_of_the_new_generation_are_known(
    joined: int,
) -> None:
    group = Group(joined=joined)
    waiting = asyncio.create_task(group.member().settled())
    assert not await ended(waiting)
    group.joined = group.assigned = 4
    await waiting
