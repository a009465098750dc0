"""Courses that are not of ``courses.py``: those of `wanglou scenario`, and recorded cascades."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import numpy as np
from courses import SMALLEST, Case, placed
from numpy.typing import NDArray

from wanglou.agents.commands.shared import settings_with
from wanglou.models.event import negativity
from wanglou.models.intake import Rejection, SenderClock
from wanglou.models.labelled_opinion import ERRORS, LabelledOpinion
from wanglou.models.order import Position
from wanglou.models.rules import Rules
from wanglou.models.scenario.plan import Size
from wanglou.models.scenario.stream import Scenario
from wanglou.models.scoring import NEGATIVE_FROM, ScoringStep
from wanglou.schemas.base import minute_of
from wanglou.schemas.mention import DedupedMention, DedupeKind, ScoredMention

PLACEMENTS = 10
"""Times that a measure is placed in each phase of each recorded cascade."""

WEIBO_TIME = "%a %b %d %H:%M:%S %z %Y"


def placed_cases(courses: Iterable[Iterable[int]], seed: int) -> Iterator[Case]:
    """Measures in each course that is large enough."""
    rng = np.random.default_rng(seed)
    for minutes in courses:
        times: NDArray[np.int64] = np.sort(np.array(list(minutes), dtype=np.int64))
        if len(times) >= SMALLEST:
            yield from (Case(times, *one) for one in placed(times, rng))


def scenario_courses(seed: int, size: Size) -> Iterator[list[int]]:
    """Minutes of the negative mentions of each incident's event, as the pipeline scores them."""
    rules = settings_with().load_rules()
    scenario = Scenario(size, seed, rules.watchlist, rules.taxonomy)
    lines = list(scenario.lines())
    model = LabelledOpinion(scenario.label_lines(), "labels", ERRORS)
    negative = defaultdict[str, list[int]](list)
    for mention in scored(lines, replace(rules, watchlist=scenario.watchlist), model):
        if mention.dedupe is not DedupeKind.UPDATE and negativity(mention) >= NEGATIVE_FROM:
            event = f"{mention.institution}.{mention.risk_topic}"
            negative[event].append(minute_of(mention.published_at))
    for event in sorted({one.event_id for one in scenario.incidents().incidents}):
        yield negative[event]


def scored(lines: Iterable[bytes], rules: Rules, model: LabelledOpinion) -> list[ScoredMention]:
    """Raw mentions through intake, dedupe and scoring."""
    intake, dedupe, clock = rules.intake_step(b"effects" * 8), rules.dedupe_step(), SenderClock()
    found: list[DedupedMention] = []
    for offset, line in enumerate(lines):
        time = clock.after(line, datetime.now(UTC))
        position = Position(0 if time is None else time, 0, offset, 0)
        mentions = intake.process(line, position=position, received_at=None)
        if isinstance(mentions, Rejection):
            raise ValueError(f"line {offset + 1}: {mentions.error}")
        for part, mention in enumerate(mentions):
            known = dedupe.process(mention, position=position._replace(part=part))
            if known is not None:
                found.append(known)
    return ScoringStep(rules.watchlist, rules.taxonomy, model).process(found)


def recorded_cases(path: Path, half: int, seed: int) -> Iterator[Case]:
    """Measures in each recorded cascade of a half that is large enough, at many minutes."""
    courses = list(recorded_courses(path, half))
    for placement in range(PLACEMENTS):
        yield from placed_cases(courses, seed + placement)


def half_of(root: str) -> int:
    """The half of the recorded cascades to which one belongs, by the id of its first post."""
    return crc32(root.encode()) % 2


def recorded_courses(path: Path, half: int) -> Iterator[list[int]]:
    """Minutes of all that is in each cascade of a file of recorded ones.

    Of half 0, which is learnt from, or of half 1, which is only reported on.
    """
    minutes = defaultdict[str, list[int]](list)
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if half_of(row["root"]) == half:
                time = datetime.strptime(row["created_at"], WEIBO_TIME)
                minutes[row["root"]].append(minute_of(time))
    yield from minutes.values()
