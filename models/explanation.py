"""Why an alert says what it says: every number recomputed from the inputs that it records."""

from __future__ import annotations

from dataclasses import dataclass

from wanglou.models.levels import entered, held
from wanglou.models.risk import alert_kind
from wanglou.models.risk_parameters import LevelParameters, RiskParameters
from wanglou.models.taxonomy import Severity
from wanglou.models.terms import TERMS, combine
from wanglou.schemas.risk import Alert, AlertKind, Assessment, Level, Term

SIDES = ("reputation", "trust", "regulator")


@dataclass(frozen=True, slots=True)
class Difference:
    """A number, or a level, that is not what follows from the alert's inputs and these rules."""

    what: str
    recorded: object
    recomputed: object


@dataclass(frozen=True, slots=True)
class Explanation:
    """An alert beside what was recomputed from its inputs."""

    alert: Alert
    recomputed: Assessment
    differences: tuple[Difference, ...]

    @property
    def agrees(self) -> bool:
        """Whether the alert is what follows, to the last digit."""
        return not self.differences


def recompute(alert: Alert, severity: Severity | None, parameters: RiskParameters) -> Explanation:
    """Recompute an alert from the inputs of its terms by the formula and parameters in force.

    ``severity`` is that of its topic, for its institution, by the rules in force; None if their
    taxonomy has no such topic.
    """
    found: list[Difference] = []
    terms = tuple(_recomputed(term, parameters, found) for term in alert.assessment.terms)
    names = [term.name for term in terms]
    if names != list(TERMS):
        found.append(Difference("terms", ", ".join(names), ", ".join(TERMS)))
    assessment = combine(terms)
    for name in ("likelihood", "impact", "risk"):
        recorded, recomputed = getattr(alert.assessment, name), getattr(assessment, name)
        if recorded != recomputed:
            found.append(Difference(name, recorded, recomputed))
    found += _severity(terms, severity)
    found += _level(alert, parameters.levels)
    return Explanation(alert, assessment, tuple(found))


def compare(alert: Alert, again: Alert | None) -> tuple[Difference, ...]:
    """An alert against the one of the same id that its recorded mentions bring, None if none.

    But for when the broker took the mentions, which the mentions do not tell.
    """
    if again is None:
        return (Difference("alert", alert.id, "the mentions do not bring it"),)
    recorded, brought = (one.model_dump(exclude={"received_at"}) for one in (alert, again))
    return tuple(
        Difference(name, recorded[name], brought[name])
        for name in recorded
        if recorded[name] != brought[name]
    )


def _recomputed(term: Term, parameters: RiskParameters, found: list[Difference]) -> Term:
    compute = TERMS.get(term.name)
    if compute is None:
        return term
    try:
        again = compute(parameters, **term.inputs)
    except TypeError:  # inputs of other names
        found.append(Difference(f"{term.name}.inputs", ", ".join(term.inputs) or "none", "others"))
        return term
    for name in ("factor", "value", "unit", "score", "weight", "contribution"):
        recorded, recomputed = getattr(term, name), getattr(again, name)
        if recorded != recomputed:
            found.append(Difference(f"{term.name}.{name}", recorded, recomputed))
    return again


def _severity(terms: tuple[Term, ...], severity: Severity | None) -> list[Difference]:
    """The sides of the severity against those of the rules in force."""
    recorded = next((term.inputs for term in terms if term.name == "severity"), {})
    return [
        Difference(f"severity.{side}", recorded.get(side), in_force)
        for side in SIDES
        if recorded.get(side) != (in_force := getattr(severity, side, None))
    ]


def _level(alert: Alert, parameters: LevelParameters) -> list[Difference]:
    """Whether the risk allows the transition; that it lasted is not recorded."""
    risk, before = alert.assessment.risk, alert.previous_level
    expected = entered(risk, parameters)
    if alert.kind is AlertKind.DE_ESCALATED:
        expected = held(risk, parameters)
    elif alert.kind is AlertKind.RESOLVED and risk < parameters.blue.leave:
        expected = None
    fits = alert_kind(before, alert.level) is alert.kind
    if alert.level == expected and before != expected and fits:
        return []
    return [Difference("level", _step(before, alert.level), _step(before, expected))]


def _step(before: Level | None, after: Level | None) -> str:
    names = ["none" if level is None else level.label for level in (before, after)]
    return " → ".join(names)
