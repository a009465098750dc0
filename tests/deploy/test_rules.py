"""Every alert is tried by promtool, says what it must, and leads to a runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))

CHINESE, ENGLISH = re.compile(r"[\u4e00-\u9fff]"), re.compile(r"[A-Za-z]{3}")


def alerts() -> list[dict[str, Any]]:
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


each_alert = pytest.mark.parametrize("alert", alerts(), ids=[one["alert"] for one in alerts()])


@pytest.mark.parametrize("file", TESTS, ids=[file.stem for file in TESTS])
def test_promtool_finds_the_rules_as_their_tests_say(file: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is missing: make tools")
    ran = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@each_alert
def test_alert_is_tried_quiet_firing_and_over(alert: dict[str, Any]) -> None:
    tried = [
        [bool(one["exp_samples"]) for one in test["promql_expr_test"]]
        for file in TESTS
        for test in yaml.safe_load(file.read_text())["tests"]
        if test["name"] == alert["alert"]
    ]
    assert any(not one[0] and any(one) and not one[-1] for one in tried)


@each_alert
def test_alert_says_what_it_must(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    summary = alert["annotations"]["summary"]
    assert CHINESE.search(summary)
    assert ENGLISH.search(summary)
    assert alert["annotations"]["description"].strip()


@each_alert
def test_alert_leads_to_a_section_of_a_runbook(alert: dict[str, Any]) -> None:
    path, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert anchor == alert["alert"].lower()
    sections = re.split(r"^## ", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE)
    [section] = [one for one in sections if one.partition("\n")[0] == alert["alert"]]
    for part in ("Means", "Look", "Do", "Escalate"):
        assert f"**{part}" in section or f"**{part.lower()}" in section
