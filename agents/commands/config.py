"""wanglou config check | show"""

from __future__ import annotations

import json

import click

from wanglou.agents.commands.shared import settings_with
from wanglou.agents.settings import BrokerSettings, settings_file
from wanglou.agents.step3_sentiment import load_model
from wanglou.models.regulator import Regulator


@click.group()
def config() -> None:
    """Check and show the settings and rules."""


@config.command()
def check() -> None:
    """Load everything that a worker loads, and what people act by.

    What is wrong is named with what would be right; the exit code is then 3.
    """
    settings = settings_with()
    rules = settings.load_rules()
    load_model(settings.model)
    duties = settings.load_responsibilities()
    wording = settings.load_wording()
    statements = settings.load_statements()
    click.echo(f"settings    {settings_file() or 'defaults and environment'}")
    click.echo(f"broker      {_described(settings.broker)}")
    click.echo(f"watch list  {len(rules.watchlist.institutions)} institutions")
    click.echo(f"taxonomy    {len(rules.taxonomy.topics)} risk topics")
    click.echo(f"risk        {settings.rules.risk}")
    click.echo(f"playbooks   {len(rules.playbooks.topics)} risk topics, each with four levels")
    click.echo(f"regulator   {_counted(rules.regulator)}")
    click.echo(f"rules       version {rules.version}, as every alert names it")
    click.echo(f"duties      {len(duties.people)} people, every hour of the week has somebody")
    click.echo(f"statements  {len(statements.topics)} risk topics, each with four kinds")
    click.echo(f"wording     {sum(len(one.words) for one in wording.groups)} words to warn of")
    click.echo(f"model       {settings.model.path if settings.model.enabled else 'none'}")
    if settings.author_key is None and settings.author_key_file is None:
        click.echo("author_key  not set: author hashes can be recomputed by anyone", err=True)
    click.echo("all is well")


@config.command()
def show() -> None:
    """Print the settings in force as JSON; secrets are hidden."""
    click.echo(json.dumps(settings_with().model_dump(mode="json"), indent=2, ensure_ascii=False))


def _counted(regulator: Regulator) -> str:
    open_rules = sum(not rule.confirmed for rule in regulator.rules)
    return f"{len(regulator.rules)} rules, {open_rules} to be confirmed by compliance"


def _described(broker: BrokerSettings) -> str:
    user = "" if broker.username is None else f", {broker.sasl_mechanism} as {broker.username!r}"
    return f"{broker.url}, {broker.security}{user}"
