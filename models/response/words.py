"""How reports say times, platforms and emotions in Chinese."""

from __future__ import annotations

from datetime import datetime, timedelta

from wanglou.models.page import one_line
from wanglou.schemas.base import CHINA
from wanglou.schemas.mention import Emotion

PLATFORMS = {
    "weibo": "微博",
    "wechat": "微信",
    "douyin": "抖音",
    "zhihu": "知乎",
    "news": "新闻",
    "xiaohongshu": "小红书",
    "bilibili": "哔哩哔哩",
    "kuaishou": "快手",
    "tieba": "贴吧",
    "toutiao": "今日头条",
    "xueqiu": "雪球",
    "heimao": "黑猫投诉",
    "app-store": "应用商店",
    "other": "其他",
}
"""Names of common platforms; another is told by its own slug."""

EMOTIONS = {one.value: one.chinese for one in Emotion}


def platform(name: str) -> str:
    """What operators call a platform."""
    return PLATFORMS.get(name, name)


def emotion(name: str) -> str:
    """What operators call an emotion; one that this version does not know by its own word."""
    return EMOTIONS.get(name, name)


NOTHING = "—"
"""What a table says where there is nothing to say."""


def share(part: float, whole: float) -> str:
    """A share in hundredths.

    >>> share(1, 3), share(0, 0)
    ('33%', '—')
    """
    return f"{part / whole:.0%}" if whole else NOTHING


def span(time: timedelta | None) -> str:
    """A length of time, in its two largest units.

    >>> span(timedelta(seconds=50)), span(timedelta(minutes=125)), span(timedelta(hours=49.5))
    ('不到 1 分钟', '2 小时 5 分钟', '2 天 1 小时')
    >>> span(timedelta(hours=24)), span(timedelta(0)), span(None)
    ('1 天', '0 分钟', '—')
    """
    if time is None:
        return NOTHING
    minutes = int(time.total_seconds() // 60)
    if minutes < 1:
        return "不到 1 分钟" if time else "0 分钟"
    days, hours = divmod(minutes // 60, 24)
    parts = [(days, "天"), (hours, "小时"), (minutes % 60, "分钟")]
    while not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)


def moment(time: datetime) -> str:
    """A time with its year, in China: for what is kept."""
    return f"{time.astimezone(CHINA):%Y-%m-%d %H:%M}"


def cut(text: str, characters: int) -> str:
    """A text on one line, with an ellipsis where it was cut.

    >>> cut("和兴银行 一切正常", 6), cut("a\\nb", 6)
    ('和兴银行 …', 'a b')
    """
    line = one_line(text)
    return line if len(line) <= characters else f"{line[: characters - 1]}…"
