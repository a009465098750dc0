"""The definitions of the topics."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from wanglou.agents.app import STAGES
from wanglou.schemas.control import Heartbeat, Watermark
from wanglou.schemas.topics import ALERTS, DEAD_LETTERS, RAW, TOPICS, Topic

STATE_TOPICS = [topic for topic in TOPICS if topic.source is not None]
each_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda one: one.short_name)
each_state_topic = pytest.mark.parametrize("topic", STATE_TOPICS, ids=lambda one: one.short_name)


def test_names_are_unique() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


def test_names_do_not_collide_in_metrics() -> None:
    """Kafka's metrics write a dot as an underscore."""
    assert len({topic.name.replace(".", "_") for topic in TOPICS}) == len(TOPICS)


def test_the_contracted_name() -> None:
    assert RAW.name == "wanglou.mentions.raw.v1"


@each_topic
def test_a_name_has_prefix_and_version_and_is_legal_in_kafka(topic: Topic) -> None:
    assert re.fullmatch(r"wanglou\.[a-z.-]+\.v\d+", topic.name)
    assert len(topic.name) <= 249


@each_topic
def test_a_topic_is_described(topic: Topic) -> None:
    assert topic.description.endswith(".")
    assert topic.key
    assert topic.written_by
    assert topic.read_by


@each_topic
def test_a_topic_is_kept_for_a_time_or_compacted_and_either_has_a_message_or_a_source(
    topic: Topic,
) -> None:
    assert topic.compacted == (topic.retention is None)
    assert (topic.message is None) == (topic.source is not None)


@each_topic
def test_the_configuration_says_the_same(topic: Topic) -> None:
    configuration = topic.configuration()
    assert configuration["cleanup.policy"] == ("compact" if topic.compacted else "delete")
    assert configuration["max.message.bytes"] == str(topic.max_message_bytes)
    kept = configuration.get("retention.ms")
    assert kept is None or timedelta(milliseconds=int(kept)) == topic.retention
    assert (kept is None) == topic.compacted
    assert all(isinstance(value, str) for value in configuration.values())


def test_a_week_in_milliseconds() -> None:
    assert RAW.configuration()["retention.ms"] == "604800000"


@each_state_topic
def test_a_state_topic_points_to_the_topic_that_its_agent_reads(topic: Topic) -> None:
    (agent,) = topic.written_by
    assert topic.read_by == (agent,)
    assert topic.name == f"wanglou.state.{agent}.v1"
    if agent == "pager":  # a process of its own
        assert topic.source is ALERTS
        return
    assert topic.source is STAGES[agent].source
    assert STAGES[agent].state_topic is topic


@each_state_topic
def test_a_state_topic_is_compacted_but_not_at_once(topic: Topic) -> None:
    """A worker that woke up late may write after the new owner: both values must stand."""
    assert topic.compacted
    assert int(topic.configuration()["min.compaction.lag.ms"]) >= 60_000


@each_topic
def test_only_what_is_compacted_is_cut_small_as_kafka_never_compacts_the_last_segment(
    topic: Topic,
) -> None:
    configuration = topic.configuration()
    assert ("segment.bytes" in configuration) == ("segment.ms" in configuration) == topic.compacted
    assert int(configuration.get("segment.bytes", 0)) < 1024**3


def test_a_source_is_defined_before_its_state() -> None:
    names = [topic.name for topic in TOPICS]
    for topic in STATE_TOPICS:
        assert topic.source is not None
        assert names.index(topic.source.name) < names.index(topic.name)


@pytest.mark.parametrize("name", STAGES)
def test_an_agent_reads_and_writes_what_the_topics_say(name: str) -> None:
    stage = STAGES[name]
    assert name in stage.source.read_by
    for topic in stage.writes:
        assert name in writers(topic) or topic is DEAD_LETTERS
    said = {topic.name for topic in TOPICS if name in writers(topic) and topic.source is None}
    assert said == {topic.name for topic in stage.writes if topic is not DEAD_LETTERS}


def writers(topic: Topic) -> set[str]:
    """Who writes to a topic, without what is said in brackets."""
    return {one.partition(" (")[0] for one in topic.written_by}


@pytest.mark.parametrize("name", STAGES)
def test_an_agent_reads_what_its_upstream_agent_writes(name: str) -> None:
    stage = STAGES[name]
    if stage.upstream is None:
        assert stage.source is RAW
        return
    (writer,) = stage.source.written_by
    assert stage.upstream is STAGES[writer].source
    assert stage.source is STAGES[writer].output
    assert stage.source.control is Watermark


def test_heartbeats_stand_in_the_raw_topic_only() -> None:
    assert [topic.name for topic in TOPICS if topic.control is Heartbeat] == [RAW.name]


def test_a_dead_letter_has_room_for_the_largest_message_in_base64() -> None:
    largest = max(topic.max_message_bytes for topic in TOPICS if topic is not DEAD_LETTERS)
    assert largest * 4 / 3 + 64 * 1024 < DEAD_LETTERS.max_message_bytes
