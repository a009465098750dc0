"""What a period's cases have in common: small rows of them, and counts and medians of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median

from wanglou.models.response.dossier import Dossier
from wanglou.models.response.figures import Figures, Kept, figures_of, lives_of
from wanglou.models.response.lessons import Judgement, lessons_of_life
from wanglou.schemas.base import CHINA
from wanglou.schemas.evaluation import EffectVerdict
from wanglou.schemas.response import Act, ReviewVerdict
from wanglou.schemas.risk import Level

WEEKS_UP_TO = timedelta(days=45)
"""A period that is not longer is told week by week, a longer one month by month."""


@dataclass(frozen=True, slots=True)
class Row:
    """One life of a case, as a period's report counts it."""

    case_id: str
    institution: str
    topic: str
    life: int
    highest: Level
    alerted_at: datetime
    to_alert: timedelta | None
    to_acknowledgement: timedelta | None
    to_statement: timedelta | None
    verdict: ReviewVerdict | None
    deadlines: tuple[tuple[str, Kept], ...]
    """Department and what became of the deadline, of those that are judged."""
    effects: tuple[tuple[Act, EffectVerdict], ...]
    faults: tuple[str, ...]
    """Names of the rules that say that something is to be done better."""

    @property
    def kept(self) -> int:
        """How many deadlines were kept."""
        return sum(kept is Kept.KEPT for _, kept in self.deadlines)


def rows_of(dossiers: Iterable[Dossier], first: date, last: date) -> list[Row]:
    """The lives of cases that were opened on the days from ``first`` to ``last``, by time."""
    begin = datetime.combine(first, time(), CHINA)
    end = datetime.combine(last + timedelta(days=1), time(), CHINA)
    found = [
        _row(dossier, figures_of(dossier, life))
        for dossier in dossiers
        for life in lives_of(dossier.case)
        if begin <= life.begin < end
    ]
    return sorted(found, key=lambda row: (row.alerted_at, row.case_id))


def _row(dossier: Dossier, figures: Figures) -> Row:
    case, review = dossier.case, figures.review
    said = lessons_of_life(dossier, figures)
    return Row(
        case_id=case.id,
        institution=case.institution.name,
        topic=case.topic.name,
        life=figures.life.number,
        highest=figures.highest,
        alerted_at=figures.alerted_at,
        to_alert=figures.to_alert,
        to_acknowledgement=figures.to_acknowledgement,
        to_statement=figures.to_statement,
        verdict=None if review is None else review.verdict,
        deadlines=tuple(
            (one.task.department, one.kept) for one in figures.deadlines if one.is_judged
        ),
        effects=tuple((one.measure.act, one.verdict) for one in figures.effects),
        faults=tuple(dict.fromkeys(one.rule for one in said if one.judgement is Judgement.BAD)),
    )


@dataclass(frozen=True, slots=True)
class Part:
    """A week or month of a period, cut at its ends; both days are in it."""

    name: str
    first: date
    last: date
    rows: tuple[Row, ...] = ()


def parts_of(rows: Sequence[Row], first: date, last: date) -> list[Part]:
    """The weeks or months of a period, with the rows of each.

    >>> [part.name for part in parts_of([], date(2026, 1, 1), date(2026, 3, 31))]
    ['2026-01', '2026-02', '2026-03']
    >>> [part.name for part in parts_of([], date(2026, 3, 5), date(2026, 3, 17))]
    ['03-05 起', '03-09 起', '03-16 起']
    """
    weekly = last - first <= WEEKS_UP_TO
    parts = []
    for begin, end in _spans(first, last, weekly):
        own = (row for row in rows if begin <= row.alerted_at.astimezone(CHINA).date() <= end)
        name = f"{begin:%m-%d} 起" if weekly else f"{begin:%Y-%m}"
        parts.append(Part(name, begin, end, tuple(own)))
    return parts


def _spans(first: date, last: date, weekly: bool) -> Iterator[tuple[date, date]]:
    begin = first
    while begin <= last:
        if weekly:
            following = begin + timedelta(days=7 - begin.weekday())
        else:
            following = (begin.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield begin, min(following - timedelta(days=1), last)
        begin = following


def middle(times: Iterable[timedelta | None]) -> timedelta | None:
    """The median of those that are known.

    >>> middle([timedelta(minutes=4), None, timedelta(minutes=8)])
    datetime.timedelta(seconds=360)
    """
    known = [one.total_seconds() for one in times if one is not None]
    return timedelta(seconds=median(known)) if known else None


def by_department(rows: Iterable[Row]) -> dict[str, Counter[Kept]]:
    """What became of the deadlines of each department; the one with most of them first."""
    found: dict[str, Counter[Kept]] = {}
    for row in rows:
        for department, kept in row.deadlines:
            found.setdefault(department, Counter())[kept] += 1
    return dict(sorted(found.items(), key=lambda one: (-one[1].total(), one[0])))


def by_act(rows: Iterable[Row]) -> dict[Act, Counter[EffectVerdict]]:
    """What evaluations say of each kind of measure; the one that was taken most first."""
    found: dict[Act, Counter[EffectVerdict]] = {}
    for row in rows:
        for act, verdict in row.effects:
            found.setdefault(act, Counter())[verdict] += 1
    return dict(sorted(found.items(), key=lambda one: (-one[1].total(), one[0])))


def period_name(first: date, last: date) -> str:
    """What people call a period.

    >>> period_name(date(2026, 1, 1), date(2026, 3, 31)), period_name(date(2026, 2, 1), \
date(2026, 2, 28))
    ('2026 年第一季度', '2026 年 2 月')
    >>> period_name(date(2026, 1, 1), date(2026, 12, 31))
    '2026 年'
    >>> period_name(date(2026, 2, 3), date(2026, 2, 9))
    '2026-02-03 至 2026-02-09'
    """
    whole_months = first.day == 1 and (last + timedelta(days=1)).day == 1
    months = 12 * (last.year - first.year) + last.month - first.month + 1
    if whole_months and months == 1:
        return f"{first.year} 年 {first.month} 月"
    if whole_months and months == 3 and first.month % 3 == 1:
        return f"{first.year} 年第{'一二三四'[first.month // 3]}季度"
    if whole_months and months == 12 and first.month == 1:
        return f"{first.year} 年"
    return f"{first} 至 {last}"
