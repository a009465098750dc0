from __future__ import annotations

import itertools
from collections import deque
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.models.builders import (
    PLAYBOOKS,
    REGULATOR,
    TAXONOMY,
    WATCHLIST,
    Positions,
    StateTopic,
    at,
    feed,
    minute_at,
    only,
    parameters,
    placed,
    position_at,
    rules,
    scored,
)
from wanglou.models.assessment import assess, combine, settle, situation
from wanglou.models.event import EventState, add_mention
from wanglou.models.order import Position, before
from wanglou.models.playbooks import MAX_MEASURES, MAX_TEXT, Playbooks
from wanglou.models.risk import Decision, RiskStep, alert_id, alert_kind, alert_title
from wanglou.models.risk_parameters import RiskParameters
from wanglou.models.state import KeyedState
from wanglou.models.taxonomy import Taxonomy
from wanglou.models.watchlist import Watchlist
from wanglou.schemas.base import minute_of
from wanglou.schemas.mention import ScoredMention
from wanglou.schemas.risk import Alert, AlertKind, Event, Level

PLAIN: dict[str, Any] = {
    "impact_weights": {"severity": 1.0, "reach": 0.0, "source": 0.0},
    "activity_weights": {"heat": 0.0, "burst": 0.0, "velocity": 1.0},
}
"""Makes the risk of n negative mentions about a run, all within 30 minutes:

100 · n / (n + 2) · log₂(n + 1) / 4: 19.81 for two (blue), 30 for three (orange), 58.3 for seven
(red). Half an hour after them the velocity, and so the risk, is 0.
"""


class Partition:
    """A risk step with its state, and the positions of one raw partition."""

    def __init__(self, **sections: Any) -> None:
        self.rules = rules(**(PLAIN | sections))
        self.state: KeyedState[EventState] = self.rules.risk_state()
        self.step = self.rules.risk_step(self.state)
        self.positions = Positions()

    def take(self, *mentions: ScoredMention) -> Decision:
        return feed(self.step, mentions, self.positions)

    def tick(self, minute: float, **fields: Any) -> Decision:
        """A mention of another institution moves the clock."""
        return self.take(scored(minute, institution="yunting", negative=0.0, **fields))


def negatives(minute: float, count: int, **fields: Any) -> list[ScoredMention]:
    return [scored(minute, id=f"{minute}/{number}", **fields) for number in range(count)]


def kinds(decision: Decision) -> list[tuple[AlertKind, Level | None]]:
    return [(alert.kind, alert.level) for alert in decision.alerts]


@pytest.fixture
def partition() -> Partition:
    return Partition()


# --- small parts


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, Level.BLUE, AlertKind.RAISED),
        (None, Level.RED, AlertKind.RAISED),
        (Level.BLUE, Level.YELLOW, AlertKind.ESCALATED),
        (Level.BLUE, Level.RED, AlertKind.ESCALATED),
        (Level.RED, Level.BLUE, AlertKind.DE_ESCALATED),
        (Level.BLUE, None, AlertKind.RESOLVED),
        (Level.RED, None, AlertKind.RESOLVED),
    ],
)
def test_kind_of_a_change(before: Level | None, after: Level | None, kind: AlertKind) -> None:
    assert alert_kind(before, after) is kind


@pytest.mark.parametrize(
    ("before", "after", "title"),
    [
        (None, Level.YELLOW, "【黄色·较大】甲:乙,新预警,风险值 21.5"),
        (Level.BLUE, Level.RED, "【红色·特别重大】甲:乙,由蓝色·一般升级,风险值 21.5"),
        (Level.ORANGE, Level.BLUE, "【蓝色·一般】甲:乙,由橙色·重大下调,风险值 21.5"),
        (Level.BLUE, None, "【解除】甲:乙,风险值 21.5,预警解除"),
    ],
)
def test_title_says_what_happened(before: Level | None, after: Level | None, title: str) -> None:
    assert alert_title("甲", "乙", before, after, 21.5) == title


