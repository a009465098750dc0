"""The first source of an event, who spread it most, and on which way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.builders import at, scored
from wanglou.models.channels import (
    MAX_SPREADERS,
    Origin,
    add_spreader,
    channels,
    earliest,
    kept_url,
)
from wanglou.schemas.mention import ScoredMention


def first_of(*mentions: ScoredMention) -> Origin:
    first = None
    for mention in mentions:
        first = earliest(first, mention)
    assert first is not None
    return first


def spreaders_of(*mentions: ScoredMention) -> dict[str, Origin]:
    spreaders: dict[str, Origin] = {}
    for mention in mentions:
        add_spreader(spreaders, mention)
    return spreaders


def by(author: str, followers: int, minute: int = 0, **fields: Any) -> ScoredMention:
    who = {"id": author, "followers": followers, "tier": "media"}
    return scored(minute, **{"id": f"by {author}", "author": who, **fields})


@given(st.permutations([(3, "c"), (1, "b"), (1, "a"), (2, "0")]))
def test_the_first_source_was_published_first(order: list[tuple[int, str]]) -> None:
    assert first_of(*(scored(minute, id=name) for minute, name in order)).id == "a"


def test_the_first_source_says_who_where_and_when() -> None:
    author = {"id": "hash", "followers": 7, "tier": "verified"}
    fields: dict[str, Any] = {"url": "https://a.cn/1", "root_id": "r", "parent_id": "p"}
    origin = first_of(scored(5, author=author, platform="zhihu", kind="comment", **fields))
    first, _ = channels(origin, [])
    assert first is not None
    assert first.to_json() == (
        b'{"id":"weibo:1","platform":"zhihu","kind":"comment",'
        b'"published_at":"2026-03-02T08:05:00Z",'
        b'"author":{"id":"hash","followers":7,"tier":"verified"},'
        b'"url":"https://a.cn/1","path":["r","p"]}'
    )


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (None, False),
        ("https://a.cn/", True),
        ("a" * 512, True),
        ("a" * 513, False),
        ("网" * 170, True),
        ("网" * 171, False),
    ],
)
def test_a_url_that_is_too_long_is_left_out_whole(url: str | None, kept: bool) -> None:
    assert kept_url(url) == (url if kept else None)


@given(st.permutations(range(1, 9)))
def test_spreaders_are_the_authors_who_reached_most(order: list[int]) -> None:
    found = spreaders_of(*(by(f"a{number}", number * 100) for number in order))
    assert set(found) == {"a8", "a7", "a6", "a5", "a4"}
    assert len(found) == MAX_SPREADERS


def test_reads_count_where_they_are_more_than_followers() -> None:
    seen = by("a", 10, engagement={"reads": 500})
    followed = by("b", 900, engagement={"reads": 20})
    assert {key: one.reached for key, one in spreaders_of(seen, followed).items()} == {
        "a": 500,
        "b": 900,
    }


def test_later_counters_are_taken_in() -> None:
    update = by("a", 10, engagement={"reads": 700}, dedupe="update", collected_at=at(9))
    found = spreaders_of(by("a", 10, engagement={"reads": 500}), update)
    assert (found["a"].reached, found["a"].published_at) == (700, at(0))


def test_an_author_stands_once_with_the_mention_that_reached_most() -> None:
    found = spreaders_of(
        by("a", 10, id="1", engagement={"reads": 50}),
        by("a", 10, id="2", engagement={"reads": 90}),
        by("a", 10, id="3", engagement={"reads": 60}),
    )
    assert [one.id for one in found.values()] == ["2"]


@given(st.permutations(range(7)))
def test_of_equals_the_earlier_ones_are_kept(order: list[int]) -> None:
    found = spreaders_of(*(by(f"a{minute}", 100, minute) for minute in order))
    assert set(found) == {"a0", "a1", "a2", "a3", "a4"}


def test_nobody_knows_what_an_unknown_author_reached() -> None:
    assert spreaders_of(scored(author=None, engagement={"reads": 9})) == {}


def paths(first: ScoredMention | None, *mentions: ScoredMention) -> dict[str, tuple[str, ...]]:
    origin = None if first is None else first_of(first)
    _, spreaders = channels(origin, spreaders_of(*mentions).values())
    return {one.id: one.path for one in spreaders}


def test_a_path_goes_from_the_root_over_what_was_answered() -> None:
    found = paths(
        scored(id="root"),
        by("post", 1, id="own"),
        by("answer", 2, id="answer", root_id="root"),
        by("both", 3, id="both", root_id="root", parent_id="unknown"),
        by("over", 4, id="over", root_id="root", parent_id="both"),
    )
    assert found == {
        "own": (),
        "answer": ("root",),
        "both": ("root", "unknown"),
        "over": ("root", "unknown", "both"),
    }


def test_a_path_goes_on_before_the_first_source_where_it_answers_something() -> None:
    first = scored(id="first", root_id="elsewhere")
    assert paths(first, by("a", 1, id="a", parent_id="first")) == {"a": ("elsewhere", "first")}


def test_of_a_long_path_the_middle_is_left_out() -> None:
    chain = [
        by(f"{number}", number, id=f"{number}", parent_id=f"{number - 1}", root_id="0")
        for number in range(1, 6)
    ]
    assert paths(None, *chain)["5"] == ("0", "3", "4")


@pytest.mark.parametrize(("id", "kept"), [("i" * 256, True), ("网" * 85, True), ("网" * 86, False)])
def test_of_a_path_an_id_that_is_too_long_is_left_out(id: str, kept: bool) -> None:
    found = paths(None, by("a", 1, id="a", root_id="r", parent_id=id))
    assert found["a"] == (("r", id) if kept else ("r",))


def test_a_path_in_a_circle_ends() -> None:
    found = paths(None, by("a", 1, id="a", parent_id="b"), by("b", 2, id="b", parent_id="a"))
    assert found == {"a": ("b",), "b": ("a",)}
    assert paths(None, by("a", 1, id="a", parent_id="a", root_id="a")) == {"a": ()}


def test_the_one_who_reached_most_stands_first() -> None:
    _, told = channels(None, spreaders_of(by("a", 1), by("b", 3), by("c", 2)).values())
    assert [one.reached for one in told] == [3, 2, 1]
