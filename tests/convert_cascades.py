"""Convert the recorded Weibo cascades of ``../shared/data`` to raw mentions.

    python tests/convert_cascades.py ../shared/data/stream/weibo_cascades.jsonl OUT.jsonl
        [--copies 7] [--distinct 武汉]

The texts are research data: they are converted for a run here and never kept in the repository.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

WEIBO_TIME = "%a %b %d %H:%M:%S %z %Y"
BETWEEN_COPIES = timedelta(days=300)
VERIFIED_MEDIA_TYPES = (2, 3, 4, 5, 6, 7)
"""Weibo's ``verified_type``: 1 government, 2 enterprise, 3 media, 4 campus, 5 website, …"""


def tier(row: dict[str, Any]) -> str:
    """The source tier of a row's author."""
    if not row.get("verified"):
        return "person"
    kind = row.get("verified_type")
    if kind == 1:
        return "government"
    if kind == 3:
        return "media"
    return "organisation" if kind in VERIFIED_MEDIA_TYPES else "verified"


def convert(row: dict[str, Any]) -> dict[str, Any]:
    """One row of the data set as a raw mention."""
    is_root = row["kind"] == "post"
    published_at = datetime.strptime(row["created_at"], WEIBO_TIME).isoformat()
    return {
        "id": f"weibo:{row['id']}",
        "platform": "weibo",
        "kind": row["kind"],
        "text": row["text"],
        "author": {
            "id": str(row["author"]),
            "followers": max(0, row.get("followers") or 0),
            "tier": tier(row),
        },
        "published_at": published_at,
        "engagement": {name: row.get(name) for name in ("likes", "comments", "reposts")},
        "root_id": None if is_root else f"weibo:{row['root']}",
    }


def convert_all(source: Path) -> Iterator[dict[str, Any]]:
    """All rows in order of their time; a root before what answers it in the same second."""
    with source.open(encoding="utf-8") as lines:
        mentions = [convert(json.loads(line)) for line in lines]
    mentions.sort(
        key=lambda one: (datetime.fromisoformat(one["published_at"]), one["kind"] != "post")
    )
    yield from mentions


def distinct_posts(mentions: Iterable[dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    """The distinct texts among them as posts that name ``name``: a stream without repeats."""
    texts: set[str] = set()
    for mention in mentions:
        if mention["text"] not in texts:
            texts.add(mention["text"])
            text = f"{name} {mention['text']}"
            yield {**mention, "kind": "post", "text": text, "root_id": None}


def copies(mentions: list[dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
    """The same stream again and again with new ids and authors, each 300 days after the last."""
    for number in range(count):
        for mention in mentions:
            at = datetime.fromisoformat(mention["published_at"])
            root, author = mention["root_id"], mention["author"]
            yield {
                **mention,
                "id": f"{mention['id']}#{number}",
                "root_id": root and f"{root}#{number}",
                "author": {**author, "id": f"{author['id']}#{number}"},
                "published_at": (at + number * BETWEEN_COPIES).isoformat(),
            }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--copies", type=int, default=1, help="new ids, 300 days apart")
    parser.add_argument("--distinct", metavar="NAME", help="distinct texts as posts about NAME")
    arguments = parser.parse_args()
    mentions = convert_all(arguments.source)
    if arguments.distinct:
        mentions = distinct_posts(mentions, arguments.distinct)
    with arguments.out.open("w", encoding="utf-8") as out:
        for mention in copies(list(mentions), arguments.copies):
            out.write(json.dumps(mention, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
