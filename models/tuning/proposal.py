"""Whether reviewed cases ask for other rules: a proposal, or an honest "no change".

The danger is to learn the cases by heart. So what counts is how a search does on cases that it has
not seen: the events are split into folds, each is judged with a setting found on the others, and a
change is proposed only if on unseen cases it is better by more than one standard error (Breiman et
al., "Classification and Regression Trees", 1984, section 3.4.3). Thresholds alone are tried before
thresholds and weights together; the simpler of both is taken unless the other is better by as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wanglou.models.levels import LEVELS
from wanglou.models.tuning.course import Values
from wanglou.models.tuning.reviewed import Reviewed
from wanglou.models.tuning.search import Study, View
from wanglou.models.tuning.setting import Setting, near
from wanglou.schemas.risk import Level

LEAST_REVIEWS = 10
"""Reviewed lives below which nothing is proposed."""

LEAST_EVENTS = 5
"""Different events that these must be about: an event's cases are alike."""

FOLDS = 5
WEIGHTS_TRIED = 200
SEED = 1


@dataclass(frozen=True, slots=True)
class Trial:
    """A kind of change, judged on reviewed lives that it was not found on; in levels off."""

    name: str
    in_force: float
    changed: float
    standard_error: float
    """Of the difference."""

    @property
    def gain(self) -> float:
        """By how much it is better."""
        return self.in_force - self.changed

    @property
    def is_better(self) -> bool:
        """Whether by more than chance, and by a level at least."""
        return self.gain >= 1.0 and self.gain > self.standard_error


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the reviews ask for."""

    setting: Setting | None
    """None where nothing is to be changed."""
    why: str
    trials: tuple[Trial, ...] = ()


def too_few(reviewed: Sequence[Reviewed]) -> str | None:
    """Why there is too little to learn from, if so."""
    events = {one.event_id for one in reviewed}
    if len(reviewed) >= LEAST_REVIEWS and len(events) >= LEAST_EVENTS:
        return None
    return (
        f"{len(reviewed)} reviews of {len(events)} events; at least {LEAST_REVIEWS} of "
        f"{LEAST_EVENTS} are needed to tell a rule from chance"
    )


def propose(study: Study) -> Proposal:
    """The setting that the reviews ask for, or why none is proposed. Always the same."""
    if why := too_few(study.reviewed):
        return Proposal(None, why)
    base = study.base
    now = study.view(base)
    everyone = range(len(study.reviewed))
    in_force = np.array([now.off(index, base.enters) for index in everyone])
    if not in_force.any():
        return Proposal(None, "every reviewed case was at the level that its review expects")
    strays = {level: now.strays(enter) for level, enter in zip(LEVELS, base.enters, strict=True)}
    views = [study.view(one) for one in near(base, WEIGHTS_TRIED, SEED)]
    kinds = {"thresholds": views[:1], "thresholds and weights": views}
    unseen = {name: _unseen(study, kind, strays) for name, kind in kinds.items()}
    trials = tuple(_trial(name, in_force, found) for name, found in unseen.items())
    better = [trial for trial in trials if trial.is_better]
    if not better:
        return Proposal(None, "on cases that it has not seen no change is better", trials)
    chosen = better[0]
    if len(better) > 1 and _trial("", unseen[better[0].name], unseen[better[1].name]).is_better:
        chosen = better[1]
    setting, _ = _fitted(kinds[chosen.name], everyone, strays)
    if setting == base:
        return Proposal(None, "the rules in force fit all cases together best", trials)
    return Proposal(setting, f"{chosen.name} changed", trials)


def _trial(name: str, before: Values, after: Values) -> Trial:
    gains = before - after
    error = float(np.std(gains, ddof=1) * np.sqrt(len(gains)))
    return Trial(name, float(before.sum()), float(after.sum()), error)


def _unseen(study: Study, views: Sequence[View], strays: dict[Level, int]) -> Values:
    """How many levels each reviewed life is off by a setting found without its event's fold."""
    first: dict[str, int] = {}
    for one in sorted(study.reviewed, key=lambda one: (one.start, one.event_id)):
        first.setdefault(one.event_id, len(first))
    folds = [first[one.event_id] % FOLDS for one in study.reviewed]
    off = np.zeros(len(folds))
    for fold in range(FOLDS):
        seen = [index for index, one in enumerate(folds) if one != fold]
        setting, view = _fitted(views, seen, strays)
        for index in (index for index, one in enumerate(folds) if one == fold):
            off[index] = view.off(index, setting.enters)
    return off


def _fitted(
    views: Sequence[View], indexes: Sequence[int], strays: dict[Level, int]
) -> tuple[Setting, View]:
    """The best setting, with the view of its weights; of equals the first."""
    fits = [(view.fitted(indexes, strays), view) for view in views]
    (setting, _), view = min(fits, key=lambda fit: fit[0][1])
    return setting, view
