from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wanglou.agents.assignment import Assignment

TOPIC = "raw"
PARTITIONS = st.sets(st.integers(0, 3))


def assign(mine: Assignment, generation: int, partitions: set[int]) -> None:
    mine.assign(generation, [(TOPIC, one) for one in partitions])


@given(PARTITIONS, PARTITIONS)
def test_a_worker_that_missed_a_generation_keeps_nothing(before: set[int], after: set[int]) -> None:
    """It was paused, and another one had all of its partitions."""
    mine = Assignment()
    assign(mine, 1, before)
    mine.kept(TOPIC)
    assign(mine, 3, after)
    assert mine.of(TOPIC) == after
    assert mine.kept(TOPIC) == after - before


@given(st.lists(PARTITIONS, min_size=1))
def test_kept_is_what_was_never_given_away(history: list[set[int]]) -> None:
    mine = Assignment()
    for generation, partitions in enumerate(history):
        assign(mine, generation, partitions)
    kept = mine.kept(TOPIC)
    assert kept == {one for one in history[-1] if not was_given_away(one, history)}


def was_given_away(partition: int, history: list[set[int]]) -> bool:
    return any(partition in had and partition not in has for had, has in pairwise(history))


def test_topics_are_apart() -> None:
    mine = Assignment()
    mine.assign(0, [("a", 0), ("b", 0)])
    mine.assign(1, [("a", 0)])
    mine.assign(2, [("a", 0), ("b", 0)])
    assert (mine.kept("a"), mine.kept("b")) == ({0}, set())
    assert mine.of("c") == mine.kept("c") == set()
