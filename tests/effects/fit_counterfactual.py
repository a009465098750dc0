"""Learn ``models/response/counterfactual.yaml`` from courses without measures.

    python tests/effects/fit_counterfactual.py ../shared/data/stream/weibo_cascades.jsonl \\
        > models/response/counterfactual.yaml

Quantile regressions are fitted on generated courses of one seed, and corrected on those of another
and on one half of the recorded cascades, so that each group's ends hold as often as they should.
The report uses other seeds and the other half. It takes some minutes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import yaml
from courses import HOURS, PHASES, Case, cases, counts_of
from numpy.typing import NDArray
from other_courses import PLACEMENTS, recorded_cases
from sklearn.linear_model import QuantileRegressor

from wanglou.models.response.counterfactual import GROUPS, LEAST_BEFORE, features, past
from wanglou.models.response.effect import SPANS

FIT_SEED, CORRECT_SEED = 1, 2
"""Never reported on."""

FITTED, CORRECTED = 3000, 12_000
"""Courses; regressions are slow, corrections need many."""

BEYOND = 0.04
"""Share of courses that lie below the low end, and above the high one: a little less than the 5 %
of a 90 % interval, so that the report's courses hold it too."""

LEAST_IN_CLASS = 100
"""Cases of a group, a phase and a size from which that class has to hold it by itself."""

SIZES = 3
"""Groups of one stand of the course, which follow each other."""

BEYOND_RECORDED = 0.05
"""Share of recorded cascades that lie beyond an end; they are too few for less."""

LEAST_RECORDED = 5
"""Recorded cascades in a group from which they say something about it."""

KNOWN_SHARE = (0.002, 0.998)
"""Quantiles of each feature beyond which nothing is said to be known."""

DECIMALS = 4
HEADING = """\
# What comes after a minute, given what came before it: learnt from {} generated courses and
# one half of the recorded cascades.
# Written by: python tests/effects/fit_counterfactual.py ../shared/data/stream/weibo_cascades.jsonl
# models/response/counterfactual.py says what the numbers are; README.md there says it in words.
"""

Values = NDArray[np.float64]


class Sample:
    """What was known, and what came: of all cases in which enough was known."""

    def __init__(self, every: Iterable[Case]) -> None:
        hours = tuple(HOURS.tolist())
        rows: list[list[tuple[float, ...]]] = [[] for _ in SPANS]
        came, groups, phases, magnitudes = [], [], [], []
        for case in every:
            known = past(counts_of(case.times), case.minute)
            if known.week < LEAST_BEFORE:
                continue
            for row, span in zip(rows, SPANS, strict=True):
                row.append(features(known, span, hours))
            came.append([_came(case, span) for span in SPANS])
            groups.append(known.group)
            phases.append(PHASES.index(case.phase))
            magnitudes.append(int(np.log10(case.size)))
        self.features = np.array(rows)
        self.came = np.log1p(np.array(came))
        self.groups = np.array(groups)
        self.phases = np.array(phases)
        self.magnitudes = np.array(magnitudes)

    def clipped(self, span: int, ranges: Values) -> Values:
        """The features of the span of that index, within the ranges."""
        return np.clip(self.features[span], ranges[:, 0], ranges[:, 1])


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


def _beyond(values: Values, came: Values, ends: Mapping[str, list[float]]) -> dict[str, Values]:
    """How far what came lies beyond each end; below 0 it is inside."""
    low, high = (values @ np.array(ends[name]) for name in ("low", "high"))
    return {"low": np.maximum(low, 0) - came, "high": came - high}


def corrections(
    beyond: Values, sample: Sample, recorded_beyond: Values, recorded: Sample
) -> list[float]:
    """How far each group's ends move, so that no more than ``BEYOND`` of its cases lie beyond.

    Nor of those of a phase and size, which only hindsight tells: whoever looks back at small events
    alone should find the same. Nor more than ``BEYOND_RECORDED`` of the recorded cascades of a
    phase; they are few, so groups of all sizes at the same stand of the course share them.
    """
    moved = []
    for group in range(GROUPS):
        inside = sample.groups == group
        classes = len(PHASES) * sample.magnitudes + sample.phases
        parts = [inside, *(inside & (classes == one) for one in np.unique(classes))]
        shifts = [_conformal(beyond[part]) for part in parts if part.sum() >= LEAST_IN_CLASS]
        moved.append(max([*shifts, *_recorded(group, recorded_beyond, recorded)], default=0.0))
    return [_rounded(shift) for shift in moved]


def _recorded(group: int, beyond: Values, sample: Sample) -> Iterator[float]:
    """How far recorded cascades would move a group's end, phase by phase."""
    if (sample.groups == group).sum() < LEAST_RECORDED * PLACEMENTS:
        return
    for phase in range(len(PHASES)):
        part = (sample.groups // SIZES == group // SIZES) & (sample.phases == phase)
        cascades = part.sum() / PLACEMENTS
        if cascades * BEYOND_RECORDED >= 1:
            yield _conformal(beyond[part], BEYOND_RECORDED, cascades)


def _conformal(beyond: Values, share: float = BEYOND, independent: float | None = None) -> float:
    """The quantile with the correction for a finite sample, of so many that are independent."""
    size = independent or len(beyond)
    level = min((size + 1) / size * (1 - share), 1)
    return float(np.quantile(beyond, level, method="higher"))


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cascades", type=Path)
    cascades = parser.parse_args().cascades
    fitted, correcting = Sample(cases(FIT_SEED, FITTED)), Sample(cases(CORRECT_SEED, CORRECTED))
    recorded = Sample(recorded_cases(cascades, half=0, seed=0))
    every = np.concatenate(list(fitted.features))
    ranges = np.quantile(every, KNOWN_SHARE, axis=0).T
    table = {
        "hours": [_rounded(hour) for hour in HOURS],
        "ranges": [[_rounded(end) for end in ends] for ends in ranges],
        "spans": {},
    }
    for index, span in enumerate(SPANS):
        known = fitted.clipped(index, ranges)
        ends = {
            name: [_rounded(one) for one in quantile(known, fitted.came[:, index], share)]
            for name, share in (("low", BEYOND), ("median", 0.5), ("high", 1 - BEYOND))
        }
        beyond, recorded_beyond = (
            _beyond(sample.clipped(index, ranges), sample.came[:, index], ends)
            for sample in (correcting, recorded)
        )
        table["spans"][span] = ends | {
            f"{name}_corrections": corrections(
                beyond[name], correcting, recorded_beyond[name], recorded
            )
            for name in ("low", "high")
        }
        print(span, yaml.safe_dump(table["spans"][span]), file=sys.stderr)
    print(HEADING.format(FITTED + CORRECTED), end="")
    print(yaml.safe_dump(table, sort_keys=False, default_flow_style=None, width=100), end="")


if __name__ == "__main__":
    main()
