"""A real Alertmanager shows the cases."""

from __future__ import annotations

import json
import shutil
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from pager_world import alert, until, world

from wanglou.agents.embedded_broker import free_port
from wanglou.agents.local_receiver import LocalReceiver
from wanglou.agents.program import ALERTMANAGER, alertmanager

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ALERTMANAGER)), reason="Alertmanager is not installed"
)

QUOTED = 'a"b\\c{d}='

CONFIGURATION = """
route: {{receiver: hook, group_by: [institution], group_wait: 0s, group_interval: 1s}}
receivers:
- name: hook
  webhook_configs: [{{url: "{url}/hook", send_resolved: true}}]
"""


def shown(url: str, **query: str) -> list[dict[str, Any]]:
    parameters = urllib.parse.urlencode({"active": "true", "inhibited": "false", **query})
    with urllib.request.urlopen(f"{url}/api/v2/alerts?{parameters}") as answer:
        return list(json.load(answer))


def silence(url: str, event_id: str) -> None:
    body = {
        "matchers": [{"name": "event_id", "value": event_id, "isRegex": False, "isEqual": True}],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "test",
        "comment": "test",
    }
    request = urllib.request.Request(
        f"{url}/api/v2/silences",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()


async def test_a_case_is_one_alert_from_its_rise_to_its_end(tmp_path: Path) -> None:
    async with world(tmp_path) as one, LocalReceiver() as hook:
        (tmp_path / "am.yml").write_text(CONFIGURATION.format(url=hook.url))
        with alertmanager(tmp_path / "am.yml", tmp_path, free_port()) as url:
            rules = {
                "link": "http://127.0.0.1/{event_id}",
                "receivers": {"am": {"kind": "alertmanager", "url": url}},
                "always": ["am"],
            }
            await one.started(rules)
            await one.send(
                alert(level="yellow"),
                alert("other.run", institution={"id": QUOTED, "name": '乙"行\n'}),
            )
            both = await until(lambda: (s := shown(url)) and len(s) == 2 and s, "two cases")
            assert {tuple(one["labels"].values()).count(QUOTED) for one in both} == {0, 1}
            first = next(one for one in both if one["labels"]["event_id"] == "hexing-bank.run")
            text = first["annotations"]["text"]
            assert len(text.splitlines()) == 3
            assert "【黄色·较大】和兴银行·挤兑传言" in text
            assert "[手机号]" in text
            assert "13912345678" not in text
            assert "突发 90 分、传播范围 50 分、热度 20 分" in text
            assert "先做：运营管理部 核实网点现场" in text

            def levels(event_id: str = "hexing-bank.run", **query: str) -> list[str]:
                found = shown(url, filter=f'event_id="{event_id}"', **query)
                return [one["labels"]["level"] for one in found]

            steps = (("red", "escalated", "yellow"), ("blue", "de-escalated", "red"))
            for sequence, (level, kind, before) in enumerate(steps, 2):
                await one.send(alert(sequence=sequence, level=level, kind=kind, previous=before))
                await until(lambda level=level: levels() == [level], f"only {level}")
            silence(url, "hexing-bank.run")
            await until(lambda: not levels(silenced="false"), "silenced")
            await one.send(alert(sequence=4, level=None, kind="resolved", previous="blue"))
            await until(lambda: not levels(), "resolved")
            groups = {json.dumps(told.body["groupLabels"]) for told in hook.told}
            assert groups == {
                '{"institution": "hexing-bank"}',
                json.dumps({"institution": QUOTED}),
            }


async def test_what_alertmanager_forgot_is_told_again(tmp_path: Path) -> None:
    """It keeps alerts in memory only: after a restart it knows none."""
    async with world(tmp_path) as one, LocalReceiver() as hook:
        (tmp_path / "am.yml").write_text(CONFIGURATION.format(url=hook.url))
        port = free_port()
        rules = {
            "link": "http://127.0.0.1/{event_id}",
            "receivers": {
                "am": {
                    "kind": "alertmanager",
                    "url": f"http://127.0.0.1:{port}",
                    "remind_seconds": 1,
                }
            },
            "always": ["am"],
        }
        await one.started(rules)
        await one.send(alert())
        for _ in range(2):
            with alertmanager(tmp_path / "am.yml", tmp_path, port) as url:
                await until(lambda url=url: len(shown(url)) == 1, "the case")
