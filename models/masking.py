"""Mask the numbers by which a text gives away a person.

- ``[身份证号]``: 18 characters whose region, birth date and check character are right; the old
  form of 15 digits only after a word like 身份证.
- ``[银行卡号]``: 15 to 19 digits of a card issuer's range whose Luhn digit is right.
- ``[手机号]``: 11 digits that begin 13-19, also after +86, 86, 0086 or 0.
- ``[固定电话]``: an area code and 7 or 8 digits, parted; in one run only after a word like 电话.
- ``[QQ号]``, ``[微信号]``: what stands after QQ, 微信, VX, 加V; a QQ group's number stays.
- ``[邮箱]``: addresses.

The first two go by their checksum, so that order numbers stay. A phone number has none, so whatever
could be one is masked, unless it is called a number of something else (单号, 编号) or is an amount
(¥, 元, decimals). Public lines stay: 95588, 400 and 800 numbers, and a landline right after a word
like 客服 or 热线. Groups of digits may be parted by spaces, hyphens, dots or brackets; a digit may
be Chinese (一, 幺, 壹), circled or a keycap.

Not covered: digits written with letters (l38OO…) or parted by words, a list's ① right before a
number (NFKC makes it a digit of the number), more than two numbers in one run, accounts that are no
card, foreign phones, landlines without area code, passports, names and addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from operator import mul
from unicodedata import numeric

from wanglou.models.remember import remembers

IDENTITY_CARD = "[身份证号]"
BANK_CARD = "[银行卡号]"
MOBILE = "[手机号]"
LANDLINE = "[固定电话]"
QQ = "[QQ号]"
WECHAT = "[微信号]"
EMAIL = "[邮箱]"

_SIGNS = "零〇一二三四五六七八九幺壹贰叁肆伍陆柒捌玖⓿❶-❾➀-➈➊-➒"
_DIGIT = rf"[\d{_SIGNS}]"
_KEYCAP = ("\ufe0f", "\u20e3")  # behind its digit, in 1️⃣
_GAP = rf"[ .·•()\-‐–—―−{''.join(_KEYCAP)}]{{0,3}}+"
_CROSS = r"[Xx×]"

_DIGITS = re.compile(rf"{_DIGIT}(?<!{_DIGIT}{_DIGIT})(?:{_GAP}{_DIGIT}){{9,}}+(?:{_GAP}{_CROSS})?")
"""Ten or more digits with small gaps, from the start of a group on, and an identity card's X."""

_GROUP = re.compile(
    rf"(?:\d{{17}}|\d{{28}}|[{_SIGNS}]{{17}}|[{_SIGNS}]{{28}}){_CROSS}|\d+|[{_SIGNS}]+|{_CROSS}"
)
"""28 digits and an X are a mobile number and an identity card run together. Chinese digits make
groups of their own, as a number may stand right before 三、 or 陆先生."""

_FEWEST_DIGITS, _MOST_DIGITS = 10, 20
"""Of a number in groups: a landline without and with country code and extension."""

_IN_GROUPS = re.compile(
    r"(?:0086|86|0)?1[3-9]|0[1-9]|86|0086"  # phones
    r"|62|81|955|9[468]|60|103|4|5[1-5]|2[2-7]|35|6[45]|3[47]"  # cards
    r"|\d{6}(?:19|20)\d\d[01]\d[0-3]\d"  # identity cards
)
"""How the digits of a number in groups begin: spares most lists of numbers a closer look."""

_REGION = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]|9[1-9]")
"""Of an identity card; 8 for residents from Hong Kong, Macau and Taiwan, 9 for foreign ones."""

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"

_ISSUER = re.compile(
    r"(?:62|81[0-7]|955[89]|9[468]|60(?:1382|1428|3)|103000)\d+(?<=\d{16})"  # UnionPay, older ones
    r"|4\d{15}|5[1-5]\d{14}"  # Visa, Mastercard
    r"|2(?!\d(?:0[1-9]|1[0-2])[0-3])(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # its second
    r"|35(?:2[89]|[3-8]\d)\d{12}|6(?:011|4[4-9]\d|5\d\d)\d{12}|3[47]\d{13}"  # JCB, Discover, Amex
)
"""Where card numbers begin (ISO/IEC 7812), and how long they are where they do. No wider, as one in
ten ids and order numbers has a right Luhn digit by chance; Mastercard's second range less what
begins like the date of an order, 240115."""

