"""A bad deployment stops the worker, however often it restarts; a dirty feed does not."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from wanglou.agents.dead_letter_limit import (
    DeadLetterLimit,
    DeadLetterLimits,
    History,
    Outcome,
    Tally,
    TooManyDeadLetters,
)
from wanglou.schemas.dead_letter import Reason

TOPIC = "wanglou.mentions.raw.v1"
GOOD = None
FAILED = Reason.FAILED
INVALID = Reason.INVALID
Reasons = Sequence[Reason | None]
KEPT = TypeAdapter(History)

OFF: dict[str, Any] = {
    "max_consecutive_failed": 10**6,
    "max_failed_ratio": 1,
    "max_consecutive": 10**6,
    "max_ratio": 1,
    "window_messages": 10,
}
"""Every limit out of reach: a test sets the one that it is about."""


def limit(history: History | None = None, from_outside: bool = True, **limits: Any) -> Any:
    made = DeadLetterLimit(
        "intake", TOPIC, DeadLetterLimits(**{**OFF, **limits}), from_outside=from_outside
    )
    made.begin(0, history or History())
    return made


def outcomes(reasons: Reasons, first: int = 0, partition: int = 0) -> list[Outcome]:
    return [
        Outcome(partition, first + number, reason, "" if reason is None else "what was wrong")
        for number, reason in enumerate(reasons)
    ]


def take(one: DeadLetterLimit, batch: Iterable[Outcome]) -> None:
    one.commit(one.check(batch))


def stops_at(one: DeadLetterLimit, reasons: Reasons) -> int | None:
    """The offset at which it stops when it gets the messages one by one."""
    for outcome in outcomes(reasons):
        try:
            take(one, [outcome])
        except TooManyDeadLetters:
            return outcome.offset
    return None


def test_a_run_of_failures_stops_at_the_first_above_the_limit() -> None:
    assert stops_at(limit(max_consecutive_failed=5), [GOOD, *[FAILED] * 9]) == 6


def test_a_success_ends_a_run() -> None:
    assert stops_at(limit(max_consecutive_failed=5), [*[FAILED] * 5, GOOD] * 20) is None


def test_a_strangers_rubbish_neither_lengthens_a_run_of_failures_nor_ends_it() -> None:
    assert stops_at(limit(max_consecutive_failed=2), [INVALID] * 100) is None
    mixed = [FAILED, INVALID, INVALID, FAILED, INVALID, FAILED]
    assert stops_at(limit(max_consecutive_failed=2), mixed) == 5


def test_where_no_stranger_writes_every_dead_letter_is_our_failure() -> None:
    inside = limit(max_consecutive_failed=3, from_outside=False)
    assert stops_at(inside, [Reason.NOT_JSON, INVALID, Reason.NO_VALUE, INVALID]) == 3


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_counts_among_all(reason: Reason) -> None:
    assert stops_at(limit(max_consecutive=3), [reason] * 10) == 3


def test_a_ratio_counts_once_the_window_is_full() -> None:
    one = limit(max_failed_ratio=0.25, window_messages=10)
    assert stops_at(one, [*[FAILED] * 3, *[GOOD] * 6]) is None
    with pytest.raises(TooManyDeadLetters, match="40% of the last readable messages failed"):
        one.check(outcomes([FAILED], first=9))


def test_a_ratio_is_of_the_window_only() -> None:
    one = limit(max_ratio=0.2, window_messages=10)
    assert stops_at(one, [*[INVALID] * 8, *[GOOD] * 10, INVALID, INVALID, INVALID]) == 20


def test_the_ratio_of_failures_is_of_the_messages_that_could_be_read() -> None:
    one = limit(max_failed_ratio=0.5, window_messages=10)
    # of all messages a tenth fails, of those that can be read six in ten
    rubbish = [INVALID] * 5
    reasons = [one for reason in [GOOD, FAILED] * 4 for one in [reason, *rubbish]]
    assert stops_at(one, [*reasons, FAILED, *rubbish, FAILED]) == len(reasons) + 6


def test_partitions_are_judged_each_for_itself() -> None:
    one = limit(max_consecutive_failed=3)
    one.begin(1, History())
    both = [Outcome(partition, number, FAILED) for number in range(3) for partition in (0, 1)]
    take(one, both)
    take(one, outcomes([GOOD], first=3, partition=1))
    take(one, outcomes([FAILED], first=4, partition=1))
    with pytest.raises(TooManyDeadLetters, match=f"{TOPIC}/0/3"):
        one.check(outcomes([FAILED], first=3))


def test_a_batch_is_judged_before_it_has_any_effect() -> None:
    one = limit(max_consecutive_failed=3)
    take(one, outcomes([FAILED, FAILED]))
    before = one.history(0)
    for _ in range(3):
        with pytest.raises(TooManyDeadLetters):
            one.check(outcomes([FAILED, FAILED, GOOD], first=2))
        one.check(outcomes([FAILED], first=2))
    assert one.history(0) == before


def test_a_run_inside_a_batch_stops_it_though_a_success_follows() -> None:
    with pytest.raises(TooManyDeadLetters):
        limit(max_consecutive_failed=3).check(outcomes([FAILED] * 4 + [GOOD] * 50))


def test_what_the_broker_refuses_can_be_checked_in_a_second_look() -> None:
    one = limit(max_consecutive_failed=2)
    one.check(outcomes([GOOD, GOOD, GOOD]))
    with pytest.raises(TooManyDeadLetters, match="rejected-by-broker"):
        one.check(outcomes([Reason.REJECTED_BY_BROKER] * 3))


def test_the_message_says_where_what_why_and_what_to_do() -> None:
    one = limit(max_consecutive_failed=1)
    error = "ZeroDivisionError: of our own\nmaking" + "!" * 5000
    with pytest.raises(TooManyDeadLetters) as caught:
        one.check([Outcome(0, 16, FAILED, "first"), Outcome(0, 17, FAILED, error)])
    message = str(caught.value)
    assert message.startswith(f"agent intake stops at {TOPIC}/0/17: 2 messages in a row failed, ")
    assert "failed: 'ZeroDivisionError: of our own\\nmaking!!!" in message
    assert "wanglou dlq list, repair, restart" in message
    assert message.endswith("raise dead_letters.max_consecutive_failed (now 1)")
    assert len(message) < 1000
    assert "\n" not in message


@pytest.mark.parametrize(
    ("setting", "value", "reasons"),
    [
        ("max_consecutive_failed", 2, [FAILED] * 3),
        ("max_failed_ratio", 0.5, [GOOD, FAILED, FAILED] * 4),
        ("max_consecutive", 2, [INVALID] * 3),
        ("max_ratio", 0.5, [GOOD, INVALID, INVALID] * 4),
    ],
)
def test_the_message_names_the_setting_that_was_met(
    setting: str, value: float, reasons: Reasons
) -> None:
    with pytest.raises(TooManyDeadLetters, match=rf"raise dead_letters.{setting} \(now {value}\)"):
        limit(**{setting: value}).check(outcomes(reasons))


# Restarts


def restarted(history: History) -> History:
    """What comes back from the partition's state."""
    return KEPT.validate_json(KEPT.dump_json(history))


