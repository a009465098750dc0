"""wanglou backtest: the same file and rules give the same bytes."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wanglou.agents.commands import main
from wanglou.models.rules import Rules
from wanglou.schemas.risk import Alert, AlertKind, Event

STORM = 300


def names_of(rules: Rules) -> list[str]:
    return [institution.name for institution in rules.watchlist.institutions[:2]]


@pytest.fixture
def storm(tmp_path: Path, raw_mention: Callable[..., dict[str, Any]], rules: Rules) -> Path:
    """Half an hour of angry posts about two institutions, with a line that is none."""
    names = names_of(rules)
    lines = [
        json.dumps(
            raw_mention(
                id=f"weibo:{number}",
                text=f"{number * 7919 % 10007}号网点排长队,{names[number % 2]}要倒闭了,取不出钱",
                author={"id": str(number), "followers": 100_000, "tier": "media"},
                engagement={"reposts": 2000, "comments": 900, "likes": 5000},
                published_at=f"2026-03-02T08:{number // 10:02}:{number % 10 * 6:02}+08:00",
            ),
            ensure_ascii=False,
        )
        for number in range(STORM)
    ]
    lines.insert(7, '{"id": "[/red]\x1b[2J"}')
    file = tmp_path / "storm.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def backtest(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["backtest", str(file), *arguments])


def test_the_same_file_gives_the_same_bytes(
    storm: Path, tmp_path: Path, rules: Rules, monkeypatch: pytest.MonkeyPatch, word_model: Any
) -> None:
    module = importlib.import_module("wanglou.agents.commands.backtest")
    monkeypatch.setattr(module, "load_model", lambda settings: word_model)
    outputs = []
    for run in ("first", "second"):
        result = backtest(storm, "--alerts", f"{run}.alerts", "--events", f"{run}.events")
        assert result.exit_code == 0, result.output
        outputs.append(result.output)
    for what in ("alerts", "events"):
        first, second = (tmp_path / f"{run}.{what}" for run in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    assert outputs[0] == outputs[1]

    alerts = [Alert.model_validate_json(one) for one in (tmp_path / "first.alerts").open("rb")]
    events = [Event.model_validate_json(one) for one in (tmp_path / "first.events").open("rb")]
    assert alerts[0].kind is AlertKind.RAISED
    assert {alert.institution.name for alert in alerts} == set(names_of(rules))
    assert all(alert.title in outputs[0] for alert in alerts)
    assert len(events) == 2
    assert f"{len(alerts)} alerts; open at the end: " in outputs[0]
    assert all(event.id in outputs[0] for event in events if event.level is not None)
    assert [event.id for event in events] == sorted(event.id for event in events)


def test_without_the_model(storm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is neutral, so nothing is a risk: the files are there, and empty."""
    monkeypatch.setenv("WANGLOU_MODEL__ENABLED", "false")
    (tmp_path / "alerts").write_text("of an earlier run")
    outputs = {backtest(storm, "--alerts", "alerts", "--events", "events").output for _ in range(2)}
    assert len(outputs) == 1
    assert "0 alerts; open at the end: none" in outputs.pop()
    assert (tmp_path / "alerts").read_bytes() == b""
    assert (tmp_path / "events").read_bytes() == b""


def test_it_counts_the_lines_and_names_the_bad_ones(
    storm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANGLOU_MODEL__ENABLED", "false")
    result = backtest(storm)
    assert result.exit_code == 0
    assert "line 8: not-json: " in result.output
    counts = dict(
        line.strip("│").split("│") for line in result.output.splitlines() if line.startswith("│")
    )
    counts = {name.strip(): int(number) for name, number in counts.items()}
    assert counts["raw"] == STORM + 1
    assert counts["dead-letter"] == 1
    assert counts["accepted"] == counts["scored"] == STORM
    assert counts["original"] + counts["duplicate"] == STORM
    assert "\x1b" not in result.output


def test_an_empty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_MODEL__ENABLED", "false")
    (tmp_path / "empty").touch()
    result = backtest(tmp_path / "empty")
    assert result.exit_code == 0
    assert "0 alerts; open at the end: none" in result.output
