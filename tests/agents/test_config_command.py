"""wanglou config: everything is checked, nothing secret is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wanglou.agents.commands import main
from wanglou.agents.settings import load_settings
from wanglou.models.rules import Rules

SECRET = "s3cret-of-the-tests"


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_MODEL__ENABLED", "false")


def config(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["config", *arguments])


def test_check_says_what_is_used(rules: Rules, tmp_path: Path) -> None:
    result = config("check")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "all is well"
    assert f"{len(rules.watchlist.institutions)} institutions" in result.stdout
    assert f"{len(rules.taxonomy.topics)} risk topics" in result.stdout
    assert f"playbooks   {len(rules.taxonomy.topics)} risk topics" in result.stdout
    numbers = f"{len(rules.regulator.rules)} rules, {len(rules.regulator.rules)} to be confirmed"
    assert f"regulator   {numbers} by compliance" in result.stdout
    assert "every hour of the week has somebody" in result.stdout
    assert f"statements  {len(rules.taxonomy.topics)} risk topics" in result.stdout
    assert "settings    defaults and environment" in result.stdout
    (tmp_path / "wanglou.toml").write_text("[worker]\nport = 7001\n")
    assert "settings    wanglou.toml" in config("check").stdout


def test_check_warns_without_an_author_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "author_key  not set" in config("check").stderr
    monkeypatch.setenv("WANGLOU_AUTHOR_KEY", SECRET)
    assert config("check").stderr == ""


def test_check_finds_a_wrong_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "watchlist.yaml"
    file.write_text("institutions: [{id: Hexing Bank, name: 和兴银行}]")
    monkeypatch.setenv("WANGLOU_RULES__WATCHLIST", str(file))
    result = config("check")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"wanglou: {file}: line 1: institutions[0].id: ")
    assert "(got 'Hexing Bank')" in result.stderr
    assert "all is well" not in result.stdout


def test_check_counts_what_is_still_to_be_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_in = load_settings().rules.regulator.read_text(encoding="utf-8")
    count = built_in.count("confirmed: false")
    file = tmp_path / "regulator.yaml"
    file.write_text(built_in.replace("confirmed: false", "confirmed: true", 1), encoding="utf-8")
    monkeypatch.setenv("WANGLOU_RULES__REGULATOR", str(file))
    assert f"{count} rules, {count - 1} to be confirmed" in config("check").stdout


def test_check_finds_a_topic_without_a_playbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_in = load_settings().rules.playbooks.read_text(encoding="utf-8")
    file = tmp_path / "playbooks.yaml"
    file.write_text(built_in.replace("  collection:", "  collections:"), encoding="utf-8")
    monkeypatch.setenv("WANGLOU_RULES__PLAYBOOKS", str(file))
    result = config("check")
    assert result.exit_code == 3
    lines = built_in.splitlines()
    missing, unknown = (
        1 + next(number for number, line in enumerate(lines) if line.startswith(start))
        for start in ("topics:", "  collection:")
    )
    assert f"{file}: line {missing}: topics: no playbook for the topic 'coll" in result.stderr
    assert f"line {unknown}: topics.collections: " in result.stderr


@pytest.mark.parametrize(
    ("file", "written", "instead", "said"),
    [
        ("responsibilities", "[wu, zheng]", "[wu, nobody]", "'nobody' is no person of this file"),
        ("statements", "  collection:", "  collections:", "no texts for the topic 'collection'"),
        ("wording", "concern: rude", "concern: loud", "concern: Input should be"),
    ],
)
def test_check_reads_what_people_act_by_and_the_rules_version_stays(
    file: str,
    written: str,
    instead: str,
    said: str,
    rules: Rules,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built_in: Path = getattr(load_settings().rules, file)
    path = tmp_path / f"{file}.yaml"
    text = built_in.read_text(encoding="utf-8")
    assert written in text
    path.write_text(text.replace(written, instead), encoding="utf-8")
    monkeypatch.setenv(f"WANGLOU_RULES__{file.upper()}", str(path))
    result = config("check")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"wanglou: {path}: line ")
    assert said in result.stderr
    assert load_settings().load_rules().version == rules.version


def test_show_prints_the_settings_in_force_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_BROKER__URL", "h:1")
    shown = json.loads(config("show").stdout)
    assert shown["broker"]["url"] == "h:1"
    assert shown["worker"]["port"] == 6066
    assert shown["author_key"] is None
    assert shown["rules"]["watchlist"].endswith("watchlist.yaml")


@pytest.mark.parametrize("command", ["show", "check"])
def test_neither_shows_the_author_key(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_AUTHOR_KEY", SECRET)
    result = config(command)
    assert result.exit_code == 0
    assert SECRET not in result.output
    monkeypatch.setenv("WANGLOU_WORKER__PORT", "0")
    result = config(command)
    assert result.exit_code == 3
    assert SECRET not in result.output


def test_show_says_that_there_is_an_author_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_AUTHOR_KEY", SECRET)
    assert set(json.loads(config("show").stdout)["author_key"]) == {"*"}