def test_alert_id_derives_from_the_transition_alone() -> None:
    namespace = UUID("6f1c9d5e-2c0b-5f0e-9c58-77616e676c6f")
    expected = str(uuid5(namespace, "hexing.run/2/29541120/escalated"))
    assert alert_id("hexing.run", 2, 29541120, AlertKind.ESCALATED) == expected


def test_every_part_of_a_transition_is_in_its_id() -> None:
    ids = {
        alert_id("hexing.run", 1, 5, AlertKind.RAISED),
        alert_id("yunting.run", 1, 5, AlertKind.RAISED),
        alert_id("hexing.run", 2, 5, AlertKind.RAISED),
        alert_id("hexing.run", 1, 6, AlertKind.RAISED),
        alert_id("hexing.run", 1, 5, AlertKind.RESOLVED),
    }
    assert len(ids) == 5


# --- when minutes close


def test_minute_closes_when_the_clock_passes_it(partition: Partition) -> None:
    assert partition.take(*negatives(0, 3)) == Decision()
    assert partition.tick(0.9) == Decision()
    assert kinds(partition.tick(1)) == [(AlertKind.RAISED, Level.ORANGE)]


def test_minute_closes_once(partition: Partition) -> None:
    partition.take(*negatives(0, 3))
    assert len(partition.tick(1).alerts) == 1
    assert partition.tick(1) == Decision()
    assert partition.tick(2).alerts == ()


def test_mention_that_closes_a_minute_is_not_in_it(partition: Partition) -> None:
    partition.take(*negatives(0, 2))
    decision = partition.take(scored(1, id="third"))
    assert kinds(decision) == [(AlertKind.RAISED, Level.BLUE)]
    assert decision.alerts[0].situation.mentions == 2


def test_clock_that_goes_back_closes_nothing(partition: Partition) -> None:
    partition.tick(20)
    partition.take(*negatives(15, 3))
    assert partition.tick(10) == Decision()
    assert len(partition.tick(21).alerts) == 1


def test_raised_alert_tells_everything(partition: Partition) -> None:
    partition.take(
        scored(0, id="1", engagement={"likes": 99}, author={"id": "a", "followers": 10}),
        scored(0, id="2", platform="zhihu", author={"id": "b", "followers": 5}, emotion="fear"),
        scored(0.5, id="3", dedupe="duplicate", cluster_id="hexing/2", received_at=at(0.75)),
    )
    (alert,) = partition.tick(7, received_at=at(7.5)).alerts
    assert alert.kind is AlertKind.RAISED
    assert (alert.level, alert.previous_level, alert.sequence) == (Level.ORANGE, None, 1)
    assert alert.event_id == "hexing.run"
    assert (alert.institution.id, alert.institution.name) == ("hexing", "和兴银行")
    assert (alert.topic.id, alert.topic.name) == ("run", "挤兑传言")
    assert alert.decided_at == at(1)  # the close of minute 0
    assert alert.received_at == at(0.75)  # of the last mention that it counts
    assert alert.title == "【橙色·重大】和兴银行:挤兑传言,新预警,风险值 30.0"
    assert alert.assessment.risk == 30.0
    assert combine(alert.assessment.terms) == alert.assessment
    told = alert.situation
    assert (told.mentions, told.negative, told.clusters, told.audience) == (3, 3, 2, 15)
    assert told.platforms == {"weibo": 2, "zhihu": 1}
    assert told.emotions == {"fear": 1, "neutral": 2}
    assert [(one.id, one.emotion.value) for one in alert.evidence] == [
        ("1", "neutral"),  # the hottest first
        ("2", "fear"),
    ]
    assert alert.id == alert_id("hexing.run", 1, minute_at(0), AlertKind.RAISED)


