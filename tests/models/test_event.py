from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.models.builders import at, minute_at, parameters, scored
from wanglou.models.event import EventState, add_mention, depth_of, negativity
from wanglou.models.reach import Audience
from wanglou.models.spread import Spread, spread_at
from wanglou.schemas.mention import Emotion, Polarity
from wanglou.schemas.risk import Level

FORMULA = parameters()  # lateness 10; person .5, media .8, government 1; a mention brings 1
AUTHOR = {"id": "a", "followers": 100, "tier": "media"}


def event_of(*mentions: Any, clock: int | None = None) -> EventState:
    event = EventState.new(minute_at(0), FORMULA)
    for mention in mentions:
        minute = minute_at(0) if clock is None else clock
        add_mention(event, mention, clock=minute, parameters=FORMULA)
    return event


def spread_of(event: EventState) -> Spread:
    return spread_at(event.spreads, minute_at(0), FORMULA.reach.window_minutes)


@pytest.mark.parametrize(
    ("parent", "root", "depth"),
    [
        (None, None, 0),
        ("p", None, 1),
        (None, "r", 1),
        ("r", "r", 1),
        ("p", "r", 2),
    ],
)
def test_depth_counts_steps_from_the_root(parent: str | None, root: str | None, depth: int) -> None:
    assert depth_of(scored(parent_id=parent, root_id=root)) == depth


def test_new_event_has_seen_nothing() -> None:
    event = EventState.new(100, FORMULA)
    assert (event.first_minute, event.last_minute, event.assessed_through) == (100, 100, 99)
    assert event.baseline.through == 99
    assert event.mentions == event.sequence == 0


def test_negative_original_counts_everywhere() -> None:
    mention = scored(negative=0.75, author=AUTHOR, engagement={"reposts": 9}, parent_id="p")
    event = event_of(mention)
    assert (event.mentions, event.negative, event.clusters, event.updates) == (1, 1, 1, 0)
    assert event.platforms == {"weibo": 1}
    assert event.depth == 1
    assert spread_of(event).source_weight == 0.8
    assert spread_of(event).authors.audience() == Audience(1, 100)
    assert event.heat.value == pytest.approx(0.8 * (1 + 2.302585))  # media; ln 10 for the reposts
    bucket = event.buckets[minute_at(0)]
    assert (bucket.mentions, bucket.negative) == (1, 0.75)


def test_bucket_sums_probabilities_not_polarities() -> None:
    event = event_of(scored(negative=0.75), scored(id="2", negative=0.25))
    bucket = event.buckets[minute_at(0)]
    assert (bucket.mentions, bucket.negative) == (2, 1.0)
    assert event.negative == 1


@pytest.mark.parametrize(
    ("towards", "inherited", "expected"),
    [
        (0.125, False, 0.125),  # the text is negative, but not about the institution
        (0.875, False, 0.875),
        (0.0, False, 0.0),
        (None, False, 0.625),  # no model
        (0.125, True, 0.625),  # a comment that names nobody
        (None, True, 0.625),
    ],
)
def test_negativity_is_towards_the_institution_where_the_text_names_it(
    towards: float | None, inherited: bool, expected: float
) -> None:
    mention = scored(negative=0.625, institution_negative_probability=towards, inherited=inherited)
    assert negativity(mention) == expected
    event = event_of(mention)
    assert event.negative == (expected >= 0.5)
    assert spread_of(event).source_weight == (0.5 if expected >= 0.5 else 0.0)
    assert event.buckets[minute_at(0)].negative == expected


@pytest.mark.parametrize(("probability", "counted"), [(0.4999, 0), (0.5, 1), (0.51, 1)])
def test_mention_is_negative_from_one_half_on(probability: float, counted: int) -> None:
    assert event_of(scored(institution_negative_probability=probability)).negative == counted


def test_duplicate_counts_as_a_mention_but_not_as_a_cluster() -> None:
    duplicate = scored(id="2", cluster_id="hexing/1", dedupe="duplicate")
    event = event_of(scored(id="1"), duplicate)
    assert (event.mentions, event.clusters) == (2, 1)


def test_emotions_are_counted_once_a_mention() -> None:
    event = event_of(
        scored(id="1", emotion="fear"),
        scored(id="2", emotion="fear", dedupe="duplicate", cluster_id="hexing/1"),
        scored(id="3", emotion="neutral"),
        scored(-90, id="4", emotion="sad"),  # late
    )
    assert event.emotions == {"fear": 2, "neutral": 1, "sad": 1}
    add_mention(
        event,
        scored(id="1", emotion="angry", dedupe="update"),
        clock=minute_at(0),
        parameters=FORMULA,
    )
    assert event.emotions == {"fear": 2, "neutral": 1, "sad": 1}


def test_update_brings_heat_only() -> None:
    update = scored(
        author=AUTHOR,
        dedupe="update",
        engagement={"reposts": 99},
        engagement_change={"reposts": 90},
        parent_id="p",
    )
    event = event_of(update)
    assert (event.mentions, event.updates, event.negative, event.clusters) == (0, 1, 0, 0)
    assert event.buckets == {}
    assert event.platforms == {}
    assert event.depth == 0
    assert spread_of(event).source_weight == 0
    assert spread_of(event).authors.audience() == Audience(0, 0)
    assert event.heat.value == pytest.approx(0.8 * 2.302585)  # ln 100 - ln 10


def test_update_counts_when_its_counters_were_read() -> None:
    update = scored(0, dedupe="update", collected_at=at(7), engagement_change={"likes": 1})
    event = event_of(update, clock=minute_at(9))
    assert (event.last_minute, event.heat.minute) == (minute_at(7), minute_at(7))


