from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanglou.models.incidents import Incidents
from wanglou.models.moment import Moment
from wanglou.models.tuning.peaks import Aim, Peaks, thresholds
from wanglou.schemas.base import CHINA
from wanglou.schemas.risk import Level

START = datetime(2026, 3, 2, 12, tzinfo=CHINA)
HOUR = timedelta(hours=1)


def moment(hours: float, risk: float) -> Moment:
    return Moment(START + hours * HOUR, risk, heat=0.0, level=None)


def labelled() -> Incidents:
    """A run at bank ``a`` in the first two hours; marketing for ``b`` from hour 4 to 6."""

    def span(institution: str, start: int, end: int, **fields: str) -> dict[str, object]:
        times = {"from": START + start * HOUR, "to": START + end * HOUR}
        return {"institution": institution, **times, **fields}

    return Incidents.model_validate(
        {
            "incidents": [span("a", 0, 2, topic="run", expected="orange")],
            "harmless": [
                span("b", 4, 6, kind="marketing wave"),
                span("b", 8, 9, kind="bot flood"),
            ],
        }
    )


def taken_in(trail: dict[str, list[Moment]]) -> Peaks:
    peaks = Peaks()
    peaks.add(trail, labelled(), {"marketing wave"})
    return peaks


def test_peak_of_an_incident_is_that_of_its_event_while_it_lasts_and_the_hour_after() -> None:
    trail = {
        "a.run": [moment(-1, 90), moment(0, 20), moment(1, 40), moment(3, 50), moment(3.1, 80)],
        "a.outage": [moment(1, 70)],
    }
    assert taken_in(trail).incidents == [50]


def test_incident_without_a_trail_peaks_at_nothing() -> None:
    assert taken_in({"b.run": [moment(0, 5), moment(30, 5)]}).incidents == [0]


def test_silent_is_every_event_of_the_institution_during_the_kinds_named() -> None:
    trail = {"b.run": [moment(5, 7), moment(8, 60)], "b.outage": [moment(5, 9)], "a.run": []}
    assert taken_in(trail).silent == [9]


def test_strays_are_the_highest_of_each_event_and_day_outside_incidents() -> None:
    trail = {
        "a.run": [moment(1, 99), moment(5, 10), moment(6, 12), moment(30, 8)],
        "a.outage": [moment(1, 30)],
    }
    assert sorted(taken_in(trail).strays) == [8, 12, 30]


def test_streams_add_up() -> None:
    peaks = Peaks()
    for _ in range(2):
        trail = {"a.run": [moment(0, 40), moment(24, 8)]}
        peaks.add(trail, labelled(), {"marketing wave"})
    assert (peaks.incidents, peaks.days, peaks.strays) == ([40, 40], 2, [8, 8])


risks = st.lists(st.floats(10, 90), min_size=10, max_size=60)


@given(incidents=risks, strays=risks, silent=st.floats(1, 9))
def test_wanted_share_is_found_and_no_more_strays_than_allowed(
    incidents: list[float], strays: list[float], silent: float
) -> None:
    peaks = Peaks(incidents, [silent], strays, days=10)
    found = thresholds(peaks, Aim(found=0.9, grave_a_day=0.3))
    slack = 0.051  # thresholds are rounded
    reached = sum(risk >= found[Level.YELLOW][0] - slack for risk in incidents)
    assert reached >= 0.9 * len(incidents)
    grave = sum(risk > found[Level.ORANGE][0] + slack for risk in strays)
    assert grave <= 0.3 * peaks.days
    assert silent < found[Level.BLUE][0] + slack
    enters = [enter for enter, _ in found.values()]
    assert enters == sorted(enters)


def test_leave_is_half_of_enter() -> None:
    peaks = Peaks(incidents=[40.0] * 5, silent=[10.0], strays=[60.0] * 5, days=1)
    found = thresholds(peaks, Aim(found=0.98, grave_a_day=0.07))
    assert found == {
        Level.BLUE: (20.0, 10.0),
        Level.YELLOW: (40.0, 20.0),
        Level.ORANGE: (60.0, 30.0),
        Level.RED: (80.0, 40.0),
    }


def test_streams_without_incidents_propose_nothing() -> None:
    with pytest.raises(ValueError, match="no incident"):
        thresholds(Peaks(strays=[1.0], days=1), Aim())
