"""Write examples as the labelled lines that ``wanglou evaluate`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wanglou.models.network import EVENT_TYPE, HEADS, INSTITUTION_NEGATIVE
from wanglou.models.training.checkpoint import save_atomically
from wanglou.models.training.example import Example


def labelled_lines(example: Example) -> Iterator[dict[str, Any]]:
    """One line, or two: an event is asked with its institution named, and without; none unlabelled.

    >>> rows = labelled_lines(Example("A行被罚", "finese", {"event_type": 9}, "A行"))
    >>> [(row["source"], row["event_type"], "institution" in row) for row in rows]
    [('finese', '涉嫌违法', False), ('finese, named', '涉嫌违法', True)]
    """
    labels: dict[str, Any] = {head: HEADS[head][label] for head, label in example.labels.items()}
    if INSTITUTION_NEGATIVE in labels:
        labels[INSTITUTION_NEGATIVE] = labels[INSTITUTION_NEGATIVE] == "true"
    if not labels:
        return
    line = {"text": example.text, "source": example.source}
    if example.institution is None:
        yield line | labels
        return
    if EVENT_TYPE in labels:
        yield line | {EVENT_TYPE: labels[EVENT_TYPE]}
        line["source"] += ", named"
    yield line | {"institution": example.institution} | labels


def write_labelled(path: Path, examples: Iterable[Example]) -> None:
    """Write the lines of all examples."""
    lines = [
        json.dumps(line, ensure_ascii=False) + "\n"
        for example in examples
        for line in labelled_lines(example)
    ]
    save_atomically(path, lambda beside: _write(beside, lines))


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines)
