from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.builders import (
    TAXONOMY,
    Positions,
    StateTopic,
    at,
    mention,
    minute_at,
    placed,
    position_at,
    required,
    rules,
)
from wanglou.models.dedupe import DedupeStep, Seen, change, highest, rose
from wanglou.models.order import BEGINNING
from wanglou.models.state import KeyedState
from wanglou.schemas.mention import DedupedMention, DedupeKind, Engagement, Mention

RUMOUR = "听说和兴银行城南支行门口排了很长的队,大家都在取钱"
EDITED = "听说和兴银行城南支行门口排了好长的队,大家都在取钱!!"
UNRELATED = "和兴银行的新手机银行界面很清爽,转账比以前快多了"
DENIAL = "辟谣:" + RUMOUR
HOUR = 60
DAY = 24 * HOUR


class Partition:
    """A dedupe step with the positions of one raw partition."""

    def __init__(self) -> None:
        self.state: KeyedState[Seen] = rules().dedupe_state()
        self.step = DedupeStep(TAXONOMY, self.state)
        self.positions = Positions()

    def take(self, minute: float = 0, **fields: Any) -> DedupedMention | None:
        one = mention(minute, **fields)
        return self.step.process(one, position=self.positions.next(one.published_at))

    def result(self, minute: float = 0, **fields: Any) -> DedupedMention:
        return required(self.take(minute, **fields))


@pytest.fixture
def partition() -> Partition:
    return Partition()


def test_highest_takes_each_counter_by_itself() -> None:
    left = Engagement(reads=5, likes=9, comments=1)
    right = Engagement(reads=7, likes=2, reposts=3)
    assert highest(left, right) == Engagement(reads=7, likes=9, comments=1, reposts=3)
    assert highest(Engagement(), Engagement()) == Engagement()


def test_change_is_the_rise_of_each_counter() -> None:
    before = Engagement(reads=5, likes=9, comments=1)
    now = Engagement(reads=8, likes=4, reposts=3)
    assert change(before, now) == Engagement(reads=3, likes=0, reposts=3)
    assert change(before, Engagement()) == Engagement()


@pytest.mark.parametrize(
    ("rise", "is_one"),
    [
        (Engagement(), False),
        (Engagement(reads=0, likes=0, comments=0, reposts=0), False),
        (Engagement(comments=1), True),
    ],
)
def test_rose_when_any_counter_did(rise: Engagement, is_one: bool) -> None:
    assert rose(rise) is is_one


def test_first_mention_is_an_original_of_its_own_cluster(partition: Partition) -> None:
    first = partition.result(engagement={"likes": 3})
    assert first.dedupe is DedupeKind.ORIGINAL
    assert first.cluster_id == "hexing/weibo:1"
    assert first.engagement_change == Engagement(likes=3)
    assert (first.original_text, first.original_context) == (None, None)


def test_repeat_is_dropped(partition: Partition) -> None:
    partition.result(engagement={"likes": 3})
    assert partition.take(engagement={"likes": 3}) is None
    assert partition.take(engagement={"likes": 3}, collected_at=at(30)) is None
    assert partition.take(engagement={}) is None


def test_repeat_with_another_text_is_still_the_same_mention(partition: Partition) -> None:
    partition.result(text=RUMOUR)
    assert partition.take(text=UNRELATED) is None


def test_newer_counters_are_an_update_with_the_rise(partition: Partition) -> None:
    partition.result(engagement={"likes": 3, "reposts": 1})
    update = partition.result(
        engagement={"likes": 10, "reposts": 1, "reads": 50}, collected_at=at(30)
    )
    assert update.dedupe is DedupeKind.UPDATE
    assert update.cluster_id == "hexing/weibo:1"
    assert update.engagement == Engagement(likes=10, reposts=1, reads=50)
    assert update.engagement_change == Engagement(likes=7, reposts=0, reads=50)
    assert update.event_time == at(30)


def test_falling_counter_alone_is_dropped(partition: Partition) -> None:
    partition.result(engagement={"likes": 9})
    assert partition.take(engagement={"likes": 4}) is None


def test_falling_counter_beside_a_rising_one_changes_by_nothing(partition: Partition) -> None:
    partition.result(engagement={"likes": 9, "reposts": 1})
    update = partition.result(engagement={"likes": 4, "reposts": 3})
    assert update.engagement_change == Engagement(likes=0, reposts=2)


def test_counter_that_fell_and_rose_again_counts_above_its_highest_only(
    partition: Partition,
) -> None:
    partition.result(engagement={"likes": 9})
    assert partition.take(engagement={"likes": 4}) is None
    assert partition.take(engagement={"likes": 9}) is None
    assert partition.result(engagement={"likes": 11}).engagement_change == Engagement(likes=2)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=10))
