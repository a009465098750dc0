from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.models.builders import (
    AUTHOR_KEY,
    PLAYBOOKS,
    REGULATOR,
    RISK,
    TAXONOMY,
    WATCHLIST,
    mention,
    position_at,
    raw_bytes,
    rules,
    scored,
)
from wanglou.models.rules import SEEN_MINUTES, THREAD_MINUTES, Rules
from wanglou.models.rules_file import RulesError
from wanglou.schemas.playbook import MeasureKind
from wanglou.schemas.risk import Level


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    contents = {
        "watchlist": WATCHLIST.model_dump(mode="json"),
        "taxonomy": TAXONOMY.model_dump(mode="json"),
        "risk": RISK,
        "playbooks": PLAYBOOKS.model_dump(mode="json", exclude_none=True),
        "regulator": REGULATOR.model_dump(mode="json", exclude_none=True),
    }
    paths = {name: tmp_path / f"{name}.yaml" for name in contents}
    for name, content in contents.items():
        paths[name].write_text(json.dumps(content, indent=1), encoding="utf-8")  # is YAML
    return paths


def test_five_files_make_the_rules(files: dict[str, Path]) -> None:
    assert Rules.load(**files) == rules()


def test_version_tells_what_the_rules_say_not_how_they_are_written(files: dict[str, Path]) -> None:
    version = Rules.load(**files).version
    text = files["risk"].read_text(encoding="utf-8")
    files["risk"].write_text(f"# as before\n{text}", encoding="utf-8")
    assert Rules.load(**files).version == version
    values = json.loads(text)
    values["levels"]["dwell_minutes"] += 1
    files["risk"].write_text(json.dumps(values), encoding="utf-8")
    assert Rules.load(**files).version != version


@pytest.mark.parametrize("name", ["watchlist", "taxonomy", "risk", "playbooks", "regulator"])
def test_broken_one_of_five_is_named(files: dict[str, Path], name: str) -> None:
    files[name].write_text("7", encoding="utf-8")
    with pytest.raises(RulesError, match=re.escape(str(files[name]))):
        Rules.load(**files)


def line_with(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if text in line)
    return number


def test_topic_without_a_playbook_is_told_with_the_line(files: dict[str, Path]) -> None:
    content = json.loads(files["playbooks"].read_text(encoding="utf-8"))
    del content["topics"]["outage"]
    files["playbooks"].write_text(json.dumps(content, indent=1), encoding="utf-8")
    with pytest.raises(RulesError) as error:
        Rules.load(**files)
    line = line_with(files["playbooks"], '"topics"')
    assert str(error.value) == (
        f"{files['playbooks']}: line {line}: topics: "
        "no playbook for the topic 'outage' (系统故障) of the taxonomy"
    )


def test_playbook_of_no_topic_is_told_with_the_line(files: dict[str, Path]) -> None:
    text = files["playbooks"].read_text(encoding="utf-8")
    content = json.loads(text)
    content["topics"]["outtage"] = content["topics"]["outage"]
    files["playbooks"].write_text(json.dumps(content, indent=1), encoding="utf-8")
    with pytest.raises(RulesError) as error:
        Rules.load(**files)
    line = line_with(files["playbooks"], '"outtage"')
    assert f": line {line}: topics.outtage: 'outtage' is no topic" in str(error.value)
    assert "run, outage, other" in str(error.value)


def test_regulator_rule_of_no_topic_is_told_with_the_line(files: dict[str, Path]) -> None:
    content = json.loads(files["regulator"].read_text(encoding="utf-8"))
    content["rules"][1]["topics"] = ["run", "outtage"]
    files["regulator"].write_text(json.dumps(content, indent=1), encoding="utf-8")
    with pytest.raises(RulesError) as error:
        Rules.load(**files)
    line = line_with(files["regulator"], '"outtage"')
    assert f": line {line}: rules[1].topics[1]: 'outtage' is no topic" in str(error.value)


def deployed() -> Rules:
    deploy = Path(__file__).parents[2] / "deploy"
    names = ("watchlist", "taxonomy", "risk", "playbooks", "regulator")
    return Rules.load(**{name: deploy / f"{name}.yaml" for name in names})


def test_rules_of_the_project_are_valid() -> None:
    loaded = deployed()
    assert loaded.watchlist.institutions
    assert loaded.taxonomy.denial_terms


def test_each_playbook_of_the_project_grows_with_the_level() -> None:
    loaded, now = deployed(), datetime(2026, 3, 2, tzinfo=UTC)
    for topic in loaded.taxonomy.topics:
        before: frozenset[str] = frozenset()
        for level in Level:
            measures = loaded.playbooks.measures(topic.id, level, now)
            kinds = {measure.kind for measure in measures}
            departments = frozenset(measure.department for measure in measures)
            assert departments, (topic.id, level)
            assert MeasureKind.FACT_FINDING in kinds
            if level >= Level.YELLOW:
                assert {MeasureKind.STATEMENT, MeasureKind.EXPLANATION} <= kinds, (topic.id, level)
                assert MeasureKind.GUIDANCE in kinds
                assert MeasureKind.CRISIS_TEAM in kinds
            texts = frozenset(measure.text for measure in measures)
            assert len(texts) == len(measures), (topic.id, level)
            assert len(texts - before) > 0, (topic.id, level)
            before = texts


def test_no_rule_of_the_project_claims_to_be_confirmed() -> None:
    rules_of = deployed().regulator.rules
    assert rules_of
    assert not any(rule.confirmed for rule in rules_of)


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
