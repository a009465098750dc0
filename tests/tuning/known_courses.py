"""Courses of events whose risk is what a test says, and lives of cases that people reviewed."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from wanglou.models.tuning.course import Course
from wanglou.models.tuning.reviewed import Reviewed
from wanglou.models.tuning.search import Study
from wanglou.models.tuning.setting import Setting
from wanglou.schemas.base import CHINA, minute_of
from wanglou.schemas.response import ReviewVerdict
from wanglou.schemas.risk import Level

START = datetime(2026, 3, 2, 12, tzinfo=CHINA)
BASE = Setting((0.5, 0.3, 0.2), (0.4, 0.35, 0.25), (16.0, 22.0, 50.0, 75.0))

ALL = (1.0, 1.0, 1.0)


def course(
    event_id: str,
    *risks: float,
    begin: float = 0,
    activity: tuple[float, float, float] = ALL,
    impact: tuple[float, float, float] = ALL,
) -> Course:
    """An event with these risks, minute by minute, where activity and impact are all 1."""
    minutes = minute_of(START) + int(begin) + np.arange(len(risks))
    scores = [[risk / 100, *activity, *impact] for risk in risks]
    return Course(event_id, minutes, np.array(scores))


def life(
    event_id: str,
    verdict: ReviewVerdict,
    expected: Level | None,
    recorded: Level = Level.ORANGE,
    minutes: float = 60,
) -> Reviewed:
    """A life that began at minute 0 and ended after some minutes."""
    end = START + timedelta(minutes=minutes)
    return Reviewed(event_id, 1, START, end, verdict, expected, recorded)


def study(reviewed: list[Reviewed], courses: list[Course], base: Setting = BASE) -> Study:
    """A study of them."""
    return Study(reviewed, {one.event_id: one for one in courses}, base)
