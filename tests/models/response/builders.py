"""Alerts of one event, for the tests of cases and of their archive; every text is made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from wanglou.schemas.playbook import MeasureKind, PlannedMeasure
from wanglou.schemas.risk import Alert, AlertKind, Assessment, Level, Situation, Subject

CASE = "hexing-bank.run"
START = datetime(2020, 1, 25, 6, tzinfo=UTC)
"""Minute 0: the alert that opens the case."""


def at(minute: float) -> datetime:
    """An event time."""
    return START + timedelta(minutes=minute)


def planned(minute: float, text: str = "核实") -> PlannedMeasure:
    """A measure of the playbook, due at a minute."""
    return PlannedMeasure(
        kind=MeasureKind.FACT_FINDING, text=text, department="品牌公关部", due_at=at(minute)
    )


def alert(minute: float, level: Level | None, kind: AlertKind, **fields: Any) -> Alert:
    """An alert decided at a minute; its id tells it."""
    situation = Situation(
        mentions=10,
        updates=0,
        late=0,
        negative=8,
        clusters=9,
        heat=3.0,
        authors=9.0,
        audience=100.0,
        platforms={"weibo": 10},
        emotions={"fear": 10},
        depth=1,
        first_at=at(-30),
        last_at=at(minute),
    )
    return Alert(
        id=f"a{minute}",
        kind=kind,
        sequence=1,
        event_id=CASE,
        institution=Subject(id="hexing-bank", name="和兴银行"),
        topic=Subject(id="run", name="挤兑传言"),
        level=level,
        decided_at=at(minute),
        title="【橙色·重大】和兴银行:挤兑传言",
        assessment=Assessment(risk=51.0, likelihood=0.6, impact=0.8, terms=()),
        situation=situation,
        evidence=(),
        received_at=at(minute),
        **fields,
    )
