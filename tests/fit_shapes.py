"""Fit the shapes of ``models/scenario/shapes.yaml`` to recorded Weibo cascades.

    python tests/fit_shapes.py CASCADES.jsonl > models/scenario/shapes.yaml

CASCADES is ``../shared/data/stream/weibo_cascades.jsonl``.
Only numbers come out, nothing of any text. A distribution is given by the mean and the standard
deviation of the logarithms, which are the maximum-likelihood estimates of a log-normal one.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from math import log
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import yaml
from convert_cascades import WEIBO_TIME, tier

from wanglou.schemas.base import CHINA

DECIMALS = 4
REPOST_CHAIN = "//@"
"""Weibo puts it before the text of a repost that is reposted."""

HEADING = """\
# How answers to Weibo posts arrive: fitted to 388 recorded cascades of January to March 2020.
# Written by: python tests/fit_shapes.py CASCADES > models/scenario/shapes.yaml
# mean and deviation are those of the natural logarithm; delays are in minutes.
"""


def log_normal(values: Iterable[float]) -> dict[str, float]:
    """Mean and deviation of the logarithms of the positive values."""
    logarithms = [log(value) for value in values if value > 0]
    return {
        "mean": round(fmean(logarithms), DECIMALS),
        "deviation": round(pstdev(logarithms), DECIMALS),
    }


def shares(counts: Counter[Any], order: Iterable[Any]) -> dict[Any, float]:
    """Counts as shares of their sum."""
    return {one: round(counts[one] / counts.total(), DECIMALS) for one in order}


def time_of(row: dict[str, Any]) -> datetime:
    """When a row was published."""
    return datetime.strptime(row["created_at"], WEIBO_TIME)


def kind(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Authors and likes of the rows of a kind."""
    tiers = Counter(tier(row) for row in rows)
    likes = [row.get("likes") or 0 for row in rows]
    return {
        "followers": log_normal(1 + max(0, row.get("followers") or 0) for row in rows),
        "tiers": shares(tiers, ("person", "verified", "organisation", "media", "government")),
        "unliked": round(likes.count(0) / len(likes), DECIMALS),
        "likes": log_normal(likes),
    }


def fit(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything that ``shapes.yaml`` says."""
    by_kind = {
        name: [row for row in rows if row["kind"] == name] for name in ("post", "repost", "comment")
    }
    began = {row["id"]: time_of(row) for row in by_kind["post"]}

    def delays(name: str) -> Iterable[float]:
        for row in by_kind[name]:
            if row["root"] in began:
                yield (time_of(row) - began[row["root"]]).total_seconds() / 60

    answers = Counter(row["root"] for row in rows if row["kind"] != "post")
    reposts = by_kind["repost"]
    hours = Counter(time_of(row).astimezone(CHINA).hour for row in rows)
    return {
        "comment_delay": log_normal(delays("comment")),
        "repost_delay": log_normal(delays("repost")),
        "answers": log_normal(answers.values()),
        "reposts": round(len(reposts) / answers.total(), DECIMALS),
        "second_step": round(
            sum(REPOST_CHAIN in row["text"] for row in reposts) / len(reposts), DECIMALS
        ),
        "hours": list(shares(hours, range(24)).values()),
        **{name: kind(rows) for name, rows in by_kind.items()},
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    with parser.parse_args().source.open(encoding="utf-8") as lines:
        fitted = fit([json.loads(line) for line in lines])
    print(HEADING + yaml.safe_dump(fitted, sort_keys=False), end="")


if __name__ == "__main__":
    main()
