from __future__ import annotations

from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.models.builders import rules
from wanglou.models.baselines import baselines
from wanglou.models.incidents import Incident, Incidents, Span
from wanglou.models.rules_file import RulesFile
from wanglou.models.verdict import FLAP, GRACE, Step, judge
from wanglou.schemas.base import minute_of
from wanglou.schemas.risk import Level

NOON = datetime.fromisoformat("2026-03-02T12:00:00+08:00")


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def incident(start: float = 0, end: float = 60, **fields: Any) -> Incident:
    known = {"institution": "hexing", "topic": "run", "expected": "orange"}
    return Incident.model_validate({**known, "from": at(start), "to": at(end), **fields})


def step(
    minutes: float, level: Level | None, *, rises: bool = True, topic: str | None = "run"
) -> Step:
    return Step("hexing", topic, at(minutes), level, rises)


def verdict(*steps: Step, harmless: tuple[Span, ...] = (), **fields: Any) -> Any:
    incidents = Incidents(incidents=(incident(**fields),), harmless=harmless)
    return judge("tried", steps, incidents, at(0), at(2 * 24 * 60))


def test_minutes_count_from_the_incidents_start() -> None:
    found = verdict(step(5, Level.BLUE), step(12, Level.YELLOW), step(30, Level.RED))
    (case,) = found.cases
    assert (case.minutes_to_yellow, case.minutes_to_orange) == (12, 30)
    assert (case.highest, found.found) == (Level.RED, 1)
    assert found.false_alarms == ()


def test_blue_alone_is_missed() -> None:
    missed = verdict(step(5, Level.BLUE))
    assert (missed.found, missed.cases[0].highest) == (0, Level.BLUE)
    assert missed.median_minutes_to_yellow == missed.median_minutes_to_orange == inf


def test_what_was_in_force_when_it_began_was_found_at_once() -> None:
    (case,) = verdict(step(-90, Level.YELLOW)).cases
    assert (case.minutes_to_yellow, case.minutes_to_orange) == (0, None)
    (ended,) = verdict(step(-90, Level.YELLOW), step(-10, None, rises=False)).cases
    assert ended.minutes_to_yellow is None


@pytest.mark.parametrize(("late", "found"), [(0, 1), (1, 0)])
def test_the_grace_is_as_long_as_stated(late: int, found: int) -> None:
    last = 60 + GRACE / timedelta(minutes=1)
    assert verdict(step(last + late, Level.ORANGE)).found == found


@pytest.mark.parametrize(
    ("one", "false_alarms"),
    [
        (step(30, Level.ORANGE), 0),
        (step(-1, Level.ORANGE), 1),
        (step(30, Level.ORANGE, topic="outage"), 1),  # another event
        (step(30, Level.ORANGE, topic=None), 0),  # tells no topics apart
        (step(-1, Level.YELLOW), 0),
        (step(-1, Level.ORANGE, rises=False), 0),  # down from red
    ],
)
def test_a_false_alarm_is_a_rise_to_orange_beside_the_incident(
    one: Step, false_alarms: int
) -> None:
    judged = verdict(one)
    assert len(judged.false_alarms) == false_alarms
    assert judged.false_alarms_a_day == false_alarms / 2


@pytest.mark.parametrize(("after", "flaps"), [(0, 1), (1, 0)])
def test_a_flap_is_a_rise_soon_after_a_fall(after: int, flaps: int) -> None:
    again = 10 + FLAP / timedelta(minutes=1) + after
    steps = [step(0, Level.YELLOW), step(10, Level.BLUE, rises=False), step(again, Level.YELLOW)]
    assert len(verdict(*steps).flaps) == flaps
    other = [*steps[:2], step(11, Level.YELLOW, topic="outage")]
    assert verdict(*other).flaps == ()


