"""A case: what receivers are told, who is called, who has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from wanglou.models.case import (
    Acknowledgement,
    Case,
    Policy,
    acknowledge,
    drop_untold,
    escalate,
    take_page,
    waiting,
)
from wanglou.models.duty import Hours
from wanglou.models.page import Page
from wanglou.models.page_plan import Rate, plan
from wanglou.schemas.risk import AlertKind, Level, Subject

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ON_DUTY = ("zhang", "li")
POLICY = Policy(
    least={"group": Level.BLUE, "phone-zhang": Level.BLUE, "phone-li": Level.BLUE},
    always=("group",),
    persons={"zhang": ("phone-zhang",), "li": ("phone-li",)},
    minutes={Level.ORANGE: 15, Level.RED: 5},
)
NIGHT = Hours.model_validate({"from": "22:00", "to": "07:00"})


def page(number: int, level: Level | None, **fields: Any) -> Page:
    """The page of a case's alert of this number; previous level and kind are as told."""
    values: dict[str, Any] = {
        "alert_id": f"alert-{number}",
        "event_id": "hexing-bank.run",
        "kind": AlertKind.RESOLVED if level is None else AlertKind.RAISED,
        "sequence": number,
        "level": level,
        "decided_at": NOW + timedelta(minutes=number),
        "institution": Subject(id="hexing-bank", name="和兴银行"),
        "topic": Subject(id="run", name="挤兑传言"),
        "risk": 40.0,
        **dict.fromkeys(("said", "why", "deadline", "first"), "x"),
    }
    return Page(**{**values, **fields})


def taken(*pages: Page, now: datetime = NOW) -> Case:
    """The case after pages, all of which are news."""
    case: Case | None = None
    for offset, one in enumerate(pages):
        case = take_page(case, one, offset, now, ON_DUTY, POLICY, now)
        assert case is not None
    assert case is not None
    return case


def told(case: Case) -> None:
    """Every receiver has got what it waits for."""
    for delivery in case.deliveries.values():
        delivery.told, delivery.ever_tried = delivery.wanted, True


def wanting(case: Case) -> dict[str, str]:
    """What each receiver waits for."""
    return {name: one.wanted for name, one in case.deliveries.items() if one.waits}


def test_a_repeat_and_an_earlier_step_are_no_news() -> None:
    case = taken(page(1, Level.BLUE), page(2, Level.YELLOW))
    for repeat in (page(1, Level.BLUE), page(2, Level.YELLOW)):
        assert take_page(case, repeat, 9, NOW, ON_DUTY, POLICY, NOW) is None
    assert case.page.alert_id == "alert-2"


def test_a_slow_receiver_is_told_the_latest_only() -> None:
    case = taken(page(1, Level.BLUE), page(2, Level.YELLOW))
    assert wanting(case) == {"group": "alert-2"}


def test_orange_calls_the_first_on_duty_and_then_the_next_and_again() -> None:
    case = taken(page(1, Level.ORANGE))
    assert wanting(case) == {"group": "alert-1", "phone-zhang": "alert-1"}
    told(case)
    now = NOW + timedelta(minutes=15)
    assert not escalate(case, ON_DUTY, POLICY, now - timedelta(seconds=1))
    assert escalate(case, ON_DUTY, POLICY, now)
    assert wanting(case) == {"phone-li": "alert-1/2"}
    told(case)
    assert not escalate(case, ON_DUTY, POLICY, now)
    assert escalate(case, ON_DUTY, POLICY, now + timedelta(minutes=15))
    assert wanting(case) == {"phone-zhang": "alert-1/3"}


def test_an_acknowledgement_ends_the_calls_until_the_level_rises_above_it() -> None:
    case = taken(page(1, Level.ORANGE))
    later = NOW + timedelta(minutes=4)
    assert acknowledge(case, "alert-1", Acknowledgement("张三", later), later) == later - NOW
    assert not escalate(case, ON_DUTY, POLICY, NOW + timedelta(days=1))
    case = take_page(case, page(2, Level.RED), 2, later, ON_DUTY, POLICY, later) or case
    assert case.needs_somebody
    assert acknowledge(case, "alert-1", Acknowledgement("张三", later), later) is None
    assert escalate(case, ON_DUTY, POLICY, later + timedelta(minutes=5))


def test_what_falls_below_orange_calls_nobody() -> None:
    case = taken(page(1, Level.ORANGE), page(2, Level.YELLOW))
    assert not escalate(case, ON_DUTY, POLICY, NOW + timedelta(days=1))
    assert case.unacknowledged_since is None


def test_a_case_that_is_over_before_it_was_told_is_not_told() -> None:
    case = taken(page(1, Level.BLUE), page(2, None))
    assert drop_untold(case, NOW) == ["group"]
    assert not waiting([case], "group")


def test_whoever_was_told_of_a_case_is_told_that_it_is_over() -> None:
    case = taken(page(1, Level.ORANGE))
    told(case)
    case = take_page(case, page(2, None), 2, NOW, ON_DUTY, POLICY, NOW) or case
    assert not drop_untold(case, NOW)
    assert wanting(case) == {"group": "alert-2", "phone-zhang": "alert-2"}


def cases(count: int, level: Level) -> list[Case]:
    return [taken(page(1, level, event_id=f"bank-{one}.run")) for one in range(count)]


def test_beyond_the_rate_there_is_one_summary_and_the_gravest_go_first() -> None:
    many = [*cases(999, Level.BLUE), *cases(1, Level.RED)]
    now = plan("group", many, [], Rate(20, 60), None, NOW, NOW)
    assert now.pages[0].page.level is Level.RED
    assert (len(now.pages), len(now.summary)) == (19, 981)
    full = [NOW - timedelta(seconds=59)] * 20
    assert plan("group", many, full, Rate(20, 60), None, NOW, NOW).pages == []


def test_the_night_holds_back_blue_and_yellow_only_and_ends_with_a_summary() -> None:
    evening = datetime(2026, 3, 2, 15, tzinfo=UTC)  # 23:00 in China
    held = [taken(page(1, level), now=evening) for level in (Level.BLUE, Level.YELLOW)]
    orange = taken(page(1, Level.ORANGE), now=evening)
    night = plan("group", [*held, orange], [], None, NIGHT, evening, evening)
    assert (night.pages, night.summary) == ([orange], [])
    morning = evening + timedelta(hours=9)
    assert plan("group", held, [], None, NIGHT, morning, morning).summary == [held[1], held[0]]
