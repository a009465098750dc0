"""How right evaluations are where the effect is known; `make effects` prints the tables.

    python tests/effects/report_effects.py [--courses 500] [--seed 101] [--cascades FILE]

Three sources of courses: ``courses.py``, with a seed that ``fit_counterfactual.py`` does not learn
from; incidents of `wanglou scenario`, scored by labels that err as the model does; and the recorded
cascades that it does not learn from, if their file is given
(``../shared/data/stream/weibo_cascades.jsonl``).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from courses import EFFECTS, NONE, PHASES, Case, Effect, cases, changed, counts_of, true_ratio
from other_courses import placed_cases, recorded_cases, scenario_courses

from wanglou.models.response.effect import NORMAL_90, SPANS, evaluate
from wanglou.models.response.series import Counts, Measure, Series
from wanglou.models.scenario.plan import Size
from wanglou.schemas.evaluation import EffectVerdict
from wanglou.schemas.response import Act

SEED = 101
SCENARIO_SEEDS = (201, 202)
SCENARIO_SIZE = Size(institutions=10, days=14, incidents=12, mentions=60_000)
SIZES = (30, 100, 300, 1000)
"""Mentions of a course from which a class of sizes begins."""


@dataclass(slots=True)
class Tally:
    """Of a group of evaluations: how many were possible, and what they said."""

    too_early: int = 0
    evaluated: int = 0
    covered: int = 0
    helped: int = 0
    worse: int = 0
    fewer_than_before: int = 0

    def add(self, other: Tally) -> None:
        """Take in another group."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def percent(self, name: str) -> str:
        """A count's share of the evaluations that were possible."""
        return f"{100 * getattr(self, name) / self.evaluated:.1f}" if self.evaluated else "–"


Key = tuple[str, int, str, int]
"""Phase, size, effect, span."""


def tally(case: Case, effect: Effect, counts: Counts, span: int) -> Tally:
    """Evaluate a case at a span."""
    series = Series("event", case.minute + span, counts, counts)
    result = evaluate(series, Measure("measure", case.minute, Act.STATEMENT), (), span)
    if result.effect is None:
        return Tally(too_early=1)
    interval = result.effect.negative
    before, after = result.before.mentions, result.after.mentions
    return Tally(
        evaluated=1,
        covered=interval.low <= true_ratio(case, effect, span) <= interval.high,
        helped=result.verdict is EffectVerdict.HELPED,
        worse=result.verdict is EffectVerdict.WORSE,
        fewer_than_before=after < before - NORMAL_90 * np.sqrt(before + after),
    )


def tallies(
    all_cases: Iterable[Case], effects: Iterable[Effect] = EFFECTS, seed: int = SEED
) -> dict[Key, Tally]:
    """Evaluate every case with every effect at every span."""
    rng = np.random.default_rng(seed)
    found: dict[Key, Tally] = defaultdict(Tally)
    for case in all_cases:
        size = max(least for least in SIZES if least <= case.size)
        for effect in effects:
            counts = counts_of(changed(case, effect, rng))
            for span in SPANS:
                found[case.phase, size, effect.name, span].add(tally(case, effect, counts, span))
    return found


def merged(
    found: Mapping[Key, Tally],
    effect: str,
    span: int | None = None,
    phase: str | None = None,
    size: int | None = None,
) -> Tally:
    """Groups together; None takes all."""
    total = Tally()
    for key, one in found.items():
        wanted = (phase, size, effect, span)
        if all(want in (None, has) for want, has in zip(wanted, key, strict=True)):
            total.add(one)
    return total


def row(*cells: object) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def heading(*cells: object) -> Iterator[str]:
    """The first rows of a Markdown table."""
    yield row(*cells)
    yield row(*["---"] * len(cells))


def coverage(found: Mapping[Key, Tally]) -> Iterator[str]:
    """How often the interval holds the truth, in percent, and what is said without an effect."""
    names = [effect.name for effect in EFFECTS]
    yield from heading(
        "Phase", "Span", "Evaluated", *names, "false helped", "false worse", "before and after"
    )
    for phase in PHASES:
        for span in SPANS:
            none = merged(found, NONE.name, span, phase)
            if none.evaluated:
                groups = (merged(found, name, span, phase).percent("covered") for name in names)
                said = (none.percent(one) for one in ("helped", "worse", "fewer_than_before"))
                yield row(phase, f"{span // 60} h", none.evaluated, *groups, *said)


def power(found: Mapping[Key, Tally]) -> Iterator[str]:
    """How often an effect is seen, in percent: after 1, 6, 24 and 72 hours."""
    names = [effect.name for effect in EFFECTS]
    yield from heading("Phase", "Size", "Measures", "too early", *names)
    for phase in PHASES:
        for size in SIZES:
            first = merged(found, NONE.name, SPANS[0], phase, size)
            if first.evaluated:
                seen = (
                    " / ".join(
                        merged(found, name, span, phase, size).percent("helped").split(".")[0]
                        for span in SPANS
                    )
                    for name in names
                )
                measures = first.evaluated + first.too_early
                yield row(phase, f"from {size}", measures, first.too_early, *seen)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--courses", type=int, default=500)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cascades", type=Path)
    arguments = parser.parse_args()
    found = tallies(cases(arguments.seed, arguments.courses))
    print("\nGenerated courses", "", *coverage(found), "", *power(found), sep="\n")
    incidents = [one for seed in SCENARIO_SEEDS for one in scenario_courses(seed, SCENARIO_SIZE)]
    print("\nwanglou scenario", "", *coverage(tallies(placed_cases(incidents, SEED))), sep="\n")
    if arguments.cascades:
        recorded = recorded_cases(arguments.cascades, half=1, seed=SEED)
        print("\nRecorded cascades", "", *coverage(tallies(recorded)), sep="\n")


if __name__ == "__main__":
    main()