def test_a_harmless_span_is_alerted_by_any_level_of_its_institution() -> None:
    wave = Span.model_validate(
        {"institution": "hexing", "kind": "wave", "from": at(500), "to": at(600)}
    )
    inside, beside = step(550, Level.BLUE, topic="service"), step(700, Level.RED)
    assert verdict(inside, harmless=(wave,)).alerted == {"wave": 1}
    assert verdict(beside, harmless=(wave,)).alerted == {}
    assert verdict(harmless=(wave,)).harmless == {"wave": 1}
    # what belongs to an incident is no alert on the wave that happens to run beside it
    assert verdict(step(550, Level.RED), harmless=(wave,), end=700).alerted == {}


@given(st.lists(st.tuples(st.integers(-500, 500), st.sampled_from([None, *Level]), st.booleans())))
def test_a_found_case_is_never_a_false_alarm_too(drawn: list[tuple[int, Any, bool]]) -> None:
    steps = sorted(
        (step(minute, level, rises=rises and level is not None) for minute, level, rises in drawn),
        key=lambda one: one.at,
    )
    judged = verdict(*steps)
    grave = sum(one.is_grave for one in steps)
    window = incident()
    assert len(judged.false_alarms) == grave - sum(
        one.is_grave and one.within(window) for one in steps
    )


def test_incidents_in_yaml(tmp_path: Path) -> None:
    file = tmp_path / "incidents.yaml"
    file.write_text(
        "incidents:\n"
        "- {institution: hexing, topic: run, from: 2026-03-02T12:00:00+08:00, "
        "to: 2026-03-02T13:00:00+08:00, expected: orange}\n"
    )
    assert RulesFile.read(file, Incidents).rules.incidents == (incident(),)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"end": 0}, "must be after from"),
        ({"expected": "pink"}, "'pink' is no level"),
        ({"to": "2026-03-02T13:00:00"}, "timezone"),
        ({"nothing": 1}, "nothing"),
    ],
)
def test_wrong_incidents_are_explained(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        incident(**fields)


def test_two_incidents_of_an_event_may_not_overlap() -> None:
    with pytest.raises(ValidationError, match=r"two of hexing\.run overlap"):
        Incidents(incidents=(incident(), incident(30, 90)))


def test_an_incident_must_be_about_what_is_watched() -> None:
    incidents = Incidents(incidents=(incident(institution="nobody", topic="weather"),))
    (institution, not_watched), (topic, unknown) = incidents.problems(rules())
    assert (institution, topic) == (("incidents", 0, "institution"), ("incidents", 0, "topic"))
    assert not_watched == "'nobody' is not in the watch list"
    assert unknown.startswith("'weather' is no topic of the taxonomy; those are ")
    assert list(Incidents(incidents=(incident(),)).problems(rules())) == []


def counts(storms: dict[int, int]) -> dict[str, dict[int, int]]:
    """One mention every 5 minutes for 3 days before and 1 after noon, and storms."""
    start = minute_of(NOON)
    quiet = {start + minute: 1 for minute in range(-3 * 1440, 1440, 5)}
    return {"hexing": quiet | {start + minute: count for minute, count in storms.items()}}


def test_both_rules_find_a_storm_that_stands_out() -> None:
    incidents = Incidents(incidents=(incident(),))
    threshold, deviations = baselines(counts({7: 400}), incidents, at(-3 * 1440), at(1440))
    for one in (threshold, deviations):
        assert (one.found, one.false_alarms) == (1, ())
        assert one.cases[0].minutes_to_orange == 8  # at the close of the minute


def test_a_rule_is_judged_at_a_setting_with_few_false_alarms_if_it_has_one() -> None:
    # a harmless storm twice as high as the incident: what would find the incident cries wolf
    storms = {-1500 - 200 * number: 200 for number in range(6)} | {7: 100}
    incidents = Incidents(incidents=(incident(),))
    threshold, _ = baselines(counts(storms), incidents, at(-3 * 1440), at(1440))
    assert (threshold.found, threshold.false_alarms) == (0, ())
