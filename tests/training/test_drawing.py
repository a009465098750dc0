from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.builders import BANK, FILLING, PIECES, recipe
from wanglou.models.network import EVENT_TYPE, INSTITUTION_NEGATIVE, POLARITY
from wanglou.models.pieces import SPECIAL, PieceEncoder
from wanglou.models.training.drawing import (
    LONGEST_MARK,
    Drawer,
    Item,
    Share,
    class_weights,
    padded_length,
)
from wanglou.models.training.example import Example

BUDGET = 512
EXAMPLES = [
    Example(FILLING[number % 9 : 9 + number % 15] + str(number), source, {POLARITY: number % 3})
    for source in ("论坛", "微博")
    for number in range(40)
]
EVENTS = [
    Example(f"{FILLING[:number]}{BANK}", "新闻", {EVENT_TYPE: 1, INSTITUTION_NEGATIVE: 1}, BANK)
    for number in range(10)
]


def drawer(
    pieces: PieceEncoder,
    examples: list[Example],
    shares: dict[str, Share] | None = None,
    **fields: object,
) -> Drawer:
    return Drawer(examples, pieces, recipe(**fields), shares or {})


def drawn(drawer: Drawer, epoch: int = 1) -> list[Item]:
    return [item for batch in drawer.batches(epoch, BUDGET) for item in batch]


def marked(item: Item) -> list[int]:
    return [place for place, kind in enumerate(item.window.types) if kind]


def test_same_seed_same_batches(pieces: PieceEncoder) -> None:
    batches = drawer(pieces, EXAMPLES + EVENTS).batches(1, BUDGET)
    again = drawer(pieces, EXAMPLES + EVENTS)
    again.batches(2, BUDGET)  # an epoch does not depend on those before
    assert again.batches(1, BUDGET) == batches
    assert len(batches) > 2


def test_other_epoch_or_seed_other_batches(pieces: PieceEncoder) -> None:
    one = drawer(pieces, EXAMPLES)
    assert one.batches(1, BUDGET) != one.batches(2, BUDGET)
    assert one.batches(1, BUDGET) != drawer(pieces, EXAMPLES, seed=8).batches(1, BUDGET)


def test_all_examples_come_once(pieces: PieceEncoder) -> None:
    texts = [item.text for item in drawn(drawer(pieces, EXAMPLES + EVENTS))]
    assert Counter(texts) == Counter(example.text for example in EXAMPLES + EVENTS)


def test_one_of_some_sources_draws_and_knows_only_these(pieces: PieceEncoder) -> None:
    whole = drawer(pieces, EXAMPLES + EVENTS, {"新闻": Share(rows=4)})
    one = whole.of({"新闻"})
    assert Counter(item.source for item in drawn(one)) == {"新闻": 4}
    assert {item.source for item in one.variants()} == {"新闻"}
    assert one.heads() == {EVENT_TYPE, INSTITUTION_NEGATIVE}
    assert whole.heads() == {POLARITY, EVENT_TYPE, INSTITUTION_NEGATIVE}
    assert Counter(item.source for item in drawn(whole))["论坛"] == 40


def test_of_a_source_only_so_many_rows_come_and_others_in_the_next_epoch(
    pieces: PieceEncoder,
) -> None:
    shares = {"论坛": Share(rows=7), "新闻": Share(rows=1000)}
    one = drawer(pieces, EXAMPLES + EVENTS, shares)
    first, second = ([i.text for i in drawn(one, n) if i.source == "论坛"] for n in (1, 2))
    assert len({*first}) == len({*second}) == 7
    assert {*first} != {*second}
    assert Counter(item.source for item in drawn(one)) == {"论坛": 7, "微博": 40, "新闻": 10}


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(4, 200))
def test_no_batch_is_beyond_the_budget_but_a_single_text(
    pieces: PieceEncoder, lengths: list[int], budget: int
) -> None:
    examples = [Example("天" * length, "论坛") for length in lengths]
    batches = drawer(pieces, examples).batches(1, budget, unlabelled=True)
    assert sum(map(len, batches)) == len(lengths)
    for batch in batches:
        assert padded_length(batch) == max(len(item.window.ids) for item in batch) + SPECIAL
        assert padded_length(batch) <= PIECES
        assert len(batch) == 1 or padded_length(batch) * len(batch) <= budget


def test_texts_without_a_label_wait_for_a_teacher(pieces: PieceEncoder) -> None:
    examples = [Example("天", "论坛"), Example("地", "论坛", {"polarity": 1})]
    plain, taught = (
        [item.text for batch in drawer(pieces, examples).batches(1, BUDGET, on) for item in batch]
        for on in (False, True)
    )
    assert plain == ["地"]
    assert sorted(taught) == ["地", "天"]


