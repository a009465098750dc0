from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.models.builders import (
    AUTHOR_KEY,
    RISK,
    TAXONOMY,
    WATCHLIST,
    mention,
    position_at,
    raw_bytes,
    rules,
    scored,
)
from wanglou.models.rules import SEEN_MINUTES, THREAD_MINUTES, Rules, RulesError, load
from wanglou.models.watchlist import Watchlist

VALID = "institutions: [{id: hexing, name: 和兴银行}]\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "watchlist.yaml"


def problem_of(path: Path) -> str:
    with pytest.raises(RulesError) as error:
        load(path, Watchlist)
    problem = str(error.value)
    assert problem.startswith(f"{path}: ")
    return problem.removeprefix(f"{path}: ")


def test_valid_file_is_loaded(path: Path) -> None:
    path.write_text(VALID, encoding="utf-8")
    assert load(path, Watchlist).name_of("hexing") == "和兴银行"


def test_missing_file_is_named(path: Path) -> None:
    assert problem_of(path).startswith("cannot be read: ")


def test_folder_is_no_file(path: Path) -> None:
    path.mkdir()
    assert problem_of(path).startswith("cannot be read: ")


@pytest.mark.parametrize(
    "content",
    [
        b"institutions: [\xff\xfe]",  # not UTF-8
        b"institutions: [{id: hexing",  # not closed
        b"institutions:\n\t- id: a",  # a tab
        b"a: *nothing",  # an alias of nothing
        b"since: 2026-02-30",  # a day that is none
        b"a: !!python/object:os.system {}",  # a tag that is not for rules
        b"a: 1\x00",  # a control character
        b"a: 1\n---\nb: 2\n",  # two documents
    ],
)
def test_what_is_no_yaml_is_named(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert problem_of(path).startswith("cannot be read: ")


@pytest.mark.parametrize("content", ["", "# only a remark\n", "[]", "7", "text"])
def test_what_is_no_mapping_is_told(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    assert problem_of(path).startswith("(whole value): ")


def test_field_and_value_are_told(path: Path) -> None:
    path.write_text(
        VALID.replace("和兴银行}", "和兴银行, aliases: [7], colour: red}"), encoding="utf-8"
    )
    problem = problem_of(path)
    assert "institutions[0].aliases[0]: Input should be a valid string (got 7)" in problem
    assert "institutions[0].colour: " in problem


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    contents = {
        "watchlist": WATCHLIST.model_dump(mode="json"),
        "taxonomy": TAXONOMY.model_dump(mode="json"),
        "risk": RISK,
    }
    paths = {name: tmp_path / f"{name}.yaml" for name in contents}
    for name, content in contents.items():
        paths[name].write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return paths


def test_three_files_make_the_rules(files: dict[str, Path]) -> None:
    assert Rules.load(**files) == rules()


@pytest.mark.parametrize("name", ["watchlist", "taxonomy", "risk"])
def test_broken_one_of_three_is_named(files: dict[str, Path], name: str) -> None:
    files[name].write_text("{}", encoding="utf-8")
    with pytest.raises(RulesError, match=re.escape(str(files[name]))):
        Rules.load(**files)


def test_rules_of_the_project_are_valid() -> None:
    deploy = Path(__file__).parents[2] / "deploy"
    loaded = Rules.load(deploy / "watchlist.yaml", deploy / "taxonomy.yaml", deploy / "risk.yaml")
    assert loaded.watchlist.institutions
    assert loaded.taxonomy.denial_terms


def test_states_forget_after_their_time() -> None:
    hours = {"thread": 168, "seen": 72, "event": 24}
    assert (hours["thread"] * 60, hours["seen"] * 60) == (THREAD_MINUTES, SEEN_MINUTES)
    for state, kept in (
        (rules().intake_state(), hours["thread"]),
        (rules().dedupe_state(), hours["seen"]),
        (rules().risk_state(), hours["event"]),
    ):
        state.put("key", None, position=position_at(), minute=0)  # type: ignore[arg-type]  # any value will do
        state.observe(kept * 60)
        assert len(state) == 1
        state.observe((kept + 1) * 60)
        assert len(state) == 0


def test_steps_are_built_over_the_state_given() -> None:
    made = rules()
    thread, seen, events = made.intake_state(), made.dedupe_state(), made.risk_state()
    made.intake_step(AUTHOR_KEY, thread).process(
        raw_bytes(), position=position_at(), received_at=None
    )
    made.dedupe_step(seen).process(mention(), position=position_at())
    made.risk_step(events).process(scored(), position=position_at())
    assert (len(thread), len(seen), len(events)) == (1, 1, 1)


def test_steps_without_a_state_share_nothing() -> None:
    made = rules()
    assert made.dedupe_step().process(mention(), position=position_at()) is not None
    assert made.dedupe_step().process(mention(), position=position_at()) is not None
