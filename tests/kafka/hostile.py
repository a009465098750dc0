"""Hostile messages: mutated from valid ones, everything by the seed.

They are about an institution that the load does not name. One whose time comes out valid and later
than its neighbours' is left out: it is no bad message but one from the future, and moves the clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from random import Random
from typing import Any

from wanglou.models.intake import fields_of, published_milliseconds

TEXTS = (
    "和穗人寿理赔太慢了,打电话没人接",
    "和穗人寿的保单查不到,APP一直闪退😡",
    "听说和穗人寿要出事,有人知道吗",
)
STRANGE: tuple[Any, ...] = (
    *(None, True, -1, 0.5, 1e400, 10**30, "", " ", "\x00", "\ud800", "null", "🏦" * 2000),
    *([], {}, [[]], {"a": {"b": None}}, "2026-02-30T00:00:00Z", "9999-12-31T23:59:59Z", "昨天"),
    *("' OR 1=1 --", "<script>", "{{7*7}}", "%s%n", "../../etc/passwd", "a" * 300, "A\r\nB: c"),
)
PIECES = (b"\xff", b"\x00", b"\xed\xa0\x80", b"{", b"}", b'"', b"\\", b",", b"\n", b"\xef\xbb\xbf")

Mutation = Callable[[bytes, Random], bytes]


def flip(value: bytes, rng: Random) -> bytes:
    """Some bits are others."""
    changed = bytearray(value)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(value: bytes, rng: Random) -> bytes:
    """The end is missing."""
    return value[: rng.randrange(len(value))]


def splice(value: bytes, rng: Random) -> bytes:
    """Something stands in between."""
    at = rng.randrange(len(value) + 1)
    return value[:at] + rng.choice(PIECES) * rng.randint(1, 3) + value[at:]


def repeat(value: bytes, rng: Random) -> bytes:
    """A part stands there twice."""
    start = rng.randrange(len(value))
    end = min(len(value), start + rng.randint(1, 60))
    return value[:end] + value[start:]


def replace(value: bytes, rng: Random) -> bytes:
    """A field has a strange value."""
    raw = json.loads(value)
    place = rng.choice([raw, raw["author"], raw["engagement"]])
    place[rng.choice(list(place))] = rng.choice(STRANGE)
    return _encode(raw)


def remove(value: bytes, rng: Random) -> bytes:
    """A field is missing, or has another name."""
    raw = json.loads(value)
    name = rng.choice(list(raw))
    content = raw.pop(name)
    if rng.random() < 0.5:
        raw[name.upper()] = content
    return _encode(raw)


def nest(value: bytes, rng: Random) -> bytes:
    """A field is very deep, or very long."""
    depth = rng.choice((50, 500, 5000))
    if rng.random() < 0.5:
        return value[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"
    return value[:-1] + b',"y":"' + b"y" * depth * 20 + b'"}'


def other(value: bytes, rng: Random) -> bytes:
    """No mention at all."""
    return rng.choice((b" ", b"null", b"[]", b"7", b"<html>", rng.randbytes(rng.randint(1, 400))))


MUTATIONS: Sequence[Mutation] = (flip, cut, splice, repeat, replace, replace, remove, nest, other)


def _encode(raw: dict[str, Any]) -> bytes:
    return json.dumps(raw, ensure_ascii=False).encode("utf-8", "surrogatepass")


def valid(number: int, at: datetime, rng: Random) -> bytes:
    """What is mutated."""
    return _encode(
        {
            "id": f"hostile:{number}",
            "platform": rng.choice(("weibo", "douyin", "zhihu")),
            "kind": rng.choice(("post", "comment", "article")),
            "text": rng.choice(TEXTS) + str(number),
            "title": None,
            "url": f"https://example.com/{number}",
            "author": {"id": str(rng.randrange(10**9)), "name": "某人", "followers": 12},
            "published_at": at.isoformat(),
            "collected_at": at.isoformat(),
            "engagement": {"likes": 3, "comments": 1, "reposts": 0},
            "parent_id": None,
        }
    )


def hostile(count: int, lines: Sequence[bytes], seed: str, now: datetime) -> Iterator[bytes]:
    """The lines, with ``count`` hostile messages evenly among them."""
    latest, made = 0, 0
    for number, line in enumerate(lines, 1):
        yield line
        latest = max(latest, published_milliseconds(fields_of(line), now) or 0)
        at = datetime.fromtimestamp(latest / 1000, now.tzinfo)
        while made < count * number // len(lines):
            rng = Random(f"{seed}/{made}")
            value = rng.choice(MUTATIONS)(valid(made, at, rng), rng)
            made += 1
            is_line = value.strip(b"\r") != b"" and b"\n" not in value
            if is_line and (published_milliseconds(fields_of(value), now) or 0) <= latest:
                yield value
