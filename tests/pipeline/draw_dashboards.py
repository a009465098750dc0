"""Pictures of the dashboards: ``python tests/pipeline/draw_dashboards.py deploy/grafana``

Replays the demo's stream through a real worker, asks a real Prometheus for what each panel shows,
and draws it: one PNG a dashboard. The exit status is 1 if a panel is empty.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from observed_replay import ObservedReplay, expression, observed_replay

from wanglou.deploy.grafana.generate import DASHBOARDS
from wanglou.deploy.grafana.panels import Query
from wanglou.deploy.grafana.picture import Series, draw

SPEED = 1800.0
"""As the demo: two days in 96 seconds."""

NOTE = (
    "the demo's two days in 96 s on a real worker and Prometheus; "
    "the pager's figures are a stand-in's"
)


def answer(replay: ObservedReplay, query: Query) -> list[Series]:
    """The series of a query over the replay, by seconds since its begin."""
    found = replay.prometheus.over_time(expression(query), replay.started, replay.ended)
    return [
        Series(labels, [(at - replay.started, value) for at, value in samples])
        for labels, samples in found
        if samples
    ]


def main() -> int:
    """Draw all; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where to write the pictures")
    parser.add_argument("--lines", type=int, help="only the first of the stream")
    arguments = parser.parse_args()
    empty: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="wanglou-dashboards-") as folder,
        observed_replay(Path(folder), SPEED, arguments.lines) as replay,
    ):
        for dashboard in DASHBOARDS:
            queries = [query for panel in dashboard.panels() for query in panel.queries]
            answers = {query: answer(replay, query) for query in queries}
            empty += [query.expression for query, found in answers.items() if not found]
            path = arguments.folder / f"{dashboard.name}.png"
            draw(dashboard, answers, NOTE, path)
            print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")
    for one in empty:
        print(f"no data: {one}", file=sys.stderr)
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main())
