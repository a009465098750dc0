"""A case as a folder that stands for itself: it can be read and verified without Wanglou."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, select

from wanglou.agents.archive.database import STREAMED_ROWS, reading
from wanglou.agents.archive.entries import Kind, Record
from wanglou.agents.archive.heads import head_document
from wanglou.agents.archive.problems import ArchiveError, KeyProblem, UnknownCase
from wanglou.agents.archive.sealing import PersonKey
from wanglou.agents.archive.signing import sign
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import person_keys
from wanglou.agents.archive.verifying import head_of, rows
from wanglou.models.chain import Row

RECORDS = "records.jsonl"
OPENED = "opened.jsonl"
MENTIONS = "mentions.csv"
KEYS = "keys.jsonl"
SUMS = "SHA256SUMS"
HEAD = "head.json"
HASHED_BYTES = 1 << 20

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take a cell for a formula (OWASP, CSV Injection)."""

COLUMNS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "平台": lambda mention: mention.get("platform"),
    "作者": lambda mention: _part(mention, "author", "id"),
    "粉丝数": lambda mention: _part(mention, "author", "followers"),
    "正文": lambda mention: mention.get("text"),
    "链接": lambda mention: mention.get("url"),
    "情感": lambda mention: mention.get("polarity"),
    "情绪": lambda mention: mention.get("emotion"),
    "风险主题": lambda mention: mention.get("risk_topic"),
}
"""Columns of the table of mentions, after sequence, time and id."""


class FolderProblem(ArchiveError):
    """A folder that cannot be written to."""


def export_case(
    archive: Archive,
    case: str,
    folder: Path,
    signing_key: Ed25519PrivateKey | None = None,
    opened: bool = True,
) -> int:
    """Write a case to a new folder; the number of its records.

    ``opened`` adds what was sealed, and the case's keys. What is in the folder then an erasure does
    not reach any more. Raises ``UnknownCase`` where there is no such case, ``FolderProblem``.
    """
    if folder.exists():
        raise FolderProblem(f"{folder}: is there already; name a new folder")
    if opened and archive.keys is None:
        raise KeyProblem("sealed fields cannot be exported without a key: set archive.key_file")
    try:
        with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
            made = Path(name) / folder.name
            made.mkdir()
            with reading(archive.engine) as connection:
                count = _write(archive, connection, case, made, signing_key, opened)
            made.rename(folder)
    except OSError as error:
        raise FolderProblem(f"{folder}: cannot be written: {error.strerror}") from error
    return count


def _write(
    archive: Archive,
    connection: Connection,
    case: str,
    folder: Path,
    signing_key: Ed25519PrivateKey | None,
    opened: bool,
) -> int:
    head = head_of(connection, case)
    if head is None:
        raise UnknownCase(case)
    with (folder / RECORDS).open("w", encoding="utf-8", newline="\n") as file:
        for row in rows(connection, case):
            _line(file, stored(row))
    if opened:
        with (folder / OPENED).open("w", encoding="utf-8", newline="\n") as file:
            _write_opened(archive.read(connection, case), file, folder / MENTIONS)
        with (folder / KEYS).open("w", encoding="utf-8", newline="\n") as file:
            for line in _keys(archive, connection, case):
                _line(file, line)
    here = files("wanglou.agents.archive") / "folder"
    for name in ("README.md", "verify.py"):
        (folder / name).write_bytes((here / name).read_bytes())
    chain = files("wanglou.models") / "chain.py"
    (folder / "chain.py").write_bytes(chain.read_bytes())
    names = sorted(one.name for one in folder.iterdir())
    sums = "".join(f"{_sum(folder / name)}  {name}\n" for name in names).encode()
    (folder / SUMS).write_bytes(sums)
    document = head_document({case: head}, archive.now().isoformat())
    document["sums"] = sha256(sums).hexdigest()
    if signing_key is not None:
        document = sign(signing_key, document)
    (folder / HEAD).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return head.sequence


def stored(row: Row) -> dict[str, Any]:
    """A row as a line of the export says it: all that its hash was made of."""
    return {
        **row._asdict(),
        "body": None if row.body is None else row.body.decode(),
        "digest": row.digest.hex(),
        "hash": row.hash.hex(),
    }


def _write_opened(found: Iterator[Record], file: IO[str], table: Path) -> None:
    with table.open("w", encoding="utf-8-sig", newline="") as mentions:
        write = csv.writer(mentions).writerow
        write(["序号", "时间", "编号", *COLUMNS])
        for record in found:
            _line(
                file,
                {
                    "sequence": record.sequence,
                    "kind": str(record.kind),
                    "id": record.id,
                    "at": record.at.isoformat(),
                    "recorded_at": record.recorded_at.isoformat(),
                    "fields": record.fields,
                },
            )
            if record.kind is Kind.MENTION:
                values = (column(record.fields or {}) for column in COLUMNS.values())
                cells = (record.sequence, record.at.isoformat(), record.id, *values)
                write([csv_cell(one) for one in cells])


def csv_cell(value: object) -> str:
    """A value as a cell that no spreadsheet takes for a formula.

    >>> csv_cell("=cmd|' /C calc'!A0"), csv_cell("转账失败"), csv_cell(None)
    ("'=cmd|' /C calc'!A0", '转账失败', '')
    """
    text = "" if value is None else str(value)
    return (
        f"'{text}"
        if text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") and text
        else text
    )


def _part(mention: dict[str, Any], name: str, part: str) -> Any:
    """A part of a field; the field itself where it was erased."""
    value = mention.get(name)
    return value.get(part) if isinstance(value, dict) else value


def _keys(archive: Archive, connection: Connection, case: str) -> Iterator[dict[str, Any]]:
    assert archive.keys is not None
    query = select(person_keys).where(person_keys.c.chain == case).order_by(person_keys.c.id)
    for row in connection.execute(query, execution_options={"yield_per": STREAMED_ROWS}):
        key = archive.keys.plain(PersonKey(row.id, row.chain, row.master, row.wrapped))
        yield {"id": row.id, "key": None if key is None else key.hex()}


def _line(file: IO[str], fields: dict[str, Any]) -> None:
    file.write(json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n")


def _sum(file: Path) -> str:
    digest = sha256()
    with file.open("rb") as content:
        while part := content.read(HASHED_BYTES):
            digest.update(part)
    return digest.hexdigest()