def test_all_changes_of_a_counter_sum_to_its_highest(readings: list[int]) -> None:
    partition = Partition()
    changes = [partition.take(engagement={"likes": reading}) for reading in readings]
    assert sum(one.engagement_change.likes or 0 for one in changes if one) == max(readings)


def test_edited_copy_is_a_duplicate_in_the_cluster_of_its_original(partition: Partition) -> None:
    partition.result(text=RUMOUR, context="和兴银行怎么了")
    copy = partition.result(id="weibo:2", text=EDITED, engagement={"likes": 2})
    assert copy.dedupe is DedupeKind.DUPLICATE
    assert copy.cluster_id == "hexing/weibo:1"
    assert (copy.original_text, copy.original_context) == (RUMOUR, "和兴银行怎么了")
    assert (copy.text, copy.context) == (EDITED, None)
    assert copy.engagement_change == Engagement(likes=2)


def test_exact_copy_does_not_carry_the_text_twice(partition: Partition) -> None:
    partition.result(text=RUMOUR)
    copy = partition.result(id="weibo:2", text=RUMOUR)
    assert (copy.dedupe, copy.original_text) == (DedupeKind.DUPLICATE, None)


def test_update_of_a_duplicate_stays_in_its_cluster(partition: Partition) -> None:
    partition.result(text=RUMOUR)
    partition.result(id="weibo:2", text=EDITED)
    update = partition.result(id="weibo:2", text=EDITED, engagement={"likes": 2})
    assert (update.dedupe, update.cluster_id) == (DedupeKind.UPDATE, "hexing/weibo:1")
    assert update.original_text == RUMOUR


def test_unrelated_text_is_an_original(partition: Partition) -> None:
    partition.result(text=RUMOUR)
    other = partition.result(id="weibo:2", text=UNRELATED)
    assert (other.dedupe, other.cluster_id) == (DedupeKind.ORIGINAL, "hexing/weibo:2")


def test_same_text_about_another_institution_is_no_duplicate(partition: Partition) -> None:
    partition.result(text=RUMOUR)
    other = partition.result(text=RUMOUR, institution="yunting")
    assert (other.dedupe, other.cluster_id) == (DedupeKind.ORIGINAL, "yunting/weibo:1")


def test_institution_whose_id_begins_alike_is_another(partition: Partition) -> None:
    partition.result(text=RUMOUR, institution="hexing-life")
    assert partition.result(id="2", text=RUMOUR).dedupe is DedupeKind.ORIGINAL


def test_denial_is_not_merged_with_the_rumour_it_quotes(partition: Partition) -> None:
    partition.result(text=RUMOUR)
    denial = partition.result(id="weibo:2", text=DENIAL)
    assert (denial.dedupe, denial.cluster_id) == (DedupeKind.ORIGINAL, "hexing/weibo:2")
    # and the copies of each go to their own
    assert partition.result(id="weibo:3", text=EDITED).cluster_id == "hexing/weibo:1"
    assert partition.result(id="weibo:4", text="辟谣:" + EDITED).cluster_id == "hexing/weibo:2"


def test_rumour_is_not_merged_with_the_denial_that_came_first(partition: Partition) -> None:
    partition.result(text=DENIAL)
    assert partition.result(id="weibo:2", text=RUMOUR).dedupe is DedupeKind.ORIGINAL


@pytest.mark.parametrize("text", ["", "转发", "和兴银行太可怕", "😀😀😀😀😀😀😀😀😀😀", "哈" * 50])
def test_short_text_is_never_clustered(partition: Partition, text: str) -> None:
    # less than 8 different bigrams; 哈哈哈… has one
    for number in range(3):
        one = partition.result(id=str(number), text=text)
        assert (one.dedupe, one.cluster_id) == (DedupeKind.ORIGINAL, f"hexing/{number}")
        assert one.original_text is None


def test_nine_letters_are_enough_to_be_clustered(partition: Partition) -> None:
    partition.result(text="和兴银行门口排长队")
    assert partition.result(id="2", text="和兴银行门口排长队").dedupe is DedupeKind.DUPLICATE


def test_most_similar_original_is_the_one(partition: Partition) -> None:
    # of its 10 bigrams the copy shares 7 with the one (Jaccard 7/13) and 9 with the other (9/11);
    # they share 6 (6/14), so that each is an original
    less, more = "甲乙丙丁戊己庚辛一二三", "子乙丙丁戊己庚辛壬癸丑"
    for number, texts in enumerate(((less, more), (more, less))):
        for text in texts:
            one = partition.result(id=f"{number}{text[0]}", text=text, institution=f"i{number}")
            assert one.dedupe is DedupeKind.ORIGINAL
        copy = partition.result(
            id=str(number), text="甲乙丙丁戊己庚辛壬癸丑", institution=f"i{number}"
        )
        assert copy.cluster_id == f"i{number}/{number}子"


