"""How delays of single recorded cascades differ from those of all together: ``courses.PACES``.

    python tests/effects/recorded_paces.py ../shared/data/stream/weibo_cascades.jsonl

Of the half that may be learnt from, and of cascades with enough answers of a kind.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import numpy as np
from courses import SHAPES
from other_courses import WEIBO_TIME, half_of

ENOUGH = 15
"""Answers of a kind."""

SHORTEST = 0.1
"""Minutes; some answers have the time of their post."""


def main() -> None:
    """Command line."""
    posts: dict[str, float] = {}
    answers = defaultdict[tuple[str, str], list[float]](list)
    with Path(sys.argv[1]).open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            minutes = datetime.strptime(row["created_at"], WEIBO_TIME).timestamp() / 60
            if row["kind"] == "post":
                posts[row["id"]] = minutes
            elif half_of(row["root"]) == 0:
                answers[row["root"], row["kind"]].append(minutes)
    delays = {"comment": SHAPES.comment_delay, "repost": SHAPES.repost_delay}
    slower, wider = [], []
    for (root, kind), times in answers.items():
        if root in posts and len(times) >= ENOUGH:
            logarithms = np.log(np.maximum(np.array(times) - posts[root], SHORTEST))
            slower.append(logarithms.mean() - delays[kind].mean)
            wider.append(logarithms.std() / delays[kind].deviation)
    print(f"{len(slower)} times {ENOUGH} answers or more of a kind to one post")
    print(f"slower: mean {np.mean(slower):.2f}, deviation {np.std(slower):.2f}")
    print("wider: {:.2f} to {:.2f} in nine of ten".format(*np.quantile(wider, (0.05, 0.95))))


if __name__ == "__main__":
    main()
