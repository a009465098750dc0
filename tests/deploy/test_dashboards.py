"""The committed dashboards: as generated, complete, and in PromQL that Prometheus can read."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from wanglou.deploy.grafana import generate

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))

each_file = pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])


def panels(file: Path) -> list[dict[str, Any]]:
    return [one for one in json.loads(file.read_text())["panels"] if one["type"] != "row"]


def test_what_is_committed_is_what_is_generated() -> None:
    assert {file.stem for file in FILES} == {one.name for one in generate.DASHBOARDS}
    assert {file.read_text() for file in FILES} == {
        generate.to_json(one) for one in generate.DASHBOARDS
    }


@each_file
def test_the_sdk_reads_back_what_is_committed(file: Path) -> None:
    content = json.loads(file.read_text())
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(content)))
    assert again == content


@each_file
def test_every_panel_has_unit_description_and_thresholds(file: Path) -> None:
    for panel in panels(file):
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"], panel["title"]
        assert defaults["thresholds"]["steps"], panel["title"]
        assert panel["description"].endswith("."), panel["title"]


@each_file
def test_every_query_is_promql(file: Path, tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is missing: make tools")
    queries = [target["expr"] for panel in panels(file) for target in panel["targets"]]
    rules = [
        {"record": f"query{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries)
    ]
    written = tmp_path / "queries.yml"
    written.write_text(yaml.safe_dump({"groups": [{"name": file.stem, "rules": rules}]}))
    ran = subprocess.run(
        ["promtool", "check", "rules", str(written)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
