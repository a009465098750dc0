from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from pydantic import ValidationError

from tests.models.builders import RISK, parameters, risk_values
from wanglou.models.risk_parameters import RiskParameters
from wanglou.schemas.mention import Tier
from wanglou.schemas.problems import describe
from wanglou.schemas.risk import Level


def problem_of(**sections: Any) -> str:
    with pytest.raises(ValidationError) as error:
        parameters(**sections)
    return describe(error.value)


def test_valid_parameters_are_taken_over() -> None:
    formula = parameters()
    assert formula.lateness_minutes == 10
    assert formula.tiers[Tier.MEDIA] == 0.8
    assert formula.levels.threshold(Level.ORANGE).enter == 30
    assert [formula.levels.threshold(level).leave for level in Level] == [5, 15, 25, 35]


@pytest.mark.parametrize("section", ["severity_weights", "activity_weights", "impact_weights"])
def test_weights_must_sum_to_one(section: str) -> None:
    names = list(RISK[section])
    problem = problem_of(**{section: {names[0]: RISK[section][names[0]] + 0.1}})
    assert problem.startswith(f"{section}: ")
    assert f"the weights {', '.join(names)} must sum to 1, not 1.1" in problem


def test_weights_may_miss_one_by_rounding_only() -> None:
    third = 1 / 3
    weights = {"heat": third, "burst": third, "velocity": third}
    assert parameters(activity_weights=weights).activity_weights.heat == third
    assert "must sum to 1" in problem_of(activity_weights={"heat": 0.4000001})


@pytest.mark.parametrize("level", ["blue", "yellow", "orange", "red"])
def test_leave_must_be_below_enter(level: str) -> None:
    problem = problem_of(levels={level: {"enter": 12, "leave": 12}})
    assert f"levels.{level}: " in problem
    assert "leave (12.0) must be below enter (12.0)" in problem


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"yellow": {"enter": 10, "leave": 6}}, "blue.enter must be below yellow.enter"),
        ({"yellow": {"enter": 20, "leave": 5}}, "blue.leave must be below yellow.leave"),
        ({"orange": {"enter": 40, "leave": 25}}, "orange.enter must be below red.enter"),
        ({"red": {"enter": 40, "leave": 20}}, "orange.leave must be below red.leave"),
    ],
)
def test_levels_must_be_in_order(changed: dict[str, Any], said: str) -> None:
    assert said in problem_of(levels=changed)


@pytest.mark.parametrize("enter", [0, -1, 100, 101, nan, inf])
def test_threshold_lies_within_the_risk(enter: float) -> None:
    assert "levels.red.enter: " in problem_of(levels={"red": {"enter": enter, "leave": 35}})


def test_quiet_time_is_at_least_the_calm_time() -> None:
    assert "quiet_minutes must be at least calm_minutes" in problem_of(levels={"quiet_minutes": 9})
    assert parameters(levels={"quiet_minutes": 10}).levels.quiet_minutes == 10


def test_every_tier_needs_a_weight() -> None:
    values = risk_values()
    values["tiers"] = {"person": 0.1, "media": 0.2}
    with pytest.raises(ValidationError) as error:
        RiskParameters.model_validate(values)
    assert "tiers: no weight for verified, organisation, government" in describe(error.value)


def test_every_size_needs_a_factor() -> None:
    values = risk_values()
    values["sizes"] = {"small": 0.9, "large": 1.1}
    with pytest.raises(ValidationError) as error:
        RiskParameters.model_validate(values)
    assert "sizes: no factor for systemic, medium" in describe(error.value)


def test_unknown_tier_is_named() -> None:
    assert "tiers.robot" in problem_of(tiers={"robot": 0.5})


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (section, name)
        for section in ("heat", "burst", "negative", "velocity", "reach")
        for name in RISK[section]
        if not name.endswith("_minutes") and name != "prior_share"
    ],
)
@pytest.mark.parametrize("value", [0, -1, nan, inf])
def test_positive_number_is_positive_and_finite(section: str, name: str, value: float) -> None:
    assert f"{section}.{name}: " in problem_of(**{section: {name: value}})


@pytest.mark.parametrize("value", [0, -5, 10081, 1.5, "soon"])
def test_minutes_are_whole_and_at_most_a_week(value: object) -> None:
    assert "lateness_minutes: " in problem_of(lateness_minutes=value)
    assert "burst.window_minutes: " in problem_of(burst={"window_minutes": value})


@pytest.mark.parametrize("value", [-0.1, 1, 1.1, nan])
def test_prior_share_leaves_room_above_it(value: float) -> None:
    # at 1 the score would divide by nothing
    assert "negative.prior_share: " in problem_of(negative={"prior_share": value})


def test_events_are_kept_for_a_day_at_least() -> None:
    assert "event_retention_minutes: " in problem_of(event_retention_minutes=1439)
    assert parameters(event_retention_minutes=1440).event_retention_minutes == 1440


@pytest.mark.parametrize("section", ["heat", "levels", "reach"])
def test_unknown_and_missing_fields_are_named(section: str) -> None:
    assert f"{section}.colour: " in problem_of(**{section: {"colour": 1}})
    values = risk_values()
    del values[section]
    with pytest.raises(ValidationError) as error:
        RiskParameters.model_validate(values)
    assert describe(error.value) == f"{section}: Field required"


def test_all_problems_are_told_at_once() -> None:
    problem = problem_of(lateness_minutes=0, heat={"likes": -1})
    assert "lateness_minutes: " in problem
    assert "heat.likes: " in problem