def test_story_from_raised_to_resolved(partition: Partition) -> None:
    decisions = [
        partition.take(*negatives(0, 2)),  # 19.81
        partition.take(*negatives(10, 1)),  # 30, until the velocity falls to 0 in minute 30
        partition.tick(100),
    ]
    alerts = [alert for decision in decisions for alert in decision.alerts]
    story = [
        (alert.kind, alert.previous_level, alert.level, alert.sequence, alert.decided_at)
        for alert in alerts
    ]
    assert story == [
        (AlertKind.RAISED, None, Level.BLUE, 1, at(1)),
        (AlertKind.ESCALATED, Level.BLUE, Level.ORANGE, 2, at(11)),
        (AlertKind.DE_ESCALATED, Level.ORANGE, Level.BLUE, 3, at(41)),  # calm for 10 minutes
        (AlertKind.RESOLVED, Level.BLUE, None, 4, at(61)),  # quiet for 30
    ]
    assert [len(decision.alerts) for decision in decisions] == [0, 1, 3]
    assert len({alert.id for alert in alerts}) == 4


def test_alert_says_what_to_do_by_whom_and_by_when(partition: Partition) -> None:
    partition.take(*negatives(0, 3))
    (alert,) = partition.tick(1).alerts
    assert alert.level is Level.ORANGE
    assert alert.goal == "run orange"
    assert [(one.department, one.text, one.due_at) for one in alert.measures] == [
        ("品牌公关部", "发布说明", at(1 + 30)),  # from the decision
        ("品牌公关部", "汇总说法", at(1 + 30)),
    ]
    assert [(one.rule, one.due_at, one.note) for one in alert.reports] == [
        ("另一办法", at(1), None),
        ("某办法", at(1 + 120), "待合规部门确认"),
    ]


def test_deadlines_count_from_each_decision_and_clocks_start_once(partition: Partition) -> None:
    partition.take(*negatives(0, 2), *negatives(10, 1))
    told = {alert.kind: alert for alert in partition.tick(100).alerts}
    raised, lowered = told[AlertKind.ESCALATED], told[AlertKind.DE_ESCALATED]
    assert [one.due_at for one in raised.measures] == [at(11 + 30), at(11 + 30)]
    assert len(raised.reports) == 2
    # lowered to blue: the steps of blue, from then on, and no new clock
    assert (lowered.goal, lowered.reports) == ("run blue", ())
    assert [one.due_at for one in lowered.measures] == [at(41 + 30)]
    resolved = told[AlertKind.RESOLVED]
    assert (resolved.goal, resolved.measures, resolved.reports) == (None, (), ())


def test_alert_of_the_largest_playbook_is_small() -> None:
    long = {"kind": "statement", "minutes": 60, "department": "部" * 64, "text": "字" * MAX_TEXT}
    many = [{"id": f"m{number}", **long} for number in range(MAX_MEASURES)]
    plan = {level.label: {"goal": "字" * MAX_TEXT} for level in Level}
    plan["blue"] = {**plan["blue"], "measures": many}  # type: ignore[dict-item]
    made = rules(**PLAIN)
    topics = {topic.id: plan for topic in TAXONOMY.topics}
    playbooks = Playbooks.model_validate({"topics": topics})
    step = replace(made, playbooks=playbooks).risk_step()
    (alert,) = feed(step, [*negatives(0, 3), scored(1, institution="yunting")]).alerts
    assert len(alert.measures) == MAX_MEASURES
    assert len(alert.to_json()) < 64 * 1024


def test_open_event_is_told_at_every_close_and_once_more_when_resolved(
    partition: Partition,
) -> None:
    partition.take(*negatives(0, 3))
    first = partition.tick(5).events
    assert [(one.id, one.level, one.since, one.assessed_at) for one in first] == [
        ("hexing.run", Level.ORANGE, at(1), at(5))
    ]
    assert first[0].situation.mentions == 3
    second = partition.tick(6).events
    assert [(one.level, one.since, one.assessed_at) for one in second] == [
        (Level.ORANGE, at(1), at(6))
    ]
    last = partition.tick(200).events
    assert [(one.level, one.since) for one in last] == [(None, at(61))]
    assert partition.tick(201).events == ()


def test_event_that_never_had_a_level_is_not_told(partition: Partition) -> None:
    partition.take(*negatives(0, 1))  # 8.3
    assert partition.tick(50) == Decision()


