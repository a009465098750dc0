from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.builders import item
from wanglou.models.training.soft_labels import average, soft_key, soft_rows

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


def test_average_is_the_mean_of_what_all_teachers_know() -> None:
    teachers = [
        {1: torch.tensor([0.0, 4]), 2: torch.tensor([1.0, 1])},
        {1: torch.tensor([2.0, 0]), 3: torch.tensor([1.0, 1])},
    ]
    assert {key: row.tolist() for key, row in average(teachers).items()} == {1: [1, 2]}


def test_average_of_one_teacher_is_what_it_says() -> None:
    (row,) = average([{1: torch.tensor([0.5])}]).values()
    assert row.tolist() == [0.5]