_MOBILE = re.compile(r"(0086|086|86|0)?1[3-9]\d{9}")
_MOBILE_GROUPS = frozenset(
    [
        (11,),
        (3, 8),
        (7, 4),
        (3, 4, 4),
        (4, 3, 4),
        (4, 4, 3),
        (3, 3, 5),
        (3, 5, 3),
        (3, 2, 2, 4),
        (3, 4, 2, 2),
        (3, 2, 2, 2, 2),
        (1,) * 11,
    ]
)
_LANDLINE = re.compile(r"(?:(?P<country>0086|86)0?|0)(?P<area>10|2\d|[3-9]\d\d)[1-9]\d{6,12}")
_LANDLINE_GROUPS = frozenset([(7,), (8,), (3, 4), (4, 4)])
_LANDLINE_RUN = re.compile(r"(?:0086|86|0)(?:(?:10|2\d)[2-8]\d{7}|[3-9]\d\d[2-8]\d{6,7})")

_YEARS_AND_DATES = re.compile(r"(?:(?:19|20)\d\d(?:[01]\d[0-3]\d)?)+")
_OTHER_NUMBER = re.compile(r"(?:[单编案批]|流水|合同|交易|凭证)号码?[是为]?[: ]{0,2}$")
_AMOUNT_BEFORE = re.compile(r"(?:[¥$€£] ?|(?<!\d)0\.)$")
_AMOUNT_AFTER = re.compile(
    r"\.\d\d(?![\d.号日月点、)])"
    r"| ?(?:[美港欧日]?元(?![旦宵月宝])|人民币|股(?![东票民])|次(?![日月年]))"
)
_IDENTITY_WORD = re.compile("身份证|身份号|证件")
_PHONE_WORD = re.compile("电话|手机|座机|固话|传真|联系|致电|拨|[Tt][Ee][Ll]")
_PUBLIC_LINE = re.compile("客服|热线|总机|举报|投诉|监督|咨询|服务|官方|值班")

_NEAR = 12
"""How many characters before a number are searched for a word that says what it is."""

_EMAIL = re.compile(
    r"[A-Za-z0-9](?<![A-Za-z0-9._%+\-].)(?![Ww]{2} )[A-Za-z0-9._%+\-]*+(?:@[A-Za-z0-9\-]+| )"
    r"(?:\.[A-Za-z0-9\-]+)*\.(?:com|cn|net|org|edu|gov|hk|cc|vip)(?![A-Za-z0-9])"
)
"""``normalise`` takes the @ and the word after it for a user name: then a space stands there."""

_ACCOUNT = re.compile(
    r"[微薇威加+VvWwQq扣](?:(?<=[微薇威])信|(?<=[加+]) ?[Vv](?![A-Za-z]{2})"
    r"|(?<![A-Za-z0-9].)(?:(?<=[Vv])信|(?<=[VvWw])[Xx]|(?<=[Ww])e(?:[Cc]hat|i[Xx]in))"
    r"|(?P<qq>(?<=扣)扣|(?<![A-Za-z0-9].)(?<=[Qq])[Qq]))"
    r"(?: ?(?P<called>(?:号码?|[账帐]号|ID|id)?[是为]?:?) ?)"
    r"(?P<account>[A-Za-z][A-Za-z0-9_\-]{5,19}|[1-9]\d{4,10})(?![A-Za-z0-9_\-])"
)
"""A word for an account and the account. Its first character is a set, which is searched fast."""

_COUNT_AFTER = re.compile(r" ?[元块万亿人次%]|\.\d")


@dataclass(frozen=True, slots=True)
class _Number:
    """Groups of digits in a text, read as one number."""

    text: str
    start: int
    end: int
    groups: Sequence[str]
    gaps: Sequence[str]
    before: str
    """What stands before it, masked, as far as it may say what the number is."""

    @property
    def digits(self) -> str:
        return "".join(self.groups)

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(map(len, self.groups))

    @property
    def spaced(self) -> bool:
        """Whether nothing but spaces is between the groups."""
        return not "".join(self.gaps).strip()

    def lengths_without(self, prefix: int) -> tuple[int, ...]:
        """Lengths of the groups without the first ``prefix`` digits."""
        left = list(self.lengths)
        while prefix:
            taken = min(prefix, left[0])
            prefix -= taken
            left[0] -= taken
            if not left[0]:
                del left[0]
        return tuple(left)


def _is_date(year: str, month: str, day: str) -> bool:
    try:
        return date(int(year), int(month), int(day)).year // 100 in (19, 20)
    except ValueError:
        return False


def is_identity_card(number: str) -> bool:
    """Whether 18 characters are the number of an identity card (GB 11643-1999).

    >>> is_identity_card("99010119900101006X"), is_identity_card("990101199001010061")
    (True, False)
    """
    return (
        _REGION.match(number) is not None
        and _is_date(number[6:10], number[10:12], number[12:14])
        and _CHECK_CHARACTERS[sum(map(mul, map(int, number[:17]), _WEIGHTS)) % 11] == number[17]
    )


