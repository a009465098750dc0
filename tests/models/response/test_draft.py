"""What the check of drafts warns of, where, and what it lets pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.measure_draft_check import SENTENCES, wrong
from wanglou.agents.settings import load_settings
from wanglou.models.response.draft import Concern, check_draft, folded, load_wording
from wanglou.models.rules_file import RulesError

WORDING = load_wording(load_settings().rules.wording)
ENDING = "我们将于18时前通过官网通报进展。"
JUDGED = yaml.safe_load(SENTENCES.read_text(encoding="utf-8"))


def warned(text: str) -> list[tuple[Concern, str]]:
    """Concerns and words of a text that says where and when more comes."""
    return [(one.concern, one.words) for one in check_draft(text + ENDING, WORDING)]


def test_sentences_that_the_words_were_tuned_on() -> None:
    """One that is known to be missed: a landline near 投诉 is taken for a public line."""
    judged = [one for name in ("tuned", "tuned_later", "tuned_last") for one in missed(name)]
    assert judged == ["投诉人电话：0571-88123456转801。"]


def missed(name: str) -> list[str]:
    """Sentences of a set that are judged wrongly."""
    return wrong(JUDGED[name], WORDING)


def test_what_nothing_was_tuned_on_is_mostly_judged_rightly() -> None:
    """Less than this would be no help; models/response/responsibilities.md says how much it is."""
    bad = {kind: ones for kind, ones in JUDGED["held_out"].items() if kind != "none"}
    assert len(wrong(bad, WORDING)) < 0.5 * sum(map(len, bad.values()))
    fine = JUDGED["held_out"]["none"]
    assert len(wrong({"none": fine}, WORDING)) < 0.1 * len(fine)


def test_enough_sentences_are_judged() -> None:
    numbers = {name: sum(map(len, sentences.values())) for name, sentences in JUDGED.items()}
    assert min(numbers.values()) >= 50


def test_warning_says_where_what_why_and_what_instead() -> None:
    text = "和兴银行的存款绝对安全。" + ENDING
    (one,) = check_draft(text, WORDING)
    assert (one.concern, text[one.start : one.end], one.words) == (Concern.PROMISE, "绝对", "绝对")
    assert "失信" in one.why
    assert "核实" in one.instead


def test_places_are_those_of_the_text_as_written() -> None:
    text = "㊣Ａ𠮷我行絕對保證１００％兌付" + ENDING
    words = [text[one.start : one.end] for one in check_draft(text, WORDING)]
    assert words == ["絕對", "保證", "１００％"]


@pytest.mark.parametrize(
    "text",
    [
        "我行不保证收益。",
        "我行没有向客户作出过保本的承诺。",
        "网传“绝对安全”的截图系伪造。",
        "网传我行承诺保本的消息不属实。",
        "问：你们保证能取到钱吗\n答：正在核实。",
        "保证金将按合同退回。",
    ],
)
def test_negated_reported_asked_or_another_word_is_no_promise(text: str) -> None:
    assert warned(text) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("网传消息不实，我行保证兑付。", "保证"),
        ("我行“保证”兑付。", "保证"),
        ("我行没有隐瞒，保证兑付。", "保证"),
        ("保证金已退，我行保证兑付。", "保证"),
        ("不法分子造假。我行保证兑付。", "保证"),
    ],
)
def test_own_promise_beside_them_is_one(text: str, word: str) -> None:
    assert warned(text) == [(Concern.PROMISE, word)]


def test_any_stays_in_its_clause() -> None:
    assert warned("客户反映取款慢，操作不当的是我行。") == []
    assert warned("客户在取款时操作不当。") == [(Concern.BLAME, "客户在取款时操作不当")]


def test_numbers_of_people_are_found_where_they_stand() -> None:
    text = "甲13800138000乙[手机号]丙zhang@example.com，客服95588。" + ENDING
    found = [(one.concern, text[one.start : one.end]) for one in check_draft(text, WORDING)]
    assert found == [(Concern.PERSONAL, "13800138000"), (Concern.PERSONAL, "zhang@example.com")]


def test_gaps_that_are_still_open_are_told() -> None:
    assert warned("{机构}于XX日在____关注到，【待补充】。") == [
        (Concern.GAP, words) for words in ("{机构}", "XX", "____", "【待补充】")
    ]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("情况正在核实。", {Concern.NO_CHANNEL, Concern.NO_NEXT_NEWS}),
        ("请关注我行官网。", {Concern.NO_NEXT_NEWS}),
        ("我们将于3月2日18时前通报。", {Concern.NO_CHANNEL}),
        ("我们将尽快通过官网通报。", {Concern.NO_NEXT_NEWS}),
        ("我们每30分钟在手机银行更新一次。", set()),
        ("受理后三个工作日内由客服热线答复。", set()),
        ("本次为官网最后一次通报。", set()),
        ("昨日18时网点营业正常，见官网。", {Concern.NO_NEXT_NEWS}),
    ],
)
def test_what_is_missing_is_told_at_the_end(text: str, missing: set[Concern]) -> None:
    found = check_draft(text, WORDING)
    assert {one.concern for one in found} == missing
    assert all(one.start == one.end == len(text) and one.words == "" for one in found)


ALPHABET = st.sampled_from(
    [*"我行保证绝对不会没有网传“”，。？问：{}[手机号]13800 \n絶％…", "恶意", "1380013"]
)


@given(st.lists(ALPHABET, max_size=60).map("".join) | st.text(max_size=80))
def test_any_text_can_be_checked_and_places_are_in_it(text: str) -> None:
    assert len(folded(text)) == len(text)
    found = check_draft(text, WORDING)
    assert all(text[one.start : one.end] == one.words for one in found)
    assert [one.start for one in found] == sorted(one.start for one in found)


# --- what is wrong with the file

FILE: dict[str, Any] = {
    "groups": [{"concern": "promise", "why": "因为", "instead": "改写", "words": ["保证"]}],
    "negations": {"within": ["没有"], "adjacent": ["不"]},
    "reports": ["网传"],
    "reported_as": ["的消息"],
    "channels": ["官网"],
    "next_news": {"marks": ["将"], "verbs": ["通报"]},
}


def with_words(*words: object) -> dict[str, Any]:
    return FILE | {"groups": [FILE["groups"][0] | {"words": list(words)}]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (with_words("保证", "保證"), "groups[0].words[1]: '保證' is also groups[0].words[0]"),
        (with_words(""), "groups[0].words[0].word: '' needs characters"),
        (with_words("…绝对"), "groups[0].words[0].word: '…绝对' needs characters"),
        (
            with_words({"word": "保证", "except": ["担保人"]}),
            "groups[0].words[0]: '保证' does not stand in its exception '担保人'",
        ),
        (with_words({"word": "保证", "unles": []}), "groups[0].words[0].unles: "),
        (with_words(), "groups[0].words: Tuple should have at least 1 item"),
        (FILE | {"channels": []}, "channels: Tuple should have at least 1 item"),
        (
            FILE | {"groups": [FILE["groups"][0] | {"concern": "gap"}]},
            "groups[0].concern: Input should be",
        ),
        (
            FILE | {"groups": [FILE["groups"][0] | {"unless": ["joking"]}]},
            "groups[0].unless[0]: Input should be",
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    path = tmp_path / "wording.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.raises(RulesError) as error:
        load_wording(path)
    assert str(error.value).startswith(f"{path}: line ")
    assert said in str(error.value)
