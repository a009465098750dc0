"""Codes of what texts say, and the clusters that an event's codes form."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.models.builders import minute_at, parameters, scored
from wanglou.models.viewpoints import (
    DIMENSIONS,
    MAX_VIEWPOINTS,
    Cluster,
    Vector,
    add_viewpoint,
    decode,
    encode,
    viewpoints,
)
from wanglou.schemas.mention import Polarity, ScoredMention
from wanglou.schemas.risk import Viewpoint

PARAMETERS = parameters().viewpoints  # half-life 60 minutes, similarity .8
CLUSTERS = TypeAdapter(list[Cluster])


def code(**numbers: int) -> str:
    """A code by the numbers that are not 0: ``code(n3=100)``."""
    vector = np.zeros(DIMENSIONS, np.int8)
    for name, number in numbers.items():
        vector[int(name[1:])] = number
    return b64encode(vector.tobytes()).decode()


def along(axis: int, aside: int = 0) -> str:
    """Codes along different axes are as far apart as can be; ``aside`` of 100 is 45 degrees off."""
    return code(**{f"n{axis}": 100, "n127": aside})


def cosine(left: Vector, right: Vector) -> float:
    return float(left @ right) / sqrt(float(left @ left) * float(right @ right))


def said(viewpoint: str | None, minute: int = 0, **fields: Any) -> tuple[ScoredMention, int]:
    return scored(minute, viewpoint=viewpoint, **fields), minute


def clusters_of(*mentions: tuple[ScoredMention, int]) -> list[Cluster]:
    clusters: list[Cluster] = []
    for mention, minute in mentions:
        add_viewpoint(clusters, mention, minute_at(minute), PARAMETERS)
    return clusters


def told(*mentions: tuple[ScoredMention, int], minute: int = 0) -> tuple[Viewpoint, ...]:
    return viewpoints(clusters_of(*mentions), minute_at(minute), PARAMETERS)


# --- codes

VECTORS = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=400)


@given(VECTORS)
def test_a_code_is_what_a_mention_can_carry(vector: list[float]) -> None:
    assert scored(viewpoint=encode(vector)).viewpoint == encode(vector)


@pytest.mark.parametrize("wrong", ["", "AAAA", "A" * 172, "A" * 171 + "!", along(0) + "A"])
def test_anything_else_is_no_code(wrong: str) -> None:
    with pytest.raises(ValidationError, match="viewpoint"):
        scored(viewpoint=wrong)


@given(VECTORS, st.sampled_from([0.25, 2.0, 1024.0]))
def test_the_length_of_a_vector_does_not_matter(vector: list[float], factor: float) -> None:
    assert encode([number * factor for number in vector]) == encode(vector)


def test_codes_keep_angles() -> None:
    random = np.random.default_rng(20260302)
    errors = []
    for _ in range(200):
        left = random.standard_normal(384)
        right = left + random.standard_normal(384) * random.uniform(0.1, 3)
        kept = cosine(decode(encode(left.tolist())), decode(encode(right.tolist())))
        whole = float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))
        errors.append(kept - whole)
    # of random projections to k numbers the error has a deviation of at most 1 / √k
    assert np.std(errors) < 1 / sqrt(DIMENSIONS)
    assert abs(np.mean(errors)) < 3 / sqrt(DIMENSIONS * len(errors))


def test_opposite_vectors_have_opposite_codes() -> None:
    vector = np.random.default_rng(1).standard_normal(384)
    assert (decode(encode(vector.tolist())) == -decode(encode((-vector).tolist()))).all()


# --- clusters


def test_a_mention_without_a_code_says_nothing() -> None:
    assert told(said(None)) == ()


@pytest.mark.parametrize("text", ["转发微博", "太可怕了!!!", ""])
@pytest.mark.parametrize("also", ["", "😭😭😭😭😭😭😭😭😭"])
def test_a_mention_of_few_words_says_nothing(text: str, also: str) -> None:
    assert told(said(along(1), text=text + also)) == ()


def test_a_mention_of_nine_characters_says_something() -> None:
    assert told(said(along(1), text="柜台取不出我的钱")) == ()
    assert len(told(said(along(1), text="柜台取不出我们的钱"))) == 1


def test_what_says_the_same_is_one_viewpoint() -> None:
    (one,) = told(said(along(1), id="a"), said(along(1), id="b"), said(along(1, 10), id="c"))
    assert (one.mentions, one.share) == (3, 1.0)


def test_what_says_something_else_is_another_viewpoint() -> None:
    found = told(said(along(1), id="a"), said(along(2), id="b"), said(along(1), id="c"))
    assert [(one.mentions, one.share) for one in found] == [(2, 0.6667), (1, 0.3333)]


@pytest.mark.parametrize(("aside", "count"), [(74, 1), (76, 2)])
def test_two_are_one_from_the_similarity_on(aside: int, count: int) -> None:
    # 100 / √(100² + 75²) = .8
    assert len(told(said(along(1)), said(along(1, aside)))) == count


def test_a_ninth_viewpoint_makes_the_two_nearest_one() -> None:
    apart = [said(along(axis), id=f"{axis}") for axis in range(MAX_VIEWPOINTS - 1)]
    near = said(along(3, 90), id="near 3")
    found = told(*apart, near, said(along(50), id="ninth"))
    assert sorted(one.mentions for one in found) == [1] * 7 + [2]
    (both,) = (one for one in found if one.mentions == 2)
    assert both.mention_id in {"3", "near 3"}


def test_nearest_is_meant_from_the_middle_of_the_event() -> None:
    """All share a large part, as texts about one bank do; what is left tells them apart."""

    def shared(axis: int, also: int = 0, size: int = 0) -> str:
        return code(**{"n100": 90, f"n{axis}": 80, f"n{also}": size})

    codes = [shared(axis) for axis in range(1, 8)]
    codes += [shared(7, also=8, size=70), shared(9)]
    found = told(*(said(one, id=f"{number}") for number, one in enumerate(codes)))
    (both,) = (one for one in found if one.mentions == 2)
    assert both.mention_id in {"6", "7"}


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_there_are_at_most_eight_and_no_mention_is_lost(axes: list[int]) -> None:
    found = told(*(said(along(axis), id=f"{number}") for number, axis in enumerate(axes)))
    assert len(found) == min(len(set(axes)), MAX_VIEWPOINTS)
    assert sum(one.mentions for one in found) == len(axes)
    assert sum(one.share for one in found) == pytest.approx(1, abs=8 * 0.5e-4)
    assert [one.share for one in found] == sorted((one.share for one in found), reverse=True)


def test_older_mentions_weigh_less() -> None:
    old, new = told(
        *(said(along(1), 0, id=f"{number}") for number in range(8)),
        said(along(2), 60, id="new"),
        minute=60,
    )
    assert (old.share, new.share) == (0.8, 0.2)  # 8 halved, 1
    assert (old.mentions, new.mentions) == (8, 1)
    assert new.first_at == new.last_at > old.last_at


def test_a_late_mention_enters_aged() -> None:
    early, late = told(said(along(1), 60, id="a"), said(along(2), 0, id="b"), minute=60)
    assert (early.share, late.share) == (0.6667, 0.3333)


def test_what_has_faded_is_not_told() -> None:
    found = told(said(along(1), id="old"), said(along(2), 500, id="new"), minute=500)
    assert [one.mention_id for one in found] == ["new"]


def test_an_aged_viewpoint_leaves_when_another_needs_its_place() -> None:
    aged = said(along(0), 0, id="aged")
    others = [said(along(axis), 61, id=f"{axis}") for axis in range(1, MAX_VIEWPOINTS)]
    ninth = said(along(50), 61, id="ninth")
    found = told(aged, *others, ninth, minute=61)
    assert {one.mention_id for one in found} == {"1", "2", "3", "4", "5", "6", "7", "ninth"}


def test_a_viewpoint_of_many_does_not_leave_at_the_same_age() -> None:
    many = [said(along(0), 0, id=f"many {number}") for number in range(3)]
    others = [said(along(axis), 61, id=f"{axis}") for axis in range(1, MAX_VIEWPOINTS)]
    found = told(*many, *others, said(along(50), 61, id="ninth"), minute=61)
    assert sum(one.mentions for one in found) == 11


def test_polarities_are_shares_of_the_weight() -> None:
    (one,) = told(
        said(along(1), 0, id="a", negative=1.0),
        said(along(1), 0, id="b", negative=1.0),
        said(along(1), 60, id="c", negative=0.0),
        minute=60,
    )
    assert one.polarities == {"negative": 0.5, "neutral": 0.5}


def test_the_representative_is_nearest_to_the_middle() -> None:
    left = said(code(n1=100, n2=40), id="left", text="一二三四五六七八左")
    right = said(code(n1=100, n3=40), id="right", text="一二三四五六七八右")
    middle = said(code(n1=100, n2=25, n3=25), id="middle", text="中一二三四五六七八" * 20)
    for order in ((left, right, middle), (right, left, middle)):
        (one,) = told(*order)
        assert (one.mention_id, one.text) == ("middle", ("中一二三四五六七八" * 20)[:140])


def test_of_equals_the_first_represents() -> None:
    (one,) = told(said(along(1), id="z"), said(along(1), id="a"))
    assert one.mention_id == "z"


CODES = st.lists(st.integers(-127, 127), min_size=6, max_size=6).map(
    lambda numbers: code(**{f"n{axis}": number for axis, number in enumerate(numbers)})
)
MENTIONS = st.lists(
    st.tuples(CODES, st.integers(0, 400), st.sampled_from(Polarity)), min_size=1, max_size=30
)


def clustered(mentions: Sequence[tuple[str, int, Polarity]], restores: set[int]) -> bytes:
    clusters: list[Cluster] = []
    for number, (viewpoint, minute, polarity) in enumerate(mentions):
        if number in restores:
            clusters = CLUSTERS.validate_json(CLUSTERS.dump_json(clusters))
        mention = scored(minute, id=f"{number}", viewpoint=viewpoint, polarity=polarity)
        add_viewpoint(clusters, mention, minute_at(minute), PARAMETERS)
        assert len(clusters) <= MAX_VIEWPOINTS
    return CLUSTERS.dump_json(clusters)


@settings(deadline=None)
@given(MENTIONS, st.sets(st.integers(0, 29)))
def test_restarts_change_nothing(
    mentions: list[tuple[str, int, Polarity]], restores: set[int]
) -> None:
    assert clustered(mentions, restores) == clustered(mentions, set())
