from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanglou.models.network import EMOTION, EVENT_TYPE, POLARITY
from wanglou.models.training.example import Example
from wanglou.models.training.preparation import DEV_PERCENT, prepare, split

POST = "听说和兴银行城南支行门口排了很长的队,大家都在取钱,有没有人知道怎么回事"
NEARLY = POST.replace("很长", "特长") + "!"
QUOTED = "转发:" + POST[:20] + "……这是真的吗,我明天也要去看一看才放心"
OTHER = "周末带孩子去公园看银杏,叶子黄了一半,下个星期应该正好,停车要早一点"

TEXTS = st.lists(st.text("甲乙丙丁 A", min_size=1, max_size=6), max_size=30)


def post(text: str, polarity: int = 0, source: str = "论坛", **fields: object) -> Example:
    return Example(text, source, {POLARITY: polarity}, **fields)  # type: ignore[arg-type]


def test_held_out_texts_and_what_is_nearly_one_leave_training() -> None:
    prepared = prepare([post(POST), post(NEARLY), post(QUOTED), post(OTHER)], [post(POST)])
    assert [example.text for example in prepared.train] == [QUOTED, OTHER]
    assert [example.text for example in prepared.dev] == [POST]
    assert prepared.dropped["held out"] == 1
    assert prepared.dropped["near a held-out text"] == 1


def test_held_out_text_leaves_training_whatever_its_case_spaces_and_institution() -> None:
    held_out = [post("APP 又 崩了", institution="和兴银行")]
    assert prepare([post("app又崩了"), post("app又 好了")], held_out).train == [post("app又 好了")]


def test_short_texts_are_compared_exactly() -> None:
    assert prepare([post("又崩了啊啊啊")], [post("又崩了啊啊")]).dropped.get("held out") is None
    assert len(prepare([post("又崩了啊啊啊")], [post("又崩了啊啊")]).train) == 1


def test_labels_of_all_heads_come_together() -> None:
    again = Example("气 死了", "微博", {EMOTION: 1})
    prepared = prepare([post("气死了"), again, post("气死了", source="三")], [])
    assert prepared.train == [Example("气死了", "论坛", {POLARITY: 0, EMOTION: 1})]
    assert prepared.dropped == {"repeated": 2}


def test_text_about_two_institutions_stays_two() -> None:
    rows = [post("甲行乙行", institution=name) for name in ("甲行", "乙行", None)]
    assert prepare(rows, []).train == rows


@pytest.mark.parametrize("order", set(permutations([2, 2, 0])))
def test_majority_decides(order: tuple[int, ...]) -> None:
    (example,) = prepare([post("好", polarity) for polarity in order], []).train
    assert example.labels == {POLARITY: 2}


def test_tie_drops_only_that_heads_label() -> None:
    event = Example("好", "新闻", {EVENT_TYPE: 3})
    prepared = prepare([post("好", 0), event, post("好", 2)], [])
    assert [example.labels for example in prepared.train] == [{EVENT_TYPE: 3}]
    assert prepared.dropped == {"repeated": 2, f"contradicting {POLARITY}": 1}


def test_text_goes_when_no_label_is_left() -> None:
    assert prepare([post("好", 0), post("好", 2)], []).train == []
    assert prepare([], [post("好", 0), post("好", 2)]).dev == []


def test_unlabelled_text_stays() -> None:
    assert prepare([Example("好", "微博")], []).train == [Example("好", "微博")]


@pytest.mark.parametrize(
    ("others", "two_class"),
    [
        ([], True),
        ([Example("好", "微博", {EMOTION: 0})], True),
        ([post("好", 2)], False),
        ([post("好", 1), post("好", 1)], False),
    ],
)
def test_joined_text_knows_neutral_where_some_corpus_with_its_polarity_does(
    others: list[Example], two_class: bool
) -> None:
    row = post("好", 2, two_class=True)
    for rows in ([row, *others], [*others, row]):
        (example,) = prepare(rows, []).train
        assert example.two_class == two_class


def held_out_keys(texts: list[str]) -> dict[str, bool]:
    """Of each text whether it is held out."""
    train, dev = split([post(text) for text in texts])
    assert len(train) + len(dev) == len(texts)
    return {one.text: held_out for side, held_out in ((train, False), (dev, True)) for one in side}


@given(TEXTS, TEXTS)
def test_a_text_is_on_one_side_whatever_else_there_is(some: list[str], more: list[str]) -> None:
    alone, together = held_out_keys(some), held_out_keys([*more, *some, *more])
    assert alone == {text: together[text] for text in some}


@given(st.text("甲乙丙丁aB ", min_size=1))
def test_spaces_and_case_do_not_change_the_side(text: str) -> None:
    (held_out,) = held_out_keys([text]).values()
    assert held_out_keys([f" {text.lower()} "]) == {f" {text.lower()} ": held_out}


def test_about_a_tenth_is_held_out() -> None:
    train, dev = split([post(f"第{number}条") for number in range(4000)])
    assert len(train) + len(dev) == 4000
    assert len(dev) / 40 == pytest.approx(DEV_PERCENT, abs=1.5)