def test_reopened_event_keeps_its_id_and_goes_on_counting(partition: Partition) -> None:
    partition.take(*negatives(0, 3))
    partition.tick(200)
    partition.take(*negatives(300, 3))
    (alert,) = partition.tick(301).alerts
    assert (alert.kind, alert.event_id, alert.sequence) == (AlertKind.RAISED, "hexing.run", 4)
    assert alert.situation.mentions == 6


def test_topics_and_institutions_are_events_of_their_own(partition: Partition) -> None:
    partition.take(
        *negatives(0, 3),
        *negatives(0.1, 3, institution="yunting"),
        *negatives(0.2, 1, risk_topic="outage"),
    )
    assert [alert.event_id for alert in partition.tick(1).alerts] == ["hexing.run", "yunting.run"]
    assert {key for key, _ in partition.state.items()} == {
        "hexing.run",
        "yunting.run",
        "hexing.outage",
    }


def test_storm_of_good_news_is_no_risk(partition: Partition) -> None:
    partition.take(*negatives(0, 500, negative=0.0))
    assert partition.tick(60) == Decision()


def test_open_events_are_those_in_force(partition: Partition) -> None:
    partition.take(*negatives(0, 3), *negatives(0.1, 2, institution="yunting"))
    assert partition.step.open_events() == []
    partition.tick(1)
    assert sorted(one.level for one in partition.step.open_events()) == [Level.BLUE, Level.ORANGE]
    partition.tick(200)
    assert partition.step.open_events() == []


def test_open_event_has_the_risk_of_its_last_close(partition: Partition) -> None:
    partition.take(*negatives(0, 3))
    [event] = partition.tick(1).events
    [opened] = partition.step.open_events()
    assert (opened.institution, opened.topic) == ("hexing", "run")
    assert (opened.level, opened.risk) == (event.level, event.assessment.risk)
    [event] = partition.tick(5).events
    [opened] = partition.step.open_events()
    assert opened.risk == event.assessment.risk


def test_risk_of_an_open_event_is_known_after_a_restart(partition: Partition) -> None:
    partition.take(*negatives(0, 3))
    partition.tick(1)
    before = partition.step.open_events()
    assert partition.rules.risk_step(partition.state).open_events() == before != []


# --- late mentions


def test_mention_within_the_lateness_is_assessed_again(partition: Partition) -> None:
    partition.take(*negatives(5, 1))
    partition.tick(10)  # minute 5 closes with one mention
    partition.take(*negatives(5.5, 2))  # two more for it
    (alert,) = partition.tick(11).alerts
    assert (alert.level, alert.decided_at) == (Level.ORANGE, at(10))  # at the last minute closed
    assert alert.situation.late == 0


def test_mention_after_the_lateness_counts_in_totals_only(partition: Partition) -> None:
    partition.take(*negatives(5, 1))
    partition.tick(50)
    partition.take(*negatives(5.5, 20))
    assert partition.tick(51) == Decision()
    event = only(partition.state)
    assert (event.mentions, event.negative, event.late) == (21, 21, 20)
    assert sum(bucket.mentions for bucket in event.buckets.values()) <= 1


def test_event_first_heard_of_late_is_assessed_at_the_last_minute_closed(
    partition: Partition,
) -> None:
    partition.tick(10)
    partition.take(*negatives(5, 3))
    (alert,) = partition.tick(11).alerts
    # three within the 30 minutes before the close of minute 9
    assert (alert.level, alert.decided_at) == (Level.ORANGE, at(10))


def test_decision_tells_whether_the_mention_is_late(partition: Partition) -> None:
    assert not partition.take(*negatives(20, 1)).late
    assert not partition.take(*negatives(10, 1)).late  # just within the lateness
    assert partition.take(*negatives(9, 1)).late
    assert not partition.take(scored(9, id="update", dedupe="update")).late


def totals(step: RiskStep, state: KeyedState[EventState], formula: RiskParameters) -> Any:
    event = only(state)
    told = situation(event, minute_at(11), formula)
    counted = {minute: bucket.mentions for minute, bucket in event.buckets.items()}
    evidence = {key: (one.id, one.heat) for key, one in event.evidence.items()}
    heat = pytest.approx(told.heat, abs=1e-5)
    return told.model_copy(update={"heat": 0.0}), heat, counted, evidence


