from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.models.builders import TAXONOMY
from wanglou.models.taxonomy import EVENT_TYPES, OTHER, Taxonomy, TopicFinder
from wanglou.schemas.problems import describe

SEVERITY = {"reputation": 0.5, "trust": 0.5, "regulator": 0.5}
LAST_RESORT = {"id": OTHER, "name": "其他", "severity": SEVERITY}


def topic(identity: str, *terms: str, **fields: Any) -> dict[str, Any]:
    return {"id": identity, "name": identity, "severity": SEVERITY, "terms": terms} | fields


def problem_of(*topics: dict[str, Any], **fields: Any) -> str:
    with pytest.raises(ValidationError) as error:
        Taxonomy.model_validate({"topics": [*topics, LAST_RESORT]} | fields)
    return describe(error.value)


def test_topic_named_twice_is_told() -> None:
    assert "topics[1].id: 'run' stands twice" in problem_of(topic("run"), topic("run"))


def test_term_of_two_topics_is_told_however_it_is_written() -> None:
    problem = problem_of(topic("run", "擠兌"), topic("outage", "宕机", "挤兑"))
    assert "topics[1].terms[1]: '挤兑' is also a term of 'run'" in problem
    assert "'app崩' is also a term of 'outage'" in problem_of(
        topic("outage", "APP崩"), topic("fraud", "app崩")
    )


def test_term_twice_in_one_topic_is_no_problem() -> None:
    taxonomy = Taxonomy.model_validate({"topics": [topic("run", "挤兑", "擠兌"), LAST_RESORT]})
    assert TopicFinder(taxonomy).find("挤兑") == "run"


def test_missing_last_resort_is_told() -> None:
    with pytest.raises(ValidationError) as error:
        Taxonomy.model_validate({"topics": [topic("run")]})
    assert "the topic 'other' is missing" in describe(error.value)


@pytest.mark.parametrize("term", ["", "挤"])
def test_short_term_is_told(term: str) -> None:
    assert "topics[0].terms[0]: " in problem_of(topic("run", term))
    assert "denial_terms[0]: " in problem_of(denial_terms=[term])


@pytest.mark.parametrize("term", ["  ", "@挤兑", "http://t.cn/A6", "挤\u200b", "\u200b\u200f"])
def test_term_of_which_normalising_leaves_too_little_is_told(term: str) -> None:
    # no text could ever show it, as texts are normalised
    assert f"topics[0].terms[0]: {term!r} is too short" in problem_of(topic("run", term))
    assert f"denial_terms[1]: {term!r} is too short" in problem_of(denial_terms=["辟谣", term])


def test_event_type_that_the_model_does_not_know_is_told() -> None:
    problem = problem_of(topic("run", event_types=["提现困难", "提现"]))
    assert "topics[0].event_types[1]: '提现' is none of 其他, 信批违规, " in problem
    assert "topics[0].event_types[0]" not in problem


def test_event_type_of_two_topics_is_told() -> None:
    problem = problem_of(
        topic("run", event_types=["提现困难"]),
        topic("fraud", event_types=["涉嫌欺诈", "提现困难"]),
    )
    assert "topics[1].event_types[1]: '提现困难' also belongs to 'run'" in problem


def test_event_type_twice_in_one_topic_counts_once() -> None:
    run = topic("run", event_types=["提现困难", "提现困难"])
    taxonomy = Taxonomy.model_validate({"topics": [run, LAST_RESORT]})
    assert TopicFinder(taxonomy).probabilities("", None, {"提现困难": 0.4}) == {"run": 0.4}


def test_every_event_type_may_belong_to_a_topic() -> None:
    topics = [topic("all", event_types=EVENT_TYPES), LAST_RESORT]
    assert Taxonomy.model_validate({"topics": topics}).topic("all").event_types == EVENT_TYPES
    assert len(EVENT_TYPES) == len(set(EVENT_TYPES)) == 22


@pytest.mark.parametrize("identity", ["", "Run", "挤兑", "1run", "a.b", "a_b", "a" * 33])
def test_id_must_be_a_slug(identity: str) -> None:
    assert "topics[0].id: " in problem_of(topic(identity))


@pytest.mark.parametrize("side", ["reputation", "trust", "regulator"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "high", None])
def test_severity_lies_in_the_unit_interval(side: str, value: object) -> None:
    assert f"topics[0].severity.{side}: " in problem_of(
        topic("run", severity=SEVERITY | {side: value})
    )


