"""wanglou explain"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import click
from pydantic import ValidationError

from wanglou.agents.commands.alerts import alerts_in_topic, the_one
from wanglou.agents.commands.backtest import run_backtest
from wanglou.agents.commands.shared import (
    EXISTING_FILE,
    ExitCode,
    broker_option,
    console,
    run,
    settings_with,
)
from wanglou.agents.explanation_page import page, verdict
from wanglou.agents.settings import BrokerSettings, Settings
from wanglou.agents.step3_sentiment import load_model
from wanglou.models.explanation import Explanation, compare, recompute
from wanglou.models.risk import in_force
from wanglou.models.rules import Rules
from wanglou.models.taxonomy import Severity
from wanglou.schemas.problems import describe
from wanglou.schemas.risk import Alert


@click.command()
@click.argument("alert", required=False)
@click.option(
    "--alerts", type=EXISTING_FILE, help="Alerts, one a line, instead of those in the topic."
)
@click.option(
    "--mentions",
    type=EXISTING_FILE,
    help="Recorded raw mentions: take them through the pipeline too, and compare.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@broker_option
@click.pass_context
def explain(
    context: click.Context,
    alert: str | None,
    alerts: Path | None,
    mentions: Path | None,
    as_json: bool,
    broker: str | None,
) -> None:
    """Recompute an alert, and show why it was raised.

    ALERT is its id, or the beginning of it. Shows each term with what it was computed from, weight
    and contribution, the factors, the level and the evidence; says so where a number is not what
    follows. Without ALERT all alerts are recomputed, a line each. Exit code 1 if one differs.
    """
    settings = settings_with(broker)
    rules = settings.load_rules()
    found = _alerts(settings.broker, alerts)
    chosen = found if alert is None else [the_one(found, alert)]
    explanations = _explained(settings, rules, chosen, mentions)
    terminal = console()
    for one in explanations:
        if as_json:
            click.echo(json.dumps(_record(one), ensure_ascii=False))
        elif alert is None:
            terminal.print(verdict(one))
        else:
            terminal.print(page(one, rules.risk.levels))
    differing = sum(not one.agrees for one in explanations)
    if alert is None and not as_json:
        terminal.print(f"{len(explanations)} alerts recomputed, {differing} differ")
    context.exit(ExitCode.FAILED if differing else ExitCode.DONE)


def _alerts(broker: BrokerSettings, file: Path | None) -> list[Alert]:
    return run(alerts_in_topic(broker)) if file is None else list(_from_file(file))


def _from_file(file: Path) -> Iterator[Alert]:
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield Alert.model_validate_json(line)
        except ValidationError as error:
            raise click.ClickException(f"{file}:{number}: {describe(error)}") from error


def _explained(
    settings: Settings, rules: Rules, alerts: list[Alert], mentions: Path | None
) -> list[Explanation]:
    explanations = [recompute(one, _severity(one, rules), rules.risk) for one in alerts]
    if mentions is None:
        return explanations
    result = run_backtest(mentions, settings, rules, load_model(settings.model))
    brought = {one.id: one for one in result.alerts}
    return [
        replace(one, differences=one.differences + compare(one.alert, brought.get(one.alert.id)))
        for one in explanations
    ]


def _severity(alert: Alert, rules: Rules) -> Severity | None:
    """That of an alert's topic and institution by the rules in force; None without the topic."""
    found = next((one for one in rules.taxonomy.topics if one.id == alert.topic.id), None)
    if found is None:
        return None
    return in_force(found.severity, rules.watchlist.find(alert.institution.id), rules.risk)


def _record(explanation: Explanation) -> dict[str, object]:
    return {
        "alert": json.loads(explanation.alert.to_json()),
        "agrees": explanation.agrees,
        "recomputed": json.loads(explanation.recomputed.to_json()),
        "differences": [asdict(one) for one in explanation.differences],
    }