within_lateness = st.lists(
    st.fixed_dictionaries(
        {
            "minute": st.integers(0, 10),
            "negative": st.sampled_from([0.0, 0.75, 1.0]),
            "platform": st.sampled_from(["weibo", "zhihu"]),
            "author": st.one_of(
                st.none(),
                st.fixed_dictionaries(
                    {"id": st.sampled_from("abc"), "followers": st.integers(0, 10**6)}
                ),
            ),
            "parent_id": st.sampled_from([None, "p"]),
            "dedupe": st.sampled_from(["original", "duplicate", "update"]),
        }
    ),
    min_size=1,
    max_size=10,
)


@given(within_lateness, st.randoms(use_true_random=False))
def test_order_within_the_lateness_leaves_the_same_totals(
    drawn: list[dict[str, Any]], random: Any
) -> None:
    mentions = [
        scored(fields.pop("minute"), id=str(number), engagement={"likes": number + 1}, **fields)
        for number, fields in enumerate(dict(one) for one in drawn)
    ]
    shuffled = list(mentions)
    random.shuffle(shuffled)
    results = []
    for order in (mentions, shuffled):
        partition = Partition()
        partition.take(*order)
        results.append(totals(partition.step, partition.state, partition.rules.risk))
    assert results[0] == results[1]


# --- replays and restarts


def test_replayed_position_changes_nothing(partition: Partition) -> None:
    mentions = [*negatives(0, 3), scored(5, id="x"), *negatives(7, 2)]
    read = placed(mentions)
    for position, mention in read:
        partition.step.process(mention, position=position)
    before = snapshot(partition)
    for position, mention in read:
        assert partition.step.process(mention, position=position) == Decision()
    assert snapshot(partition) == before


def snapshot(partition: Partition) -> dict[str, tuple[Position, bytes]]:
    codec = TypeAdapter(EventState)
    return {
        key: (partition.state.applied(key), codec.dump_json(event))
        for key, event in partition.state.items()
    }


def test_repeat_of_a_batch_after_a_crash_has_the_same_ids(partition: Partition) -> None:
    mentions = [*negatives(0, 3), *negatives(10, 4), scored(100, institution="yunting")]
    first, again = Partition(), Partition()
    assert [alert.to_json() for alert in first.take(*mentions).alerts] == [
        alert.to_json() for alert in again.take(*mentions).alerts
    ]


scored_mentions = st.lists(
    st.builds(
        lambda minute, number, negative, institution, kind: scored(
            minute,
            id=f"m{number}",
            negative=negative,
            institution=institution,
            dedupe=kind,
            collected_at=at(minute + 1),
            engagement={"likes": number},
            author={"id": f"a{number}", "followers": number},
        ),
        st.one_of(st.integers(0, 40), st.integers(0, 400), st.integers(0, 6000)),
        st.integers(0, 30),
        st.sampled_from([0.0, 0.5, 0.9, 1.0]),
        st.sampled_from(["hexing", "yunting"]),
        st.sampled_from(["original", "original", "duplicate", "update"]),
    ),
    max_size=40,
)
AFTER_ALL = 8000
"""A minute so long after any of theirs that every event has been resolved."""


@given(scored_mentions, st.sets(st.integers(0, 40)))
@example(
    # an event of which only something late is known when the worker restarts
    [
        scored(100, id="1", institution="yunting"),
        scored(0, id="2"),
        scored(110, id="3", institution="yunting"),
        *negatives(105, 3),
        scored(120, id="4", institution="yunting"),
    ],
    {2},
)
def test_restarts_are_not_noticed(mentions: list[ScoredMention], restarts: set[int]) -> None:
    unbroken, restarted = Partition(), Partition()
    topic = StateTopic(EventState)
    for number, (position, mention) in enumerate(placed(mentions)):
        if number in restarts:
            topic.store(restarted.state)
            restarted.state = topic.restore(restarted.rules.risk_state())
            restarted.step = restarted.rules.risk_step(restarted.state)
        expected = unbroken.step.process(mention, position=position)
        assert restarted.step.process(mention, position=position) == expected


