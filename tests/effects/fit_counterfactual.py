"""Learn ``models/response/counterfactual.yaml`` from generated courses without measures.

    python tests/effects/fit_counterfactual.py > models/response/counterfactual.yaml

Quantile regressions are fitted on the courses of one seed, and corrected on those of another so
that each group's ends hold as often as they should. The report uses seeds of its own. It takes
some minutes.
"""

from __future__ import annotations

import sys

import numpy as np
import yaml
from courses import HOURS, PHASES, Case, cases, counts_of
from numpy.typing import NDArray
from sklearn.linear_model import QuantileRegressor

from wanglou.models.response.counterfactual import GROUPS, LEAST_BEFORE, features, past
from wanglou.models.response.effect import SPANS

FIT_SEED, CORRECT_SEED = 1, 2
"""Never reported on."""

FITTED, CORRECTED = 4000, 12_000
"""Courses; regressions are slow, corrections need many."""

BEYOND = 0.04
"""Share of courses that lie below the low end, and above the high one: a little less than the 5 %
of a 90 % interval, so that the report's courses hold it too."""

LEAST_IN_CLASS = 100
"""Cases of a group, a phase and a size from which that class has to hold it by itself."""

KNOWN_SHARE = (0.002, 0.998)
"""Quantiles of each feature beyond which nothing is said to be known."""

DECIMALS = 4
HEADING = """\
# What comes after a minute, given what came before it: learnt from {} generated courses.
# Written by: python tests/effects/fit_counterfactual.py > models/response/counterfactual.yaml
# models/response/counterfactual.py says what the numbers are; README.md there says it in words.
"""

Values = NDArray[np.float64]


class Sample:
    """What was known, and what came: of all cases of a seed in which enough was known."""

    def __init__(self, seed: int, courses: int) -> None:
        hours = tuple(HOURS.tolist())
        rows: list[list[tuple[float, ...]]] = [[] for _ in SPANS]
        came, groups, classes = [], [], []
        for case in cases(seed, courses):
            known = past(counts_of(case.times), case.minute)
            if known.week < LEAST_BEFORE:
                continue
            for row, span in zip(rows, SPANS, strict=True):
                row.append(features(known, span, hours))
            came.append([_came(case, span) for span in SPANS])
            groups.append(known.group)
            classes.append(len(PHASES) * int(np.log10(case.size)) + PHASES.index(case.phase))
        self.features = np.array(rows)
        self.came = np.log1p(np.array(came))
        self.groups = np.array(groups)
        self.classes = np.array(classes)


def _came(case: Case, span: int) -> int:
    begin, end = np.searchsorted(case.times, (case.minute, case.minute + span))
    return int(end - begin)


def quantile(values: Values, came: Values, share: float) -> Values:
    """Coefficients of a quantile of what came."""
    centre, spread = values.mean(axis=0), values.std(axis=0)
    centre[0], spread[0] = 0.0, 1.0
    spread[spread == 0] = 1.0
    scaled = (values - centre) / spread
    model = QuantileRegressor(quantile=share, alpha=0, fit_intercept=False, solver="highs")
    coefficients = model.fit(scaled, came).coef_ / spread
    coefficients[0] -= (coefficients * centre).sum()
    return coefficients


def corrections(beyond: Values, sample: Sample) -> list[float]:
    """How far each group's ends move, so that no more than ``BEYOND`` of its cases lie beyond.

    Nor of those of a phase and size, which only hindsight tells: whoever looks back at small events
    alone should find the same.
    """
    moved = []
    for group in range(GROUPS):
        inside = sample.groups == group
        parts = [inside, *(inside & (sample.classes == one) for one in np.unique(sample.classes))]
        enough = (part for part in parts if part.sum() >= LEAST_IN_CLASS)
        moved.append(_rounded(max((_conformal(beyond[part]) for part in enough), default=0.0)))
    return moved


def _conformal(beyond: Values) -> float:
    """The quantile with the correction for a finite sample."""
    rank = int(np.ceil((len(beyond) + 1) * (1 - BEYOND)))
    return float(np.sort(beyond)[rank - 1])


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS)


def main() -> None:
    """Command line."""
    fitted, correcting = Sample(FIT_SEED, FITTED), Sample(CORRECT_SEED, CORRECTED)
    every = np.concatenate(list(fitted.features))
    ranges = np.quantile(every, KNOWN_SHARE, axis=0).T
    table = {
        "hours": [_rounded(hour) for hour in HOURS],
        "ranges": [[_rounded(end) for end in ends] for ends in ranges],
        "spans": {},
    }
    for index, span in enumerate(SPANS):
        values = np.clip(fitted.features[index], ranges[:, 0], ranges[:, 1])
        held_out = np.clip(correcting.features[index], ranges[:, 0], ranges[:, 1])
        came, later = fitted.came[:, index], correcting.came[:, index]
        ends = {}
        for name, share in (("low", BEYOND), ("median", 0.5), ("high", 1 - BEYOND)):
            coefficients = quantile(values, came, share)
            ends[name] = [_rounded(one) for one in coefficients]
        low, high = (held_out @ np.array(ends[name]) for name in ("low", "high"))
        table["spans"][span] = {
            **ends,
            "low_corrections": corrections(np.maximum(low, 0) - later, correcting),
            "high_corrections": corrections(later - high, correcting),
        }
        print(span, yaml.safe_dump(table["spans"][span]), file=sys.stderr)
    print(HEADING.format(FITTED + CORRECTED), end="")
    print(yaml.safe_dump(table, sort_keys=False, default_flow_style=None, width=100), end="")


if __name__ == "__main__":
    main()
