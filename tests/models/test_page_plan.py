"""What a receiver is told at night, and in a flood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from wanglou.models.case import Case, Delivery
from wanglou.models.duty import Hours
from wanglou.models.page import Page
from wanglou.models.page_plan import Plan, Rate, plan
from wanglou.schemas.base import CHINA
from wanglou.schemas.risk import AlertKind, Level, Subject

NIGHT = Hours.model_validate({"from": "22:00", "to": "07:00"})
MIDNIGHT = datetime(2026, 3, 3, 0, 0, tzinfo=CHINA)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def case(number: int, level: Level | None, since: datetime = NOON, told: str = "") -> Case:
    page = Page(
        alert_id=f"a{number}",
        event_id=f"bank-{number}.run",
        kind=AlertKind.RAISED,
        sequence=1,
        level=level,
        previous_level=Level.BLUE if level is None else None,
        decided_at=since,
        institution=Subject(id=f"bank-{number}", name="乙"),
        topic=Subject(id="run", name="挤兑传言"),
        risk=10,
        said="",
        why="",
        deadline="",
        first="",
    )
    delivery = Delivery(page.alert_id, since, told=told)
    return Case(page, number, since, since, deliveries={"chat": delivery})


def planned(cases: list[Case], wall: datetime, rate: Rate | None = None, **options: bool) -> Plan:
    return plan("chat", cases, (), rate, NIGHT, NOON, wall, **options)


def test_the_quiet_hours_hold_back_blue_and_yellow_only() -> None:
    cases = [case(number, level, MIDNIGHT) for number, level in enumerate(Level)]
    told = planned(cases, MIDNIGHT).pages
    assert [one.page.level for one in told] == [Level.RED, Level.ORANGE]


def test_what_waited_for_the_morning_is_one_summary() -> None:
    cases = [case(1, Level.BLUE, MIDNIGHT), case(2, Level.YELLOW, MIDNIGHT), case(3, Level.RED)]
    morning = planned(cases, MIDNIGHT + timedelta(hours=7))
    assert [one.page.level for one in morning.pages] == [Level.RED]
    assert {one.page.level for one in morning.summary} == {Level.BLUE, Level.YELLOW}


def test_who_shows_a_case_until_told_otherwise_is_told_at_night_that_it_is_over() -> None:
    known, new = case(1, None, MIDNIGHT, told="a0"), case(2, Level.BLUE, MIDNIGHT)
    assert planned([known, new], MIDNIGHT).pages == []
    assert planned([known, new], MIDNIGHT, updates_at_once=True).pages == [known]


def test_beyond_the_rate_the_gravest_are_pages_and_the_rest_one_summary() -> None:
    cases = [case(number, Level.YELLOW) for number in range(10)] + [case(10, Level.RED)]
    told = planned(cases, NOON, Rate(pages=3, seconds=60))
    assert [one.page.level for one in told.pages] == [Level.RED, Level.YELLOW]
    assert len(told.summary) == 9
