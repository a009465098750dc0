from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.builders import parameters
from wanglou.models.reach import Audience, AuthorSketch, reach

REACH = parameters(
    reach={"full_audience": 999_999, "full_authors": 999, "full_platforms": 4, "full_depth": 2}
).reach
AUTHORS_KEPT = 1024


def sketch_of(*authors: tuple[str, int]) -> AuthorSketch:
    sketch = AuthorSketch()
    for author, followers in authors:
        sketch.add(author, followers)
    return sketch


def resumed(sketch: AuthorSketch) -> AuthorSketch:
    return AuthorSketch(sketch.to_bytes())


def test_empty_sketch_reaches_nobody() -> None:
    assert AuthorSketch().audience() == Audience(0, 0)
    assert resumed(AuthorSketch()).audience() == Audience(0, 0)


def test_each_author_counts_once() -> None:
    assert sketch_of(("a", 10), ("b", 5), ("a", 10)).audience() == Audience(2, 15)


def test_larger_follower_count_wins_whatever_the_order() -> None:
    assert sketch_of(("a", 10), ("a", 30)).audience() == Audience(1, 30)
    assert sketch_of(("a", 30), ("a", 10)).audience() == Audience(1, 30)


def test_larger_follower_count_wins_over_the_stored_one_and_under_it() -> None:
    for stored, added in ((10, 30), (30, 10)):
        sketch = resumed(sketch_of(("a", stored), ("b", 1)))
        sketch.add("a", added)
        assert sketch.audience() == Audience(2, 31)


def test_audience_is_counted_anew_after_an_author() -> None:
    sketch = sketch_of(("a", 1))
    assert sketch.audience() == Audience(1, 1)
    sketch.add("b", 2)
    assert sketch.audience() == Audience(2, 3)


def test_count_is_exact_as_long_as_all_authors_are_kept() -> None:
    sketch = sketch_of(*((f"author {number}", number) for number in range(AUTHORS_KEPT)))
    assert sketch.audience() == Audience(1024, 1023 * 1024 / 2)


def test_estimate_beyond_the_authors_kept_is_within_five_standard_errors() -> None:
    count = 20_000
    audience = sketch_of(*((f"author {number}", 100) for number in range(count))).audience()
    standard_error = count / (AUTHORS_KEPT - 2) ** 0.5
    assert abs(audience.authors - count) < 5 * standard_error
    assert audience.followers == pytest.approx(100 * audience.authors)  # 100 followers each


def test_stored_sketch_stays_within_its_16_kib() -> None:
    sketch = sketch_of(*((f"author {number}", number) for number in range(20_000)))
    assert len(sketch.to_bytes()) <= 16 * 1024 + 64  # 1,024 hashes and counts, and a preamble


@pytest.mark.parametrize("count", [0, 1, 700, 1023, 1024, 1025, 1500, 3000, 6000])
def test_sketch_stored_and_resumed_equals_an_unbroken_one(count: int) -> None:
    authors = [(f"author {number % 4000}", number * 7 % 1000) for number in range(count)]
    unbroken = sketch_of(*authors)
    stops = [0, *range(100, count, 613), count]
    broken = AuthorSketch()
    for start, end in pairwise(stops):
        broken = resumed(broken)
        for author, followers in authors[start:end]:
            broken.add(author, followers)
    assert broken.audience() == unbroken.audience()
    assert resumed(broken).to_bytes() == resumed(unbroken).to_bytes() == unbroken.to_bytes()


def test_order_of_authors_does_not_matter_beyond_those_kept() -> None:
    authors = [(f"author {number}", number) for number in range(3000)]
    forwards, backwards = sketch_of(*authors), sketch_of(*reversed(authors))
    assert forwards.to_bytes() == backwards.to_bytes()
    assert forwards.audience() == backwards.audience()


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 10**12)), max_size=30),
    st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_any_sequence_of_authors_and_restarts_gives_the_exact_sum(
    authors: list[tuple[str, int]], restarts: list[bool]
) -> None:
    sketch, largest = AuthorSketch(), dict[str, int]()
    for (author, followers), restart in zip(authors, restarts, strict=False):
        sketch = resumed(sketch) if restart else sketch
        sketch.add(author, followers)
        largest[author] = max(largest.get(author, 0), followers)
    assert sketch.audience().authors == len(largest)
    assert sketch.audience().followers == sum(largest.values())


def test_reach_is_the_mean_of_four_scores() -> None:
    # log(10³)/log(10⁶) = 1/2; log(10)/log(10³) = 1/3; 1/4; 1/2: mean 19/48
    audience = Audience(authors=9, followers=999)
    assert reach(audience, platforms=1, depth=1, parameters=REACH) == pytest.approx(19 / 48)


def test_reach_of_nothing_is_zero() -> None:
    assert reach(Audience(0, 0), platforms=0, depth=0, parameters=REACH) == 0


def test_no_score_of_reach_goes_above_one() -> None:
    audience = Audience(authors=10**6, followers=10**12)
    assert reach(audience, platforms=9, depth=9, parameters=REACH) == 1


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 10**8)), max_size=40),
    st.floats(1, 1000),
)
def test_scaling_all_followers_up_never_lowers_reach(
    authors: list[tuple[int, int]], factor: float
) -> None:
    before, after = (
        sketch_of(*((str(author), int(followers * times)) for author, followers in authors))
        for times in (1, factor)
    )
    lower, higher = (reach(one.audience(), 1, 1, REACH) for one in (before, after))
    assert higher >= lower
