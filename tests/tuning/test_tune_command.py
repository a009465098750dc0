"""`wanglou tune` on an archive of a generated scenario, whose cases were reviewed."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from reviewed_archive import KEY, Told, archived, told, under

from tests.environment import clean_environment
from wanglou.agents.archive import erasure
from wanglou.agents.archive.entries import CONFIGURATION_CHAIN, Kind
from wanglou.agents.archive.opening import open_archive
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.studying import Stream, back_test, study
from wanglou.agents.archive.verifying import verify_all
from wanglou.agents.commands import main
from wanglou.agents.settings import DEPLOY, load_settings
from wanglou.models.response.case_file import CaseFile
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.rules_file import RulesFile, with_values
from wanglou.models.scenario import plan
from wanglou.models.scenario.plan import Size
from wanglou.models.scenario.waves import WaveKind
from wanglou.schemas.risk import Level

__all__ = ["clean_environment"]

SIZE = Size(institutions=8, days=24, incidents=16, mentions=11_000)
SMALL_WAVES = dict.fromkeys(WaveKind, (200, 450))
WRONG = {("levels", "yellow", "enter"): 34, ("levels", "yellow", "leave"): 17}
"""Yellow is far too high."""


@dataclass(frozen=True)
class World:
    """An archive, and the rules under which its alerts were made."""

    told: Told
    folder: Path

    @property
    def risk(self) -> Path:
        return self.folder / "risk.yaml"

    def archive(self) -> Archive:
        return open_archive(load_settings().archive)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("tuning")
    risk = folder / "risk.yaml"
    text = (DEPLOY / "risk.yaml").read_text(encoding="utf-8")
    risk.write_text(with_values(text, WRONG), encoding="utf-8")
    rules = load_settings().load_rules()
    wrong = replace(rules, risk=RulesFile.read(risk, RiskParameters).rules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SIZES", SMALL_WAVES)
        one = told(wrong, SIZE, 5, folder)
    archived(one, folder / "archive.db").engine.dispose()
    content = one.rules.watchlist.model_dump(mode="json", exclude_defaults=True)
    watchlist = yaml.safe_dump(content, allow_unicode=True)
    (folder / "watchlist.yaml").write_text(watchlist, encoding="utf-8")
    return World(one, folder)


def copied(made: World, folder: Path) -> World:
    for name in ("archive.db", "risk.yaml", "watchlist.yaml"):
        shutil.copy(made.folder / name, folder / name)
    return World(made.told, folder)


def name_in_settings(world: World, patch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "WANGLOU_ARCHIVE__URL": f"sqlite:///{world.folder}/archive.db",
        "WANGLOU_ARCHIVE__KEY": KEY,
        "WANGLOU_RULES__RISK": str(world.risk),
        "WANGLOU_RULES__WATCHLIST": str(world.folder / "watchlist.yaml"),
    }.items():
        patch.setenv(name, value)


@pytest.fixture
def world(made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An archive of its own for each test, which the settings name."""
    world = copied(made, tmp_path)
    name_in_settings(world, monkeypatch)
    return world


def tune(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["tune", *map(str, arguments)])


@dataclass(frozen=True)
class Proposed:
    """What a proposal left, of an archive in which somebody's data was erased."""

    world: World
    output: str
    figures: dict[str, Any]
    erased: int

    @property
    def file(self) -> Path:
        return self.world.folder / "proposed.yaml"

    @property
    def parameters(self) -> RiskParameters:
        return RulesFile.read(self.file, RiskParameters).rules


@pytest.fixture(scope="module")
def proposal(made: World, tmp_path_factory: pytest.TempPathFactory) -> Proposed:
    world = copied(made, tmp_path_factory.mktemp("proposed"))
    authors = [one.author.id for _, one in made.told.scored if one.author is not None]
    person = max(set(authors), key=authors.count)
    figures, file = world.folder / "figures.json", world.folder / "proposed.yaml"
    with pytest.MonkeyPatch.context() as patch:
        name_in_settings(world, patch)
        assert erasure.erase(world.archive(), person, "admin", "本人要求")
        done = tune("propose", "--by", "褚十三", "--write", file, "--json", figures)
    assert done.exit_code == 0, done.output
    found = json.loads(figures.read_text(encoding="utf-8"))
    return Proposed(world, done.output, found, authors.count(person))


@pytest.fixture
def proposed(proposal: Proposed, monkeypatch: pytest.MonkeyPatch) -> Proposed:
    name_in_settings(proposal.world, monkeypatch)
    return proposal


