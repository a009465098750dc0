"""The pager is killed at every step: no page is lost, none is shown twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from dying_pager import STEPS
from pager_world import (
    READY_SECONDS,
    SECRET,
    World,
    alert,
    pager_here,
    rules_of,
    until,
    webhook,
    world,
)

from wanglou.agents.kafka import read_to_end
from wanglou.agents.local_receiver import LocalReceiver
from wanglou.schemas.page import PageRecord
from wanglou.schemas.topics import PAGER_STATE, PAGES

DYING = str(Path(__file__).parent / "dying_pager.py")


def chat(receiver: LocalReceiver, monkeypatch: Any) -> Any:
    monkeypatch.setenv("CHAT_URL", f"{receiver.url}/send?key={SECRET}")
    return {"kind": "wecom", "url": {"env": "CHAT_URL"}}


async def killed_at(step: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.to_thread(folder.mkdir)
    async with world(folder, partitions=1) as one, LocalReceiver() as hook:
        name = step.upper().replace("-", "_")
        rules = rules_of({"hook": webhook(hook, monkeypatch, name)})
        dying = one.start(rules, program=(DYING,), environment={"STEP": step})
        await one.send(alert())
        code = await asyncio.to_thread(dying.process.wait, READY_SECONDS)
        assert code == -9, dying.log_tail()
        before = len(hook.told)
        async with pager_here(one, rules):
            await one.send(alert("other.run"))  # what was told before it has been told then
            await until(lambda: told_keys(hook)[-1:] == ["other.run-1"], f"the last page, {step}")
        records = await one.all(PAGES, PageRecord)
        assert {one.alert_id for one in records} == {"hexing-bank.run-1", "other.run-1"}
        assert len({one.id for one in records}) == 2
        keys = told_keys(hook)
        assert set(keys) == {"hexing-bank.run-1", "other.run-1"}
        if step == "after-telling":  # sent again, and known by its key
            assert (before, len(keys)) == (1, 3)
        else:
            assert len(keys) == 2


def told_keys(receiver: LocalReceiver) -> list[str]:
    return [told.headers["Idempotency-Key"] for told in receiver.told]


async def is_recorded(one: World, receiver: str, page: str) -> bool:
    """Whether it stands in the pager's state that a page was told."""
    records = [record async for record in read_to_end(one.broker, PAGER_STATE.name)]
    cases = [json.loads(record.value)["case"] for record in records if record.key and record.value]
    return any(case["deliveries"][receiver]["told"] == page for case in cases)


async def test_no_page_is_lost_and_none_is_shown_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.gather(*(killed_at(step, tmp_path / step, monkeypatch) for step in STEPS))


async def test_a_chat_that_knows_no_repeats_is_told_that_it_may_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, partitions=1) as one, LocalReceiver() as group:
        rules = rules_of({"chat": chat(group, monkeypatch)})
        dying = one.start(rules, program=(DYING,), environment={"STEP": "after-telling"})
        await one.send(alert())
        await asyncio.to_thread(dying.process.wait, READY_SECONDS)
        async with pager_here(one, rules):
            await until(lambda: len(group.told) == 2, "the page again")
        first, second = (told.body["text"]["content"] for told in group.told)
        assert "可能重复" not in first
        assert "可能重复" in second


async def test_a_pager_that_was_frozen_tells_nothing_once_another_has_gone_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, partitions=1) as one, LocalReceiver() as hook:
        rules = rules_of({"hook": webhook(hook, monkeypatch)})
        frozen = await one.started(rules)
        await one.send(alert())
        await until(lambda: is_recorded(one, "hook", "hexing-bank.run-1"), "the first page")
        frozen.freeze()
        async with pager_here(one, rules) as running:
            await one.send(alert(sequence=2, level="red", kind="escalated", previous="orange"))
            await until(lambda: len(hook.told) == 2, "the second, by the other")
            frozen.thaw()
            await until(
                lambda: "another pager" in frozen.log_tail() or frozen.page("/readyz")[0] != 0,
                "awake",
            )
            await one.send(alert("other.run"))
            await until(lambda: len(hook.told) >= 3, "the third")
            del running
        assert told_keys(hook) == ["hexing-bank.run-1", "hexing-bank.run-2", "other.run-1"]
