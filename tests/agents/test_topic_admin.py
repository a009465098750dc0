"""What is wrong with the topics of a broker, and how to repair it."""

from __future__ import annotations

from wanglou.agents.topic_admin import findings
from wanglou.schemas.topics import ACCEPTED, ALERTS, DEDUPE_STATE, EVENTS, RAW, SCORED, TOPICS

FITTING = {topic.name: 4 for topic in TOPICS}


def test_all_fit() -> None:
    assert findings(FITTING) == []


def test_topics_of_others_do_not_matter() -> None:
    assert findings({**FITTING, "orders": 1, "wanglou.old.v0": 3}) == []


def test_other_topics_may_have_other_partition_counts() -> None:
    assert findings({**FITTING, EVENTS.name: 1}) == []


def test_a_state_topic_follows_its_source() -> None:
    assert findings({**FITTING, ACCEPTED.name: 8, DEDUPE_STATE.name: 8}) == []


def test_each_missing_topic_is_named_with_its_repair() -> None:
    there = {name: 4 for name in FITTING if name not in (RAW.name, ALERTS.name)}
    assert [str(one) for one in findings(there)] == [
        f"{RAW.name}: is missing. Run: wanglou topics create",
        f"{ALERTS.name}: is missing. Run: wanglou topics create",
    ]


def test_on_an_empty_broker_all_are_missing() -> None:
    assert [one.topic for one in findings({})] == [topic.name for topic in TOPICS]


def test_a_state_topic_with_fewer_partitions_than_its_source() -> None:
    (found,) = findings({**FITTING, ACCEPTED.name: 8})
    assert found.topic == DEDUPE_STATE.name
    assert found.problem == f"has 4 partitions, but its source {ACCEPTED.name} has 8"
    assert "Give it 8 partitions" in found.repair
    assert "kafka-topics --alter" in found.repair


def test_a_state_topic_with_more_partitions_than_its_source() -> None:
    """Kafka cannot take partitions away."""
    (found,) = findings({**FITTING, DEDUPE_STATE.name: 6})
    assert found.problem == f"has 6 partitions, but its source {ACCEPTED.name} has 4"
    assert f"Give {ACCEPTED.name} 6 partitions" in found.repair
    assert f"delete {DEDUPE_STATE.name}" in found.repair


def test_a_missing_source_is_named_and_its_state_topic_is_not() -> None:
    there = {name: count for name, count in FITTING.items() if name != SCORED.name}
    assert [one.topic for one in findings(there)] == [SCORED.name]
