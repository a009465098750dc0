from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.tiny_model import KNOWN, SPECIAL, save_tokenizer
from wanglou.models.network import INSTITUTION, OUTSIDE
from wanglou.models.opinion import Passage
from wanglou.models.pieces import (
    BEGIN,
    END,
    PAD,
    PieceEncoder,
    Pieces,
    stack,
    window_start,
)

SIZE = 18
ROOM = 16  # two special pieces stand around


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> PieceEncoder:
    """A character a piece."""
    return PieceEncoder(save_tokenizer(tmp_path_factory.mktemp("characters")))


def pieces(length: int, *marked: int) -> Pieces:
    """As many pieces, numbered, some of them marked."""
    return Pieces(list(range(length)), [int(place in marked) for place in range(length)])


def starts(parts: list[Pieces]) -> list[int]:
    """Where windows of numbered pieces start."""
    return [part.ids[0] for part in parts]


# --- pieces and their marks


def test_special_pieces_are_those_of_the_tokenizer() -> None:
    assert [SPECIAL[BEGIN], SPECIAL[PAD], SPECIAL[END]] == ["<s>", "<pad>", "</s>"]


def test_text_is_cut_into_pieces_without_special_ones(encoder: PieceEncoder) -> None:
    (found,) = encoder.encode([Passage("好坏?")])
    assert found.ids == [4, 5, SPECIAL.index("<unk>")]
    assert found.types == [OUTSIDE] * 3


def test_long_text_is_not_cut_and_short_one_not_filled(encoder: PieceEncoder) -> None:
    long, short, empty = encoder.encode([Passage(KNOWN * 500), Passage("好"), Passage("")])
    assert (len(long.ids), len(short.ids), len(empty.ids)) == (3000, 1, 0)
    assert (len(long.types), len(short.types), len(empty.types)) == (3000, 1, 0)


def test_no_passages_no_pieces(encoder: PieceEncoder) -> None:
    assert encoder.encode([]) == []


@pytest.mark.parametrize(
    ("text", "names", "marked"),
    [
        ("和兴银行崩了", ["和兴银行"], [0, 1, 2, 3]),
        ("崩了,和兴银行", ["和兴银行"], [3, 4, 5, 6]),
        ("和兴好,和兴坏", ["和兴"], [0, 1, 4, 5]),
        ("和兴银行也叫HXB", ["和兴银行", "HXB"], [0, 1, 2, 3, 6, 7, 8]),
        ("和兴银行", ["和兴", "和兴银行"], [0, 1, 2, 3]),
        ("和兴银行", ["和兴", "兴银"], [0, 1, 2]),
        ("用hxb转", ["HXB"], [1, 2, 3]),
        ("用HXB转", ["hxb"], [1, 2, 3]),
        ("a.b与axb", ["a.b"], [0, 1, 2]),
        ("(银行", ["(银行"], [0, 1, 2]),
        ("😀👨‍👩‍👧和兴", ["和兴"], [6, 7]),
        ("和兴", ["云汀"], []),
        ("和兴", [""], []),
        ("和兴", [], []),
        ("", ["和兴"], []),
    ],
)
def test_pieces_of_the_names_are_marked(
    encoder: PieceEncoder, text: str, names: list[str], marked: list[int]
) -> None:
    (found,) = encoder.encode([Passage(text, tuple(names))])
    assert len(found.types) == len(found.ids) == len(text)
    assert [place for place, kind in enumerate(found.types) if kind == INSTITUTION] == marked


def test_piece_is_marked_if_any_of_it_is_in_a_name(tmp_path: Path) -> None:
    pairs = PieceEncoder(save_tokenizer(tmp_path, piece="..?"))
    passages = [Passage("一二三四五六七", (name,)) for name in ("二三", "三四", "七", "六")]
    assert [one.types for one in pairs.encode(passages)] == [
        [1, 1, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 1, 0],
    ]


def test_each_passage_has_its_own_marks(encoder: PieceEncoder) -> None:
    same = [Passage("甲比乙好", ("甲",)), Passage("甲比乙好", ("乙",)), Passage("甲比乙好")]
    assert [one.types for one in encoder.encode(same)] == [
        [1, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]


# --- windows


def test_window_has_room_for_the_special_pieces() -> None:
    assert pieces(40, 7).window(5, SIZE) == Pieces(
        list(range(5, 5 + ROOM)), [0, 0, 1, *[0] * (ROOM - 3)]
    )
    assert pieces(40).window(30, SIZE).ids == list(range(30, 40))


@pytest.mark.parametrize(
    ("length", "marked", "start"),
    [
        (ROOM, [ROOM - 1], 0),  # fits
        (40, [], 0),
        (40, [0, 30], 0),
        (40, [11, 30], 0),  # three quarters of the room
        (40, [12], 8),
        (40, [20, 21, 39], 16),
        (40, [28], 24),
        (40, [29], 24),
        (40, [39], 24),
        (ROOM + 1, [ROOM], 1),
        (0, [], 0),
    ],
)
def test_window_start_is_the_head_or_around_the_first_name(
    length: int, marked: list[int], start: int
) -> None:
    assert window_start(pieces(length, *marked), SIZE) == start


@given(st.integers(0, 200), st.sets(st.integers(0, 199), max_size=12), st.integers(4, 40))
def test_any_window_start_is_full_and_holds_the_first_name(
    length: int, marked: set[int], size: int
) -> None:
    whole = pieces(length, *marked)
    part = whole.window(window_start(whole, size), size)
    assert len(part.ids) == min(length, size - 2)
    there = [place for place in marked if place < length]
    assert not there or min(there) in part.ids


# --- what the network gets


def test_windows_are_stacked_between_their_special_pieces() -> None:
    made = stack([Pieces([7, 8, 9], [0, 1, 1]), Pieces([], []), Pieces([5], [1])], 6)
    assert {name: tensor.tolist() for name, tensor in made.items()} == {
        "input_ids": [
            [BEGIN, 7, 8, 9, END, PAD],
            [BEGIN, END, PAD, PAD, PAD, PAD],
            [BEGIN, 5, END, PAD, PAD, PAD],
        ],
        "attention_mask": [[1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0]],
        "token_type_ids": [[0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]],
    }


def test_rows_without_a_window_are_padding_that_attends_to_something() -> None:
    made = stack([Pieces([7, 8], [1, 1])], 4, rows=3)
    assert {name: tensor.tolist() for name, tensor in made.items()} == {
        "input_ids": [[BEGIN, 7, 8, END], [PAD] * 4, [PAD] * 4],
        "attention_mask": [[1] * 4, [1, 0, 0, 0], [1, 0, 0, 0]],
        "token_type_ids": [[0, 1, 1, 0], [0] * 4, [0] * 4],
    }


def test_nothing_to_stack() -> None:
    assert {name: tuple(one.shape) for name, one in stack([], 16).items()} == {
        "input_ids": (0, 16),
        "attention_mask": (0, 16),
        "token_type_ids": (0, 16),
    }
