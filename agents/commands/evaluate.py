"""wanglou evaluate"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Self

import click
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator
from rich.console import Console
from rich.table import Table

from wanglou.agents.commands.shared import (
    EXISTING_FILE,
    ExitCode,
    console,
    count_lines,
    printable,
    progress_bar,
    settings_with,
)
from wanglou.agents.step3_sentiment import load_model
from wanglou.models.evaluation import (
    HEADS,
    LEVEL,
    NEGATIVE,
    NOT_NEGATIVE,
    RESAMPLES,
    Answer,
    HeadReport,
    Measurement,
    probabilities_by_head,
    report_head,
    worst_mistakes,
)
from wanglou.models.opinion import Opinion, OpinionModel, Passage, read_each
from wanglou.models.scoring import likeliest
from wanglou.models.text import normalise, with_title
from wanglou.schemas.mention import Emotion, Polarity
from wanglou.schemas.problems import describe

CHUNK = 512
"""Lines that are read at a time."""

MAX_LISTED = 20
"""Bad lines that are listed; the report has all."""

MAX_SHOWN = 120
"""Characters of a text that are shown; ``mistakes.jsonl`` has all."""

_Filled = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Line(BaseModel):
    """A line of DATA, in any of its shapes; unknown fields are ignored, and null is none."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    text: str
    title: str | None = None
    source: _Filled | None = None
    polarity: Polarity | None = None
    label: Polarity | None = None
    emotion: Emotion | None = None
    event_type: _Filled | None = None
    institution: _Filled | None = None
    institution_negative: bool | None = None
    entities: str | None = None
    negative_entities: str | None = None
    polarity_probabilities: Any = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not f"{self.title or ''}{self.text}".strip():
            raise ValueError("text: is empty")
        if self.polarity_probabilities is not None:
            raise ValueError("polarity_probabilities: what a model said is not what is true")
        if self.polarity and self.label and self.polarity is not self.label:
            raise ValueError(f"label: is {self.label.value}, but polarity {self.polarity.value}")
        if self.institution_negative is not None and self.institution is None:
            raise ValueError("institution: must be given with institution_negative")
        if (self.entities is None) != (self.negative_entities is None):
            raise ValueError("entities and negative_entities: one is given without the other")
        if unknown := set(self.named(self.negative_entities)) - set(self.named(self.entities)):
            raise ValueError(f"negative_entities: {min(unknown)!r} is none of entities")
        if not self.truth() and self.entities is None:
            raise ValueError(
                "no label: expected polarity, label, emotion, event_type, "
                "institution_negative or entities"
            )
        return self

    @staticmethod
    def named(entities: str | None) -> list[str]:
        """The names in a list with semicolons."""
        return [name for name in map(str.strip, (entities or "").split(";")) if name]

    def truth(self) -> dict[str, str]:
        """Head → label, of those that the line has for its text or institution."""
        negative = self.institution_negative
        labels = {
            "polarity": self.polarity or self.label,
            "emotion": self.emotion,
            "event_type": self.event_type,
            "institution_negative": None if negative is None else _label(negative),
        }
        return {head: str(label) for head, label in labels.items() if label is not None}


@dataclass(frozen=True, slots=True)
class _Question:
    """A passage with the labels that are true of it, by head."""

    passage: Passage
    where: str
    source: str
    truth: dict[str, str]


@dataclass(slots=True)
class _Answers:
    """What came of the questions, by head, and of the lines that gave none."""

    by_head: defaultdict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unanswered: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, str] = field(default_factory=dict)

    def take(self, question: _Question, opinion: Opinion) -> None:
        """Compare an opinion with the truth."""
        probabilities = probabilities_by_head(opinion)
        for head, truth in question.truth.items():
            if head not in probabilities:
                self.unanswered[head] += 1
                continue
            row = probabilities[head]
            predicted = likeliest(row)
            self.labels.setdefault(head, tuple(row))
            self.by_head[head].append(
                Answer(
                    where=question.where,
                    source=question.source,
                    text=question.passage.text,
                    institution=next(iter(question.passage.names), None),
                    truth=truth,
                    predicted=predicted,
                    confidence=row[predicted],
                )
            )

    def reject(self, where: str, problem: str) -> None:
        """Note what is wrong with a line that cannot be measured."""
        self.rejected.setdefault(where, problem)


