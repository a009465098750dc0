from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.builders import TAXONOMY, Positions, feed, parameters, rules, scored
from wanglou.models.explanation import compare, recompute
from wanglou.models.taxonomy import Severity
from wanglou.schemas.risk import Alert

FORMULA = parameters()
DAY = 1440


def alerts_of(draws: list[tuple[float, int, float, int]]) -> list[Alert]:
    """What comes of storms: minute, mentions, negativity, followers of each author."""
    step, positions = rules().risk_step(), Positions()
    mentions = [
        scored(
            minute,
            id=f"{number}/{one}",
            negative=negative,
            author={"id": f"{number}/{one % 7}", "followers": followers, "tier": "media"},
            engagement={"reposts": followers, "likes": one},
        )
        for number, (minute, count, negative, followers) in enumerate(sorted(draws))
        for one in range(count)
    ]
    mentions.append(scored(3 * DAY, id="after all", institution="yunting", negative=0.0))
    return list(feed(step, mentions, positions).alerts)


STORM = [(0.0, 4, 0.9, 10**3), (30.0, 60, 0.95, 10**7), (200.0, 5, 0.1, 10)]


@pytest.fixture(scope="module")
def alert() -> Alert:
    """The gravest of a storm's."""
    return max(alerts_of(STORM), key=lambda one: one.assessment.risk)


def differences(alert: Alert, severity: Severity | None = None) -> list[str]:
    severity = severity or TAXONOMY.topic(alert.topic.id).severity
    return [one.what for one in recompute(alert, severity, FORMULA).differences]


def changed(alert: Alert, path: str, value: Any) -> Alert:
    """The alert with another value at a path like ``assessment.terms.1.score``."""
    content = json.loads(alert.to_json())
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    at = content
    for key in parents:
        at = at[key]
    at[last] = value
    return Alert.model_validate(content)


storms = st.lists(
    st.tuples(
        st.floats(0, 600, width=32),
        st.integers(1, 60),
        st.floats(0, 1, width=32),
        st.integers(0, 10**8),
    ),
    min_size=3,
    max_size=8,
)


@given(storms)
def test_every_alert_follows_from_its_inputs_to_the_last_digit(
    draws: list[tuple[float, int, float, int]],
) -> None:
    for alert in alerts_of(draws):
        read = Alert.model_validate_json(alert.to_json())
        assert differences(read) == []
        again = recompute(read, TAXONOMY.topic("run").severity, FORMULA).recomputed
        assert again == alert.assessment


def test_a_storm_brings_all_kinds_of_alerts() -> None:
    """So that what the property says is about something."""
    kinds = {alert.kind.value for alert in alerts_of(STORM)}
    assert kinds == {"raised", "escalated", "de-escalated", "resolved"}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("assessment.risk", 1.0, {"risk", "level"}),
        ("assessment.likelihood", 0.123, {"likelihood"}),
        ("assessment.impact", 0.123, {"impact"}),
        ("assessment.terms.1.score", 0.123456, {"heat.score"}),
        ("assessment.terms.2.weight", 0.5, {"burst.weight"}),
        ("assessment.terms.2.unit", "likes", {"burst.unit"}),
        ("assessment.terms.3.contribution", 0.0, {"velocity.contribution"}),
        ("assessment.terms.6.factor", "activity", {"source.factor"}),
        ("level", "blue", {"level"}),
        ("kind", "resolved", {"level"}),
    ],
)
def test_a_number_that_was_changed_is_named(
    alert: Alert, path: str, value: object, named: set[str]
) -> None:
    assert set(differences(changed(alert, path, value))) == named


def test_an_input_that_was_changed_shows_in_all_that_follows(alert: Alert) -> None:
    assert set(differences(changed(alert, "assessment.terms.0.inputs.negative", 1.0))) >= {
        *("negative_share.value", "negative_share.score", "negative_share.contribution"),
        *("likelihood", "risk"),
    }


def test_a_difference_tells_both_numbers(alert: Alert) -> None:
    made = changed(alert, "assessment.terms.4.score", 0.5)
    (one,) = recompute(made, TAXONOMY.topic("run").severity, FORMULA).differences
    assert (one.what, one.recorded) == ("severity.score", 0.5)
    assert one.recomputed == alert.assessment.terms[4].score


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("assessment.terms.0.inputs", {}, {"negative_share.inputs"}),
        ("assessment.terms.1.inputs", {"warmth": 3.0}, {"heat.inputs"}),
        ("assessment.terms.1.name", "warmth", {"terms"}),
    ],
)
def test_inputs_or_terms_that_are_none_of_the_formula_are_named(
    alert: Alert, path: str, value: object, named: set[str]
) -> None:
    assert set(differences(changed(alert, path, value))) == named


def test_another_formula_is_told(alert: Alert) -> None:
    other = parameters(activity_weights={"heat": 0.3, "burst": 0.5, "velocity": 0.2})
    found = recompute(alert, TAXONOMY.topic("run").severity, other).differences
    assert {"heat.weight", "burst.weight", "risk"} <= {one.what for one in found}


def test_another_severity_of_the_topic_is_told(alert: Alert) -> None:
    severity = TAXONOMY.topic("run").severity
    assert differences(alert, severity.model_copy(update={"trust": 0.1})) == ["severity.trust"]
    gone = recompute(alert, None, FORMULA).differences
    assert [one.what for one in gone] == [
        *("severity.reputation", "severity.trust", "severity.regulator")
    ]


def test_an_alert_is_compared_with_what_its_mentions_bring(alert: Alert) -> None:
    assert compare(alert, alert) == ()
    later = changed(alert, "received_at", "2030-01-01T00:00:00Z")
    assert compare(alert, later) == ()  # which the mentions do not tell
    assert [one.what for one in compare(alert, changed(alert, "sequence", 9))] == ["sequence"]
    (missing,) = compare(alert, None)
    assert missing.recorded == alert.id