def test_nothing_counts_later_than_the_clock() -> None:
    # counters were read after the latest publication, which is what the clock tells
    update = scored(0, dedupe="update", collected_at=at(7), engagement_change={"likes": 1})
    event = event_of(update, clock=minute_at(5))
    assert (event.last_minute, event.heat.minute) == (minute_at(5), minute_at(5))


def test_unknown_author_weighs_as_the_least_tier_and_adds_no_audience() -> None:
    event = event_of(scored(author=None))
    assert event.heat.value == 0.5  # person, the least
    assert spread_of(event).source_weight == 0.5
    assert spread_of(event).authors.audience() == Audience(0, 0)


def test_source_is_the_highest_tier_that_spoke_negatively() -> None:
    praise = scored(id="1", negative=0.0, author={"id": "g", "tier": "government"})
    blame = scored(id="2", author={"id": "m", "tier": "media"})
    rumour = scored(id="3", author={"id": "p", "tier": "person"})
    assert spread_of(event_of(praise)).source_weight == 0
    assert spread_of(event_of(praise, blame, rumour)).source_weight == 0.8


def test_mention_at_the_lateness_still_counts_in_bursts() -> None:
    event = event_of(scored(0), clock=minute_at(10))
    assert event.late == 0
    assert event.buckets[minute_at(0)].mentions == 1


def test_mention_after_the_lateness_counts_in_totals_only() -> None:
    event = event_of(scored(0, author=AUTHOR), clock=minute_at(11))
    assert (event.late, event.mentions, event.negative, event.clusters) == (1, 1, 1, 1)
    assert event.buckets == {}
    assert spread_of(event).authors.audience() == Audience(1, 100)
    assert event.behind is False


def test_late_mention_moves_the_beginning_back() -> None:
    event = event_of(scored(0), scored(-90, id="2"))
    assert event.first_minute == minute_at(-90)
    assert event.last_minute == minute_at(0)


def test_mention_for_a_closed_minute_leaves_the_event_behind() -> None:
    event = EventState.new(minute_at(0), FORMULA)
    assert add_mention(event, scored(4), clock=minute_at(4), parameters=FORMULA) is False
    assert event.behind is False
    late = scored(3, id="2")
    assert add_mention(event, late, clock=minute_at(4), parameters=FORMULA) is False
    assert event.behind is True


@pytest.mark.parametrize(("clock", "too_late"), [(10, False), (11, True)])
def test_mention_says_whether_it_is_too_late_for_its_minute(clock: int, too_late: bool) -> None:
    event = EventState.new(minute_at(0), FORMULA)
    assert add_mention(event, scored(0), clock=minute_at(clock), parameters=FORMULA) is too_late


def test_update_is_never_too_late() -> None:
    event = EventState.new(minute_at(0), FORMULA)
    update = scored(0, dedupe="update", engagement_change={"likes": 1})
    assert add_mention(event, update, clock=minute_at(60), parameters=FORMULA) is False
    assert event.late == 0


def test_received_at_is_that_of_the_mention_that_came_last() -> None:
    event = event_of(
        scored(0, received_at=at(3)),
        scored(1, id="2", received_at=at(2)),
        scored(0, dedupe="update", received_at=at(4), engagement_change={"likes": 1}),
    )
    assert event.received_at == at(4)


def likes(number: int, **fields: Any) -> Any:
    return scored(id=f"m{number}", engagement={"likes": number}, **fields)


def test_evidence_is_the_three_hottest_clusters() -> None:
    event = event_of(*(likes(number) for number in (1, 50, 3, 40, 20)))
    assert {one.id for one in event.evidence.values()} == {"m50", "m40", "m20"}


def test_evidence_of_a_cluster_is_its_hottest_mention() -> None:
    event = event_of(*(likes(number, cluster_id="hexing/x") for number in (5, 90, 40)))
    assert {key: one.id for key, one in event.evidence.items()} == {"hexing/x": "m90"}


def test_evidence_says_what_the_mention_was_found_to_be() -> None:
    event = event_of(scored(negative=0.25, emotion="fear"))
    (evidence,) = event.evidence.values()
    assert (evidence.polarity, evidence.emotion) == (Polarity.NEUTRAL, Emotion.FEAR)


def test_evidence_text_is_cut() -> None:
    event = event_of(scored(text="钱" * 141))
    assert event.evidence["hexing/weibo:1"].text == "钱" * 140


@given(st.permutations(range(1, 8)))
def test_evidence_does_not_depend_on_the_order(numbers: list[int]) -> None:
    event = event_of(*(likes(number) for number in numbers))
    assert {one.id for one in event.evidence.values()} == {"m5", "m6", "m7"}


def test_state_comes_back_from_json_as_it_was() -> None:
    codec = TypeAdapter(EventState)
    event = event_of(
        scored(author=AUTHOR, engagement={"reads": 7}, emotion="fear"),
        scored(id="2", platform="zhihu", author={"id": "b", "followers": 5}, url="https://a.cn/"),
    )
    event.levels.level, event.levels.since = Level.ORANGE, 5
    restored = codec.validate_json(codec.dump_json(event, exclude_none=True))
    assert codec.dump_json(restored) == codec.dump_json(event)
    assert spread_of(restored).authors.audience() == Audience(2, 105)
    assert restored.levels.level is Level.ORANGE
    assert restored.platforms == {"weibo": 1, "zhihu": 1}
    add_mention(restored, scored(id="3"), clock=minute_at(0), parameters=FORMULA)
    assert restored.platforms["weibo"] == 2
    assert restored.emotions == {"fear": 1, "neutral": 2}
