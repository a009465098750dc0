"""Who is called when nobody acknowledges, and how one does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pager_world import World, alert, pager_here, rules_of, until, webhook, world

from wanglou.agents.commands.ack import _acknowledge
from wanglou.agents.kafka import start_producer
from wanglou.agents.local_receiver import LocalReceiver, Told
from wanglou.agents.responding import send_acknowledgement
from wanglou.schemas.response import Act, Response
from wanglou.schemas.topics import RESPONSES

EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
SHORT = 0.03  # minutes: two seconds


def on_call(receiver: LocalReceiver, monkeypatch: Any, **fields: Any) -> dict[str, Any]:
    """张三, then 李四, each with a webhook of their own; nobody is told of every case."""
    names = ("zhang", "li")
    hooks = {f"{name}-hook": webhook(receiver, monkeypatch, name.upper()) for name in names}
    for name in names:
        monkeypatch.setenv(f"{name.upper()}_URL", f"{receiver.url}/{name}")
    return rules_of(
        hooks,
        **{
            "always": [],
            "people": {name: {"name": name, "receivers": [f"{name}-hook"]} for name in names},
            "rota": [{"days": EVERY_DAY, "from": "08:00", "to": "08:00", "people": list(names)}],
            "acknowledge_minutes": {"orange": SHORT, "red": SHORT},
            **fields,
        },
    )


def called(receiver: LocalReceiver) -> list[str]:
    return [told.path.strip("/") for told in receiver.told]


def text(told: Told) -> str:
    return str(told.body["text"])


async def test_the_next_is_called_and_again_until_somebody_acknowledges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as one, LocalReceiver() as phone:
        rules = on_call(phone, monkeypatch)
        async with pager_here(one, rules) as running:
            await one.send(alert(level="orange"))
            await until(lambda: len(called(phone)) >= 3, "three calls")
            assert called(phone)[:3] == ["zhang", "li", "zhang"]
            assert "第 2 次呼叫" in text(phone.told[1])
            assert running.metric("wanglou_unacknowledged_cases", level="orange") == 1
            assert running.metric("wanglou_page_escalations_total", level="orange") >= 2
            await _acknowledge(one.broker, "hexing-bank.run-1", "李四")
            await until(
                lambda: running.metric("wanglou_unacknowledged_cases", level="orange") == 0, "ack"
            )
            count = "wanglou_acknowledgement_seconds_count"
            assert running.metric(count, level="orange") == 1
            before = len(phone.told)
            await asyncio.sleep(SHORT * 60 + 2)  # longer than until the next call would come
            assert len(phone.told) == before
            (response,) = await one.all(RESPONSES, Response)
            assert (response.act, response.by) == (Act.ACKNOWLEDGEMENT, "李四")

            await one.send(alert(sequence=2, level="red", kind="escalated", previous="orange"))
            await until(lambda: len(phone.told) > before, "a call, as it is graver now")
            assert "红色" in text(phone.told[before])


async def test_timers_and_acknowledgements_survive_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as one, LocalReceiver() as phone:
        rules = on_call(phone, monkeypatch)
        async with pager_here(one, rules):
            await one.send(alert(level="orange"))
            await until(lambda: called(phone) == ["zhang"], "the first call")
        async with pager_here(one, rules):
            await until(lambda: called(phone)[:2] == ["zhang", "li"], "the next call")
        calls = len(called(phone))
        await acknowledge_event(one, "hexing-bank.run", "hexing-bank.run-1")
        async with pager_here(one, rules) as running:
            await asyncio.sleep(SHORT * 60 + 2)
            assert running.metric("wanglou_unacknowledged_cases", level="orange") == 0
        assert len(called(phone)) <= calls + 1, "one call may have fallen due at the restart"


async def acknowledge_event(one: World, event_id: str, alert_id: str) -> None:
    producer = await start_producer(one.broker)
    try:
        await send_acknowledgement(producer, event_id, alert_id, "张三")
    finally:
        await producer.stop()