def test_cluster_is_a_star_around_its_original(partition: Partition) -> None:
    # each shares 7 of 10 bigrams with the one before (Jaccard 7/13), the third 4 with the first
    texts = ["甲乙丙丁戊己庚辛壬癸子", "丁戊己庚辛壬癸子丑寅卯", "庚辛壬癸子丑寅卯辰巳午"]
    clusters = [partition.result(id=str(n), text=text).cluster_id for n, text in enumerate(texts)]
    assert clusters[0] == clusters[1] == "hexing/0"
    assert clusters[2] == "hexing/2"


def test_longest_id_gives_a_valid_cluster(partition: Partition) -> None:
    result = partition.result(id="x" * 256, institution="i" * 256, text=RUMOUR)
    assert DedupedMention.model_validate_json(result.to_json()) == result


def test_replayed_position_changes_nothing(partition: Partition) -> None:
    first = mention(text=RUMOUR)
    risen = mention(text=RUMOUR, engagement={"likes": 1})
    assert partition.step.process(first, position=position_at(5, offset=5)) is not None
    assert partition.step.process(risen, position=position_at(9, offset=3)) is not None
    partition.state.changes()
    more = mention(engagement={"likes": 50})
    for position in (position_at(5, 3), position_at(5, 5), position_at(8, 7), position_at(9, 3)):
        assert partition.step.process(more, position=position) is None
    assert partition.state.changes() == []
    seen = partition.state.get("hexing/weibo:1")
    assert seen is not None
    assert seen.highest == Engagement(likes=1)


def test_repeat_changes_no_state(partition: Partition) -> None:
    partition.result(text=RUMOUR)
    partition.state.changes()
    partition.take(text=RUMOUR)
    assert partition.state.changes() == []


def test_forgotten_mention_is_new_again(partition: Partition) -> None:
    partition.result(0, text=RUMOUR)
    partition.result(4 * DAY, id="clock", text=UNRELATED)
    assert partition.result(4 * DAY, text=RUMOUR).dedupe is DedupeKind.ORIGINAL


def test_forgotten_original_takes_no_more_duplicates(partition: Partition) -> None:
    partition.result(0, text=RUMOUR)
    partition.result(4 * DAY, id="clock", text=UNRELATED)
    assert partition.result(4 * DAY, id="2", text=EDITED).cluster_id == "hexing/2"


def test_original_lives_as_long_as_its_duplicates_come(partition: Partition) -> None:
    partition.result(0, text=RUMOUR)
    for day in range(1, 9, 2):
        copy = partition.result(day * DAY, id=f"weibo:copy {day}", text=EDITED)
        assert (copy.cluster_id, copy.original_text) == ("hexing/weibo:1", RUMOUR)


def test_original_is_kept_alive_with_one_write_an_hour(partition: Partition) -> None:
    partition.result(0, text=RUMOUR)
    partition.state.changes()
    for minute in range(1, 60):
        partition.result(minute, id=f"weibo:copy {minute}", text=EDITED)
    assert "hexing/weibo:1" not in dict(partition.state.changes())
    partition.result(60, id="weibo:an hour on", text=EDITED)
    assert "hexing/weibo:1" in dict(partition.state.changes())


def test_repeat_of_an_old_post_collected_anew_is_known(partition: Partition) -> None:
    # older than what is remembered, when it came first; the clock has gone on since
    partition.result(5 * DAY, id="clock", text=UNRELATED)
    old = {"text": RUMOUR, "engagement": {"likes": 900}}
    assert partition.result(0, **old).dedupe is DedupeKind.ORIGINAL
    partition.result(5 * DAY + 2 * HOUR, id="clock 2", text="早安")
    assert partition.take(0, **old) is None


def test_update_without_a_time_of_its_own_does_not_age_a_mention(partition: Partition) -> None:
    partition.result(0, text=RUMOUR)
    partition.result(2 * DAY, id="weibo:2", text=EDITED)  # keeps the original alive
    partition.result(0, text=RUMOUR, engagement={"likes": 1})  # collected_at is published_at
    assert partition.state.minute("hexing/weibo:1") == minute_at(2 * DAY)


def test_restart_knows_ids_counters_and_texts(partition: Partition) -> None:
    partition.result(text=RUMOUR, context="和兴银行怎么了", engagement={"likes": 5})
    topic = StateTopic(Seen)
    topic.store(partition.state)
    restarted = DedupeStep(TAXONOMY, topic.restore(rules().dedupe_state()))
    same, risen, edited = (
        mention(engagement={"likes": 5}),
        mention(engagement={"likes": 6}),
        mention(id="2", text=EDITED),
    )
    assert restarted.process(same, position=position_at(offset=1)) is None
    update = required(restarted.process(risen, position=position_at(offset=2)))
    assert update.engagement_change == Engagement(likes=1)
    copy = required(restarted.process(edited, position=position_at(offset=3)))
    assert (copy.cluster_id, copy.original_text) == ("hexing/weibo:1", RUMOUR)
    assert copy.original_context == "和兴银行怎么了"


