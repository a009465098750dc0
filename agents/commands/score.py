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
from wanglou.models.scoring import PolarityModel, most_probable
from wanglou.models.text import normalise
from wanglou.schemas.mention import PolarityProbabilities

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


def _score(model: PolarityModel, chunk: Sequence[tuple[int, bytes]]) -> Iterator[dict[str, Any]]:
    rows = [_parse(number, line) for number, line in chunk]
    texts = [normalise(row["text"]) for row in rows if "error" not in row]
    scores = iter(_probabilities(model, texts))
    for row, (number, _) in zip(rows, chunk, strict=True):
        if "error" not in row:
            probabilities = next(scores)
            if isinstance(probabilities, Exception):
                row["error"] = f"line {number}: {type(probabilities).__name__}: {probabilities}"
            else:
                row["polarity"] = most_probable(probabilities).value
                row["polarity_probabilities"] = probabilities.model_dump()
        yield row


def _probabilities(
    model: PolarityModel, texts: Sequence[str]
) -> Sequence[PolarityProbabilities | Exception]:
    """All at once; if that fails, each alone, so that one bad text costs no other."""
    try:
        return model.probabilities(texts)
    except Exception as error:
        if len(texts) == 1:
            return [error]
        return [one for text in texts for one in _probabilities(model, [text])]


def _parse(number: int, line: bytes) -> dict[str, Any]:
    try:  # strict: what would not be JSON again when it is written out is refused here
        row = from_json(line.removeprefix(BOM_UTF8), allow_inf_nan=False)
    except ValueError as error:
        return {"error": f"line {number}: not JSON: {error}"}
    if not isinstance(row, dict):
        return {"error": f"line {number}: not an object but {type(row).__name__}"}
    row.pop("error", None)
    if not isinstance(row.get("text"), str):
        return {**row, "error": f"line {number}: text: must be a string"}
    return row
