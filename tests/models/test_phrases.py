from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanglou.models.phrases import PhraseFinder


def found(phrases: list[str], text: str) -> list[str]:
    """The parts of the text that were found, in order."""
    matches = PhraseFinder([(phrase, phrase) for phrase in phrases]).find(text)
    return [text[match.start : match.end] for match in matches]


def test_without_phrases_nothing_is_found() -> None:
    assert PhraseFinder[str]([]).find("和兴银行") == []


def test_in_an_empty_text_nothing_is_found() -> None:
    assert found(["和兴"], "") == []


def test_overlapping_phrases_are_all_found_by_where_they_end() -> None:
    assert found(["银行挤兑", "和兴银行", "银行"], "和兴银行挤兑") == [
        "和兴银行",
        "银行",
        "银行挤兑",
    ]


def test_repeated_phrase_is_found_each_time() -> None:
    matches = PhraseFinder([("挤兑", 7)]).find("挤兑挤兑")
    assert [(match.start, match.end, match.tag) for match in matches] == [(0, 2, 7), (2, 4, 7)]


def test_case_is_ignored_on_both_sides() -> None:
    assert found(["App崩"], "aPP崩了") == ["aPP崩"]


@pytest.mark.parametrize("text", ["HXB崩了", "查HXB。", "HXB", "在HXB办卡", "HXB-HXC"])
def test_latin_phrase_counts_as_a_word_of_its_own(text: str) -> None:
    assert found(["HXB"], text) == ["HXB"]


@pytest.mark.parametrize("text", ["HXBC", "AHXB", "HXB2", "1HXB"])
def test_latin_phrase_inside_a_word_does_not_count(text: str) -> None:
    assert found(["HXB"], text) == []


def test_chinese_phrase_beside_latin_letters_counts() -> None:
    assert found(["挤兑", "12378投诉"], "A挤兑B") == ["挤兑"]
    assert found(["12378投诉"], "012378投诉") == []  # another number


@given(st.lists(st.text("甲乙丙", min_size=1, max_size=4), max_size=5), st.text("甲乙丙"))
def test_finds_what_a_search_for_each_phrase_finds(phrases: list[str], text: str) -> None:
    matches = PhraseFinder([(phrase, phrase) for phrase in phrases]).find(text)
    expected = {
        (start, start + len(phrase))
        for phrase in phrases
        for start in range(len(text))
        if text.startswith(phrase, start)
    }
    assert {(match.start, match.end) for match in matches} == expected
    assert len(matches) == len(expected)
    assert all(text[match.start : match.end] == match.tag for match in matches)
