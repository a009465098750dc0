"""The command line: one command a file."""

from __future__ import annotations

import click

from wanglou.agents.commands.ack import ack
from wanglou.agents.commands.archive import archive
from wanglou.agents.commands.backtest import backtest
from wanglou.agents.commands.case import case
from wanglou.agents.commands.config import config
from wanglou.agents.commands.demo import demo
from wanglou.agents.commands.dlq import dlq
from wanglou.agents.commands.evaluate import evaluate
from wanglou.agents.commands.explain import explain
from wanglou.agents.commands.ops import ops
from wanglou.agents.commands.pager import pager
from wanglou.agents.commands.replay import replay
from wanglou.agents.commands.report import report
from wanglou.agents.commands.scenario import scenario
from wanglou.agents.commands.schema import schema
from wanglou.agents.commands.score import score
from wanglou.agents.commands.shared import EXIT_CODES, Cli
from wanglou.agents.commands.topics import topics
from wanglou.agents.commands.train import train
from wanglou.agents.commands.tune import tune
from wanglou.agents.commands.watch import watch
from wanglou.agents.commands.worker import worker


@click.group(cls=Cli, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wanglou")
def main() -> None:
    """望楼 Wanglou watches what the public says about financial institutions.

    \b
    New here?            wanglou demo
    Without Kafka:       wanglou score, wanglou backtest, wanglou scenario
    With your Kafka:     wanglou topics create, then wanglou worker
    People on call:      wanglou pager, wanglou ack, wanglou ops
    Look and repair:     wanglou watch, wanglou dlq, wanglou config
    Why this level:      wanglou explain
    The work on cases:   wanglou case, wanglou report, wanglou archive
    What was learned:    wanglou tune
    The model:           wanglou evaluate, wanglou train
    """


def _name_exit_codes(command: click.Command) -> None:
    command.epilog = EXIT_CODES
    if isinstance(command, click.Group):
        for part in command.commands.values():
            _name_exit_codes(part)


for command in (
    demo,
    worker,
    pager,
    ack,
    ops,
    topics,
    replay,
    watch,
    score,
    evaluate,
    train,
    backtest,
    explain,
    archive,
    case,
    report,
    tune,
    scenario,
    dlq,
    config,
    schema,
):
    _name_exit_codes(command)
    main.add_command(command)