def versions(world: World) -> dict[str, dict[str, object]]:
    records = world.archive().records(CONFIGURATION_CHAIN, [Kind.CONFIGURATION])
    return {one.id: one.fields or {} for one in records}


def test_the_archive_gives_the_same_alerts_again(world: World) -> None:
    rules = world.told.rules
    studied = study(Stream(world.archive(), None), rules, lambda: None)
    given = sorted(
        (alert.id, alert.decided_at, alert.assessment.risk)
        for told in studied.alerts.values()
        for alert in told
    )
    expected = sorted(
        (alert.id, alert.decided_at, alert.assessment.risk) for alert in world.told.alerts
    )
    assert len(expected) > 20
    assert given == expected
    assert studied.mentions == len(world.told.scored)


def test_other_rules_give_the_alerts_that_they_would_have_given(world: World) -> None:
    rules = load_settings().load_rules()
    shipped = replace(rules, risk=RulesFile.read(DEPLOY / "risk.yaml", RiskParameters).rules)
    given = back_test(Stream(world.archive(), None), shipped, lambda: None)
    expected = under(world.told, shipped).alerts
    assert {alert.id for told in given.values() for alert in told} >= {one.id for one in expected}


def test_a_proposal_is_better_on_the_cases(proposed: Proposed) -> None:
    found = proposed.figures
    assert proposed.parameters.levels.yellow.enter < 34
    assert found["changes"]["levels.yellow.enter"] == [34, proposed.parameters.levels.yellow.enter]
    before, after = (sum(one["levels_off"][side] for one in found["cases"]) for side in (0, 1))
    assert after < before
    assert found["proposed"] in proposed.output


def test_nothing_changes_by_itself_and_comments_stay(made: World, proposed: Proposed) -> None:
    before = made.risk.read_text(encoding="utf-8")
    assert proposed.world.risk.read_text(encoding="utf-8") == before
    comments = [
        [line.partition("#")[2] for line in text.splitlines()]
        for text in (before, proposed.file.read_text(encoding="utf-8"))
    ]
    assert comments[0] == comments[1]


def test_a_proposal_is_recorded_and_a_second_person_approves_it(proposed: Proposed) -> None:
    world, parameters = proposed.world, proposed.parameters
    version = replace(world.told.rules, risk=parameters).version
    assert version == proposed.figures["proposed"]
    record = versions(world)[f"{version}/proposed"]
    assert record["by"] == "admin"
    assert record["risk"] == parameters.model_dump(mode="json")

    refused = tune("approve", proposed.file, "--by", "admin", "--reason", "我看可以")
    assert refused.exit_code == 1
    assert "'approve-configuration'" in refused.output
    assert f"{version}/approved" not in versions(world)
    approved = tune("approve", proposed.file, "--by", "li", "--reason", "五起偏低")
    assert approved.exit_code == 0, approved.output
    assert versions(world)[f"{version}/approved"] == {"by": "li", "reason": "五起偏低"}
    assert all(one.is_whole for one in verify_all(world.archive().engine))


def test_whose_data_was_erased_still_counts(proposed: Proposed) -> None:
    assert f"{len(proposed.world.told.scored)} mentions of" in proposed.output
    assert f"{proposed.erased} mentions are of people who were erased" in proposed.output


def test_who_looks_at_grave_cases_is_recorded(proposed: Proposed) -> None:
    archive, told = proposed.world.archive(), proposed.world.told
    grave = {one.event_id for one in told.alerts if one.level and one.level >= Level.ORANGE}
    reviewed = {row.id for row in archive.cases() if CaseFile.model_validate_json(row.body).reviews}
    assert grave & reviewed
    for event_id in grave & reviewed:
        (access,) = archive.records(event_id, [Kind.ACCESS])
        assert access.fields is not None
        assert access.fields["by"] == "admin"


def test_what_nobody_proposed_is_not_approved(world: World) -> None:
    done = tune("approve", world.risk, "--by", "li", "--reason", "照旧")
    assert done.exit_code == 1
    assert "was not proposed" in done.output


def test_who_may_propose(world: World) -> None:
    done = tune("propose", "--by", "li")
    assert done.exit_code == 1
    assert "administrator" in done.output


def test_too_few_reviews_change_nothing(world: World) -> None:
    figures, write = world.folder / "figures.json", world.folder / "proposed.yaml"
    done = tune(
        *("propose", "--by", "admin", "--from", "2026-01-22"),
        *("--json", figures, "--write", write),
    )
    assert done.exit_code == 1
    assert "no change proposed" in done.output
    assert "are needed to tell a rule from chance" in done.output
    assert json.loads(figures.read_text(encoding="utf-8"))["proposed"] is None
    assert not write.exists()
