"""wanglou case: the work on cases, one command an act"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from wanglou.agents.commands.case_reading import (
    export_case,
    list_cases,
    report_case,
    show_case,
    verify_cases,
)
from wanglou.agents.commands.case_responding import act_on
from wanglou.agents.commands.shared import EXISTING_FILE, broker_option, printable, settings_with
from wanglou.models.response.draft import check_draft
from wanglou.models.response.statements import StatementKind, fill
from wanglou.schemas.response import MEASURES, RELEASES, Act, ReviewVerdict
from wanglou.schemas.risk import Level

TIME = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"])


@click.group()
def case() -> None:
    """The work on cases 案卷: from an alert to its lessons.

    A case is known by its event, for example hexing-bank.run. Each act is written to Kafka, checked
    against the case and the role of who acts, and recorded by the archive (wanglou archive run).
    """


def act_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every act has: the case, who, and when."""
    for decorate in (
        click.option(
            "--at",
            type=TIME,
            metavar="TIME",
            help="When it was done, with an offset; now where it is left out.",
        ),
        click.option("--by", required=True, metavar="NAME", help="Who acts: a person's id."),
        click.argument("case_id", metavar="CASE"),
    ):
        command = decorate(command)
    return broker_option(command)


text_option = click.option("--text", metavar="TEXT", help="What was done, decided or remarked.")
why_option = click.option("--why", "text", required=True, metavar="TEXT", help="Why.")
task_option = click.option("--task", "task_id", metavar="TASK", help="The task that this is about.")
evidence_option = click.option(
    "--evidence",
    multiple=True,
    metavar="URL",
    help="What shows that the text is true: a URL, a document's number. May be given again.",
)
channel_option = click.option(
    "--channel", metavar="NAME", help="Where it was said, for example 官方微博."
)
url_option = click.option("--url", help="Where it can be read.")


@case.command()
@act_options
@text_option
def acknowledge(**given: Any) -> None:
    """Take a case 确认: the first who does owns it."""
    act_on(Act.ACKNOWLEDGEMENT, **given)


@case.command()
@act_options
@click.option("--owner", metavar="NAME", help="Who leads the case, or does the task.")
@click.option("--team", multiple=True, metavar="NAME", help="The crisis team 危机处理小组.")
@task_option
def assign(**given: Any) -> None:
    """Say who leads a case, is in its team, or does a task 指派."""
    act_on(Act.ASSIGNMENT, **given)


@case.command()
@act_options
@click.option("--text", metavar="TEXT", help="The text.")
@click.option("--file", type=EXISTING_FILE, help="File that has the text.")
@click.option("--replaces", "draft_id", metavar="DRAFT", help="The draft that this one replaces.")
@evidence_option
def draft(text: str | None, file: Path | None, **given: Any) -> None:
    """Write a statement for somebody else to approve 拟稿. It is checked, and warnings shown."""
    act_on(Act.DRAFT, text=_checked(text, file), **given)


@case.command()
@click.option("--text", metavar="TEXT", help="The text.")
@click.option("--file", type=EXISTING_FILE, help="File that has the text.")
def check(text: str | None, file: Path | None) -> None:
    """Check a text 文稿检查.

    Says what is wrong with it, and how to say it instead. Writes nothing.
    """
    _checked(text, file)


def _checked(text: str | None, file: Path | None) -> str:
    """The text; what the check of drafts says of it is shown."""
    if (text is None) == (file is None):
        raise click.UsageError("give the text with --text, or a file with --file")
    written = text if file is None else file.read_text(encoding="utf-8")
    assert written is not None
    for one in check_draft(written, settings_with().load_wording()):
        where = f"“{one.words}” " if one.words else ""
        line = f"注意 {where}{one.why}；{one.instead}"
        click.secho(printable(line), fg="yellow", err=True)
    return written


