"""What goes to each kind of receiver: signatures, severities, and what counts as a refusal."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pager_world import SECRET, alert

from wanglou.agents.local_receiver import Answer, LocalReceiver
from wanglou.agents.pager_requests import Notice, request
from wanglou.agents.pager_rules import Receiver
from wanglou.agents.pager_targets import new_target
from wanglou.models.case import Case
from wanglou.models.page import page_of

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
KEY = "SEC0123456789"


def case(**fields: Any) -> Case:
    page = page_of(alert(**fields))
    levels = {} if page.level is None else {page.level: NOW}
    return Case(page, 0, NOW, NOW, levels=levels)


def notice(**fields: Any) -> Notice:
    return Notice("key", "一\n二\n三", (case(**fields),), "http://127.0.0.1/case")


def test_dingtalk_signs_time_and_key_in_the_url() -> None:
    """Checked as DingTalk's page says: HMAC-SHA256, base64, URL-encoded once."""
    url = "https://host.example/robot/send?access_token=abc"
    sent = request("dingtalk", url, KEY, ["13800000000"], [notice()], NOW)
    query = parse_qs(urlsplit(sent.url).query)
    timestamp = str(int(NOW.timestamp() * 1000))
    signed = hmac.new(KEY.encode(), f"{timestamp}\n{KEY}".encode(), hashlib.sha256).digest()
    assert query["timestamp"] == [timestamp]
    assert query["sign"] == [base64.b64encode(signed).decode()]
    assert query["access_token"] == ["abc"]
    assert json.loads(sent.body)["text"] == {"content": "一\n二\n三"}


def test_feishu_signs_nothing_with_time_and_key() -> None:
    sent = json.loads(request("feishu", "https://host.example/h", KEY, [], [notice()], NOW).body)
    key = f"{int(NOW.timestamp())}\n{KEY}".encode()
    assert sent["sign"] == base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
    assert sent["timestamp"] == str(int(NOW.timestamp()))


def test_pagerduty_knows_a_case_by_its_event() -> None:
    raised = json.loads(request("pagerduty", "https://h.example", KEY, [], [notice()], NOW).body)
    ended = notice(level=None, kind="resolved", previous="orange")
    resolved = json.loads(request("pagerduty", "https://h.example", KEY, [], [ended], NOW).body)
    assert raised["dedup_key"] == resolved["dedup_key"] == "hexing-bank.run"
    assert (raised["event_action"], resolved["event_action"]) == ("trigger", "resolve")
    assert raised["payload"]["severity"] == "error"
    assert raised["routing_key"] == KEY


def receiver(monkeypatch: pytest.MonkeyPatch, url: str, **fields: Any) -> Receiver:
    monkeypatch.setenv("URL", url)
    return Receiver.model_validate({"url": {"env": "URL"}, **fields})


@pytest.mark.parametrize("kind", ["dingtalk", "wecom", "feishu"])
async def test_an_error_code_in_a_200_is_a_refusal(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with LocalReceiver() as chat:
        body = json.dumps({"errcode": 310000, "code": 19021, "errmsg": f"no {SECRET}"})
        chat.answers.append(Answer(body=body))
        one = receiver(monkeypatch, f"{chat.url}/hook/{SECRET}", kind=kind)
        target = new_target(kind, one, lambda: NOW)
        refused, taken = await target.tell([notice()]), await target.tell([notice()])
        await target.close()
    assert refused.error == "error 310000: no ***"
    assert not refused.maybe
    assert taken.error is None


async def test_no_error_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
        for url in (
            f"http://127.0.0.1:{closed}/{SECRET}",
            f"http://no-such-host.invalid/{SECRET}",
            f"http://[{SECRET}",
            f"nothing://{SECRET}",
        ):
            one = receiver(monkeypatch, url, kind="webhook")
            assert SECRET not in repr(one) + str(one.load_url())
            target = new_target("hook", one, lambda: NOW)
            outcome = await target.tell([notice()])
            await target.close()
            assert outcome.error
            assert SECRET not in repr(outcome)
