"""Check a draft before it is approved (文稿检查): promises, blame, rude words, personal data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Concern(StrEnum):
    """What is wrong with a place in a draft."""

    PROMISE = "promise"  # 绝对承诺
    BLAME = "blame"  # 推责指责
    RUDE = "rude"  # 不当用语
    PERSONAL = "personal"  # 个人信息
    GAP = "gap"  # 未填空
    NO_CHANNEL = "no-channel"  # 缺官方渠道
    NO_NEXT_NEWS = "no-next-news"  # 缺下次通报时间


@dataclass(frozen=True, slots=True)
class Warning:
    """A place in a draft, from ``start`` up to ``end`` (characters), and what to do about it."""

    concern: Concern
    start: int
    end: int
    words: str
    why: str
    instead: str


class Wording:
    """The words to look for: ``deploy/wording.yaml``."""


def check_draft(text: str, wording: Wording) -> list[Warning]:
    """What should be changed before the draft is approved, in the order of the text."""
    raise NotImplementedError


def load_wording(path: Path) -> Wording:
    """Read the file. Raises ``RulesError``."""
    raise NotImplementedError
