"""Read the public corpora into `Example`s: one small reader a file format."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wanglou.models.network import EMOTION, EVENT_TYPE, INSTITUTION_NEGATIVE, POLARITY
from wanglou.models.text import normalise, with_title
from wanglou.models.training.bank_texts import bank_texts
from wanglou.models.training.example import CorpusError, Example, label_index

csv.field_size_limit(2**24)

_BETWEEN_CHINESE = re.compile(r"(?<=[\u4e00-\u9fff]) +| +(?=[\u4e00-\u9fff])")
_TWO_CLASSES = {"-1": "negative", "0": "negative", "1": "positive"}

_SEVEN_EMOTIONS = {
    "0": "negative",  # fear 恐惧
    "1": "negative",  # disgust 厌恶
    "2": "positive",  # happiness 高兴
    "3": None,  # surprise 惊讶: good or bad
    "4": "positive",  # gratitude 感激
    "5": "negative",  # sadness 悲伤
    "6": "negative",  # anger 愤怒
}

BANK_TEXTS_PER_TEMPLATE = 10
"""Texts drawn of each template that the project wrote."""


def read_text(path: Path) -> str:
    """The text of a file. Raises `CorpusError`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: is not UTF-8: {error}") from error


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise CorpusError(f"{where}: is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise CorpusError(f"{where}: is not an object")
        yield where, row


def _string(row: dict[str, Any], field: str, where: str) -> str:
    value = row.get(field)
    if not isinstance(value, str):
        raise CorpusError(f"{where}: field {field!r} must be a string, not {value!r}")
    return value


def _sentiment(path: Path) -> Iterator[Example]:
    for where, row in _lines(path):
        label = label_index(POLARITY, _string(row, "label", where), where)
        text = normalise(_string(row, "text", where))
        yield Example(text, _string(row, "source", where), {POLARITY: label})


def _emotion(path: Path) -> Iterator[Example]:
    for where, row in _lines(path):
        label = label_index(EMOTION, _string(row, "emotion", where), where)
        yield Example(normalise(_string(row, "text", where)), "smp", {EMOTION: label})


def _event_type(path: Path) -> Iterator[Example]:
    for where, row in _lines(path):
        label = label_index(EVENT_TYPE, _string(row, "event_type", where), where)
        subject = row.get("subject")
        text = normalise(_string(row, "text", where))
        name = normalise(subject) if isinstance(subject, str) else ""
        yield Example(text, "finese", {EVENT_TYPE: label}, name if name and name in text else None)


def _negative_subject(path: Path) -> Iterator[Example]:
    for where, row in _lines(path):
        title = normalise(_string(row, "title", where))
        text = with_title(title, normalise(_string(row, "text", where)))
        negative = set(_string(row, "negative_entities", where).split(";"))
        for entity in dict.fromkeys(_string(row, "entities", where).split(";")):
            if name := normalise(entity):
                yield Example(text, "finnsp", {INSTITUTION_NEGATIVE: int(entity in negative)}, name)


def _table(path: Path, *columns: str) -> Iterator[tuple[str, dict[str, str]]]:
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""), restval="")
    if missing := set(columns) - set(rows.fieldnames or ()):
        raise CorpusError(f"{path}:1: header lacks {', '.join(sorted(missing))}")
    for row in rows:
        yield f"{path}:{rows.line_num}", row


def _one_of(values: Mapping[str, str | None], row: dict[str, str], column: str, where: str) -> str:
    if row[column] not in values:
        choice = ", ".join(values)
        raise CorpusError(f"{where}: {column} {row[column]!r} is none of {choice}")
    return values[row[column]] or ""


def _two_class(path: Path) -> Iterator[Example]:
    for where, row in _table(path, "text", "label"):
        label = label_index(POLARITY, _one_of(_TWO_CLASSES, row, "label", where), where)
        text = _BETWEEN_CHINESE.sub("", normalise(row["text"]))  # some sets come segmented
        yield Example(text, path.stem, {POLARITY: label}, two_class=True)


def _seven_emotions(path: Path) -> Iterator[Example]:
    for where, row in _table(path, "text", "label"):
        if polarity := _one_of(_SEVEN_EMOTIONS, row, "label", where):
            label = label_index(POLARITY, polarity, where)
            yield Example(normalise(row["text"]), "covidweibo7", {POLARITY: label}, two_class=True)


def _company_news(path: Path) -> Iterator[Example]:
    for where, row in _table(path, "公司", "正负面", "标题", "正文"):
        polarity = _one_of(_TWO_CLASSES, row, "正负面", where)
        labels = {
            POLARITY: label_index(POLARITY, polarity, where),
            INSTITUTION_NEGATIVE: int(polarity == "negative"),
        }
        text = with_title(normalise(row["标题"]), normalise(row["正文"]))
        yield Example(text, "news", labels, normalise(row["公司"]) or None, two_class=True)


def _own(path: Path) -> Iterator[Example]:
    try:
        rows = bank_texts(path, seed=0, limit_per_template=BANK_TEXTS_PER_TEMPLATE)
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # which names the file and the place in it
        raise CorpusError(str(error)) from error
    for row in rows:
        labels = {POLARITY: label_index(POLARITY, row.polarity, str(path))}
        if row.emotion is not None:
            labels[EMOTION] = label_index(EMOTION, row.emotion, str(path))
        if row.event_type is not None:
            labels[EVENT_TYPE] = label_index(EVENT_TYPE, row.event_type, str(path))
        if row.institution_negative is not None:
            labels[INSTITUTION_NEGATIVE] = int(row.institution_negative)
        name = None if row.institution is None else normalise(row.institution)
        yield Example(normalise(row.text), path.stem, labels, name)


def _unlabelled(path: Path) -> Iterator[Example]:
    for where, row in _lines(path):
        yield Example(normalise(_string(row, "text", where)), path.stem)


def _tagged_news(path: Path) -> Iterator[Example]:
    try:
        rows = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise CorpusError(f"{path}: is not JSON: {error}") from error
    if not isinstance(rows, list):
        raise CorpusError(f"{path}: must be a list of items")
    for number, row in enumerate(rows):
        match row:
            case [str(text), str()]:
                yield Example(normalise(text), path.stem)
            case _:
                raise CorpusError(f"{path}: item {number} must be a text and its tags, not {row!r}")


READERS: dict[str, Callable[[Path], Iterator[Example]]] = {
    "sentiment": _sentiment,
    "emotion": _emotion,
    "event_type": _event_type,
    "negative_subject": _negative_subject,
    "two_class": _two_class,
    "seven_emotions": _seven_emotions,
    "company_news": _company_news,
    "own": _own,
    "unlabelled": _unlabelled,
    "tagged_news": _tagged_news,
}
"""The reader of each format that a recipe may name."""


def read_corpus(path: Path, format_name: str) -> list[Example]:
    """All examples of a file whose text is not empty. Raises `CorpusError`."""
    examples = [example for example in READERS[format_name](path) if example.text]
    if not examples:
        raise CorpusError(f"{path}: has no texts")
    return examples