def put_aside(reasons: Reasons, batches: Iterable[int], **limits: Any) -> list[int]:
    """Offsets put aside by workers that restart whenever they stop; a batch has so many messages.

    Each worker has the tallies and the offset that the last finished batch left.
    """
    aside: list[int] = []
    history, offset = History(), 0
    for size in batches:
        worker = limit(history, **limits)
        batch = outcomes(reasons[offset : offset + size], first=offset)
        try:
            take(worker, batch)
        except TooManyDeadLetters:
            continue
        aside += [one.offset for one in batch if one.reason is not None]
        offset += size
        history = restarted(worker.history(0))
    return aside


def test_a_worker_that_restarts_message_by_message_does_not_creep_on() -> None:
    assert put_aside([FAILED] * 500, [1] * 500, max_consecutive_failed=50) == list(range(50))


reason_lists = st.lists(st.sampled_from([GOOD, FAILED, INVALID]), max_size=60)
sizes = st.lists(st.integers(1, 9), min_size=1, max_size=60)


@settings(deadline=None)
@given(reason_lists, sizes, st.integers(1, 5), st.integers(1, 8))
def test_over_all_restarts_no_longer_run_than_the_limit_is_put_aside(
    reasons: Reasons, batches: list[int], most_failed: int, most: int
) -> None:
    aside = set(
        put_aside(reasons, batches, max_consecutive_failed=most_failed, max_consecutive=most)
    )
    failed = run = 0
    for offset, reason in enumerate(reasons):
        run = run + 1 if offset in aside else 0
        failed = failed + (reason is FAILED) if offset in aside else 0
        assert run <= most
        assert failed <= most_failed


