"""Levels that do not flap: thresholds to enter and to leave; dwell, calm, quiet and rest times."""

from __future__ import annotations

from dataclasses import dataclass

from wanglou.models.risk_parameters import LevelParameters
from wanglou.schemas.risk import Level

LEVELS = tuple(Level)


@dataclass(slots=True)
class LevelState:
    """The level in force and since when; minutes of event time."""

    level: Level | None = None
    since: int | None = None
    below_since: int | None = None
    """Since when the risk is below the level's ``leave``; None if it is not."""
    quiet_since: int | None = None
    """Since when the risk is below blue's ``leave``; None if it is not."""
    fell_from: Level | None = None
    fell_at: int | None = None
    """The last fall; of several within the rest time the highest level, and when the last was."""


def entered(risk: float, parameters: LevelParameters) -> Level | None:
    """The highest level whose ``enter`` the risk has reached."""
    return max((one for one in LEVELS if risk >= parameters.threshold(one).enter), default=None)


def held(risk: float, parameters: LevelParameters) -> Level:
    """Where an open event falls to: the highest level whose ``leave`` the risk is not below."""
    fits = (one for one in LEVELS if risk >= parameters.threshold(one).leave)
    return max(fits, default=Level.BLUE)


def advance(state: LevelState, risk: float, minute: int, parameters: LevelParameters) -> bool:
    """Take in the risk at the close of ``minute``; True if the level changed.

    Up at once, over several levels if need be; down when the risk has stayed below the level's
    ``leave`` for the calm time; resolved (None) when it has stayed below blue's for the quiet
    time. Never twice within the dwell. For the rest time after a fall a level rises only above
    the one it fell from: those who were told that it is calmer are called back for worse only.
    """
    state.quiet_since = _since(state.quiet_since, risk < parameters.blue.leave, minute)
    if state.level is not None:
        leave = parameters.threshold(state.level).leave
        state.below_since = _since(state.below_since, risk < leave, minute)
    if state.since is not None and minute < state.since + parameters.dwell_minutes:
        return False
    target = _target(state, risk, minute, parameters)
    if target == state.level:
        return False
    if state.level is not None and (target is None or target < state.level):
        resting = _rests(state, state.level, minute, parameters)
        state.fell_from = state.fell_from if resting else state.level
        state.fell_at = minute
    state.level, state.since, state.below_since = target, minute, None
    return True


def _rests(state: LevelState, level: Level, minute: int, parameters: LevelParameters) -> bool:
    """Whether the event fell from this level, or a higher one, and the rest time is not over."""
    if state.fell_from is None or state.fell_at is None:
        return False
    return level <= state.fell_from and minute <= state.fell_at + parameters.rest_minutes


def _since(since: int | None, holds: bool, minute: int) -> int | None:
    if not holds:
        return None
    return minute if since is None else since


def _target(
    state: LevelState, risk: float, minute: int, parameters: LevelParameters
) -> Level | None:
    up = entered(risk, parameters)
    rises = up is not None and (state.level is None or up > state.level)
    if up is not None and rises and not _rests(state, up, minute, parameters):
        return up
    if state.quiet_since is not None and minute >= state.quiet_since + parameters.quiet_minutes:
        return None
    if state.below_since is not None and minute >= state.below_since + parameters.calm_minutes:
        return held(risk, parameters)
    return state.level
