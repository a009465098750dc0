"""The pager's pages: the link by which a page is acknowledged, beside metrics and health."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from html import escape

from aiohttp import web
from itsdangerous import BadSignature, SignatureExpired
from prometheus_client import CollectorRegistry

from wanglou.agents.health_pages import HealthPages
from wanglou.agents.pager_links import Links
from wanglou.models.page import one_line

MAX_NAME = 40

PAGE = """\
<!doctype html><html lang="zh-CN"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>望楼</title>
<body style="font:1.2em sans-serif;max-width:30em;margin:2em auto;padding:0 1em">{content}</body>
"""
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",  # the link is a secret
    "X-Content-Type-Options": "nosniff",
}

Acknowledge = Callable[[str, str, str], Awaitable[None]]
"""Writes an acknowledgement: event id, alert id, by whom."""


class Pages(HealthPages):
    """``links`` is None where no link is configured.

    To open a link shows a page and does nothing, as chat apps open links by themselves; its button
    acknowledges.
    """

    def __init__(
        self,
        links: Links | None,
        acknowledge: Acknowledge,
        title_of: Callable[[str], str],
        metrics: Callable[[], CollectorRegistry],
        ready: Callable[[], bool],
    ) -> None:
        super().__init__(metrics, ready)
        self._links = links
        self._acknowledge = acknowledge
        self._title_of = title_of
        self.app.router.add_get("/ack/{token}", self._ask)
        self.app.router.add_post("/ack/{token}", self._confirm)

    async def _ask(self, request: web.Request) -> web.Response:
        read = self._read(request)
        if isinstance(read, web.Response):
            return read
        return _page(
            f"<p>{escape(self._title_of(read[0]))}</p><p>按下按钮，表示您已收到并开始处置；"
            "系统不再呼叫下一位值班人员。</p>"
            f'<form method="post"><p>姓名 <input name="by" required maxlength="{MAX_NAME}"></p>'
            '<p><button style="font-size:1.2em">确认收到</button></p></form>'
        )

    async def _confirm(self, request: web.Request) -> web.Response:
        read = self._read(request)
        if isinstance(read, web.Response):
            return read
        by = one_line(str((await request.post()).get("by", "")))[:MAX_NAME]
        if not by:
            return _page("<p>请填写姓名。</p>", status=400)
        event_id, alert_id = read
        await self._acknowledge(event_id, alert_id, by)
        return _page(f"<p>已确认：{escape(self._title_of(event_id))}</p><p>{escape(by)}</p>")

    def _read(self, request: web.Request) -> tuple[str, str] | web.Response:
        if self._links is None:
            return _page("<p>未启用确认链接。</p>", status=404)
        try:
            return self._links.read(request.match_info["token"])
        except SignatureExpired:
            return _page("<p>链接已过期，请用 wanglou ack 确认。</p>", status=410)
        except BadSignature:
            return _page("<p>链接无效。</p>", status=403)


def _page(content: str, status: int = 200) -> web.Response:
    text = PAGE.format(content=content)
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)
