"""Why an alert says what it says, as a page for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wanglou.agents.alert_text import colour
from wanglou.models.explanation import Explanation
from wanglou.models.page import TERM_NAMES, clock
from wanglou.models.risk_parameters import LevelParameters
from wanglou.models.terms import factors_of
from wanglou.schemas.risk import Assessment, Evidence, Factor, Level, Term

FACTORS = {
    Factor.NEGATIVITY: "负面程度 negativity",
    Factor.ACTIVITY: "活跃程度 activity",
    Factor.IMPACT: "影响程度 impact",
}

AGREES = "✓ 复算一致 recomputed from its inputs, to the last digit"
DIFFERS = "✗ 复算不一致 DIFFERS from what follows from its inputs"


def verdict(explanation: Explanation) -> Text:
    """One line: the alert, and whether it agrees."""
    alert = explanation.alert
    mark = Text("✓ " if explanation.agrees else "✗ ", _style(explanation))
    title = Text(alert.title, colour(alert.level))
    return Text.assemble(mark, f"{clock(alert.decided_at)}  {alert.id}  ", title)


def page(explanation: Explanation, levels: LevelParameters) -> RenderableType:
    """Title, terms by factor, the formula, the levels, the evidence, and the verdict."""
    alert, assessment = explanation.alert, explanation.recomputed
    return Group(
        Text(alert.title, colour(alert.level)),
        Text(
            f"{clock(alert.decided_at)}  预警 {alert.id}  事件 {alert.event_id}"
            f"  规则 {alert.rules_version or '—'}"
        ),
        _terms(assessment),
        _formula(assessment),
        _thresholds(levels),
        *(_evidence(one) for one in alert.evidence),
        Text(AGREES if explanation.agrees else DIFFERS, _style(explanation)),
        *(
            Text(f"  {one.what}: recorded {one.recorded}, recomputed {one.recomputed}", "red")
            for one in explanation.differences
        ),
    )


def _style(explanation: Explanation) -> str:
    return "green" if explanation.agrees else "bold red"


def _terms(assessment: Assessment) -> Table:
    table = Table("项 term", "依据 inputs")
    for heading in ("值 value", "得分 score", "权重 weight", "贡献 contribution"):
        table.add_column(heading, justify="right")
    sums = factors_of(assessment.terms)
    for factor, name in FACTORS.items():
        for term in assessment.terms:
            if term.factor is factor:
                table.add_row(
                    f"{TERM_NAMES.get(term.name, term.name)} {term.name}",
                    _inputs(term),
                    _number(term.value),
                    f"{term.score:.4f}",
                    f"{term.weight:g}",
                    f"{term.contribution:.4f}",
                )
        total = Text(f"{sums[factor]:.4f}", "bold")
        table.add_row(Text(name, "bold"), "", "", "", "", total, end_section=True)
    return table


def _number(value: float) -> str:
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def _inputs(term: Term) -> str:
    """What a term is computed from; nothing where that is its value."""
    if list(term.inputs.values()) == [term.value]:
        return ""
    return ", ".join(f"{name} {_number(value)}" for name, value in term.inputs.items())


def _formula(assessment: Assessment) -> Text:
    factors = " × ".join(f"{value:.6f}" for value in factors_of(assessment.terms).values())
    return Text(f"风险值 risk = 100 × {factors} = {assessment.risk:.6f}", "bold")


def _thresholds(levels: LevelParameters) -> Text:
    line = Text("预警级别 levels")
    for level in Level:
        threshold = levels.threshold(level)
        line.append(f"  {level.chinese} ", colour(level))
        line.append(f"≥ {threshold.enter:g}, 降级 < {threshold.leave:g}")
    return line


def _evidence(one: Evidence) -> Text:
    head = f"{clock(one.published_at)} {one.platform} {one.polarity.value}, 热度 {one.heat:.1f}: "
    return Text(f"证据 {head}{' '.join(one.text.split())}")