def test_unknown_fields_are_told() -> None:
    assert "topics[0].colour: " in problem_of(topic("run", colour="red"))
    assert "denials: " in problem_of(denials=[])


def test_all_problems_are_told_at_once() -> None:
    again = topic("run", "@a", event_types=["挤兑"])
    problem = problem_of(topic("run", "挤兑"), again, denial_terms=["@b"])
    assert "topics[1].id" in problem
    assert "topics[1].terms[0]" in problem
    assert "topics[1].event_types[0]" in problem
    assert "denial_terms[0]" in problem


def test_topic_by_id_falls_back_to_the_last_resort() -> None:
    assert TAXONOMY.topic("run").name == "挤兑传言"
    assert TAXONOMY.topic("no longer there").id == OTHER


def test_topic_with_most_terms_is_found() -> None:
    finder = TopicFinder(TAXONOMY)
    assert finder.find("挤兑,系统故障,转不出去") == "outage"


def test_tie_goes_to_the_first_listed() -> None:
    assert TopicFinder(TAXONOMY).find("系统故障,挤兑") == "run"


def test_term_counts_as_often_as_it_stands() -> None:
    assert TopicFinder(TAXONOMY).find("挤兑,系统故障,又系统故障") == "outage"


def test_context_decides_only_where_the_text_says_nothing() -> None:
    finder = TopicFinder(TAXONOMY)
    assert finder.find("吓死了", "和兴银行挤兑") == "run"
    assert finder.find("系统故障", "挤兑,取不出钱") == "outage"
    assert finder.find("早安", "晚安") is None
    assert finder.find("", None) is None


def test_terms_are_normalised_as_texts_are() -> None:
    taxonomy = Taxonomy.model_validate({"topics": [topic("outage", "ＡＰＰ崩"), LAST_RESORT]})
    assert TopicFinder(taxonomy).find("app崩了") == "outage"


# --- probabilities; in TAXONOMY 提现困难 and 失联跑路 are `run`, 歇业停业 is `outage`


def test_term_of_text_or_context_decides_alone() -> None:
    finder, said = TopicFinder(TAXONOMY), {"提现困难": 0.9, "其他": 0.1}
    assert finder.probabilities("系统故障", "挤兑", said) == {"outage": 1.0}
    assert finder.probabilities("早安", "系统故障", said) == {"outage": 1.0}


def test_topic_has_the_sum_of_its_event_types() -> None:
    said = {"提现困难": 0.25, "失联跑路": 0.125, "歇业停业": 0.5, "其他": 0.125}
    expected = {"run": 0.375, "outage": 0.5, "other": 0.125}
    assert TopicFinder(TAXONOMY).probabilities("早安", None, said) == expected


def test_what_belongs_to_no_topic_is_the_last_resort() -> None:
    finder = TopicFinder(TAXONOMY)
    said = {"其他": 0.25, "评级调整": 0.25, "no longer there": 0.5}
    assert finder.probabilities("早安", None, said) == {OTHER: 1.0}
    assert finder.probabilities("早安", None, {}) == {}


def test_last_resort_may_have_event_types_of_its_own() -> None:
    own = LAST_RESORT | {"event_types": ["其他", "评级调整"]}
    taxonomy = Taxonomy.model_validate({"topics": [topic("run"), own]})
    said = {"其他": 0.5, "评级调整": 0.25, "业绩下滑": 0.25}
    assert TopicFinder(taxonomy).probabilities("", None, said) == {OTHER: 1.0}


def test_sums_are_rounded() -> None:
    said = {"提现困难": 0.1, "失联跑路": 0.2, "其他": 0.7}
    assert TopicFinder(TAXONOMY).probabilities("", None, said) == {"run": 0.3, OTHER: 0.7}


def test_sum_of_rounded_probabilities_is_never_above_one() -> None:
    # .9993 and 19 × .00006, each rounded to four digits
    said = dict.fromkeys(EVENT_TYPES, 0.0001) | {"其他": 0.9993}
    found = TopicFinder(TAXONOMY).probabilities("", None, said)
    assert sum(said.values()) > 1.001
    assert found == {OTHER: 1.0, "run": 0.0002, "outage": 0.0001}
