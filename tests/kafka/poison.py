"""Messages that cannot be processed, to be sent among good ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from load import BANKS, Chapter
from stand_in import POISON

from wanglou.schemas.dead_letter import Reason


@dataclass(frozen=True)
class Poison:
    """Some of them, and what must become of them."""

    unreadable: Sequence[bytes] = ()
    """Intake puts them aside."""
    reasons: Mapping[Reason, int] = field(default_factory=dict)
    """Why: how many of them for each reason."""
    unscorable: Sequence[bytes] = ()
    """The model fails on them, and on every batch that has one."""


def no_poison(chapter: Chapter) -> Poison:
    """None."""
    return Poison()


def new_poison(chapter: Chapter) -> Poison:
    """Some of every sort, from the midst of a chapter."""

    def post(name: str, text: str) -> bytes:
        raw = {"id": f"{chapter.number}.{name}", "platform": "weibo", "text": text}
        raw["published_at"] = chapter.noon.isoformat()
        return json.dumps(raw, ensure_ascii=False).encode()

    return Poison(
        unreadable=(
            b"not json",
            b'{"id":"deep","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
            post("bytes", "和兴银行取不出钱").replace("取".encode(), b"\xff\xfe"),
            post("long", "银" * 100_000),
            post("types", "和兴银行取不出钱").replace(b'"weibo"', b"7"),
        ),
        reasons={Reason.NOT_JSON: 3, Reason.TOO_LARGE: 1, Reason.INVALID: 1},
        unscorable=tuple(
            post(f"poison{number}", f"{bank}银行{POISON}一颗,毒性第{number}号")
            for number, bank in enumerate(BANKS)
        ),
    )
