from __future__ import annotations

from math import nan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.builders import item
from wanglou.models.network import EMOTION, EVENT_TYPE, HEADS, INSTITUTION_NEGATIVE, POLARITY
from wanglou.models.training.predicting import by_head
from wanglou.models.training.soft_labels import average, leave_out, soft_key, soft_rows

TEXTS = st.text("甲乙丙 ", max_size=5)
NAMES = st.none() | st.text("甲乙丙", min_size=1, max_size=3)


@given(TEXTS, NAMES, TEXTS, NAMES)
def test_keys_are_distinct_by_text_and_institution(
    text: str, name: str | None, other: str, other_name: str | None
) -> None:
    same = (text, name) == (other, other_name)
    assert (soft_key(text, name) == soft_key(other, other_name)) == same
    assert 0 <= soft_key(text, name) < 2**63


def test_key_does_not_depend_on_the_run() -> None:
    assert soft_key("取不出钱", "和兴银行") == 1267424312824097114


def test_rows_come_in_the_order_of_the_items() -> None:
    soft = {
        soft_key("甲", None): torch.tensor([1.0, 2]),
        soft_key("甲", "行"): torch.tensor([3.0, 4]),
    }
    rows = soft_rows(soft, [item(text="甲", institution="行"), item(text="甲")])
    assert rows.tolist() == [[3, 4], [1, 2]]
    with pytest.raises(KeyError):
        soft_rows(soft, [item(text="乙")])


def test_average_is_the_mean_of_the_teachers_that_know() -> None:
    teachers = [
        {1: torch.tensor([0.0, nan]), 2: torch.tensor([1.0, nan])},
        {1: torch.tensor([2.0, 4]), 3: torch.tensor([5.0, 6])},
    ]
    rows = average(teachers)
    assert {key: rows[key].tolist() for key in (1, 3)} == {1: [1, 4], 3: [5, 6]}
    assert rows[2].tolist() == pytest.approx([1, nan], nan_ok=True)


def test_a_teacher_knows_nothing_of_heads_left_out() -> None:
    logits = torch.zeros(2, sum(map(len, HEADS.values())))
    leave_out(logits, {POLARITY, INSTITUTION_NEGATIVE})
    known = {head: not part.isnan().any() for head, part in by_head(logits).items()}
    assert known == {POLARITY: False, EMOTION: True, EVENT_TYPE: True, INSTITUTION_NEGATIVE: False}
    assert by_head(logits)[POLARITY].isnan().all()


def test_average_of_one_teacher_is_what_it_says() -> None:
    (row,) = average([{1: torch.tensor([0.5])}]).values()
    assert row.tolist() == [0.5]