def test_texts_of_a_batch_are_of_similar_length(pieces: PieceEncoder) -> None:
    examples = [Example("天" * length, "论坛") for length in [2, 20] * 100]
    batches = drawer(pieces, examples).batches(1, BUDGET, unlabelled=True)
    alike = [len({len(item.window.ids) for item in batch}) == 1 for batch in batches]
    assert alike.count(False) <= 1


def test_institution_is_marked_where_it_stands(pieces: PieceEncoder) -> None:
    for item in drawn(drawer(pieces, EVENTS, unmark=0)):
        start = item.text.index(BANK)
        assert marked(item) == list(range(start, start + len(BANK)))
        assert item.labels == {EVENT_TYPE: 1, INSTITUTION_NEGATIVE: 1}
        assert item.institution == BANK


def test_unmarked_text_has_no_label_about_the_institution(pieces: PieceEncoder) -> None:
    for item in drawn(drawer(pieces, EVENTS, unmark=1, mark_at_random=1)):
        assert marked(item) == []
        assert item.labels == {EVENT_TYPE: 1}
        assert item.institution is None


def test_about_the_given_share_is_unmarked(pieces: PieceEncoder) -> None:
    items = drawn(drawer(pieces, EVENTS * 40, unmark=0.25))
    assert sum(item.institution is None for item in items) / 400 == pytest.approx(0.25, abs=0.07)


def test_text_with_no_other_label_is_always_marked(pieces: PieceEncoder) -> None:
    examples = [Example(row.text, "新闻", {INSTITUTION_NEGATIVE: 0}, BANK) for row in EVENTS]
    for item in drawn(drawer(pieces, examples, unmark=1)):
        assert item.labels == {INSTITUTION_NEGATIVE: 0}
        assert len(marked(item)) == len(BANK)


def test_mark_at_random_is_a_stretch_of_a_names_length(pieces: PieceEncoder) -> None:
    items = drawn(drawer(pieces, EXAMPLES, mark_at_random=1))
    for item in items:
        places = marked(item)
        assert 1 <= len(places) <= LONGEST_MARK
        assert places == list(range(places[0], places[-1] + 1))
        assert item.institution is None
    assert len({tuple(marked(item)) for item in items}) > 10


def test_no_mark_at_random_without_a_share_for_it(pieces: PieceEncoder) -> None:
    assert not any(map(marked, drawn(drawer(pieces, EXAMPLES, mark_at_random=0))))


def test_variants_are_each_text_as_marked_and_unmarked(pieces: PieceEncoder) -> None:
    one = drawer(pieces, [*EVENTS[:2], *EXAMPLES[:2]], mark_at_random=1)
    one.batches(1, BUDGET)  # whose random marks must not stay
    variants = list(one.variants())
    assert [variant.institution for variant in variants] == [BANK, None, BANK, None, None, None]
    assert [len(marked(variant)) for variant in variants] == [4, 0, 4, 0, 0, 0]
    assert [INSTITUTION_NEGATIVE in variant.labels for variant in variants[:2]] == [True, False]
    assert variants == list(one.variants())


def test_window_of_a_long_text_holds_the_name(pieces: PieceEncoder) -> None:
    example = Example(FILLING * 3 + BANK + FILLING, "新闻", {INSTITUTION_NEGATIVE: 0}, BANK)
    (item,) = drawn(drawer(pieces, [example]))
    assert len(item.window.ids) == PIECES - SPECIAL
    assert len(marked(item)) == len(BANK)


LABELLED = st.lists(
    st.builds(
        lambda source, labels: Example("天", source, labels),
        st.sampled_from(["论坛", "微博"]),
        st.dictionaries(st.sampled_from([POLARITY, EVENT_TYPE]), st.integers(0, 2)),
    ),
    min_size=1,
    max_size=30,
)


@given(LABELLED, st.floats(0, 1), st.floats(0.1, 10))
def test_weights_of_a_sources_texts_have_the_mean_of_its_weight(
    examples: list[Example], power: float, weight: float
) -> None:
    weights = class_weights(examples, power, {"微博": Share(weight=weight)})
    for source, expected in (("论坛", 1), ("微博", weight)):
        for head in (POLARITY, EVENT_TYPE):
            row = [
                weights[source, head, example.labels[head]]
                for example in examples
                if example.source == source and head in example.labels
            ]
            assert not row or sum(row) / len(row) == pytest.approx(expected)


@pytest.mark.parametrize(("power", "ratio"), [(0, 1), (0.5, 2), (1, 4)])
def test_rare_label_weighs_more_by_the_power(power: float, ratio: float) -> None:
    rows = [Example("天", "论坛", {POLARITY: int(number > 0)}) for number in range(5)]
    weights = class_weights(rows, power, {})
    rare, frequent = (weights["论坛", POLARITY, label] for label in (0, 1))
    assert rare / frequent == pytest.approx(ratio)
