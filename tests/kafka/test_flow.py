"""How long a partition stood still, and when it moved again."""

from __future__ import annotations

from aiokafka import TopicPartition
from flow import Sample, seconds_until_flowing, standstills

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


def samples(*rows: tuple[float, int, int]) -> list[Sample]:
    """Samples at a time, of two partitions with nine messages of which so many are done."""
    return [Sample(at, {A: a, B: b}, {A: 9, B: 9}) for at, a, b in rows]


def longest(*rows: tuple[float, int, int], outage: tuple[float, float] | None = None) -> float:
    return max(one.seconds for one in standstills(samples(*rows), [outage] if outage else []))


def test_a_standstill_lasts_from_the_last_movement() -> None:
    assert longest((0, 1, 1), (1, 2, 2), (2, 3, 2), (3, 4, 2), (4, 5, 3)) == 2


def test_a_partition_without_waiting_messages_does_not_stand_still() -> None:
    assert longest((0, 9, 9), (50, 9, 9)) == 0


def test_the_partition_is_named() -> None:
    *_, last = standstills(samples((0, 1, 1), (5, 2, 1)))
    assert last.place == "t/1"


def test_a_standstill_over_an_outage_counts_from_its_end() -> None:
    rows = ((0.0, 1, 1), (1.0, 2, 2), (30.0, 2, 2), (33.0, 3, 3))
    assert longest(*rows) == 29
    assert longest(*rows, outage=(2, 28)) == 2


def test_what_is_seen_in_an_outage_does_not_count() -> None:
    assert longest((0, 1, 1), (20, 1, 1), (31, 2, 2), outage=(0.5, 30)) == 0


def test_flowing_again_is_when_every_waiting_partition_has_moved() -> None:
    seen = samples((0, 1, 9), (1, 2, 9), (7, 2, 9), (8, 3, 9))
    assert seconds_until_flowing(seen, struck_at=1.5) == 6.5


def test_a_partition_that_never_moves_again_never_flows() -> None:
    assert seconds_until_flowing(samples((0, 1, 1), (9, 2, 1)), struck_at=5) == float("inf")
