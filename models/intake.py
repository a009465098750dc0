"""Intake: from raw bytes to valid, normalised, masked mentions, one per institution named."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from wanglou.models.masking import mask, mask_url
from wanglou.models.order import Position
from wanglou.models.state import KeyedState
from wanglou.models.text import normalise, region_name, with_title
from wanglou.models.watchlist import InstitutionFinder, Watchlist
from wanglou.schemas.dead_letter import Reason
from wanglou.schemas.mention import MAX_RAW_BYTES, Author, Mention, RawAuthor, RawMention
from wanglou.schemas.problems import describe

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A time before this is a broken clock or a parser's default."""

MAX_AHEAD = timedelta(minutes=5)
"""How far a collector's clock may be ahead of ours."""

PERSONAL = ("text", "title", "url", "author")
"""Fields whose wrong values no error shows: they may hold a person's number or name."""

CONTEXT_CHARACTERS = 140
"""How much of a root's text its comments and reposts carry: a whole Weibo post of the old limit."""


@dataclass(frozen=True, slots=True)
class Thread:
    """What intake remembers of a post that names institutions, for what answers it."""

    institutions: tuple[str, ...]
    text: str


class Reading(NamedTuple):
    """A raw mention as intake read it, and the institutions it is about: none if irrelevant."""

    raw: RawMention
    text: str
    institutions: tuple[str, ...]
    answered: Thread | None
    inherited: bool
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a message is no mention."""

    reason: Reason
    error: str


def parse(value: bytes | None, now: datetime) -> RawMention | Rejection:
    """Validate the bytes of a raw mention.

    Returns the mention, or why it is none; it raises nothing, whatever the bytes are. Types are
    strict (``"3"`` or ``3.0`` is no counter); of duplicate keys the last counts.

    >>> parse(b'{"id": 7}', datetime.now(UTC)).error
    'id: Input should be a valid string (got 7); platform: Field required; text: Field required; \
published_at: Field required'
    """
    if value is None:
        return Rejection(Reason.NO_VALUE, "message has no value")
    if len(value) > MAX_RAW_BYTES:
        return Rejection(
            Reason.TOO_LARGE,
            f"message has {len(value)} bytes; at most {MAX_RAW_BYTES}: keep long texts in an "
            "article store and send their first part",
        )
    try:
        raw = RawMention.model_validate_json(value, strict=True)
    except ValidationError as error:
        not_json = error.errors(include_url=False)[0]["type"] == "json_invalid"
        problem = mask(describe(error, PERSONAL))  # another field may hold a number by mistake
        return Rejection(Reason.NOT_JSON if not_json else Reason.INVALID, problem)
    for field, time in (("published_at", raw.published_at), ("collected_at", raw.collected_at)):
        if time is not None and not is_plausible(time, now):
            return Rejection(
                Reason.IMPLAUSIBLE_TIME,
                f"{field}: {time.isoformat()} is not between {EARLIEST:%Y-%m-%d} and "
                f"{MAX_AHEAD.seconds // 60} minutes from now",
            )
    if not raw.text.strip():
        return Rejection(Reason.INVALID, "text: is blank")
    return raw


def is_plausible(time: datetime, now: datetime) -> bool:
    """Whether a time can be that of a mention: no broken clock, no default of a parser."""
    since = time - EARLIEST  # asks for the offset once, a comparison would at each end
    return timedelta() <= since <= now + MAX_AHEAD - EARLIEST


def fields_of(value: bytes | None) -> dict[str, Any]:
    """The fields of a raw message, right or wrong; none where it is no JSON object."""
    try:
        raw = from_json(value or b"")
    except ValueError:
        return {}
    return raw if isinstance(raw, dict) else {}


def published_milliseconds(fields: Mapping[str, Any], now: datetime) -> int | None:
    """When a raw message says it was published, in milliseconds since the epoch.

    None where it does not tell a plausible time; it need not be valid in any other way.

    >>> published_milliseconds({"published_at": "2020-01-25T13:06:44+08:00"}, datetime.now(UTC))
    1579928804000
    >>> published_milliseconds({"published_at": "yesterday"}, datetime.now(UTC))
    """
    try:
        time = datetime.fromisoformat(fields["published_at"])
        return int(time.timestamp() * 1000) if is_plausible(time, now) else None
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


class SenderClock:
    """The latest publication that a sender of raw messages has come to."""

    def __init__(self) -> None:
        self._latest: int | None = None

    def after(self, fields: Mapping[str, Any], now: datetime) -> int | None:
        """The clock once a message is sent, in milliseconds since the epoch; None before any."""
        published = published_milliseconds(fields, now)
        if published is not None and (self._latest is None or published > self._latest):
            self._latest = published
        return self._latest


def raw_key(fields: Mapping[str, Any]) -> str | None:
    """The key of a raw message: ``root_id``, else ``id``; None where neither can be read.

    >>> raw_key({"id": "a", "root_id": "b"}), raw_key({"id": "a"}), raw_key({})
    ('b', 'a', None)
    """
    ids = (fields.get("root_id"), fields.get("id"))
    return next((one for one in ids if isinstance(one, str) and one), None)


def author_hash(key: bytes, platform: str, author_id: str) -> str:
    """A keyed hash (HMAC-SHA-256, first 16 bytes in hex) that stands for an author from here on."""
    message = f"{platform}\0{author_id}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, message, "sha256").hex()[:32]


class IntakeStep:
    """Intake for one partition of the raw topic.

    A comment or repost that names no institution inherits those of its root, else of its parent,
    so a thread must lie on one partition (the raw topic is keyed by root).
    """

    def __init__(
        self,
        watchlist: Watchlist,
        author_key: bytes,
        state: KeyedState[Thread],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._finder = InstitutionFinder(watchlist)
        self._author_key = author_key
        self._state = state
        self._clock = clock

    def process(
        self, value: bytes | None, *, position: Position, received_at: datetime | None
    ) -> tuple[Mention, ...] | Rejection:
        """The mentions in a raw message: none if it names no watched institution."""
        reading = self.read(value, position=position, received_at=received_at)
        if isinstance(reading, Rejection):
            return reading
        return tuple(self.mention(reading, one) for one in reading.institutions)

    def read(
        self, value: bytes | None, *, position: Position, received_at: datetime | None
    ) -> Reading | Rejection:
        """Take in a raw message; what makes its mentions if they are wanted.

        ``received_at`` is when the broker took the message; None in a recorded stream, where it
        counts as received when it was collected.
        """
        self._state.observe(position.minute)
        raw = parse(value, received_at or self._clock())
        if isinstance(raw, Rejection):
            return raw
        text = normalise(raw.text)
        if raw.title is not None:
            text = with_title(normalise(raw.title), text)
        answered = self._answered(raw)
        named = self._finder.find(text)  # in what was written: no replacement names anyone
        text = mask(text)
        if named and self._state.applied(raw.id) < position:
            thread = Thread(named, text[:CONTEXT_CHARACTERS])
            self._state.put(raw.id, thread, position=position, minute=position.minute)
        return Reading(
            raw,
            text,
            institutions=named or (answered.institutions if answered else ()),
            answered=answered,
            inherited=not named,
            received_at=received_at or raw.collected_at or raw.published_at,
        )

    def mention(self, reading: Reading, institution: str) -> Mention:
        """What was read as a mention of one of its institutions."""
        raw, answered = reading.raw, reading.answered
        return Mention.trusted(
            id=raw.id,
            institution=institution,
            inherited=reading.inherited,
            platform=raw.platform,
            kind=raw.kind,
            text=reading.text,
            context=answered.text if answered else None,
            url=None if raw.url is None else mask_url(raw.url),
            author=self._author(raw.platform, raw.author) if raw.author else None,
            published_at=raw.published_at,
            collected_at=raw.collected_at or raw.published_at,
            received_at=reading.received_at,
            engagement=raw.engagement,
            parent_id=raw.parent_id,
            root_id=raw.root_id,
            region=None if raw.region is None else mask(region_name(raw.region)) or None,
        )

    def _answered(self, raw: RawMention) -> Thread | None:
        for answered_id in (raw.root_id, raw.parent_id):
            if answered_id is not None and answered_id != raw.id:
                thread = self._state.get(answered_id)
                if thread is not None:
                    return thread
        return None

    def _author(self, platform: str, author: RawAuthor) -> Author:
        hashed = author_hash(self._author_key, platform, author.id)
        return Author.trusted(id=hashed, followers=author.followers or 0, tier=author.tier)
