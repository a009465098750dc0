"""Templates of statements: their gaps, and what is wrong with the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.models.builders import TAXONOMY
from wanglou.agents.settings import load_settings
from wanglou.models.response.draft import Concern, check_draft, load_wording
from wanglou.models.response.statements import StatementKind, fill, load_statements
from wanglou.models.rules_file import RulesError, RulesFile
from wanglou.models.taxonomy import Taxonomy

FILES = load_settings().rules
WORDING = load_wording(FILES.wording)
PROJECT_TAXONOMY = RulesFile.read(FILES.taxonomy, Taxonomy).rules
STATEMENTS = load_statements(FILES.statements, PROJECT_TAXONOMY, WORDING)
TOPICS = [topic.id for topic in PROJECT_TAXONOMY.topics]


def values(template: str) -> dict[str, str]:
    """Something true and plain for every gap of a template."""
    said = {
        "机构": "和兴银行",
        "官方渠道": "和兴银行官网",
        "下次通报时间": "3月2日18时",
        "联系方式": "客服热线95588",
    }
    return {name: said.get(name, "城东支行营业正常") for name in fill(template, {}).open_gaps}


@pytest.mark.parametrize("kind", list(StatementKind))
@pytest.mark.parametrize("topic", TOPICS)
def test_text_passes_the_check_of_drafts_once_its_gaps_are_filled(
    topic: str, kind: StatementKind
) -> None:
    template = STATEMENTS.template(topic, kind)
    assert {one.concern for one in check_draft(template, WORDING)} == {Concern.GAP}
    filled = fill(template, values(template))
    assert filled.open_gaps == ()
    assert check_draft(filled.text, WORDING) == []


@pytest.mark.parametrize("kind", list(StatementKind))
def test_each_topic_has_a_text_of_its_own(kind: StatementKind) -> None:
    assert len({STATEMENTS.template(topic, kind) for topic in TOPICS}) == len(TOPICS)


def test_open_gaps_are_listed_once_each_and_warn() -> None:
    filled = fill("{甲}与{乙}，{甲}；{丙}", {"乙": "B", "丙": " "})
    assert (filled.text, filled.open_gaps) == ("{甲}与B，{甲}；{丙}", ("甲", "丙"))
    warned = [one.words for one in check_draft(filled.text, WORDING) if one.words]
    assert warned == ["{甲}", "{甲}", "{丙}"]


def test_value_is_not_filled_again() -> None:
    assert fill("{甲}{乙}", {"甲": "{乙}", "乙": "B"}).text == "{乙}B"


def test_value_without_a_gap_is_told() -> None:
    with pytest.raises(ValueError, match="the template has no gap '丁'; it has 甲, 乙"):
        fill("{甲}{乙}", {"丁": "D"})


# --- what is wrong with the file

FRAME = "{正文}{机构}将于{时间}前通过官网通报。"


def texts(default: str, **others: str) -> dict[str, str]:
    return {kind.value: default for kind in StatementKind} | others


def file(**sections: Any) -> dict[str, Any]:
    topics = {topic.id: texts("情况如下。") for topic in TAXONOMY.topics}
    good = {"gaps": {"机构": "名称", "时间": "何时"}, "frames": texts(FRAME), "topics": topics}
    return good | sections


def with_topic(text: str) -> dict[str, Any]:
    content = file()
    content["topics"]["run"] = texts("情况如下。", progress=text)
    return content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            with_topic("{地点}"),
            "topics.run.progress: {地点} is no gap of this file; those are 机构",
        ),
        (with_topic("{机构"), "topics.run.progress: has a { or } that belongs to no gap"),
        (with_topic("{正文}"), "topics.run.progress: {正文} stands once in each frame"),
        (with_topic("我行保证兑付。"), "topics.run.progress: '保证' is 绝对承诺: 写怎样做到"),
        (with_topic(" "), "topics.run.progress: String should have at least 1 character"),
        (
            file(frames=texts(FRAME, first="{机构}于{时间}说明。")),
            "frames.first: {正文} stands once in each frame, for the topic's text, and in no "
            "topic; here 0 times",
        ),
        (
            file(frames=texts(FRAME, answers="{正文}{机构}{时间}")),
            "topics.run.answers: '' is 缺官方渠道",
        ),
        (
            file(gaps={"机构": "名称", "时间": "何时", "地点": "何地"}),
            "gaps.地点: '地点' stands in no text: leave it out",
        ),
        (
            file(gaps={"机构": "名称", "时间": "何时", "正文": "…"}),
            "gaps.正文: '正文' is where the topic's text goes",
        ),
        (file(topics={"run": texts("情况如下。")}), "topics: no texts for the topic '"),
        (
            file(topics=file()["topics"] | {"typo": texts("情况如下。")}),
            "topics.typo: 'typo' is no topic of the taxonomy; those are",
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    path = tmp_path / "statements.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    with pytest.raises(RulesError) as error:
        load_statements(path, TAXONOMY, WORDING)
    assert str(error.value).startswith(f"{path}: line ")
    assert said in str(error.value)
