"""Tell receivers: over HTTP, or through apprise; never an exception, never a secret in an error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import apprise

from wanglou.agents.pager_requests import Notice, refusal, request
from wanglou.agents.pager_rules import Receiver
from wanglou.models.page import one_line
from wanglou.models.rules_file import RulesError

BUSY_AFTER = timedelta(seconds=30)
"""How long a receiver rests that has had too many messages and does not say how long."""

MAX_ANSWER_BYTES = 64 * 1024
SHORTEST_SECRET = 6
"""Shorter parts of a URL are words, not secrets."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message. ``error`` is None if it was delivered.

    ``whole``: the receiver takes none at all for now; ``maybe``: it may have arrived nevertheless.
    """

    error: str | None = None
    whole: bool = False
    maybe: bool = False
    retry_after: timedelta | None = None


class Target(Protocol):
    """A receiver at work."""

    together: bool
    """Whether it takes several notices at once."""
    knows_repeats: bool
    """Whether what is sent again is not shown again."""
    shows_state: bool
    """Whether it shows a case until it is told otherwise."""

    async def tell(self, notices: Sequence[Notice]) -> Outcome:
        """Show notices."""

    async def close(self) -> None:
        """Give up its connections."""


class HttpTarget:
    """A receiver that is told by POST."""

    def __init__(self, receiver: Receiver, wall: Callable[[], datetime]) -> None:
        self.together = receiver.kind == "alertmanager"
        self.knows_repeats = receiver.kind in ("alertmanager", "pagerduty", "webhook")
        self.shows_state = receiver.kind in ("alertmanager", "pagerduty")
        self._receiver = receiver
        self._wall = wall
        self._url = receiver.load_url()
        self._secret = receiver.secret.load() if receiver.secret else None
        self._session: aiohttp.ClientSession | None = None

    async def tell(self, notices: Sequence[Notice]) -> Outcome:
        """Show notices."""
        kind, url = self._receiver.kind, self._url.get_secret_value()
        secret = self._secret.get_secret_value() if self._secret else None
        one = request(kind, url, secret, self._receiver.mobiles, notices, self._wall())
        try:
            async with self._opened().post(
                one.url, data=one.body, headers=one.headers, allow_redirects=False
            ) as answer:
                body = await answer.content.read(MAX_ANSWER_BYTES)
                refused = refusal(kind, answer.status, body)
                asked = _retry_after(answer.headers.get("Retry-After"), self._wall())
        except Exception as error:
            return _failed(error)
        if refused is None:
            return Outcome()
        text = redact(one_line(refused.error), secrets_of(url, secret))
        if refused.busy and asked is None and 200 <= answer.status < 300:
            asked = BUSY_AFTER
        return Outcome(text, whole=refused.busy, retry_after=asked)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._receiver.timeout_seconds)
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session

    async def close(self) -> None:
        """Give up its connections."""
        if self._session is not None:
            await self._session.close()


def _failed(error: Exception) -> Outcome:
    """The outcome of a request without an answer; the error's own text may show the URL."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return Outcome("the host name cannot be resolved", whole=True)
        case aiohttp.ClientConnectorError():
            return Outcome(f"no connection: {error.os_error.strerror or 'TLS'}", whole=True)
        case TimeoutError():
            return Outcome("no answer in time", whole=True, maybe=True)
        case aiohttp.ClientError() | OSError():
            return Outcome(f"the connection broke: {type(error).__name__}", whole=True, maybe=True)
        case _:
            return Outcome(f"cannot be sent: {type(error).__name__}")


def _retry_after(value: str | None, wall: datetime) -> timedelta | None:
    """What the header asks for: seconds, or a date (RFC 9110)."""
    if value is None:
        return None
    try:
        if value.isdigit():
            return timedelta(seconds=min(int(value), 86_400))
        at = parsedate_to_datetime(value)
        return max(timedelta(0), (at if at.tzinfo else at.replace(tzinfo=UTC)) - wall)
    except (ValueError, TypeError):
        return None


def secrets_of(url: str, secret: str | None) -> list[str]:
    """What of a URL, and beside it, must not be shown; the longest first.

    >>> secrets_of("https://host.example/hook/abcdefgh?key=123456", None)
    ['https://host.example/hook/abcdefgh?key=123456', 'abcdefgh', '123456']
    """
    parts = urlsplit(url)
    found = {url, secret or "", parts.password or "", *parts.path.split("/")}
    found |= {value for _, value in parse_qsl(parts.query)}
    return sorted(
        (one for one in found if len(one) >= SHORTEST_SECRET),
        key=lambda one: (-len(one), one < "a"),
    )


def redact(text: str, secrets: Iterable[str]) -> str:
    """A text without secrets, which an answer may repeat."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


class AppriseTarget:
    """Mail, and every other service that apprise knows.

    It only says whether it was delivered. Its own log is off: at some levels it shows URLs.
    """

    together = knows_repeats = shows_state = False

    def __init__(self, name: str, receiver: Receiver) -> None:
        logging.getLogger("apprise").disabled = True
        logging.getLogger("urllib3").setLevel(logging.WARNING)
        self._seconds = receiver.timeout_seconds
        self._service = apprise.Apprise()
        if not self._service.add(receiver.load_url().get_secret_value()):
            raise RulesError(
                f"receivers.{name}.url: apprise knows no such service, or lacks a part"
            )

    async def tell(self, notices: Sequence[Notice]) -> Outcome:
        """Show a notice."""
        (notice,) = notices
        try:
            async with asyncio.timeout(self._seconds):
                delivered = await asyncio.to_thread(
                    self._service.notify, body=notice.text, title=notice.title
                )
        except TimeoutError:
            return Outcome("no answer in time", whole=True, maybe=True)
        except Exception as error:
            return Outcome(f"cannot be sent: {type(error).__name__}")
        return Outcome() if delivered else Outcome("apprise could not deliver it", maybe=True)

    async def close(self) -> None:
        """Nothing is open."""


def new_target(name: str, receiver: Receiver, wall: Callable[[], datetime]) -> Target:
    """A receiver at work. Raises ``RulesError`` for a URL that apprise does not know."""
    if receiver.kind == "apprise":
        return AppriseTarget(name, receiver)
    return HttpTarget(receiver, wall)
