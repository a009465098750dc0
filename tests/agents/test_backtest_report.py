"""wanglou scenario, and wanglou backtest with labels and incidents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from wanglou.agents.commands import main
from wanglou.agents.settings import DEPLOY

SIZE = "--institutions 3 --days 5 --incidents 1 --mentions 5000"


def wanglou(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenario")
    result = wanglou("scenario", str(folder), *SIZE.split())
    assert result.exit_code == 0, result.output
    assert "1 incidents and 0 harmless waves about 3 institutions in 5 days" in result.output
    return folder


def backtest(made: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setenv("WANGLOU_RULES__WATCHLIST", str(made / "watchlist.yaml"))
    files = ("--labels", str(made / "labels.jsonl"), "--incidents", str(made / "incidents.yaml"))
    return wanglou("backtest", str(made / "mentions.jsonl"), *files, *arguments)


def test_the_report_compares_two_configurations_and_the_usual_rules(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    risk = yaml.safe_load((DEPLOY / "risk.yaml").read_text())
    for level, enter in (("blue", 4), ("yellow", 5), ("orange", 90), ("red", 95)):
        risk["levels"][level] = {"enter": enter, "leave": enter - 0.5}
    other = tmp_path / "eager.yaml"
    other.write_text(yaml.safe_dump(risk))
    figures, plots = tmp_path / "figures.json", tmp_path / "plots"
    result = backtest(
        made, monkeypatch, "--against", str(other), "--json", str(figures), "--plot", str(plots)
    )
    assert result.exit_code == 0, result.output
    ours, eager, *usual = json.loads(figures.read_bytes())
    assert (ours["method"], eager["method"], len(usual)) == ("wanglou", "eager.yaml", 2)
    assert eager["found"] == 1  # anything at all is yellow to it
    assert eager["cases"][0]["highest"] == "yellow"
    assert eager["cases"][0]["minutes_to_orange"] is None
    incident = yaml.safe_load((made / "incidents.yaml").read_text())["incidents"][0]
    assert ours["cases"][0]["topic"] == incident["topic"]
    assert "eager.yaml" in result.output
    event = f"{incident['institution']}.{incident['topic']}"
    assert [one.name for one in plots.iterdir()] == [f"001-{event}.png"]
    assert (plots / f"001-{event}.png").read_bytes().startswith(b"\x89PNG")


def test_an_incident_of_nobody_is_refused_before_anything_runs(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled = yaml.safe_load((made / "incidents.yaml").read_text())
    labelled["incidents"][0]["institution"] = "nobody"
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(labelled))
    result = backtest(made, monkeypatch, "--incidents", str(wrong))
    assert result.exit_code == 3
    lines = wrong.read_text().splitlines()
    number = 1 + next(index for index, line in enumerate(lines) if "nobody" in line)
    problem = "incidents[0].institution: 'nobody' is not in the watch list"
    assert f"wrong.yaml: line {number}: {problem}" in result.output


def test_a_text_without_label_is_named(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tmp_path / "few.jsonl"
    few.write_bytes((made / "labels.jsonl").read_bytes().splitlines(keepends=True)[0])
    result = backtest(made, monkeypatch, "--labels", str(few))
    assert result.exit_code == 3
    assert "few.jsonl: has no label for the text" in result.output


@pytest.mark.parametrize("option", ["--against", "--plot", "--json"])
def test_what_needs_incidents_says_so(made: Path, option: str) -> None:
    result = wanglou("backtest", str(made / "mentions.jsonl"), option, str(made / "watchlist.yaml"))
    assert result.exit_code == 2


def test_a_size_that_cannot_be_is_wrong_usage(tmp_path: Path) -> None:
    result = wanglou("scenario", str(tmp_path), "--days", "3")
    assert result.exit_code == 2
    assert "do not fit into 3 days" in result.output


def test_two_processes_write_the_same(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = []
    for jobs in ("1", "2"):
        events, figures = tmp_path / f"events{jobs}", tmp_path / f"figures{jobs}"
        result = backtest(
            made, monkeypatch, "--jobs", jobs, "--events", str(events), "--json", str(figures)
        )
        assert result.exit_code == 0, result.output
        outputs.append((result.output, events.read_bytes(), figures.read_bytes()))
    assert outputs[0][1]
    assert outputs[0] == outputs[1]


def test_jobs_without_labels_are_refused(made: Path) -> None:
    result = wanglou("backtest", str(made / "mentions.jsonl"), "--jobs", "2")
    assert result.exit_code == 2
    assert "--jobs needs --labels" in result.output
