"""Panels and dashboards in one style: none without a unit, a description and thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import yaml
from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    timeseries,
)
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from wanglou.agents.settings import DEPLOY

DATA_SOURCE = models.DataSourceRef(type_val="prometheus", uid="wanglou-prometheus")

COLUMNS = 24
HEIGHT = 8

Kind = Literal["stat", "series", "stack", "bars"]


@dataclass(frozen=True, slots=True)
class Step:
    """From ``value`` on a panel shows ``color``; the first step of all has no value."""

    value: float | None
    color: str


def rising(warning: float, bad: float) -> tuple[Step, ...]:
    """The higher, the worse."""
    return Step(None, "green"), Step(warning, "yellow"), Step(bad, "red")


def falling(warning: float, good: float) -> tuple[Step, ...]:
    """The lower, the worse."""
    return Step(None, "red"), Step(warning, "yellow"), Step(good, "green")


NEUTRAL = (Step(None, "blue"),)
"""Of what is neither good nor bad."""

LEVELS_FILE = yaml.safe_load((DEPLOY / "risk.yaml").read_text(encoding="utf-8"))["levels"]
LEVELS = (
    Step(None, "green"),
    *(Step(LEVELS_FILE[name]["enter"], name) for name in ("blue", "yellow", "orange", "red")),
)
"""Risk in the colours of the levels that ``deploy/risk.yaml`` enters."""

LEVEL_COLORS = {"blue": "blue", "yellow": "yellow", "orange": "orange", "red": "red"}
"""Of series that are named after a level."""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and what its series are called."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. Raises ``ValueError`` if anything of it is left out."""

    title: str
    description: str
    unit: str
    thresholds: tuple[Step, ...]
    queries: tuple[Query, ...]
    kind: Kind = "series"
    width: int = 8

    def __post_init__(self) -> None:
        for name in ("title", "description", "unit", "thresholds", "queries"):
            if not getattr(self, name):
                raise ValueError(f"panel {self.title!r}: {name} is missing")

    def build(self) -> timeseries.Panel | stat.Panel | bargauge.Panel:
        """The panel as Grafana wants it."""
        panel = self._visualisation()
        panel = panel.title(self.title).description(self.description).unit(self.unit)
        panel = panel.datasource(DATA_SOURCE).span(self.width).height(HEIGHT)
        steps = [models.Threshold(value=one.value, color=one.color) for one in self.thresholds]
        mode = models.ThresholdsMode.ABSOLUTE
        panel = panel.thresholds(dashboard.ThresholdsConfig().mode(mode).steps(steps))
        for number, query in enumerate(self.queries):
            target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend)
            target = target.ref_id(chr(ord("A") + number)).datasource(DATA_SOURCE)
            panel = panel.with_target(target.range() if self.kind != "bars" else target.instant())
        return panel

    def _visualisation(self) -> timeseries.Panel | stat.Panel | bargauge.Panel:
        by_threshold = dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS)
        if self.kind == "stat":
            colored = stat.Panel().color_scheme(by_threshold)
            return colored.color_mode(common_models.BigValueColorMode.BACKGROUND)
        if self.kind == "bars":
            bars = bargauge.Panel().color_scheme(by_threshold).min(0)
            return bars.orientation(common_models.VizOrientation.HORIZONTAL)
        series = timeseries.Panel().line_width(2).fill_opacity(10).min(0)
        line = common.GraphThresholdsStyleConfig()
        style = "off" if self.thresholds == NEUTRAL else "dashed"
        series = series.thresholds_style(line.mode(common_models.GraphThresholdsStyleMode(style)))
        if self.kind == "stack":
            stacking = common.StackingConfig().mode(common_models.StackingMode.NORMAL)
            series = series.stacking(stacking).fill_opacity(60)
        for level, color in LEVEL_COLORS.items():
            fixed = {"mode": "fixed", "fixedColor": color}
            series = series.override_by_name(
                level, [models.DynamicConfigValue(id_val="color", value=fixed)]
            )
        return series


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]

    def __post_init__(self) -> None:
        width = sum(panel.width for panel in self.panels)
        if width % COLUMNS:
            raise ValueError(f"row {self.title!r}: {width} columns leave a gap, not {COLUMNS}")


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice of label values above the panels; by default all."""

    name: str
    label: str
    metric: str

    def build(self) -> dashboard.QueryVariable:
        """The variable as Grafana wants it."""
        query = dashboard.QueryVariable(self.name).label(self.label).datasource(DATA_SOURCE)
        query = query.query(f"label_values({self.metric}, {self.name})")
        query = query.multi(True).include_all(True).all_value(".*")
        query = query.current(models.VariableOption(text=["All"], value=["$__all"]))
        query = query.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        return query.sort(models.VariableSort.ALPHABETICAL_ASC)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: ``wanglou-NAME`` in Grafana, ``NAME.json`` beside it."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: Sequence[Variable] = ()

    def panels(self) -> list[Panel]:
        """All panels, from the top."""
        return [panel for row in self.rows for panel in row.panels]

    def build(self) -> models.Dashboard:
        """The dashboard as Grafana wants it."""
        built = dashboard.Dashboard(self.title).uid(f"wanglou-{self.name}")
        built = built.description(self.description).tags(["wanglou"]).readonly()
        built = built.time("now-3h", "now").refresh("30s").timezone("browser")
        built = built.tooltip(models.DashboardCursorSync.CROSSHAIR)
        links = dashboard.DashboardLink("Wanglou 望楼").type(models.DashboardLinkType.DASHBOARDS)
        built = built.link(links.tags(["wanglou"]).as_dropdown(True).keep_time(True))
        for variable in self.variables:
            built = built.with_variable(variable.build())
        for row in self.rows:
            built = built.with_row(dashboard.Row(row.title))
            for panel in row.panels:
                built = built.with_panel(panel.build())
        return built.build()
