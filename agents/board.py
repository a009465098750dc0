"""The live board: open events and the last alerts, as a picture for a terminal."""

from __future__ import annotations

from collections import deque

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wanglou.agents.alert_text import colour, first_steps
from wanglou.models.page import clock
from wanglou.schemas.mention import Emotion, Polarity
from wanglou.schemas.repeats import LatestEvents
from wanglou.schemas.risk import Alert, Event, Situation

LAST_ALERTS = 12
WITH_STEPS = 2
"""Events, the gravest, whose first steps are shown."""
SHOWN_VIEWPOINTS = 2
"""Of each event, so that several events find room on a screen."""

HEADINGS = ("级别", "机构", "风险", "风险值", "热度", "提及", "负面", "情绪", "受众", "时间")


def mood(situation: Situation) -> str:
    """The commonest emotion besides none, with its share of the mentions: ``恐惧 60%``."""
    felt = [one for one in Emotion if one is not Emotion.NEUTRAL]
    strongest = max(felt, key=lambda one: situation.emotions.get(one.value, 0))
    count = situation.emotions.get(strongest.value, 0)
    if not count or not situation.mentions:
        return Emotion.NEUTRAL.chinese
    return f"{strongest.chinese} {count / situation.mentions:.0%}"


class Board:
    """What is open now, and what happened last."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}
        self._alerts: deque[Alert] = deque(maxlen=LAST_ALERTS)
        self._alert_ids: set[str] = set()
        self._in_force: dict[str, Alert] = {}
        self._latest = LatestEvents()
        self.alerts: list[Alert] = []
        """All alerts shown so far, repeats dropped by id."""

    def take_event(self, event: Event) -> None:
        """Show the newer state of an event."""
        if not self._latest.is_news(event.id, event.assessed_at):
            return
        if event.level is None:
            self._events.pop(event.id, None)
        else:
            self._events[event.id] = event

    def take_alert(self, alert: Alert) -> bool:
        """Show an alert; False if it is a repeat."""
        if alert.id in self._alert_ids:
            return False
        self._alert_ids.add(alert.id)
        self.alerts.append(alert)
        self._alerts.append(alert)
        self._in_force[alert.event_id] = alert
        return True

    def render(self) -> RenderableType:
        """Open events with the gravest first, what is said, what to do, and the last alerts."""
        return Group(
            self._open_events(), self._viewpoints(), self._what_to_do(), self._last_alerts()
        )

    def _by_gravity(self) -> list[Event]:
        return sorted(
            self._events.values(), key=lambda one: (-(one.level or 0), -one.assessment.risk)
        )

    def _open_events(self) -> Table:
        table = Table(title="开放事件 Open events", title_justify="left", expand=True)
        for heading in HEADINGS:
            table.add_column(heading, no_wrap=True)
        for event in self._by_gravity():
            situation = event.situation
            table.add_row(
                Text(event.level.chinese if event.level else "", colour(event.level)),
                event.institution.name,
                event.topic.name,
                f"{event.assessment.risk:.1f}",
                f"{situation.heat:.0f}",
                str(situation.mentions),
                str(situation.negative),
                mood(situation),
                f"{situation.audience:,.0f}",
                clock(event.assessed_at),
            )
        return table

    def _what_to_do(self) -> Table:
        table = Table(title="处置要点 What to do", title_justify="left", expand=True)
        table.add_column("事件", no_wrap=True)
        table.add_column("措施", ratio=1, no_wrap=True, overflow="ellipsis")
        for event in self._by_gravity()[:WITH_STEPS]:
            alert = self._in_force.get(event.id)
            if alert is not None and (steps := first_steps(alert)):
                name = f"{event.institution.name}\n{event.topic.name}"
                table.add_row(Text(name, colour(alert.level)), Text("\n".join(steps)))
        return table

    def _viewpoints(self) -> Table:
        table = Table(title="主要观点 Viewpoints", title_justify="left", expand=True)
        for heading in ("机构", "风险", "占比", "负面"):
            table.add_column(heading, no_wrap=True)
        table.add_column("观点", ratio=1, no_wrap=True, overflow="ellipsis")
        for event in self._by_gravity():
            for number, viewpoint in enumerate(event.situation.viewpoints[:SHOWN_VIEWPOINTS]):
                table.add_row(
                    "" if number else event.institution.name,
                    "" if number else event.topic.name,
                    f"{viewpoint.share:.0%}",
                    f"{viewpoint.polarities.get(Polarity.NEGATIVE.value, 0):.0%}",
                    Text(viewpoint.text),
                )
        return table

    def _last_alerts(self) -> Table:
        table = Table(title="最近预警 Last alerts", title_justify="left", expand=True)
        table.add_column("时间", no_wrap=True)
        table.add_column("预警", ratio=1)
        for alert in reversed(self._alerts):
            table.add_row(clock(alert.decided_at), Text(alert.title, colour(alert.level)))
        return table