def taken_within(minutes: int) -> st.SearchStrategy[list[Mention]]:
    """Mentions of a time, in any order."""
    return st.lists(
        st.builds(
            mention,
            st.integers(0, minutes),
            id=st.sampled_from(["1", "2", "3", "4"]),
            text=st.sampled_from([RUMOUR, EDITED, UNRELATED, DENIAL, "转发", ""]),
            institution=st.sampled_from(["hexing", "yunting"]),
            engagement=st.fixed_dictionaries({}, optional={"likes": st.integers(0, 3)}),
            context=st.sampled_from([None, "和兴银行怎么了"]),
        ),
        max_size=15,
    )


takings = taken_within(10 * DAY)


@given(takings, st.sets(st.integers(0, 14)))
def test_restarts_are_not_noticed(mentions: list[Mention], restarts: set[int]) -> None:
    topic, state = StateTopic(Seen), rules().dedupe_state()
    restarted, unbroken = DedupeStep(TAXONOMY, state), DedupeStep(TAXONOMY, rules().dedupe_state())
    for number, (position, one) in enumerate(placed(mentions)):
        if number in restarts:
            topic.store(state)
            state = topic.restore(rules().dedupe_state())
            restarted = DedupeStep(TAXONOMY, state)
        expected = unbroken.process(one, position=position)
        assert restarted.process(one, position=position) == expected


@given(taken_within(DAY), st.data())  # nothing of it is forgotten
def test_restart_in_the_middle_of_a_state_write_changes_nothing(
    mentions: list[Mention], data: st.DataObject
) -> None:
    """What a batch brings is sent, with its watermark, before some of its state is written.

    What comes again at a position that the watermark has passed is a repeat for every reader.
    """
    read = placed(mentions)
    unbroken = DedupeStep(TAXONOMY, rules().dedupe_state())
    expected = [(position, unbroken.process(one, position=position)) for position, one in read]

    topic, state = StateTopic(Seen), rules().dedupe_state()
    step, sent, told = DedupeStep(TAXONOMY, state), [], BEGINNING
    done, crashes = 0, 0
    while done < len(read):
        batch = read[done : done + data.draw(st.integers(1, 8))]
        for position, one in batch:
            result = step.process(one, position=position)
            if position > told:
                sent.append((position, result))
        told = max(told, batch[-1][0])
        if crashes < 3 and data.draw(st.booleans()):
            topic.store(state, changes=data.draw(st.integers(0, 5)))
            state = topic.restore(rules().dedupe_state())
            step = DedupeStep(TAXONOMY, state)
            crashes += 1
        else:
            topic.store(state)
            done += len(batch)
    assert sent == expected


@given(takings, st.data())
def test_replay_from_any_position_changes_nothing(
    mentions: list[Mention], data: st.DataObject
) -> None:
    state = rules().dedupe_state()
    step = DedupeStep(TAXONOMY, state)
    read = placed(mentions)
    for position, one in read:
        step.process(one, position=position)
    before = {key: (state.applied(key), seen) for key, seen in state.items()}
    start = data.draw(st.integers(0, len(mentions)))
    kept = {f"{one.institution}/{one.id}" for one in mentions} & set(before)
    for position, one in read[start:]:
        if f"{one.institution}/{one.id}" in kept:
            assert step.process(one, position=position) is None
    assert {key: (state.applied(key), seen) for key, seen in state.items()} == before


def test_what_was_put_aside_after_dedupe_comes_again_as_if_for_the_first_time(
    partition: Partition,
) -> None:
    partition.result(text=RUMOUR)
    first = partition.result(id="2", text=EDITED, engagement={"likes": 3})
    partition.state.changes()
    same = mention(id="2", text=EDITED, engagement={"likes": 3})
    assert partition.step.process(same, position=position_at(offset=7)) is None
    again = partition.step.process(same, position=position_at(offset=8), again=True)
    assert again == first
    original = mention(text=RUMOUR)
    once_more = partition.step.process(original, position=position_at(offset=9), again=True)
    assert required(once_more).dedupe is DedupeKind.ORIGINAL
    assert partition.state.changes() == []


@given(takings)
def test_every_result_is_a_valid_message(mentions: list[Mention]) -> None:
    step = DedupeStep(TAXONOMY, rules().dedupe_state())
    for position, one in placed(mentions):
        result = step.process(one, position=position)
        if result is not None:
            assert DedupedMention.model_validate_json(result.to_json()) == result