def outcome(partition: Partition, decisions: list[Decision]) -> tuple[dict[str, bytes], Any]:
    """All alerts by id, each told once or alike; and the events in the end."""
    alerts: dict[str, bytes] = {}
    for alert in (alert for decision in decisions for alert in decision.alerts):
        assert alerts.setdefault(alert.id, alert.to_json()) == alert.to_json()
    codec = TypeAdapter(EventState)
    return alerts, {key: codec.dump_json(event) for key, event in partition.state.items()}


THE_END = position_at(AFTER_ALL)


@given(scored_mentions, st.lists(st.integers(0, 7000), max_size=30))
def test_alerts_are_the_same_however_often_minutes_are_closed(
    mentions: list[ScoredMention], more: list[int]
) -> None:
    """With mentions only, at some minutes more, or at every minute."""
    results = []
    for closes in ([], sorted(more), range(7000)):
        partition, decisions = Partition(), []
        minutes = deque(closes)
        for position, mention in placed(mentions):
            while minutes and minute_at(minutes[0]) <= position.minute:
                decisions.append(partition.step.close(position_at(minutes.popleft(), offset=-1)))
            decisions.append(partition.step.process(mention, position=position))
        decisions.append(partition.step.close(THE_END))
        results.append(outcome(partition, decisions))
    assert results[0] == results[1] == results[2]


@given(scored_mentions, st.data())
def test_restart_in_the_middle_of_a_state_write_changes_nothing(
    mentions: list[ScoredMention], data: st.DataObject
) -> None:
    """What a batch brings is sent before its state is written; then some of that is written."""
    unbroken, broken = Partition(), Partition()
    expected = [unbroken.step.process(one, position=place) for place, one in placed(mentions)]
    expected.append(unbroken.step.close(THE_END))

    topic, decisions = StateTopic(EventState), []
    done, crashes, read = 0, 0, placed(mentions)
    while done < len(read):
        batch = read[done : done + data.draw(st.integers(1, 10))]
        decisions += [broken.step.process(one, position=place) for place, one in batch]
        following = read[done + len(batch) :]
        if following and data.draw(st.booleans()):  # a watermark told it
            decisions.append(broken.step.close(before(following[0][0].time)))
        crash = crashes < 4 and data.draw(st.booleans())
        if crash:
            topic.store(broken.state, changes=data.draw(st.integers(0, 6)))
            broken.state = topic.restore(broken.rules.risk_state())
            broken.step = broken.rules.risk_step(broken.state)
            crashes += 1
        else:
            topic.store(broken.state)
            done += len(batch)
    decisions.append(broken.step.close(THE_END))
    assert outcome(broken, decisions) == outcome(unbroken, expected)


def test_event_that_had_come_further_before_a_restart_is_not_assessed_again() -> None:
    """Closed up to minute 62 and written, unlike the mark: the next close goes on from there."""
    read = placed(
        [
            *negatives(0, 2),
            *negatives(20, 3),
            scored(22, id="x", institution="yunting"),
            scored(62, id="y", institution="yunting"),
        ]
    )
    unbroken, broken, topic = Partition(), Partition(), StateTopic(EventState)
    expected = [unbroken.step.process(one, position=place) for place, one in read]
    decisions = [broken.step.process(one, position=place) for place, one in read[:5]]
    topic.store(broken.state)
    place, one = read[5]
    decisions.append(broken.step.process(one, position=place))
    decisions.append(broken.step.close(before(read[6][0].time)))
    topic.store(broken.state, changes=1)
    broken.state = topic.restore(broken.rules.risk_state())
    assert broken.state.clock == minute_at(20)
    assert broken.state.applied("hexing.run").minute == minute_at(62)
    broken.step = broken.rules.risk_step(broken.state)
    decisions += [broken.step.process(one, position=place) for place, one in read[5:]]
    for partition, all_of_it in ((unbroken, expected), (broken, decisions)):
        all_of_it.append(partition.step.close(THE_END))
    assert outcome(broken, decisions) == outcome(unbroken, expected)