@click.command()
@click.argument(
    "data",
    nargs=-1,
    required=True,
    metavar="DATA [DATA]...",
    type=EXISTING_FILE,
)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write report.json, mistakes.jsonl, reliability.png and confusion.png here.",
)
@click.option(
    "--mistakes",
    default=20,
    show_default=True,
    type=click.IntRange(min=0),
    help="Worst mistakes of each head to show and write.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the intervals' resampling.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, not as tables.")
@click.pass_context
def evaluate(
    context: click.Context,
    data: Sequence[Path],
    out: Path | None,
    mistakes: int,
    seed: int,
    as_json: bool,
) -> None:
    """Measure the model on labelled texts.

    A line of DATA is a JSON object with a "text", perhaps a "title" and a "source" (else the
    file's name), and one or more of these labels:

    \b
    polarity or label       negative, neutral or positive
    emotion                 happy, angry, sad, fear, surprise or neutral
    event_type              an event type of the model
    institution_negative    true or false, of the "institution" that is named
    entities                institutions, by semicolons; negative_entities are
                            those of them about which the text is negative

    Macro-F1 is the mean over the labels that the texts have, with a 95 % bootstrap interval; ECE
    is the expected calibration error. A line that cannot be measured is listed, the rest is
    measured all the same, and the exit code is 1.
    """
    settings = settings_with()
    model = load_model(settings.model)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    answers = _Answers()
    with progress_bar("reading") as bar:
        task = bar.add_task("", total=sum(map(count_lines, data)))
        for file in data:
            for lines in _read(model, file, answers):
                bar.advance(task, lines)
    heads = [
        report_head(head, answers.by_head[head], answers.labels[head], seed=seed)
        for head in HEADS
        if head in answers.by_head
    ]
    worst = {one.head: worst_mistakes(answers.by_head[one.head], mistakes) for one in heads}
    report = {
        "model": str(settings.model.path) if settings.model.enabled else None,
        "data": [str(file) for file in data],
        "level": LEVEL,
        "resamples": RESAMPLES,
        "seed": seed,
        "heads": {one.head: asdict(one) for one in heads},
        "unanswered": dict(answers.unanswered),
        "rejected": answers.rejected,
    }
    if out is not None:
        _write(out, report, heads, worst)
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        _show(heads, worst)
    _warn(answers, heads)
    if answers.rejected or not heads:
        context.exit(ExitCode.FAILED)


def _read(model: OpinionModel, file: Path, answers: _Answers) -> Iterator[int]:
    """Read a file and take the model's answers; yields how many lines that were."""
    with file.open("rb") as lines:
        numbered = enumerate(lines, 1)
        while chunk := list(islice(numbered, CHUNK)):
            questions: list[_Question] = []
            for number, line in chunk:
                where = f"{file}:{number}"
                try:
                    parsed = _Line.model_validate_json(line.removeprefix(BOM_UTF8))
                except ValidationError as error:
                    answers.reject(where, describe(error).removeprefix("(whole value): "))
                else:
                    questions += _questions(parsed, where, parsed.source or file.stem)
            opinions = read_each(model, [question.passage for question in questions])
            for question, opinion in zip(questions, opinions, strict=True):
                if isinstance(opinion, Exception):
                    answers.reject(question.where, f"{type(opinion).__name__}: {opinion}")
                else:
                    answers.take(question, opinion)
            yield len(chunk)


