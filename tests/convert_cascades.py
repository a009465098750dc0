"""Convert the recorded Weibo cascades of ``../shared/data`` to raw mentions.

    python tests/convert_cascades.py ../shared/data/stream/weibo_cascades.jsonl OUT.jsonl

The texts are research data: they are converted for a run here and never kept in the repository.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

WEIBO_TIME = "%a %b %d %H:%M:%S %z %Y"
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


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    with arguments.out.open("w", encoding="utf-8") as out:
        for mention in convert_all(arguments.source):
            out.write(json.dumps(mention, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