@case.command()
@click.argument("case_id", metavar="CASE")
@click.argument("kind", metavar="KIND", type=click.Choice([one.value for one in StatementKind]))
@click.option(
    "--gap",
    "gaps",
    multiple=True,
    metavar="NAME=TEXT",
    help="What fills a gap of the template, for example 机构=和兴银行. May be given again.",
)
def template(case_id: str, kind: str, gaps: tuple[str, ...]) -> None:
    """Print a statement to begin with 声明模板.

    KIND: first 首次声明, progress 进展, correction 更正, answers 答客问. Gaps that stay open are
    told.
    """
    values = dict(one.partition("=")[::2] for one in gaps)
    statements = settings_with().load_statements()
    try:
        text = statements.template(case_id.rpartition(".")[2], StatementKind(kind))
        filled = fill(text, values)
    except (KeyError, ValueError) as error:
        raise click.ClickException(f"{case_id}: {error.args[0]}") from error
    click.echo(filled.text)
    for name in filled.open_gaps:
        click.secho(printable(f"待填 {name}：{statements.gaps[name]}"), fg="yellow", err=True)


@case.command()
@act_options
@click.argument("draft_id", metavar="DRAFT")
def approve(**given: Any) -> None:
    """Approve a draft that somebody else wrote 签发."""
    act_on(Act.APPROVAL, **given)


@case.command()
@act_options
@click.argument("draft_id", metavar="DRAFT")
@why_option
def reject(**given: Any) -> None:
    """Send a draft back 退回, and say what is to be changed."""
    act_on(Act.REJECTION, **given)


@case.command()
@act_options
@click.argument("draft_id", metavar="DRAFT")
@click.option("--correction", is_flag=True, help="It corrects what was released 更正.")
@evidence_option
@channel_option
@url_option
@task_option
def release(correction: bool, **given: Any) -> None:
    """Record that an approved draft was released 信息发布."""
    act_on(Act.CORRECTION if correction else Act.STATEMENT, **given)


@case.command()
@act_options
@click.argument(
    "act",
    metavar="MEASURE",
    type=click.Choice([one.value for one in sorted(MEASURES - RELEASES)]),
)
@text_option
@channel_option
@url_option
@task_option
def measure(act: str, **given: Any) -> None:
    """Record another measure 处置措施.

    MEASURE: explanation 沟通解释, guidance 舆情引导, crisis-team 危机小组决定, regulator-report
    监管报告.
    """
    act_on(Act(act), **given)


@case.command()
@act_options
@click.argument("task_id", metavar="TASK")
@text_option
def done(**given: Any) -> None:
    """Record that a task was done 任务完成."""
    act_on(Act.TASK_DONE, **given)


@case.command()
@act_options
@why_option
def watch(**given: Any) -> None:
    """Only watch a case from now on 转观察."""
    act_on(Act.WATCH, **given)


@case.command()
@act_options
@why_option
def close(**given: Any) -> None:
    """Close a watched case 结案.

    Once its alert is resolved, or a review says that it was a false alarm.
    """
    act_on(Act.CLOSE, **given)


@case.command()
@act_options
@click.argument(
    "verdict", metavar="VERDICT", type=click.Choice([one.value for one in ReviewVerdict])
)
@text_option
@click.option(
    "--missed-from",
    type=TIME,
    metavar="TIME",
    help="When the incident began, where that was before the alerts.",
)
@click.option(
    "--expected",
    "expected_level",
    type=click.Choice([one.label for one in Level]),
    help="The highest level that it should have had, where that is not what VERDICT says.",
)
def review(verdict: str, **given: Any) -> None:
    """Say what the alerts were worth 复盘.

    VERDICT: right 准确, false-alarm 误报, late 偏晚, missed 漏报. wanglou tune learns from it.
    """
    act_on(Act.REVIEW, verdict=ReviewVerdict(verdict), **given)


for reading in (list_cases, show_case, report_case, verify_cases, export_case):
    case.add_command(reading)