def _questions(line: _Line, where: str, source: str) -> Iterator[_Question]:
    """What a line asks: about its text, and about each of its entities."""
    text = with_title(normalise(line.title or ""), normalise(line.text))
    if truth := line.truth():
        names = () if line.institution is None else (normalise(line.institution),)
        yield _Question(Passage(text, names), where, source, truth)
    negative = line.named(line.negative_entities)
    for entity in dict.fromkeys(line.named(line.entities)):
        truth = {"institution_negative": _label(entity in negative)}
        yield _Question(Passage(text, (normalise(entity),)), where, source, truth)


def _label(negative: bool) -> str:
    return NEGATIVE if negative else NOT_NEGATIVE


def _write(
    out: Path,
    report: dict[str, Any],
    heads: Sequence[HeadReport],
    worst: dict[str, list[Answer]],
) -> None:
    from wanglou.models.plots import draw_confusion, draw_reliability  # noqa: PLC0415  # slow

    (out / "report.json").write_text(
        json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    rows = ({"head": head, **asdict(one)} for head, found in worst.items() for one in found)
    (out / "mistakes.jsonl").write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    if heads:
        draw_reliability(heads, out / "reliability.png")
        draw_confusion(heads, out / "confusion.png")


def _show(heads: Sequence[HeadReport], worst: dict[str, list[Answer]]) -> None:
    terminal = console()
    for report in heads:
        _print(terminal, f"{report.head} {HEADS[report.head]}", _table(report))
        if found := worst[report.head]:
            _print(terminal, f"{report.head}: surest of its mistakes", _mistakes(found))


def _print(terminal: Console, title: str, table: Table) -> None:
    terminal.print(title, style="bold")
    terminal.print(table)


def _table(report: HeadReport) -> Table:
    """The measures of a head, a column a source."""
    table = Table("source", *map(printable, report.sources))
    measured = list(report.sources.values())
    if len(measured) > 1:
        table.add_column("all")
        measured.append(report.overall)
    table.add_row("answers", *(f"{one.answers:,}" for one in measured))
    table.add_row("macro-F1", *(f"{one.macro_f1:.3f}" for one in measured))
    table.add_row(f"  {LEVEL:.0%} interval", *(_interval(one) for one in measured))
    table.add_row("accuracy", *(f"{one.accuracy:.3f}" for one in measured))
    table.add_row("ECE", *(f"{one.calibration_error:.3f}" for one in measured), end_section=True)
    for index, label in enumerate(report.labels):
        table.add_row(f"F1 {printable(label)} (n)", *(_f1(one, label, index) for one in measured))
    return table


def _interval(measured: Measurement) -> str:
    low, high = measured.macro_f1_interval
    return f"{low:.3f}–{high:.3f}"


def _f1(measured: Measurement, label: str, index: int) -> str:
    f1 = measured.f1[label]
    return "–" if f1 is None else f"{f1:.3f} ({sum(measured.confusion[index]):,})"


def _mistakes(answers: Iterable[Answer]) -> Table:
    """The institution in question stands in brackets before the text."""
    table = Table("sure", "answer", "truth", "where", "text")
    for one in answers:
        text = one.text if one.institution is None else f"({one.institution}) {one.text}"
        cut = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
        cells = (one.predicted, one.truth, one.where, cut)
        table.add_row(f"{one.confidence:.3f}", *map(printable, cells))
    return table


def _warn(answers: _Answers, heads: Sequence[HeadReport]) -> None:
    """Say on stderr what the figures leave out."""
    for where, problem in islice(answers.rejected.items(), MAX_LISTED):
        click.echo(printable(f"{where}: {problem}"), err=True)
    for report in heads:
        for label in report.labels[len(answers.labels[report.head]) :]:
            click.echo(
                printable(f"wanglou: {report.head}: the model knows no {label!r}: always a miss"),
                err=True,
            )
    for head, number in answers.unanswered.items():
        click.echo(f"wanglou: {head}: {number} without an answer, left out", err=True)
    if rejected := len(answers.rejected):
        click.echo(f"wanglou: {rejected} lines could not be measured", err=True)
    if not heads:
        click.echo("wanglou: there is nothing to measure", err=True)
