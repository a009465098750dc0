"""wanglou score"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Any

import click

from wanglou.agents.commands.shared import ExitCode, progress_bar, settings_with
from wanglou.agents.step3_sentiment import load_model
from wanglou.models.scoring import PolarityModel, most_probable
from wanglou.models.text import normalise

CHUNK = 512


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", help="Default: stdout.")
@click.pass_context
def score(context: click.Context, file: IO[bytes], out: IO[str]) -> None:
    """Score texts without a broker.

    FILE (or - for standard input) has a JSON object with a "text" in each line. The same lines
    come out in the same order, with "polarity" and "polarity_probabilities" added. A line that
    cannot be scored comes out with an "error" instead, and the exit code is 1.
    """
    model = load_model(settings_with().model)
    failed = 0
    numbered = enumerate(file, 1)
    with progress_bar("scoring") as bar:
        task = bar.add_task("", total=None)
        while chunk := list(islice(numbered, CHUNK)):
            for row in _score(model, chunk):
                failed += "error" in row
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
            bar.advance(task, len(chunk))
    if failed:
        click.echo(f"wanglou: {failed} lines could not be scored", err=True)
        context.exit(ExitCode.FAILED)


def _score(
    model: PolarityModel, chunk: Sequence[tuple[int, bytes]]
) -> Iterator[dict[str, Any]]:
    rows = [_parse(number, line) for number, line in chunk]
    texts = [normalise(row["text"]) for row in rows if "error" not in row]
    scores = iter(model.probabilities(texts))
    for row in rows:
        if "error" not in row:
            probabilities = next(scores)
            row["polarity"] = most_probable(probabilities).value
            row["polarity_probabilities"] = probabilities.model_dump()
        yield row


def _parse(number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        return {"error": f"line {number}: not JSON: {error}"}
    if not isinstance(row, dict):
        return {"error": f"line {number}: not an object but {type(row).__name__}"}
    row.pop("error", None)
    if not isinstance(row.get("text"), str):
        return {**row, "error": f"line {number}: text: must be a string"}
    return row
