"""How each kind of receiver is asked to show a page, and how it says that it will.

Alertmanager: API v2. PagerDuty: Events API v2. DingTalk, WeCom and Feishu: custom robots. For these
three apprise 2.3 has plug-ins, but DingTalk's encodes the signature twice, so that it is never
right, Feishu's does not sign, and DingTalk's and WeCom's take every HTTP 200 for a delivery, while
the services refuse with a 200 and an error code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from pydantic_core import from_json

from wanglou.agents.pager_rules import Kind
from wanglou.models.case import Case
from wanglou.models.page import Page, title_of
from wanglou.schemas.risk import Level

ALERTS_PATH = "/api/v2/alerts"
SHOWN = timedelta(hours=12)
"""How long Alertmanager shows a case that it is not told of again: longer than any outage of the
pager should be, as it would say that the case is over."""

SIGNATURE_HEADER = "X-Wanglou-Signature"
KEY_HEADER = "Idempotency-Key"

SEVERITIES = {
    Level.BLUE: "info",
    Level.YELLOW: "warning",
    Level.ORANGE: "error",
    Level.RED: "critical",
}
"""PagerDuty's words for the levels."""

TOO_MANY = {"dingtalk": {130101}, "wecom": {45009}, "feishu": {11232}}
"""Error codes of an HTTP 200 that mean: too many messages."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to a receiver: of one case, or a summary of several.

    ``key`` is the same whenever it is sent again.
    """

    key: str
    text: str
    cases: tuple[Case, ...]
    link: str
    news: bool = True
    """False where the receiver knows it already, and only must not forget it."""

    @property
    def page(self) -> Page | None:
        """The page that it is; None for a summary."""
        return self.cases[0].page if len(self.cases) == 1 else None

    @property
    def title(self) -> str:
        """Its first words."""
        page = self.page
        if page is None:
            return f"【汇总】{len(self.cases)} 起"
        return title_of(page)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A POST. Its repr shows no part of it, as URL and headers may be secret."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def request(
    kind: Kind,
    url: str,
    secret: str | None,
    mobiles: Sequence[str],
    notices: Sequence[Notice],
    wall: datetime,
) -> HttpRequest:
    """The request that shows notices; of all but Alertmanager one at a time."""
    if kind == "alertmanager":
        alerts = [alert for notice in notices for alert in alertmanager_alerts(notice, wall)]
        return _post(url.rstrip("/") + ALERTS_PATH, alerts)
    (notice,) = notices
    if kind == "webhook":
        return _webhook(url, secret, notice)
    if kind == "pagerduty":
        return _post(url, _pagerduty(secret or "", notice))
    return _CHATS[kind](url, secret, mobiles, notice.text, wall)


def _post(url: str, content: object, headers: Mapping[str, str] | None = None) -> HttpRequest:
    body = json.dumps(content, ensure_ascii=False).encode()
    return HttpRequest(url, body, {"Content-Type": "application/json", **(headers or {})})


def alertmanager_alerts(notice: Notice, wall: datetime) -> list[Any]:
    """A case's alerts: the level in force, and, if it is news, the end of the other levels.

    The level is a label, because Alertmanager sends a notification for new labels, but not for new
    annotations: a case that rises would otherwise stay silent until `repeat_interval`. At most one
    level of a case fires at a time. A level begins when it was entered, so the same alert is the
    same bytes whenever it is sent, but for its end.
    """
    (case,) = notice.cases
    level = case.page.level
    alerts = []
    if level is not None:
        alerts.append(_alert(case, level, notice, wall + SHOWN))
    if notice.news:
        ended = [one for one in case.levels if one != level]
        alerts += [_alert(case, one, notice, wall) for one in ended]
    return alerts


def _alert(case: Case, level: Level, notice: Notice, ends_at: datetime) -> dict[str, Any]:
    page = case.page
    begins_at = min(case.levels[level], ends_at)
    return {
        "labels": {
            "alertname": "WanglouCase",
            "event_id": page.event_id,
            "institution": page.institution.id,
            "topic": page.topic.id,
            "level": level.label,
        },
        "annotations": {
            "title": notice.title,
            "text": notice.text,
            "alert_id": page.alert_id,
            "acknowledged_by": case.acknowledged_by,
        },
        "startsAt": begins_at.isoformat(),
        "endsAt": ends_at.isoformat(),
        "generatorURL": notice.link,
    }


