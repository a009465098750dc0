"""Receivers that misbehave, alerts that come in a flood, clocks that jump."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pager_world import SECRET, World, alert, pager_here, rules_of, until, webhook, world

from wanglou.agents.local_receiver import Answer, LocalReceiver
from wanglou.models.pager_clock import PagerClock
from wanglou.schemas.dead_letter import DeadLetter
from wanglou.schemas.page import PageOutcome, PageRecord
from wanglou.schemas.topics import DEAD_LETTERS, PAGES

KEY = "Idempotency-Key"
FAULTS = {
    "slow": Answer(seconds=1.5),
    "400": Answer(400, "no such field"),
    "429": Answer(429, headers=(("Retry-After", "1"),)),
    "500": Answer(500),
    "closed": Answer(close=True),
}


async def test_each_fault_is_overcome_and_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with world(tmp_path) as one, LocalReceiver() as well:
        broken = {name: LocalReceiver() for name in FAULTS}
        hooks: dict[str, Any] = {"well": webhook(well, monkeypatch)}
        for name, receiver in broken.items():
            await receiver.__aenter__()
            receiver.answers.extend([FAULTS[name]] * 2)
            hooks[f"bad-{name}"] = webhook(receiver, monkeypatch, f"BAD_{name}", timeout_seconds=1)
        monkeypatch.setenv("NOWHERE", f"http://no-such-host.invalid/{SECRET}")
        hooks["nowhere"] = {"kind": "webhook", "url": {"env": "NOWHERE"}}
        async with pager_here(one, rules_of(hooks)) as running:
            await one.send(alert())
            await until(lambda: well.told, "the page where all is well")
            for name, receiver in broken.items():
                await until(lambda receiver=receiver: receiver.requests == 3, f"third try, {name}")
                outcomes = {
                    outcome: running.metric(
                        "wanglou_pages_total", receiver=f"bad-{name}", outcome=outcome
                    )
                    for outcome in ("sent", "retried")
                }
                await until(lambda receiver=receiver: receiver.told, name)
                assert outcomes["retried"] == 2
                assert len({told.headers[KEY] for told in receiver.told}) == 1
            assert running.metric("wanglou_pages_waiting", receiver="nowhere") == 1
            oldest = "wanglou_page_oldest_waiting_timestamp_seconds"
            assert running.metric(oldest, receiver="nowhere") > time.time() - 100
            assert running.metric(oldest, receiver="well") == 0
            assert running.metric("wanglou_page_seconds_count", receiver="well") == 1
        for receiver in broken.values():
            await receiver.__aexit__()
        assert well.requests == 1
    assert "cannot be resolved" in caplog.text
    assert SECRET not in caplog.text.replace(f"POST /{SECRET}", "")  # the receivers' own log


async def test_an_alertmanager_that_is_down_slow_or_refuses_is_asked_again(tmp_path: Path) -> None:
    """Stand-ins: a real one does none of this on request."""
    async with world(tmp_path) as one, contextlib.AsyncExitStack() as stack:
        broken = {
            f"am-{name}": await stack.enter_async_context(LocalReceiver())
            for name in ("closed", "slow", "400")
        }
        rules = {}
        for name, receiver in broken.items():
            receiver.answers.extend([FAULTS[name.removeprefix("am-")]] * 2)
            rules[name] = {"kind": "alertmanager", "url": receiver.url, "timeout_seconds": 1}
        async with pager_here(one, rules_of(rules)) as running:
            await one.send(alert())
            pages = "wanglou_pages_total"
            for name, receiver in broken.items():
                await until(
                    lambda name=name: running.metric(pages, receiver=name, outcome="sent") == 1,
                    name,
                )
                assert running.metric(pages, receiver=name, outcome="retried") == 2
                assert receiver.requests == 3
                assert receiver.told[-1].path == "/api/v2/alerts"


async def test_a_page_that_cannot_be_told_becomes_a_dead_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as one, LocalReceiver() as hook:
        hook.otherwise = Answer(400, f"bad: /{SECRET}")
        rules = rules_of({"hook": webhook(hook, monkeypatch, give_up_minutes=0.02)})
        async with pager_here(one, rules) as running:
            sent = alert()
            await one.send(sent)
            (letter,) = await until(lambda: one.all(DEAD_LETTERS, DeadLetter), "a dead letter")
            assert letter.agent == "pager"
            assert letter.error == "receiver hook: HTTP 400: bad: /***"
            assert letter.value == sent.to_json()
            await until(lambda: outcome(running, "hook", "dead_lettered") == 1, "the metric")
            assert running.metric("wanglou_pages_waiting", receiver="hook") == 0
            hook.otherwise = Answer()
            await one.send(sent)  # as `wanglou dlq replay` would
            await until(lambda: hook.told, "the page, asked for again")
            given_up, told = await until(lambda: two_of(one), "both records")
            assert (given_up.outcome, told.outcome) == (PageOutcome.GIVEN_UP, PageOutcome.SENT)
            assert (given_up.alert_id, given_up.receiver) == (sent.id, "hook")
            assert given_up.error == "HTTP 400: bad: /***"


async def two_of(one: World) -> list[PageRecord]:
    records = await one.all(PAGES, PageRecord)
    return records if len(records) == 2 else []


def outcome(running: Any, receiver: str, name: str) -> float:
    return float(running.metric("wanglou_pages_total", receiver=receiver, outcome=name))


async def test_what_is_no_alert_becomes_a_dead_letter_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, partitions=1) as one, LocalReceiver() as hook:
        async with pager_here(one, rules_of({"hook": webhook(hook, monkeypatch)})):
            line_break = alert().to_json().replace(b'"hexing-bank"', rb'"hexing\nbank"')
            await one.send_raw([(b"x", b"{"), (b"hexing-bank.run", line_break)])
            await one.send(alert())
            await until(lambda: hook.told, "the page")
        letters = await one.all(DEAD_LETTERS, DeadLetter)
        assert [one.error.split(":")[0] for one in letters] == ["(whole value)", "institution.id"]


async def test_a_thousand_alerts_at_once_are_a_page_each_or_a_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as one, LocalReceiver() as hook, LocalReceiver() as chat:
        monkeypatch.setenv("CHAT_URL", f"{chat.url}/send?access_token={SECRET}")
        monkeypatch.setenv("CHAT_KEY", "a-key-of-the-robot")
        robot = {
            "kind": "dingtalk",
            "url": {"env": "CHAT_URL"},
            "secret": {"env": "CHAT_KEY"},
            "rate": {"pages": 5, "seconds": 60},
        }
        rules = rules_of({"hook": webhook(hook, monkeypatch), "chat": robot})
        async with pager_here(one, rules) as running:
            await one.send(*(alert(f"bank-{number}.run", level="yellow") for number in range(1000)))
            await one.send(alert("grave.run", level="red"))
            await until(lambda: len(hook.told) == 1001, "a page a case", seconds=60)
            assert len({told.headers[KEY] for told in hook.told}) == 1001
            await until(
                lambda: (
                    running.metric("wanglou_pages_waiting", receiver="chat") == 0
                    or len(chat.told) >= 5
                ),
                "the chat",
            )
            assert len(chat.told) <= 5
            assert any("【汇总】" in told.body["text"]["content"] for told in chat.told)


async def test_a_clock_set_back_pages_nobody_again_and_stops_no_escalation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offset = timedelta(0)

    def wall() -> datetime:
        return datetime.now(UTC) + offset

    async with world(tmp_path) as one, LocalReceiver() as hook:
        everyday = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        rules = rules_of(
            {"hook": webhook(hook, monkeypatch)},
            always=[],
            people={"zhang": {"name": "张三", "receivers": ["hook"]}},
            rota=[{"days": everyday, "from": "08:00", "to": "08:00", "people": ["zhang"]}],
            acknowledge_minutes={"orange": 0.05, "red": 0.05},
        )
        async with pager_here(one, rules, PagerClock(wall, time.monotonic)):
            await one.send(alert())
            await until(lambda: len(hook.told) == 1, "the first call")
            offset = timedelta(days=-1)
            await until(lambda: len(hook.told) == 2, "the second, whatever the wall says")
        async with pager_here(one, rules, PagerClock(wall, time.monotonic)):
            await until(lambda: len(hook.told) >= 3, "the third, after a restart")
        calls = [told.body["text"] for told in hook.told]
        assert "次呼叫" not in calls[0]
        assert ["第 2 次呼叫" in calls[1], "第 3 次呼叫" in calls[2]] == [True, True]


async def test_signatures_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook's; those of the chats are checked in test_requests."""
    async with world(tmp_path) as one, LocalReceiver() as hook:
        monkeypatch.setenv("KEY", "0123456789")
        rules = rules_of({"hook": webhook(hook, monkeypatch, secret={"env": "KEY"})})
        async with pager_here(one, rules):
            await one.send(alert())
            (told,) = await until(lambda: hook.told, "the page")
        digest = hmac.new(b"0123456789", told.raw, hashlib.sha256).hexdigest()
        assert told.headers["X-Wanglou-Signature"] == f"sha256={digest}"
