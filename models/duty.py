"""Who is on duty when, and when it is night: hours of the week in China."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from wanglou.schemas.base import CHINA

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
CHINESE_DAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES
_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


def _minutes(value: object) -> object:
    if isinstance(value, int):  # YAML reads 22:30 as a number to the base of 60
        raise ValueError('is no time: write it in quotes, for example "22:30"')
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match else None
    if minutes is None or minutes > DAY_MINUTES:
        raise ValueError(f'{value!r} is no time of day, for example "08:30"')
    return minutes


MinuteOfDay = Annotated[int, BeforeValidator(_minutes)]


class Hours(BaseModel):
    """From a time of day to another, over midnight if that is not later; the same: a whole day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    begin: MinuteOfDay = Field(alias="from")
    end: MinuteOfDay = Field(alias="to")

    @property
    def length(self) -> int:
        """Minutes."""
        return (self.end - self.begin) % DAY_MINUTES or DAY_MINUTES

    def end_after(self, time: datetime) -> datetime | None:
        """When the hours end that a time lies in, None if it lies in none.

        >>> night = Hours.model_validate({"from": "22:00", "to": "07:00"})
        >>> late = datetime(2026, 3, 2, 23, 30, tzinfo=CHINA)
        >>> night.end_after(late).isoformat(), night.end_after(late.replace(hour=12))
        ('2026-03-03T07:00:00+08:00', None)
        """
        local = time.astimezone(CHINA)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        for day in (midnight - timedelta(days=1), midnight):
            begin = day + timedelta(minutes=self.begin)
            end = begin + timedelta(minutes=self.length)
            if begin <= local < end:
                return end
        return None


class Shift(Hours):
    """Hours that begin on some days, and who is called then, one after the other."""

    days: tuple[Day, ...] = Field(min_length=1)
    people: tuple[str, ...] = Field(min_length=1)

    def minutes(self) -> Iterator[int]:
        """The minutes of the week, from Monday's midnight, that it covers."""
        for day in self.days:
            begin = DAYS.index(day) * DAY_MINUTES + self.begin
            yield from (minute % WEEK_MINUTES for minute in range(begin, begin + self.length))

    def covers(self, minute: int) -> bool:
        """Whether it covers a minute of the week."""
        begins = (DAYS.index(day) * DAY_MINUTES + self.begin for day in self.days)
        return any((minute - begin) % WEEK_MINUTES < self.length for begin in begins)


Rota = tuple[Shift, ...]
"""Shifts; where two cover the same time, the first counts."""


def gaps(rota: Rota) -> list[str]:
    """The times of the week at which nobody is on duty.

    >>> shift = {"days": list(DAYS), "from": "08:00", "to": "07:30", "people": ["zhang"]}
    >>> gaps((Shift.model_validate(shift),))[:2]
    ['周一 07:30–08:00', '周二 07:30–08:00']
    """
    covered = {minute for shift in rota for minute in shift.minutes()}
    return spans(minute for minute in range(WEEK_MINUTES) if minute not in covered)


def overlaps(rota: Rota) -> list[str]:
    """The times of the week that more than one shift covers.

    >>> shift = {"days": ["mon"], "from": "08:00", "to": "18:00", "people": ["zhang"]}
    >>> late = {"days": ["mon"], "from": "17:30", "to": "08:00", "people": ["li"]}
    >>> overlaps((Shift.model_validate(shift), Shift.model_validate(late)))
    ['周一 17:30–18:00']
    """
    covered = Counter(minute for shift in rota for minute in shift.minutes())
    return spans(sorted(minute for minute, shifts in covered.items() if shifts > 1))


def spans(minutes: Iterable[int]) -> list[str]:
    """Minutes of the week, ascending, as operators read them.

    >>> spans([0, 1, 2, 1439, 1440])
    ['周一 00:00–00:03', '周一 23:59–周二 00:01']
    """
    found = []
    for _, run in groupby(enumerate(minutes), lambda pair: pair[1] - pair[0]):
        together = [minute for _, minute in run]
        begin, end = _named(together[0]), _named(together[-1] + 1)
        same_day = begin[:2] == end[:2] and len(together) < DAY_MINUTES
        found.append(f"{begin}–{end[3:] if same_day else end}")
    return found


def _named(minute: int) -> str:
    day, rest = divmod(minute % WEEK_MINUTES, DAY_MINUTES)
    return f"{CHINESE_DAYS[day]} {rest // 60:02}:{rest % 60:02}"


def on_duty(rota: Rota, time: datetime) -> tuple[str, ...]:
    """Who is called at a time, in this order; empty without a rota."""
    local = time.astimezone(CHINA)
    minute = local.weekday() * DAY_MINUTES + local.hour * 60 + local.minute
    return next((shift.people for shift in rota if shift.covers(minute)), ())
