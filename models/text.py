"""Normalise texts so that the same words are the same characters."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import opencc

from wanglou.models.near_duplicate import bigrams
from wanglou.models.remember import remembers

_URL = re.compile(r"(?:https?://|www\.)[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.IGNORECASE)
_USER_NAME = re.compile(r"(?://\s*)?@[\w\-·]{1,30}(?:\s?:)?")  # @name, and Weibo's //@name: chains
_SPACE = re.compile(r"\s+")
REGION_CHARACTERS = 32
_SUFFIX = re.compile(r"(?<=..)(?:省|市|(?:壮族|回族|维吾尔)?自治区|特别行政区)$")
TITLE_REPEATED = 0.9
"""Share of a headline that a text must repeat to stand for both: posts often begin with theirs."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_ZERO_WIDTH_JOINER = "\u200d"  # holds emoji together: the one format character that is kept


@cache
def _simplifier() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def simplify(text: str) -> str:
    """Traditional to simplified Chinese (OpenCC ``t2s``).

    >>> simplify("銀行擠兌")
    '银行挤兑'
    """
    if text.isascii():
        return text
    simplified = str(_simplifier().convert(text))
    # OpenCC leaves 乾縣 as 乾县, but makes 干县 of 乾县: only a second time they are the same.
    return simplified if simplified == text else str(_simplifier().convert(simplified))


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        character
        if character == _ZERO_WIDTH_JOINER or unicodedata.category(character) not in _INVISIBLE
        else " "
        if character in "\n\r\t\v\f"
        else ""
        for character in text
    )


@remembers(texts=16_384)
def normalise(text: str) -> str:
    """NFKC, visible characters only, URLs and user names out, simplified, spaces collapsed.

    >>> normalise("轉發微博//@小明:ＸＸ銀行 取不出錢！！ http://t.cn/A6abc\\u202e")
    '转发微博 XX银行 取不出钱!!'
    """
    text = unicodedata.normalize("NFKC", _visible(text))  # what stood between parts may hide
    text = _USER_NAME.sub(" ", _URL.sub(" ", text))
    return _SPACE.sub(" ", simplify(text)).strip()


def with_title(title: str, text: str) -> str:
    """A headline and its text as one, without saying the same twice; both normalised.

    The headline goes where `TITLE_REPEATED` of its character bigrams stand in the text, too.

    >>> with_title("银行破产?", "银行破产?假的"), with_title("快讯", "银行破产?假的")
    ('银行破产?假的', '快讯 银行破产?假的')
    """
    if not title:
        return text
    said, known = bigrams(title), bigrams(text)
    repeated = len(said & known) >= TITLE_REPEATED * len(said)
    return text if repeated and text else f"{title} {text}".strip()


def region_name(region: str) -> str:
    """A province as most platforms call it, without what sort of unit it is; cut to 32 characters.

    >>> region_name("廣西壯族自治區"), region_name("北京市"), region_name("CN-ZJ"), region_name(" ")
    ('广西', '北京', 'CN-ZJ', '')
    """
    return _SUFFIX.sub("", normalise(region))[:REGION_CHARACTERS]