@given(scored_mentions)
def test_every_alert_and_event_is_a_valid_message(mentions: list[ScoredMention]) -> None:
    partition = Partition()
    decision = partition.take(*mentions)
    last = partition.tick(AFTER_ALL)
    for alert in (*decision.alerts, *last.alerts):
        assert Alert.model_validate_json(alert.to_json()) == alert
        assert combine(alert.assessment.terms) == alert.assessment
    for event in (*decision.events, *last.events):
        assert Event.model_validate_json(event.to_json()) == event


@given(scored_mentions)
@example(
    # forgotten after a day without a mention
    [
        scored(minute, id=f"{number}", institution="yunting")
        for number, minute in enumerate((0, 0, 1500, 1490))
    ]
)
def test_life_of_an_event_is_in_order(mentions: list[ScoredMention]) -> None:
    partition = Partition()
    alerts = [*partition.take(*mentions).alerts, *partition.tick(AFTER_ALL).alerts]
    assert len({alert.id for alert in alerts}) == len(alerts)
    for key in {alert.event_id for alert in alerts}:
        life = [alert for alert in alerts if alert.event_id == key]
        assert life[0].sequence == 1
        for earlier, later in itertools.pairwise(life):
            following = earlier.sequence + 1
            if later.sequence != following:  # it was forgotten in between, and began anew
                assert (earlier.kind, later.sequence) == (AlertKind.RESOLVED, 1)
                assert (later.decided_at - earlier.decided_at).total_seconds() >= 12 * 3600
        levels = [None, *(alert.level for alert in life)]
        assert [alert.previous_level for alert in life] == levels[:-1]
        assert life[-1].kind is AlertKind.RESOLVED  # after so long a silence
        for earlier, later in itertools.pairwise(life):
            assert (later.decided_at - earlier.decided_at).total_seconds() >= 5 * 60  # the dwell


# --- what no longer is, or never was, in the rules


def test_forgotten_event_begins_anew(partition: Partition) -> None:
    partition.take(*negatives(0, 3))
    partition.tick(10)
    partition.tick(3 * 1440)
    assert partition.state.get("hexing.run") is None
    partition.take(*negatives(3 * 1440, 3))
    (alert,) = partition.tick(3 * 1440 + 1).alerts
    assert (alert.sequence, alert.situation.mentions) == (1, 3)


def test_event_is_resolved_before_it_is_forgotten(partition: Partition) -> None:
    partition.take(*negatives(0, 3))
    decision = partition.tick(30 * 1440)
    assert kinds(decision)[-1] == (AlertKind.RESOLVED, None)
    assert partition.state.get("hexing.run") is None


def test_institution_and_topic_no_longer_in_the_rules_still_have_a_name() -> None:
    watchlist = Watchlist(institutions=WATCHLIST.institutions[1:])
    taxonomy = Taxonomy(
        topics=tuple(
            topic.model_copy(update={"severity": TAXONOMY.topics[0].severity})
            for topic in TAXONOMY.topics[1:]
        )
    )
    step = RiskStep(
        watchlist,
        taxonomy,
        parameters(**PLAIN),
        PLAYBOOKS,
        REGULATOR,
        rules().risk_state(),
        rules_version="small",
    )
    decision = feed(step, [*negatives(0, 3), scored(1, institution="yunting")])
    (alert,) = decision.alerts
    assert (alert.institution.id, alert.institution.name) == ("hexing", "hexing")
    assert (alert.topic.id, alert.topic.name) == ("run", "其他")
    assert alert.rules_version == "small"


@pytest.mark.parametrize(
    ("size", "factor"),
    [(None, 1.0), ("small", 0.9), ("medium", 1.0), ("large", 1.1), ("systemic", 1.2)],
)
def test_what_is_said_of_a_large_institution_weighs_more(size: str | None, factor: float) -> None:
    watchlist = Watchlist.model_validate(
        {"institutions": [{"id": "hexing", "name": "和兴银行", "size": size}]}
    )
    step = replace(rules(**PLAIN), watchlist=watchlist).risk_step()
    (alert,) = feed(step, [*negatives(0, 7, risk_topic="outage"), *negatives(1, 1)]).alerts
    severity = TAXONOMY.topic("outage").severity
    (term,) = [one for one in alert.assessment.terms if one.name == "severity"]
    assert term.inputs == {
        name: pytest.approx(factor * value) for name, value in severity.model_dump().items()
    }


