"""Everything that operators run, on one machine: what happens at night, in two minutes.

Embedded broker, worker, Prometheus, Alertmanager, pager, and the phones of two people on call: the
first does not answer, the second acknowledges.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from wanglou.agents import topic_admin
from wanglou.agents.demo import READY_SECONDS, SESSION_SECONDS, STREAM, own_environment
from wanglou.agents.embedded_broker import embedded_broker, free_port
from wanglou.agents.local_receiver import LocalReceiver, Told
from wanglou.agents.program import ALERTMANAGER, PROMETHEUS, alertmanager, find, prometheus
from wanglou.agents.progress import wait_drained
from wanglou.agents.replay import read_lines, replayed
from wanglou.agents.settings import DEPLOY, BrokerSettings, TopicSettings
from wanglou.agents.worker_process import WorkerProcess
from wanglou.models.duty import DAYS

ANSWER_SECONDS = 2.0
"""How long the first person may take to acknowledge: the orange level lasts some seconds."""

PEOPLE = {"zhang": "张三", "li": "李四"}
ANSWERS = "li"
DRAIN_SECONDS = 120.0
END_SECONDS = 20.0
POLL_SECONDS = 0.1
LINK = re.compile(r"http://\S+/ack/\S+")

Say = Callable[[str], None]


class Ops:
    """One run in a folder of its own, where the logs lie. ``seen``: what must have come."""

    def __init__(self, folder: Path, speed: float, say: Say) -> None:
        self.seen = dict.fromkeys(("page", "escalation", "acknowledgement", "resolve"), False)
        self._folder = folder
        self._speed = speed
        self._say = say
        self._began = time.monotonic()

    def _tell(self, who: str, text: str) -> None:
        seconds = time.monotonic() - self._began
        head, *rest = text.splitlines()
        self._say(f"{seconds:5.1f} s  {who:<14}{head}")
        for line in rest:
            self._say(f"{'':<23}{line}")

    async def run(self) -> None:
        """Everything. Raises ``ProgramMissing`` before anything is started."""
        for names in (ALERTMANAGER, PROMETHEUS):
            find(names)
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(own_environment())
            phones = await stack.enter_async_context(LocalReceiver())
            address = stack.enter_context(embedded_broker(self._folder / "broker.log"))
            broker = BrokerSettings(url=address)
            await topic_admin.create(broker, TopicSettings())
            port = free_port()
            am_file = self._alertmanager_file(phones.url)
            stack.enter_context(alertmanager(am_file, self._folder, port))
            worker = WorkerProcess(
                address,
                self._folder / "worker.log",
                environment={"WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS)},
                folder=self._folder,
            )
            stack.callback(worker.kill)
            pager = self._pager(address, port, phones.url)
            stack.callback(pager.kill)
            prometheus_port = free_port()
            file = self._prometheus_file([worker.port, pager.port], port)
            self._prometheus = stack.enter_context(prometheus(file, self._folder, prometheus_port))
            for process in (worker, pager):
                await asyncio.to_thread(process.wait_ready, READY_SECONDS)
            self._tell("ready", f"broker, worker, pager, Alertmanager; {self._prometheus}")
            await self._play(broker, phones)
            await self._figures()
            pager.stop()
            worker.stop()

    def _alertmanager_file(self, phones: str) -> Path:
        """The deployed configuration, with a receiver that shows what it gets, and no patience."""
        path = DEPLOY / "alertmanager" / "alertmanager.yml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        content["templates"] = [str(path.parent / "*.tmpl")]
        for route in (content["route"], *content["route"]["routes"]):
            route.update(group_wait="0s", group_interval="1s")
        for receiver in content["receivers"]:
            if receiver["name"] == "on-call":
                receiver["webhook_configs"] = [{"url": f"{phones}/alertmanager"}]
        return self._write("alertmanager.yml", content)

    def _pager(self, address: str, alertmanager_port: int, phones: str) -> WorkerProcess:
        receivers: dict[str, dict[str, Any]] = {
            f"{one}-phone": {"kind": "webhook", "url": {"env": one.upper()}} for one in PEOPLE
        }
        url = f"http://127.0.0.1:{alertmanager_port}"
        receivers["alertmanager"] = {"kind": "alertmanager", "url": url}
        rules = self._write(
            "pager.yaml",
            {
                "link": "http://127.0.0.1/cases/{event_id}",
                "receivers": receivers,
                "always": ["alertmanager"],
                "people": {
                    one: {"name": name, "receivers": [f"{one}-phone"]}
                    for one, name in PEOPLE.items()
                },
                "rota": [
                    {"days": list(DAYS), "from": "08:00", "to": "08:00", "people": list(PEOPLE)}
                ],
                "acknowledge_minutes": {
                    "orange": ANSWER_SECONDS / 60,
                    "red": ANSWER_SECONDS / 60,
                },
            },
        )
        port = free_port()
        return WorkerProcess(
            address,
            self._folder / "pager.log",
            environment={
                "WANGLOU_PAGER__RULES": str(rules),
                "WANGLOU_PAGER__URL": f"http://127.0.0.1:{port}",
                "WANGLOU_PAGER__LINK_KEY": secrets.token_hex(32),
                "WANGLOU_BROKER__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
                **{one.upper(): f"{phones}/{one}" for one in PEOPLE},
            },
            folder=self._folder,
            command="pager",
            port=port,
        )

    def _prometheus_file(self, ports: list[int], alertmanager_port: int) -> Path:
        targets = [f"127.0.0.1:{port}" for port in ports]
        return self._write(
            "prometheus.yml",
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(DEPLOY / "prometheus" / "rules" / "*.yml")],
                "alerting": {
                    "alertmanagers": [
                        {"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}
                    ]
                },
                "scrape_configs": [
                    {"job_name": "wanglou", "static_configs": [{"targets": targets}]}
                ],
            },
        )

    def _write(self, name: str, content: object) -> Path:
        path = self._folder / name
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return path

    async def _play(self, broker: BrokerSettings, phones: LocalReceiver) -> None:
        playing = asyncio.create_task(self._replay(broker))
        try:
            shown, ended = 0, float("inf")
            while time.monotonic() < ended and not all(self.seen.values()):
                for told in phones.told[shown:]:
                    shown += 1
                    await self._show(told)
                if playing.done() and ended == float("inf"):
                    ended = time.monotonic() + END_SECONDS
                await asyncio.sleep(POLL_SECONDS)
            if playing.done():
                await playing
        finally:
            playing.cancel()

    async def _replay(self, broker: BrokerSettings) -> None:
        async for _ in replayed(broker, read_lines(STREAM), self._speed):
            pass
        await wait_drained(broker, DRAIN_SECONDS)

    async def _show(self, told: Told) -> None:
        who = told.path.strip("/")
        if who not in PEOPLE:
            for one in told.body["alerts"]:
                if one["labels"]["alertname"] == "WanglouCase":
                    self._tell_alert(one)
            return
        text = told.body["text"]
        self._tell(PEOPLE[who], text)
        self.seen["page"] = True
        if "次呼叫" in text:
            self.seen["escalation"] = True
        link = LINK.search(text)
        if who == ANSWERS and link is not None:
            await self._acknowledge(link[0])

    def _tell_alert(self, alert: dict[str, Any]) -> None:
        """One of Alertmanager's: a level of a case, that fires or is over."""
        name = f"{alert['labels']['event_id']} {alert['labels']['level']}"
        title = alert["annotations"]["title"]
        self._tell("Alertmanager", f"{alert['status']:<9} {name}: {title}")
        if title.startswith("【已解除】"):
            self.seen["resolve"] = True

    async def _acknowledge(self, link: str) -> None:
        async with aiohttp.ClientSession() as session:
            async with session.get(link) as page:
                page.raise_for_status()
            async with session.post(link, data={"by": PEOPLE[ANSWERS]}) as answer:
                answer.raise_for_status()
        self._tell(PEOPLE[ANSWERS], "opens the link and presses 确认收到")
        self.seen["acknowledgement"] = True

    async def _figures(self) -> None:
        """What Prometheus has seen of it."""
        await asyncio.sleep(2)  # two scrapes
        async with aiohttp.ClientSession() as session:
            for query in (
                "sum by (receiver, outcome) (wanglou_pages_total) > 0",
                "wanglou_page_escalations_total > 0",
                "wanglou_acknowledgement_seconds_count > 0",
            ):
                url = f"{self._prometheus}/api/v1/query"
                async with session.get(url, params={"query": query}) as answer:
                    for one in (await answer.json())["data"]["result"]:
                        labels = {
                            name: value
                            for name, value in one["metric"].items()
                            if name not in ("instance", "job")
                        }
                        self._tell("Prometheus", f"{labels} {one['value'][1]}")
