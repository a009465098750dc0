"""The situation of an event as a whole: what it counts, how large it gets, what a restart does."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.models.builders import (
    Positions,
    StateTopic,
    at,
    joined,
    minute_at,
    only,
    parameters,
    rules,
    scored,
)
from wanglou.models.assessment import situation
from wanglou.models.event import MAX_PLATFORMS, MAX_REGIONS, EventState, add_mention
from wanglou.models.risk import Decision
from wanglou.schemas.mention import Emotion, ScoredMention
from wanglou.schemas.risk import Situation

FORMULA = parameters()
STATE = TypeAdapter(EventState)

EVENT_BYTES = 64 * 1024
ALERT_BYTES = 32 * 1024


def code_of(seed: int) -> str:
    return b64encode(Random(seed).randbytes(128)).decode()


def situation_of(*mentions: ScoredMention, clock: int = 0) -> Situation:
    event = EventState.new(minute_at(0), FORMULA)
    for mention in mentions:
        add_mention(event, mention, clock=minute_at(clock), parameters=FORMULA)
    return situation(event, minute_at(clock), FORMULA)


def update(**fields: Any) -> ScoredMention:
    return scored(dedupe="update", engagement_change={"likes": 1}, **fields)


# --- what counts


def test_everything_is_told() -> None:
    author = {"id": "hash", "followers": 9}
    found = situation_of(
        scored(0, id="a", emotion="fear", viewpoint=code_of(1), region="浙江", author=author),
        scored(6, id="b", emotion="angry", viewpoint=code_of(2), platform="zhihu", root_id="a"),
        clock=6,
    )
    assert [one.mentions for one in found.viewpoints] == [1, 1]
    assert found.regions == {"浙江": 1}
    assert found.first_source is not None
    assert found.first_source.id == "a"
    assert [one.id for one in found.spreaders] == ["a"]
    first, second = found.timeline
    assert (first.platforms, first.emotions) == ({"weibo": 1}, {"fear": 1})
    assert (second.platforms, second.emotions) == ({"zhihu": 1}, {"angry": 1})
    assert second.begins_at == at(5)


def test_nothing_is_told_where_nothing_is_given() -> None:
    found = situation_of(scored(author=None))
    assert (found.viewpoints, found.regions, found.spreaders) == ((), {}, ())


def test_a_duplicate_counts_and_an_update_does_not() -> None:
    first = scored(id="a", viewpoint=code_of(1), region="浙江")
    repeat = {"viewpoint": code_of(1), "region": "浙江"}
    same = scored(id="b", dedupe="duplicate", cluster_id="hexing/a", **repeat)
    before = situation_of(first, same)
    assert before.viewpoints[0].mentions == before.regions["浙江"] == 2
    after = situation_of(first, same, update(id="a", **repeat))
    assert after.viewpoints == before.viewpoints
    assert (after.regions, after.timeline) == (before.regions, before.timeline)


def test_a_mention_after_the_lateness_is_no_part_of_the_course() -> None:
    late = {"id": "b", "viewpoint": code_of(2), "region": "浙江"}
    found = situation_of(scored(20, id="a"), scored(9, **late), clock=20)
    assert [slot.begins_at for slot in found.timeline] == [at(20)]
    assert len(found.viewpoints) == found.regions["浙江"] == 1
    assert found.first_source is not None
    assert found.first_source.id == "b"


def test_platforms_after_the_first_are_counted_together() -> None:
    names = [f"p{number}" for number in range(MAX_PLATFORMS + 3)]
    found = situation_of(*(scored(id=name, platform=name) for name in names))
    assert found.platforms == dict.fromkeys(names[:MAX_PLATFORMS], 1) | {"other": 3}
    assert found.timeline[0].platforms == found.platforms


def test_the_commonest_regions_are_told() -> None:
    names = [f"r{number:02}" for number in range(MAX_REGIONS)]
    mentions = [scored(id=name, region=name) for name in names]
    mentions += [scored(id=f"again {name}", region=name) for name in names[-10:]]
    mentions += [scored(id="new", region="new")]
    found = situation_of(*mentions)
    assert found.regions == dict.fromkeys(names[-10:], 2) | {"other": MAX_REGIONS - 10 + 1}


# --- how large it gets

WIDE = "\U00020bb7"  # a Chinese character of four bytes in UTF-8
QUOTES = '"'  # two bytes in JSON
PLATFORMS = [f"p{number}".ljust(32, "x") for number in range(20)]


def hostile(seed: int, filler: str, minute: int) -> ScoredMention:
    """A mention with everything as long as its contract allows."""
    random = Random(seed)

    def name(length: int = 256) -> str:
        return f"{random.randrange(10**9)}".ljust(length, filler)

    return scored(
        minute,
        id=name(),
        cluster_id=f"hexing/{seed}",
        platform=PLATFORMS[seed % 20],
        text="取不出我们的钱了吗" + filler * 20_000,
        url=f"https://{seed}/".ljust(512 // len(filler.encode()), filler),
        author={"id": f"{seed:032x}", "followers": 10**12 - seed, "tier": "organisation"},
        parent_id=name(),
        root_id=name(),
        region=name(32),
        emotion=random.choice(list(Emotion)),
        viewpoint=code_of(seed),
        negative=1.0,
        engagement={"reads": 10**12, "likes": 10**12, "comments": 10**12, "reposts": 10**12},
    )


@settings(deadline=None, max_examples=8)
@given(
    st.sampled_from(["a", WIDE, QUOTES, "\\"]),
    st.lists(st.integers(0, 240), min_size=80, max_size=120),
    st.integers(0, 10**6),
)
@example(WIDE, [number // 4 for number in range(600)], 0)
@example(QUOTES, [number // 4 for number in range(600)], 0)
def test_an_event_and_an_alert_stay_small_whatever_comes(
    filler: str, minutes: list[int], seed: int
) -> None:
    step, positions = rules().risk_step(), Positions()
    found = []
    for number, minute in enumerate([*sorted(minutes), 241]):
        mention = hostile(seed + number, filler, minute)
        found.append(step.process(mention, position=positions.next(mention.event_time)))
    decision = joined(found)
    assert decision.events
    assert decision.alerts
    assert max(len(one.to_json()) for one in decision.events) <= EVENT_BYTES
    assert max(len(one.to_json()) for one in decision.alerts) <= ALERT_BYTES


def test_an_alert_leaves_the_course_and_the_spreaders_to_the_event() -> None:
    step, positions = rules().risk_step(), Positions()
    mentions = [scored(0, id=f"{number}", viewpoint=code_of(1)) for number in range(9)]
    decisions = [
        step.process(one, position=positions.next(one.event_time)) for one in [*mentions, scored(1)]
    ]
    (alert,), (event,) = joined(decisions).alerts, joined(decisions).events
    assert (alert.situation.timeline, alert.situation.spreaders) == ((), ())
    assert event.situation.timeline
    assert alert.situation.viewpoints == event.situation.viewpoints != ()
    assert alert.situation.first_source == event.situation.first_source is not None


# --- restarts

MENTIONS = st.lists(
    st.builds(
        lambda minute, axis, author, region, kind: {
            "minute": minute,
            "viewpoint": code_of(axis),
            "author": {"id": f"a{author}", "followers": author * 10},
            "region": region,
            "dedupe": kind,
        },
        st.integers(0, 90),
        st.integers(0, 12),
        st.integers(0, 7),
        st.sampled_from(["浙江", "广东", None]),
        st.sampled_from(["original", "duplicate", "update"]),
    ),
    min_size=1,
    max_size=25,
)


def decisions(mentions: Sequence[dict[str, Any]], restores: set[int]) -> Decision:
    topic, positions = StateTopic(EventState), Positions()
    state = rules().risk_state()
    step, found = rules().risk_step(state), []
    for number, fields in enumerate(mentions):
        if number in restores:
            topic.store(state)
            state = topic.restore(rules().risk_state())
            step = rules().risk_step(state)
        one = scored(id=f"{number}", **fields)
        found.append(step.process(one, position=positions.next(one.event_time)))
    return joined(found)


@settings(deadline=None)
@given(MENTIONS, st.sets(st.integers(0, 24)))
def test_restarts_change_no_byte(mentions: list[dict[str, Any]], restores: set[int]) -> None:
    whole, restarted = decisions(mentions, set()), decisions(mentions, restores)
    assert [one.to_json() for one in restarted.events] == [one.to_json() for one in whole.events]
    assert [one.to_json() for one in restarted.alerts] == [one.to_json() for one in whole.alerts]


@pytest.mark.parametrize("name", ["regions", "spreaders", "timeline", "viewpoints"])
def test_a_state_of_before_can_be_read(name: str) -> None:
    """What was stored before there was a situation lacks it, and is gone on with."""
    state = rules().risk_state()
    step = rules().risk_step(state)
    step.process(scored(viewpoint=code_of(1)), position=Positions().next(at(0)))
    stored = json.loads(STATE.dump_json(only(state), exclude_none=True))
    assert stored.pop(name) is not None
    event = STATE.validate_python(stored)
    add_mention(event, scored(id="2"), clock=minute_at(0), parameters=FORMULA)
    assert event.mentions == 2
