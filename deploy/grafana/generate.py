"""Write the dashboards' JSON, which Grafana reads.

Run from anywhere::

    python deploy/grafana/generate.py            # writes dashboards/*.json
    python deploy/grafana/generate.py --check    # exit status 1 if one is out of date
"""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from wanglou.deploy.grafana.business import BUSINESS
from wanglou.deploy.grafana.model import MODEL
from wanglou.deploy.grafana.overview import OVERVIEW
from wanglou.deploy.grafana.panels import Dashboard
from wanglou.deploy.grafana.pipeline import PIPELINE

FOLDER = Path(__file__).resolve().parent / "dashboards"

DASHBOARDS = (OVERVIEW, PIPELINE, MODEL, BUSINESS)


def to_json(dashboard: Dashboard) -> str:
    """What Grafana reads."""
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return encoder.encode(dashboard.build()) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check all of them; the exit status."""
    expected = {FOLDER / f"{one.name}.json": to_json(one) for one in DASHBOARDS}
    if "--check" not in arguments:
        for path, text in expected.items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [
        path.name
        for path, text in expected.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for name in stale:
        print(f"{name} is out of date. Run: python deploy/grafana/generate.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