def has_luhn_digit(number: str) -> bool:
    """Whether the last digit is right by Luhn's algorithm (ISO/IEC 7812-1).

    >>> has_luhn_digit("6200000000000005"), has_luhn_digit("6200000000000006")
    (True, False)
    """
    digits = [int(digit) for digit in reversed(number)]
    doubled = (digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _run_kind(run: str) -> str | None:
    """The kind of a run that is one by itself, whatever stands around it."""
    if len(run) == 18 and run[:17].isdecimal() and is_identity_card(run):
        return IDENTITY_CARD
    if _MOBILE.fullmatch(run):
        return MOBILE
    if 15 <= len(run) <= 19 and _ISSUER.fullmatch(run) and has_luhn_digit(run):
        return BANK_CARD
    return None


def _run_together(run: str) -> str | None:
    """The kinds of two numbers without anything between them."""
    for cut in (11, 16, 17, 18, 19):
        left, right = _run_kind(run[:cut]), _run_kind(run[cut:])
        if left and right:
            return left + right
    return None


def _is_old_identity_card(number: _Number) -> bool:
    run = number.digits
    return (
        len(run) == 15
        and _REGION.match(run) is not None
        and _is_date("19" + run[6:8], run[8:10], run[10:12])
        and _IDENTITY_WORD.search(number.before) is not None
    )


def _is_called_phone(number: _Number) -> bool:
    return number.before.endswith("+") or _PHONE_WORD.search(number.before) is not None


def _is_other_number(number: _Number) -> bool:
    """Whether it is called the number of something else, or is an amount and not called a phone."""
    if _OTHER_NUMBER.search(number.before):
        return True
    amount = _AMOUNT_BEFORE.search(number.before) or _AMOUNT_AFTER.match(number.text, number.end)
    return amount is not None and not _is_called_phone(number)


def _has_mobile_groups(number: _Number) -> bool:
    match = _MOBILE.fullmatch(number.digits)
    if match is None or number.groups[0] == "0":
        return False
    lengths = number.lengths_without(len(match[1] or ""))
    if lengths not in _MOBILE_GROUPS:
        return False
    if len(lengths) == 2 and "." in number.gaps[-1]:
        return False  # a decimal
    return not (number.spaced and all(map(_YEARS_AND_DATES.fullmatch, number.groups[1:])))


def _has_card_groups(number: _Number) -> bool:
    *groups, last = number.lengths
    return (
        (len(groups) in (3, 4) and set(groups) == {4} and last <= 4)
        or (*groups, last) == (4, 6, 5)
        or {*groups, last} == {1}
        or (min(groups) >= 3 and number.groups[0].startswith("62"))
    )


def _is_landline_run(number: _Number) -> bool:
    return (
        _LANDLINE_RUN.fullmatch(number.digits) is not None
        and _is_called_phone(number)
        and _PUBLIC_LINE.search(number.before) is None
    )


def _is_landline(number: _Number) -> bool:
    match = _LANDLINE.fullmatch(number.digits)
    if match is None or _PUBLIC_LINE.search(number.before):
        return False
    named = match["country"] == "0086" or _is_called_phone(number)
    if not named and not number.gaps[0].strip():
        return False
    prefix = len(match["country"] or "")
    area, *lengths = number.lengths_without(prefix)
    shapes = {tuple(lengths)}
    if lengths and lengths[-1] <= 5 and number.gaps[-1].strip() in ("-", "–", "—"):
        shapes.add(tuple(lengths[:-1]))  # without the extension
    return area == match.end("area") - prefix and not _LANDLINE_GROUPS.isdisjoint(shapes)


def _kind_of_run(number: _Number) -> str | None:
    """What an unbroken run of digits is replaced by; None where it may stand."""
    run = number.digits
    kind = _run_kind(run) or _run_together(run)
    if kind == MOBILE and _is_other_number(number):
        return None
    if kind is None and _is_old_identity_card(number):
        return IDENTITY_CARD
    if kind is None and _is_landline_run(number):
        return LANDLINE
    return kind


def _kind_of_groups(number: _Number) -> str | None:
    """What parted groups of digits are replaced by; None where they may stand."""
    kind = _run_kind(number.digits)
    if kind == MOBILE and not _has_mobile_groups(number):
        kind = None
    if kind == BANK_CARD and not _has_card_groups(number):
        kind = None  # for an identity card any groups will do, as it has a date besides
    if kind is None and _is_landline(number):
        return LANDLINE
    return kind


def _may_be(digits: str) -> bool:
    """Whether digits are a number if their groups are right."""
    return _run_kind(digits) is not None or _LANDLINE.fullmatch(digits) is not None


def _plain(group: str) -> str:
    """A group of digits in ASCII."""
    if group.isascii():
        return group.upper()
    return "".join("X" if one in "Xx×" else str(int(numeric(one))) for one in group)


class _Groups:
    """Groups of digits that stand close together in a text."""

    def __init__(self, text: str, digits: re.Match[str]) -> None:
        self._text = text
        self.matches = list(_GROUP.finditer(text, digits.start(), digits.end()))
        self._plain = [_plain(match[0]) for match in self.matches]

    def number(self, first: int, before: str) -> tuple[int, _Number, str] | None:
        """The number that begins with a group, what replaces it, and its last group.

        A group that is a number by itself comes before one that needs its neighbours, then the
        longest.
        """
        number = self._read(first, first, before)
        kind = _kind_of_run(number)
        if kind is not None:
            return first, number, kind
        groups = self._plain[first : first + _MOST_DIGITS]
        digits = "".join(groups)
        if not _IN_GROUPS.match(digits):
            return None
        ends = list(enumerate(accumulate(map(len, groups)), first))
        for last, end in reversed(ends[1:]):
            if _FEWEST_DIGITS <= end <= _MOST_DIGITS and _may_be(digits[:end]):
                number = self._read(first, last, before)
                kind = (_kind_of_groups if number.gaps else _kind_of_run)(number)
                if kind is not None:
                    return last, number, kind
        return None

    def _read(self, first: int, last: int, before: str) -> _Number:
        """Groups as one number; those without a gap between them as one group."""
        groups, gaps = [self._plain[first]], []
        for index in range(first + 1, last + 1):
            gap = self._text[self.matches[index - 1].end() : self.matches[index].start()]
            if gap:
                gaps.append(gap)
                groups.append(self._plain[index])
            else:
                groups[-1] += self._plain[index]
        start, end = self.matches[first].start(), self.matches[last].end()
        return _Number(self._text, start, end, groups, gaps, before)


def _start(number: _Number) -> int:
    """Where a number starts, with the + and the bracket that may belong to it."""
    text, start = number.text, number.start
    if number.digits.startswith("86") and text.endswith("+", 0, start):
        start -= 1
    gaps = "".join(number.gaps)
    if gaps.count(")") > gaps.count("(") and text.endswith("(", 0, start):
        start -= 1
    return start


def _mask_digits(text: str, accepts: Callable[[str, str], bool] | None = None) -> str:
    """Mask numbers of ten digits or more: all kinds, or those that ``accepts`` by their digits."""
    parts: list[str] = []
    done = 0
    tail = ""
    for digits in _DIGITS.finditer(text):
        groups = _Groups(text, digits)
        index = 0
        while index < len(groups.matches):
            start = groups.matches[index].start()
            before = (tail + text[max(done, start - _NEAR) : start])[-_NEAR:]
            found = groups.number(index, before)
            if found is not None:
                index, number, kind = found
                if accepts is None or accepts(kind, number.digits):
                    start = _start(number)
                    parts += text[done:start], kind
                    tail = (tail + text[max(done, start - _NEAR) : start] + kind)[-_NEAR:]
                    done = number.end
                    while text.startswith(_KEYCAP, done):
                        done += 1
            index += 1
    return "".join((*parts, text[done:])) if parts else text


def _mask_account(match: re.Match[str]) -> str:
    account, called = match["account"], match["called"].strip("是为")
    kind = QQ if match["qq"] else WECHAT
    if account.isdecimal():
        is_account = kind == QQ or (len(account) >= 6 and match["called"] != "")
        is_account = is_account and not _COUNT_AFTER.match(match.string, match.end())
    else:
        is_account = kind == WECHAT and (called != "" or not account.isalpha())
    return match[0].removesuffix(account) + kind if is_account else match[0]


@remembers(texts=16_384)
def mask(text: str) -> str:
    """A normalised text with the numbers that give away a person replaced by what they were.

    Masking again changes nothing.

    >>> mask("卡号6200 0000 0000 0005,订单20240101123456789,打13000000000或95588")
    '卡号[银行卡号],订单20240101123456789,打[手机号]或95588'
    """
    while True:
        masked = _ACCOUNT.sub(_mask_account, _EMAIL.sub(EMAIL, _mask_digits(text)))
        if masked == text:
            return text
        text = masked


def _is_sure(kind: str, digits: str) -> bool:
    """Whether a number in a URL's query is hardly the id of a post."""
    return kind != BANK_CARD or digits.startswith("62")


def mask_url(url: str) -> str:
    """A URL with the numbers that give away a person replaced, and everything else as it was.

    Before the query only identity cards are, as a path holds ids of posts: some look like a mobile
    number, and one in ten of 16 digits like a card. In the query cards other than UnionPay's stay
    for the same reason.

    >>> mask_url("https://m.example/4000000000000002?id=4000000000000002&tel=13000000000")
    'https://m.example/4000000000000002?id=4000000000000002&tel=[手机号]'
    """
    start = min((url.find(mark) for mark in "?#" if mark in url), default=len(url))
    path = _mask_digits(url[:start], lambda kind, digits: kind == IDENTITY_CARD)
    return path + _mask_digits(url[start:], _is_sure)
