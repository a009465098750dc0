"""wanglou explain: an alert beside what follows from its inputs."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wanglou.agents.commands import main
from wanglou.schemas.risk import Alert


@pytest.fixture
def mentions(tmp_path: Path, raw_mention: Callable[..., dict[str, Any]]) -> Path:
    """Twenty minutes of angry posts."""
    file = tmp_path / "mentions.jsonl"
    rows = [
        raw_mention(
            id=f"weibo:{number}",
            text=f"{number * 7919 % 10007}号网点排长队,和兴银行要倒闭了,取不出钱",
            author={"id": str(number), "followers": 100_000, "tier": "media"},
            engagement={"reposts": 2000, "comments": 900, "likes": 5000},
            published_at=f"2026-03-02T08:{number // 10:02}:{number % 10 * 6:02}+08:00",
        )
        for number in range(200)
    ]
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return file


@pytest.fixture
def alerts(
    mentions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word_model: Any
) -> Path:
    """The alerts that they bring."""
    for name in ("backtest", "explain"):
        module = importlib.import_module(f"wanglou.agents.commands.{name}")
        monkeypatch.setattr(module, "load_model", lambda settings: word_model)
    file = tmp_path / "alerts.jsonl"
    result = CliRunner().invoke(main, ["backtest", str(mentions), "--alerts", str(file)])
    assert result.exit_code == 0, result.output
    assert file.read_bytes()
    return file


def explain(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["explain", *map(str, arguments)])


def first(alerts: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(alerts.read_text("utf-8").splitlines()[0])
    return found


def tampered(alerts: Path) -> Path:
    """The same alerts; somebody has turned the first's heat up."""
    rows = [json.loads(line) for line in alerts.read_text("utf-8").splitlines()]
    rows[0]["assessment"]["terms"][1]["value"] += 1
    alerts.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return alerts


def test_an_institution_of_a_size_agrees_too(
    mentions: Path, alerts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    watchlist = tmp_path / "watchlist.yaml"
    watchlist.write_text(
        "institutions: [{id: hexing-bank, name: 和兴银行, size: small}]", encoding="utf-8"
    )
    monkeypatch.setenv("WANGLOU_RULES__WATCHLIST", str(watchlist))
    assert (
        "severity.trust: recorded 1.0, recomputed 0.9"
        in explain(first(alerts)["id"], "--alerts", alerts).output
    )
    CliRunner().invoke(main, ["backtest", str(mentions), "--alerts", str(alerts)])
    result = explain("--alerts", alerts)
    assert result.exit_code == 0, result.output
    assert "0 differ" in result.output


def test_a_page_shows_every_term_and_that_it_agrees(alerts: Path) -> None:
    alert = first(alerts)
    result = explain(alert["id"][:13], "--alerts", alerts)
    assert result.exit_code == 0, result.output
    assert alert["title"] in result.output
    for term in alert["assessment"]["terms"]:
        (row,) = [line for line in result.output.splitlines() if f" {term['name']} " in line]
        assert f"{term['score']:.4f}" in row
        assert f"{term['contribution']:.4f}" in row
        for name in term["inputs"] if len(term["inputs"]) > 1 else ():
            assert f"{name} " in row
    assert f"= {alert['assessment']['risk']:.6f}" in result.output
    assert alert["evidence"][0]["text"] in result.output
    assert "✓ 复算一致" in result.output


def test_all_alerts_are_recomputed_a_line_each(alerts: Path, mentions: Path) -> None:
    count = len(alerts.read_text("utf-8").splitlines())
    result = explain("--alerts", alerts, "--mentions", mentions)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line[0] for line in lines[:-1]] == ["✓"] * count
    assert lines[-1] == f"{count} alerts recomputed, 0 differ"


def test_a_number_that_differs_is_said_loudly(alerts: Path) -> None:
    alert = first(tampered(alerts))
    result = explain(alert["id"], "--alerts", alerts)
    assert result.exit_code == 1
    assert "✗ 复算不一致 DIFFERS" in result.output
    heat = alert["assessment"]["terms"][1]["value"]
    assert f"heat.value: recorded {heat}, recomputed " in result.output
    of_all = explain("--alerts", alerts)
    assert of_all.exit_code == 1
    assert of_all.output.startswith("✗")
    assert of_all.output.endswith(" 1 differ\n")


def test_mentions_that_bring_something_else_are_told(alerts: Path, mentions: Path) -> None:
    mentions.write_bytes(b"\n".join(mentions.read_bytes().splitlines()[:60]))
    result = explain("--alerts", alerts, "--mentions", mentions, "--json")
    assert result.exit_code == 1
    found = [json.loads(line) for line in result.output.splitlines()]
    told = {one["what"] for row in found for one in row["differences"]}
    assert told
    assert "alert" in told


def test_json_has_the_alert_and_what_was_recomputed(alerts: Path) -> None:
    alert = first(alerts)
    result = explain(alert["id"], "--alerts", alerts, "--json")
    (line,) = result.output.splitlines()
    assert json.loads(line) == {
        "alert": alert,
        "agrees": True,
        "recomputed": alert["assessment"],
        "differences": [],
    }


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [("zzz", "zzz: no alert has this id; "), ("", ": 3 alerts begin like this; 3 were read")],
)
def test_an_id_that_does_not_say_which_is_refused(alerts: Path, wanted: str, problem: str) -> None:
    lines = alerts.read_text("utf-8").splitlines()
    alerts.write_text("\n".join((lines * 3)[:3]), "utf-8")
    result = explain(wanted, "--alerts", alerts)
    assert result.exit_code == 1
    assert problem in result.output


def test_a_line_that_is_no_alert_is_named(alerts: Path) -> None:
    alert = Alert.model_validate(first(alerts)).model_dump(mode="json")
    alert["level"] = "purple"
    alerts.write_text(f"\n{json.dumps(alert)}\n", "utf-8")
    result = explain("--alerts", alerts)
    assert result.exit_code == 1
    assert f"{alerts}:2: level: " in result.output
