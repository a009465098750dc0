"""What reviews say of alerts, and how far alerts are from it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from known_courses import START, life

from tests.models.response.builders import CASE, alert, at
from wanglou.models.response.case_file import CaseFile, after_alert, after_response
from wanglou.models.tuning.reviewed import (
    Changes,
    Outcome,
    levels_off,
    outcome,
    reviewed_lives,
)
from wanglou.schemas.response import Act, Response, ReviewVerdict
from wanglou.schemas.risk import AlertKind, Level

RIGHT, LATE = ReviewVerdict.RIGHT, ReviewVerdict.LATE
FALSE_ALARM, MISSED = ReviewVerdict.FALSE_ALARM, ReviewVerdict.MISSED
NOW = at(100_000)


def act(case: CaseFile, minute: float, act: Act, **fields: object) -> None:
    given = {"id": f"{act.value}{minute}", "event_id": CASE, "by": "li", "at": at(minute)}
    response = Response.model_validate({**given, "act": act, "text": "因为", **fields})
    assert after_response(case, response, NOW)


def told(case: CaseFile | None, minute: float, level: Level, highest: Level) -> CaseFile:
    """A life: raised, escalated, resolved an hour later."""
    case = after_alert(case, alert(minute, level, AlertKind.RAISED))
    case = after_alert(case, alert(minute + 20, highest, AlertKind.ESCALATED))
    return after_alert(case, alert(minute + 80, None, AlertKind.RESOLVED))


def close(case: CaseFile, minute: float) -> None:
    act(case, minute, Act.ACKNOWLEDGEMENT)
    act(case, minute + 1, Act.WATCH)
    act(case, minute + 3, Act.CLOSE)


def reviewed_case(verdict: ReviewVerdict, **fields: object) -> CaseFile:
    case = told(None, 0, Level.BLUE, Level.ORANGE)
    act(case, 90, Act.REVIEW, verdict=verdict, **fields)
    return case


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [(RIGHT, Level.ORANGE), (LATE, Level.ORANGE), (FALSE_ALARM, None), (MISSED, Level.RED)],
)
def test_a_verdict_says_what_level_was_due(verdict: ReviewVerdict, expected: Level | None) -> None:
    (one,) = reviewed_lives(reviewed_case(verdict))
    assert (one.expected, one.recorded) == (expected, Level.ORANGE)
    assert (one.start, one.end) == (at(0), at(80))


def test_a_level_that_the_review_names_counts_more_than_its_verdict() -> None:
    (one,) = reviewed_lives(reviewed_case(FALSE_ALARM, expected_level="yellow"))
    assert one.expected is Level.YELLOW


def test_an_incident_begins_where_the_review_says_that_it_began() -> None:
    (one,) = reviewed_lives(reviewed_case(LATE, missed_from=at(-30)))
    assert one.start == at(-30)
    (one,) = reviewed_lives(reviewed_case(LATE, missed_from=at(30)))
    assert one.start == at(0)


def test_each_life_has_its_own_review_and_the_last_of_several_counts() -> None:
    case = told(None, 0, Level.BLUE, Level.ORANGE)
    act(case, 90, Act.REVIEW, verdict=RIGHT)
    close(case, 91)
    case = told(case, 1000, Level.YELLOW, Level.RED)
    act(case, 1090, Act.REVIEW, verdict=RIGHT)
    act(case, 1095, Act.REVIEW, verdict=FALSE_ALARM)
    first, second = reviewed_lives(case)
    assert (first.life, first.verdict, first.recorded) == (1, RIGHT, Level.ORANGE)
    assert (second.life, second.verdict, second.recorded) == (2, FALSE_ALARM, Level.RED)
    assert second.start == at(1000)


def test_a_life_without_review_teaches_nothing() -> None:
    assert reviewed_lives(told(None, 0, Level.BLUE, Level.ORANGE)) == []


def minute(count: float) -> datetime:
    return START + timedelta(minutes=count)


def test_an_hour_after_its_end_an_alert_still_belongs_to_a_case() -> None:
    one = life("a.run", RIGHT, Level.ORANGE, minutes=60)
    changes: Changes = [(minute(10), Level.BLUE), (minute(120), Level.RED)]
    assert outcome(one, changes).highest is Level.RED
    assert outcome(one, [changes[0], (minute(121), Level.RED)]).highest is Level.BLUE


def test_a_level_that_ended_before_does_not_count() -> None:
    one = life("a.run", RIGHT, Level.ORANGE)
    assert outcome(one, [(minute(-90), Level.RED), (minute(-10), None)]) == Outcome()


@pytest.mark.parametrize(
    ("verdict", "expected", "found", "off"),
    [
        (RIGHT, Level.ORANGE, Outcome(Level.ORANGE, 10.0), 0.0),
        (RIGHT, Level.ORANGE, Outcome(Level.ORANGE, 40.0), 0.5),
        (RIGHT, Level.ORANGE, Outcome(Level.ORANGE, 5.0), 0.0),
        (RIGHT, Level.ORANGE, Outcome(Level.ORANGE, 400.0), 1.0),
        (RIGHT, Level.ORANGE, Outcome(Level.YELLOW), 1.0),
        (LATE, Level.ORANGE, Outcome(Level.ORANGE, 10.0), 1.0),
        (LATE, Level.ORANGE, Outcome(Level.ORANGE, 4.0), 0.4),
        (LATE, Level.ORANGE, Outcome(Level.BLUE), 3.0),
        (MISSED, Level.RED, Outcome(Level.YELLOW), 2.0),
        (FALSE_ALARM, None, Outcome(Level.RED), 4.0),
        (FALSE_ALARM, None, Outcome(), 0.0),
    ],
)
def test_how_many_levels_an_outcome_is_off(
    verdict: ReviewVerdict, expected: Level | None, found: Outcome, off: float
) -> None:
    one = life("a.run", verdict, expected)
    assert levels_off(one, found, Outcome(Level.ORANGE, 10.0)) == pytest.approx(off)
