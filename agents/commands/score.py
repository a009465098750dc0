"""wanglou score"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Any

import click
from pydantic_core import from_json

from wanglou.agents.commands.shared import ExitCode, progress_bar, settings_with
from wanglou.agents.step3_sentiment import load_model
from wanglou.models.opinion import Opinion, OpinionModel, Passage, read_each
from wanglou.models.rules_file import RulesFile
from wanglou.models.scoring import NEGATIVE_FROM, likeliest, most_probable
from wanglou.models.taxonomy import Taxonomy, TopicFinder
from wanglou.models.text import normalise, with_title
from wanglou.schemas.mention import Emotion, Polarity

CHUNK = 512


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", help="Default: stdout.")
@click.pass_context
def score(context: click.Context, file: IO[bytes], out: IO[str]) -> None:
    """Score texts without a broker.

    FILE (or - for standard input) has a JSON object with a "text" in each line, and if you like a
    "title" and the name of an "institution". The same lines come out in the same order, with
    "polarity", "emotion", "event_type" (as the training data names it), "risk_topic" (as the
    taxonomy names it) and, where there is an institution, "institution_negative", each with its
    probabilities. A line that cannot be scored comes out with an "error" instead, and the exit code
    is 1.
    """
    settings = settings_with()
    topics = TopicFinder(RulesFile.read(settings.rules.taxonomy, Taxonomy).rules)
    model = load_model(settings.model)
    failed = 0
    numbered = enumerate(file, 1)
    with progress_bar("scoring") as bar:
        task = bar.add_task("", total=None)
        while chunk := list(islice(numbered, CHUNK)):
            for row in _score(model, topics, chunk):
                failed += "error" in row
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
            bar.advance(task, len(chunk))
    if failed:
        click.echo(f"wanglou: {failed} lines could not be scored", err=True)
        context.exit(ExitCode.FAILED)


def _score(
    model: OpinionModel, topics: TopicFinder, chunk: Sequence[tuple[int, bytes]]
) -> Iterator[dict[str, Any]]:
    rows = [_parse(number, line) for number, line in chunk]
    passages = [_passage(row) for row in rows if "error" not in row]
    opinions = iter(zip(passages, read_each(model, passages), strict=True))
    for row, (number, _) in zip(rows, chunk, strict=True):
        if "error" not in row:
            passage, opinion = next(opinions)
            if isinstance(opinion, Exception):
                row["error"] = f"line {number}: {type(opinion).__name__}: {opinion}"
            else:
                row.update(_answers(passage, opinion, topics))
        yield row


def _passage(row: dict[str, Any]) -> Passage:
    text = with_title(normalise(row.get("title") or ""), normalise(row["text"]))
    institution = normalise(row.get("institution") or "")
    return Passage(text, (institution,) if institution else ())


def _answers(passage: Passage, opinion: Opinion, topics: TopicFinder) -> dict[str, Any]:
    by_topic = topics.probabilities(passage.text, None, opinion.event_type)
    answers: dict[str, Any] = {
        "polarity": most_probable(Polarity, opinion.polarity).value,
        "polarity_probabilities": opinion.polarity.model_dump(),
        "emotion": most_probable(Emotion, opinion.emotion).value,
        "emotion_probabilities": opinion.emotion.model_dump(),
        "event_type": likeliest(opinion.event_type),
        "event_type_probabilities": opinion.event_type,
        "risk_topic": likeliest(by_topic),
        "risk_topic_probabilities": by_topic,
    }
    if (negative := opinion.institution_negative) is not None:
        answers["institution_negative"] = negative >= NEGATIVE_FROM
        answers["institution_negative_probability"] = negative
    return answers


def _parse(number: int, line: bytes) -> dict[str, Any]:
    try:  # strict: what would not be JSON again when it is written out is refused here
        row = from_json(line.removeprefix(BOM_UTF8), allow_inf_nan=False)
    except ValueError as error:
        return {"error": f"line {number}: not JSON: {error}"}
    if not isinstance(row, dict):
        return {"error": f"line {number}: not an object but {type(row).__name__}"}
    for answer in ("error", "institution_negative", "institution_negative_probability"):
        row.pop(answer, None)  # of an earlier run
    if not isinstance(row.get("text"), str):
        return {**row, "error": f"line {number}: text: must be a string"}
    for field in ("title", "institution"):
        if not isinstance(row.get(field), str | None):
            return {**row, "error": f"line {number}: {field}: must be a string or null"}
    return row
