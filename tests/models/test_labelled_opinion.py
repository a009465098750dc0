from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanglou.models.labelled_opinion import ERRORS, LabelledOpinion, answer
from wanglou.models.opinion import ModelError, Passage

NAME = "和兴银行"
NEVER_WRONG = dict.fromkeys(ERRORS, 0.0)
chances = st.floats(0, 1, exclude_max=True)


def line(**fields: Any) -> bytes:
    known = {
        "text": "和兴银行",
        "polarity": "negative",
        "emotion": "fear",
        "event_type": "提现困难",
    }
    return json.dumps({**known, **fields}).encode()


def read(lines: list[bytes], text: str, *names: str, errors: dict[str, float] = NEVER_WRONG) -> Any:
    (opinion,) = LabelledOpinion(lines, "labels", errors).read([Passage(text, names)])
    return opinion


@given(error=st.floats(0, 0.35), sure=chances, right=chances)
def test_probabilities_sum_to_1_and_the_answer_is_the_likeliest(
    error: float, sure: float, right: float
) -> None:
    labels = ("a", "b", "c", "d")
    given_ = answer("b", labels, error, sure, right)
    confidence = 1 - 2 * error * (1 - sure)
    assert sum(given_.values()) == pytest.approx(1)
    assert given_["b"] == confidence if right < confidence else given_["b"] < confidence


def test_it_is_wrong_as_often_as_stated_and_calibrated() -> None:
    steps = [(number + 0.5) / 100 for number in range(100)]
    answers = [answer("yes", ("no", "yes"), 0.2, sure, right) for sure in steps for right in steps]
    wrong = [one for one in answers if one["no"] > one["yes"]]
    assert len(wrong) / len(answers) == pytest.approx(0.2, abs=0.01)
    stated = sum(min(one.values()) for one in answers) / len(answers)
    assert stated == pytest.approx(0.2, abs=0.01)


def test_without_errors_the_labels_come_back() -> None:
    opinion = read(
        [line(institution="和兴银行", institution_negative=True)], "和兴银行", "和兴银行"
    )
    assert opinion.polarity.negative == 1
    assert opinion.emotion.fear == 1
    assert opinion.event_type["提现困难"] == 1
    assert opinion.institution_negative == 1


def test_each_institution_has_its_own_answer() -> None:
    both = [
        line(text="甲银行不如乙银行", institution="甲银行", institution_negative=True),
        line(text="甲银行不如乙银行", institution="乙银行", institution_negative=False),
    ]
    assert read(both, "甲银行不如乙银行", "甲银行", "甲行").institution_negative == 1
    assert read(both, "甲银行不如乙银行", "乙银行").institution_negative == 0
    assert read(both, "甲银行不如乙银行", "丙银行").institution_negative is None


def test_texts_are_found_as_the_pipeline_has_them() -> None:
    assert (
        read([line(text="和興銀行  13000000000 @某人")], "和兴银行 [手机号]").polarity.negative == 1
    )


def test_the_same_text_always_gets_the_same_answer() -> None:
    lines = [line(text=f"第{number}条") for number in range(50)]
    passages = [Passage(f"第{number}条") for number in range(50)]
    model, other = LabelledOpinion(lines, "one", ERRORS), LabelledOpinion(lines, "two", ERRORS)
    assert model.read(passages) == other.read(passages[::-1])[::-1]
    answers = {one.polarity.negative for one in model.read(passages)}
    assert len(answers) > 40  # not all the same


def test_a_text_without_a_label_is_named() -> None:
    with pytest.raises(ModelError, match="labels: has no label for the text '早安'"):
        read([line()], "早安")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (b"no json", "labels, line 2: "),
        (line(polarity="bad"), "line 2: polarity: "),
        (line(event_type="雪"), "line 2: event_type: "),
        (line(text=""), "line 2: text: "),
    ],
)
def test_a_line_that_is_no_label_is_named(wrong: bytes, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        LabelledOpinion([line(), wrong], "labels", ERRORS)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.jsonl: cannot be read"):
        LabelledOpinion.load(tmp_path / "none.jsonl")
