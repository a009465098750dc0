"""What tuning may change: the weights of the terms, and where each level is entered; how far."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Self

import numpy as np

from wanglou.models.levels import LEVELS
from wanglou.models.risk_parameters import (
    ActivityWeights,
    ImpactWeights,
    LevelParameters,
    RiskParameters,
)
from wanglou.models.tuning.course import Values
from wanglou.schemas.problems import Location

MOST_OF_A_WEIGHT = 0.1
"""So much a weight moves at most in one step."""

MOST_OF_A_LEVEL = 1.25
"""By this factor where a level is entered moves at most in one step, up or down."""

LEAST_STEP = 1e-6
"""A smaller one is rounding."""

PRICE_OF_A_CHANGE = 0.1
PRICE_OF_A_WHOLE_STEP = 0.05
"""What it costs in levels to change a value at all, and beyond that as far as is allowed."""


def price(step: float) -> float:
    """What changing a value by this share of what is allowed costs, in levels.

    >>> price(0), round(price(0.5), 3)
    (0.0, 0.125)
    """
    return PRICE_OF_A_CHANGE + PRICE_OF_A_WHOLE_STEP * step if step > LEAST_STEP else 0.0


def price_of_weight(before: float, after: float) -> float:
    """What changing a weight costs, in levels."""
    return price(abs(after - before) / MOST_OF_A_WEIGHT)


def price_of_enter(before: float, after: float) -> float:
    """What changing where a level is entered costs, in levels."""
    return price(abs(log(after / before)) / log(MOST_OF_A_LEVEL))


@dataclass(frozen=True, slots=True)
class Setting:
    """Weights of activity (heat, burst, velocity) and impact (severity, reach, source), and the
    risk that enters each level, blue first."""

    activity: tuple[float, ...]
    impact: tuple[float, ...]
    enters: tuple[float, ...]

    @classmethod
    def of(cls, risk: RiskParameters) -> Self:
        """That of parameters."""
        return cls(
            tuple(value for _, value in risk.activity_weights),
            tuple(value for _, value in risk.impact_weights),
            tuple(risk.levels.threshold(level).enter for level in LEVELS),
        )

    def price(self, other: Setting) -> float:
        """What going from one to the other costs, in levels: a change must be worth it."""
        mine, others = (*self.activity, *self.impact), (*other.activity, *other.impact)
        weights = map(price_of_weight, mine, others)
        return sum(weights) + sum(map(price_of_enter, self.enters, other.enters))

    def risk(self, scores: Values) -> Values:
        """Risk, 0 to 100, of scores (minutes, terms) in the order of `TERMS`.

        The formula of `models.terms` without its rounding to six decimals.
        """
        activity = np.minimum(1.0, scores[:, 1:4] @ np.array(self.activity))
        impact = np.minimum(1.0, scores[:, 4:7] @ np.array(self.impact))
        risk: Values = 100 * scores[:, 0] * activity * impact
        return risk

    def applied(self, risk: RiskParameters) -> RiskParameters:
        """The parameters with this setting.

        A level is left at the share of its risk at which it was left before. Raises
        ``ValidationError`` where the levels are out of order.
        """
        levels = risk.levels.model_dump()
        for level, enter in zip(LEVELS, self.enters, strict=True):
            before = risk.levels.threshold(level)
            leave = round(enter * before.leave / before.enter, 1)
            levels[level.label] = {"enter": enter, "leave": leave}
        return risk.model_copy(
            update={
                "activity_weights": _named(ActivityWeights, self.activity),
                "impact_weights": _named(ImpactWeights, self.impact),
                "levels": LevelParameters.model_validate(levels),
            }
        )


def _named(model: type[ActivityWeights | ImpactWeights], values: tuple[float, ...]) -> object:
    return model.model_validate(dict(zip(model.model_fields, values, strict=True)))


def changes(before: RiskParameters, after: RiskParameters) -> dict[Location, tuple[float, float]]:
    """What differs, by its place in ``risk.yaml``: the value before, and the one after."""
    found: dict[Location, tuple[float, float]] = {}
    for section in ("activity_weights", "impact_weights"):
        for name, value in getattr(before, section):
            found[section, name] = value, getattr(getattr(after, section), name)
    for level in LEVELS:
        for side in ("enter", "leave"):
            old, new = (getattr(one.levels.threshold(level), side) for one in (before, after))
            found["levels", level.label, side] = old, new
    return {place: pair for place, pair in found.items() if pair[0] != pair[1]}


def near(base: Setting, count: int, seed: int) -> list[Setting]:
    """The setting, and others with weights drawn at random within one step of it.

    Weights have two decimals, sum to 1, and none falls under 0.
    """
    chance = np.random.default_rng(seed)
    drawn = [
        Setting(_drawn(base.activity, chance), _drawn(base.impact, chance), base.enters)
        for _ in range(count)
    ]
    return list(dict.fromkeys([base, *drawn]))


def _drawn(weights: tuple[float, ...], chance: np.random.Generator) -> tuple[float, ...]:
    """Hundredths moved from one weight to another keep the sum."""
    hundredths = [round(100 * one) for one in weights]
    most = round(100 * MOST_OF_A_WEIGHT)
    moved = chance.integers(-most, most + 1, len(weights) - 1)
    steps = [*(int(one) for one in moved), -int(moved.sum())]
    after = [one + step for one, step in zip(hundredths, steps, strict=True)]
    fits = abs(steps[-1]) <= most and min(after) >= 0
    return tuple(one / 100 for one in after) if fits else weights