LIMITS = {
    "max_consecutive_failed": 4,
    "max_failed_ratio": 0.3,
    "max_consecutive": 6,
    "max_ratio": 0.5,
}


@settings(deadline=None)
@given(reason_lists, sizes)
def test_batches_make_no_difference(reasons: Reasons, batches: list[int]) -> None:
    expected = stops_at(limit(**LIMITS), reasons)
    one, start, found = limit(**LIMITS), 0, None
    for size in [*batches, len(reasons)]:
        try:
            take(one, outcomes(reasons[start : start + size], first=start))
        except TooManyDeadLetters as error:
            found = int(str(error).partition(f"{TOPIC}/0/")[2].partition(":")[0])
            break
        start += size
    assert found == expected


def test_a_repaired_worker_goes_on_after_a_run() -> None:
    one = limit(max_consecutive_failed=50)
    take(one, outcomes([FAILED] * 50))
    repaired = limit(restarted(one.history(0)), max_consecutive_failed=50)
    assert stops_at(repaired, [GOOD, *[FAILED] * 50, GOOD]) is None


def broken_window() -> History:
    """As bad as a window may be just before the limit of one half."""
    one = limit(max_failed_ratio=0.5, window_messages=10)
    take(one, outcomes([GOOD] * 5 + [FAILED] * 5))
    return restarted(one.history(0))


def test_a_worker_that_still_fails_too_often_stops_at_once() -> None:
    assert stops_at(limit(broken_window(), max_failed_ratio=0.5, window_messages=10), [FAILED]) == 0


def test_a_repaired_worker_is_not_stopped_for_what_failed_before() -> None:
    repaired = limit(broken_window(), max_failed_ratio=0.5, window_messages=10)
    assert stops_at(repaired, [GOOD, GOOD, FAILED, GOOD]) is None
    assert repaired.history(0).failed.ratio(10) > 0.5


def test_a_window_made_shorter_keeps_the_newest() -> None:
    history = History(all=Tally(bits=0b1111_0000_0000, messages=12))
    one = limit(history, max_ratio=0.1, window_messages=10)
    assert stops_at(one, [GOOD, INVALID]) is None
    assert one.history(0).all == Tally(bits=0b01, messages=10, run=1)


def test_what_is_kept_is_small() -> None:
    one = limit(window_messages=1000)
    chance = random.Random(1)
    take(one, outcomes(chance.choices([GOOD, FAILED, INVALID], k=3000)))
    assert len(KEPT.dump_json(one.history(0))) < 800
    assert restarted(one.history(0)) == one.history(0)


def test_the_longest_window_comes_back() -> None:
    longest = 10_000
    one = limit(window_messages=longest)
    take(one, outcomes([FAILED] * longest))
    assert restarted(one.history(0)) == one.history(0)


# The built-in limits


def with_defaults() -> DeadLetterLimit:
    one = DeadLetterLimit("intake", TOPIC, DeadLetterLimits(), from_outside=True)
    one.begin(0, History())
    return one


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8])
def test_a_dirty_feed_passes(share: float) -> None:
    chance = random.Random(7)
    bad = [Reason.NOT_JSON, Reason.TOO_LARGE, INVALID, Reason.NO_VALUE, Reason.IMPLAUSIBLE_TIME]
    reasons = [chance.choice(bad) if chance.random() < share else GOOD for _ in range(20_000)]
    assert stops_at(with_defaults(), reasons) is None


def test_a_rare_bug_passes() -> None:
    chance = random.Random(7)
    reasons = [FAILED if chance.random() < 0.05 else GOOD for _ in range(20_000)]
    assert stops_at(with_defaults(), reasons) is None


def test_a_deployment_that_fails_on_everything_stops_at_once() -> None:
    assert stops_at(with_defaults(), [FAILED] * 20_000) == 50


def test_a_deployment_that_fails_on_half_stops_when_the_window_is_full() -> None:
    assert stops_at(with_defaults(), [GOOD, FAILED] * 10_000) == 999


def test_a_deployment_that_can_read_nothing_stops() -> None:
    assert stops_at(with_defaults(), [INVALID] * 20_000) == 999


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_consecutive_failed": 0},
        {"max_failed_ratio": 0},
        {"max_consecutive": -1},
        {"max_ratio": 1.5},
        {"window_messages": 10_001},
        {"max_consecutive_dead_letters": 5},
    ],
)
def test_limits_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DeadLetterLimits(**wrong)