def test_id_with_a_dot_does_not_stop_the_partition(partition: Partition) -> None:
    # no watch list has one, but whoever writes to the topic might
    partition.take(*negatives(0, 3, institution="a.b"), *negatives(0.1, 3))
    alerts = partition.tick(1).alerts
    assert [alert.institution.id for alert in alerts] == ["a.b", "hexing"]
    assert {alert.topic.id for alert in alerts} == {"run"}


# --- more negative mentions


FORMULA = parameters()  # windows: burst 10, velocity 30, negative share 60 minutes; lateness 10
END = minute_at(60)


def risk_of(mentions: list[ScoredMention]) -> float:
    """The risk at the close of minute 60."""
    return assess(event_of(mentions), END, TAXONOMY.topic("run").severity, FORMULA).risk


def event_of(mentions: list[ScoredMention]) -> EventState:
    """An event whose mentions came in order, at the close of minute 60."""
    event = EventState.new(minute_at(0), FORMULA)
    for mention in sorted(mentions, key=lambda mention: mention.event_time):
        clock = minute_of(mention.event_time)
        add_mention(event, mention, clock=clock, parameters=FORMULA)
    settle(event, END, FORMULA)
    return event


spoken = st.builds(
    lambda minute, number, negative, tier, depth: scored(
        minute,
        id=f"m{number}",
        negative=negative,
        author={"id": f"a{number}", "followers": 37 * number, "tier": tier},
        engagement={"likes": number},
        parent_id="p" if depth else None,
    ),
    st.integers(0, 60),
    st.integers(0, 1000),
    st.floats(0, 1),
    st.sampled_from(["person", "media", "government"]),
    st.booleans(),
)
negative_now = st.builds(
    lambda minute, number, tier: scored(
        minute,
        id=f"more {number}",
        negative=1.0,
        author={"id": f"a{number}", "followers": number, "tier": tier},
    ),
    st.integers(51, 60),
    st.integers(0, 2000),
    st.sampled_from(["person", "media", "government"]),
)


@given(st.lists(spoken, max_size=25), st.lists(negative_now, min_size=1, max_size=5))
def test_more_negative_mentions_in_the_burst_window_never_lower_the_risk(
    mentions: list[ScoredMention], more: list[ScoredMention]
) -> None:
    assert risk_of(mentions + more) >= risk_of(mentions)


def storm() -> list[ScoredMention]:
    """Fifteen certainly negative mentions in minute 60."""
    return negatives(60, 15)


def test_negative_mention_before_the_velocity_window_lowers_the_risk() -> None:
    # 15 now and 0 before are 4 doublings, 15 and 1 are 3
    assert risk_of([*storm(), scored(20, id="before")]) < risk_of(storm())


def test_negative_mention_that_the_baseline_has_learnt_lowers_the_risk() -> None:
    # minutes up to 50 are settled: a storm there makes the same number now less of a burst
    formula_without_velocity = [*storm(), *negatives(45, 30)]
    assert burst_of(formula_without_velocity) < burst_of(storm())


def burst_of(mentions: list[ScoredMention]) -> float:
    terms = assess(event_of(mentions), END, TAXONOMY.topic("run").severity, FORMULA).terms
    return next(term.value for term in terms if term.name == "burst")


def test_hardly_negative_mention_among_certain_ones_lowers_the_risk() -> None:
    # its probability of .51 lowers the share more than one mention more raises the activity
    quiet = [*storm(), *negatives(59, 200)]
    hardly = scored(60, id="hardly", negative=0.51)
    assert hardly.polarity == "negative"
    assert risk_of([*quiet, hardly]) < risk_of(quiet)
