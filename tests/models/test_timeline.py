"""Platforms and emotions over time, however long an event lasts."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from wanglou.models.timeline import LONGEST_MINUTES, MAX_SLOTS, Timeline
from wanglou.schemas.base import minute_of

STORED = TypeAdapter(Timeline)
COVERED = MAX_SLOTS * LONGEST_MINUTES

MENTIONS = st.lists(
    st.tuples(
        st.integers(0, COVERED - LONGEST_MINUTES - 1),
        st.sampled_from(["weibo", "zhihu"]),
        st.sampled_from(["fear", "angry"]),
    ),
    min_size=1,
    max_size=40,
)


def timeline_of(mentions: list[tuple[int, str, str]]) -> Timeline:
    timeline = Timeline()
    for mention in mentions:
        timeline.add(*mention)
    return timeline


@given(MENTIONS, st.randoms(use_true_random=False))
def test_order_does_not_matter(mentions: list[tuple[int, str, str]], random: object) -> None:
    shuffled = list(mentions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert timeline_of(mentions).told() == timeline_of(shuffled).told()


@given(MENTIONS)
def test_every_mention_is_in_the_slot_of_its_minute(mentions: list[tuple[int, str, str]]) -> None:
    slots = timeline_of(mentions).told()
    assert 1 <= len(slots) <= MAX_SLOTS
    for slot in slots:
        begin = minute_of(slot.begins_at)
        within = [one for one in mentions if begin <= one[0] < begin + slot.minutes]
        assert slot.mentions == len(within)
        assert slot.platforms == Counter(platform for _, platform, _ in within)
        assert slot.emotions == Counter(emotion for _, _, emotion in within)
    assert sum(slot.mentions for slot in slots) == len(mentions)


@given(MENTIONS)
def test_slots_are_as_short_as_can_be(mentions: list[tuple[int, str, str]]) -> None:
    minutes = [minute for minute, _, _ in mentions]
    width = timeline_of(mentions).minutes
    assert max(minutes) // width - min(minutes) // width < MAX_SLOTS
    shorter = width // 2
    assert width == 5 or max(minutes) // shorter - min(minutes) // shorter >= MAX_SLOTS


@given(MENTIONS, st.integers(0, 39))
def test_a_restart_changes_nothing(mentions: list[tuple[int, str, str]], at: int) -> None:
    restored = STORED.validate_json(STORED.dump_json(timeline_of(mentions[:at])))
    for mention in mentions[at:]:
        restored.add(*mention)
    assert STORED.dump_json(restored) == STORED.dump_json(timeline_of(mentions))


def test_what_lasts_longer_loses_its_oldest_slot() -> None:
    timeline = timeline_of([(0, "weibo", "fear"), (LONGEST_MINUTES, "weibo", "sad")])
    timeline.add(COVERED, "zhihu", "angry")
    first, last = timeline.told()
    assert first.minutes == LONGEST_MINUTES
    assert (first.emotions, last.emotions) == ({"sad": 1}, {"angry": 1})
    timeline.add(0, "weibo", "fear")
    assert timeline.told() == (first, last)
