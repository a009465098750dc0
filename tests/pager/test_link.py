"""The signed link: opening it does nothing, its button acknowledges, and it expires."""

from __future__ import annotations

import time

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from wanglou.agents.embedded_broker import free_port
from wanglou.agents.pager_links import Links
from wanglou.agents.pager_pages import Pages

KEY = "0123456789abcdef"


async def test_only_the_button_acknowledges(monkeypatch: pytest.MonkeyPatch) -> None:
    port, given = free_port(), []

    async def acknowledge(event_id: str, alert_id: str, by: str) -> None:
        given.append((event_id, alert_id, by))

    links = Links(f"http://127.0.0.1:{port}/", KEY, hours=1)
    link = links.link("hexing-bank.run", "alert-1")
    pages = Pages(links, acknowledge, lambda event: "<b>和兴", CollectorRegistry, lambda: False)
    await pages.start("127.0.0.1", port)
    try:
        async with aiohttp.ClientSession() as session:

            async def status(method: str, url: str, by: str = "张三") -> tuple[int, str]:
                data = {"by": by} if method == "POST" else None
                async with session.request(method, url, data=data) as answer:
                    return answer.status, await answer.text()

            code, text = await status("GET", link)
            assert code == 200
            assert "确认收到" in text
            assert "&lt;b&gt;和兴" in text
            assert not given, "chat apps open links by themselves"
            assert (await status("POST", link, by=" "))[0] == 400
            forged = Links(f"http://127.0.0.1:{port}", "another key", 1).link("x", "y")
            assert (await status("POST", forged))[0] == 403
            assert (await status("POST", link[:-1]))[0] == 403
            assert not given
            assert (await status("POST", link))[0] == 200
            assert given == [("hexing-bank.run", "alert-1", "张三")]
            now = time.time()
            monkeypatch.setattr(time, "time", lambda: now + 3700)
            assert (await status("POST", link))[0] == 410
            assert len(given) == 1
            assert (await status("GET", f"http://127.0.0.1:{port}/readyz"))[0] == 503
    finally:
        await pages.stop()