def _webhook(url: str, secret: str | None, notice: Notice) -> HttpRequest:
    pages = [case.page.model_dump(mode="json") for case in notice.cases]
    unsigned = _post(url, {"id": notice.key, "text": notice.text, "pages": pages})
    headers = {**unsigned.headers, KEY_HEADER: notice.key}
    if secret is not None:
        digest = hmac.new(secret.encode(), unsigned.body, hashlib.sha256).hexdigest()
        headers[SIGNATURE_HEADER] = f"sha256={digest}"
    return HttpRequest(url, unsigned.body, headers)


def _pagerduty(routing_key: str, notice: Notice) -> dict[str, Any]:
    page = notice.page
    resolved = page is not None and page.level is None
    levels = [case.page.level for case in notice.cases if case.page.level is not None]
    payload = {
        "summary": notice.text,
        "severity": SEVERITIES[max(levels, default=Level.BLUE)],
        "source": "wanglou",
        "group": page.institution.id if page else "several",
        "class": page.topic.id if page else "several",
    }
    return {
        "routing_key": routing_key,
        "event_action": "resolve" if resolved else "trigger",
        "dedup_key": notice.key if page is None else page.event_id,
        "payload": payload,
        "links": [{"href": notice.link, "text": "wanglou"}],
    }


def _dingtalk(
    url: str, secret: str | None, mobiles: Sequence[str], text: str, wall: datetime
) -> HttpRequest:
    """https://open.dingtalk.com/document/robots/customize-robot-security-settings"""
    if secret is not None:
        timestamp = str(int(wall.timestamp() * 1000))
        sign = _hmac_base64(secret, f"{timestamp}\n{secret}")
        parts = urlsplit(url)
        more = urlencode({"timestamp": timestamp, "sign": sign})
        url = urlunsplit(parts._replace(query=f"{parts.query}&{more}"))
    at = {"atMobiles": list(mobiles), "isAtAll": False}
    return _post(url, {"msgtype": "text", "text": {"content": text}, "at": at})


def _feishu(
    url: str, secret: str | None, mobiles: Sequence[str], text: str, wall: datetime
) -> HttpRequest:
    """https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot

    The key is made of time and secret, and what is signed is empty.
    """
    content: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
    if secret is not None:
        timestamp = str(int(wall.timestamp()))
        sign = _hmac_base64(f"{timestamp}\n{secret}", "")
        content = {"timestamp": timestamp, "sign": sign, **content}
    return _post(url, content)


def _wecom(
    url: str, secret: str | None, mobiles: Sequence[str], text: str, wall: datetime
) -> HttpRequest:
    """https://developer.work.weixin.qq.com/document/path/91770"""
    content = {"content": text, "mentioned_mobile_list": list(mobiles)}
    return _post(url, {"msgtype": "text", "text": content})


_CHATS: Mapping[Kind, Callable[[str, str | None, Sequence[str], str, datetime], HttpRequest]] = {
    "dingtalk": _dingtalk,
    "feishu": _feishu,
    "wecom": _wecom,
}


def _hmac_base64(key: str, message: str) -> str:
    digest = hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A receiver does not take a message. ``busy``: it takes none for now."""

    error: str
    busy: bool = False


def refusal(kind: Kind, status: int, body: bytes) -> Refusal | None:
    """What an answer refuses, None if it takes the message.

    >>> refusal("dingtalk", 200, b'{"errcode": 310000, "errmsg": "sign not match"}').error
    'error 310000: sign not match'
    >>> refusal("feishu", 200, b'{"code": 0, "msg": "success"}') is None
    True
    """
    if status == 429 or status >= 500:
        return Refusal(f"HTTP {status}", busy=True)
    code, message = _code(body) if kind in _CHATS else (0, _beginning(body))
    if not 200 <= status < 300:
        return Refusal(f"HTTP {status}: {message}")
    if code:
        return Refusal(f"error {code}: {message}", busy=code in TOO_MANY[kind])
    return None


MAX_ERROR = 200


def _beginning(body: bytes) -> str:
    return body[:MAX_ERROR].decode("utf-8", "replace")


def _code(body: bytes) -> tuple[int, str]:
    """The error code and message of a chat's answer; an answer that has none is an error."""
    try:
        answer = from_json(body)
        code = next(answer[name] for name in ("errcode", "code", "StatusCode") if name in answer)
        return int(code), str(answer.get("errmsg") or answer.get("msg") or "")[:MAX_ERROR]
    except (ValueError, TypeError, AttributeError, StopIteration):
        return -1, _beginning(body)
