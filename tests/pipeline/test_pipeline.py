"""The pipeline on the embedded broker with real worker processes."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from cluster import (
    READY_SECONDS,
    WITH_MODEL,
    WITHOUT_MODEL,
    Cluster,
    mention,
    running_broker,
    running_cluster,
)

from wanglou.agents import topic_admin
from wanglou.agents.demo import STREAM
from wanglou.agents.kafka import partition_of
from wanglou.agents.replay import read_lines
from wanglou.agents.settings import ModelSettings, Settings, TopicSettings
from wanglou.agents.step3_sentiment import load_model
from wanglou.models.backtest import Backtest
from wanglou.models.opinion import NoModel, OpinionModel
from wanglou.schemas.dead_letter import DeadLetter, Reason
from wanglou.schemas.mention import DedupedMention, DedupeKind, Emotion, Mention, ScoredMention
from wanglou.schemas.risk import Alert, AlertKind, Event
from wanglou.schemas.topics import (
    ACCEPTED,
    ALERTS,
    DEAD_LETTERS,
    DEDUPED,
    EVENTS,
    INTAKE_STATE,
    RAW,
    SCORED,
)

LINES = 1500
"""Lines of the demo's stream that most tests send: its first malformed ones are among them."""


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with running_cluster(tmp_path, partitions=4) as running:
        yield running


def stream(lines: int | None = LINES) -> list[bytes]:
    return [line.value for line in itertools.islice(read_lines(STREAM), lines)]


def wanglou(*arguments: str, folder: Path, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wanglou.agents.commands", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, cwd=folder, check=False
    )


def backtest(values: list[bytes], partitions: int, model: OpinionModel | None = None) -> Backtest:
    settings = Settings()
    test = Backtest(
        settings.load_rules(),
        model or NoModel(),
        settings.load_author_key(),
        lambda key: partition_of(key, partitions),
    )
    for _ in test.feed(values):
        pass
    return test


async def test_every_mention_is_accounted_for(cluster: Cluster) -> None:
    worker = cluster.start_worker()
    worker.wait_ready(READY_SECONDS)
    values = stream()
    await cluster.send(values)
    await cluster.drained()

    counts = await cluster.counts()
    expected = backtest(values, partitions=4).result.counts
    assert len(await cluster.records(RAW)) == LINES
    assert counts["dead-letters"] == expected["dead-letter"] > 0

    def outcome(agent: str, name: str) -> int:
        return int(worker.metric("wanglou_outcomes_total", agent=agent, outcome=name))

    accepted = await cluster.contracts(ACCEPTED, Mention)
    assert len(accepted) == expected["accepted"]
    relevant = LINES - counts["dead-letters"] - outcome("intake", "irrelevant")
    several = sum(count - 1 for count in Counter(one.id for one in accepted).values())
    again = sum(
        count - 1 for count in Counter((one.id, one.institution) for one in accepted).values()
    )
    assert len(accepted) == relevant + several - again
    deduped = await cluster.contracts(DEDUPED, DedupedMention)
    assert len(accepted) == len(deduped) + outcome("dedupe", "repeat")
    assert len(deduped) == len(await cluster.records(SCORED))
    kinds = Counter(one.dedupe for one in deduped)
    assert kinds == {
        DedupeKind.ORIGINAL: outcome("dedupe", "original"),
        DedupeKind.DUPLICATE: outcome("dedupe", "duplicate"),
        DedupeKind.UPDATE: outcome("dedupe", "update"),
    }
    for agent, topic in (("intake", RAW), ("dedupe", ACCEPTED), ("sentiment", DEDUPED)):
        assert worker.metric("wanglou_messages_in_total", agent=agent) == counts[topic.short_name]
    assert worker.metric("wanglou_lag_messages") == 0
    assert worker.page("/healthz") == (200, '{"healthy":true,"reasons":[]}')
    assert worker.stop() == 0


@pytest.mark.parametrize(("partitions", "workers"), [(1, 1), (4, 2)])
async def test_pipeline_and_backtest_agree_to_the_last_digit(
    tmp_path: Path, partitions: int, workers: int
) -> None:
    """The order in which everything is processed follows from the stream alone."""
    async with running_cluster(tmp_path, partitions) as cluster:
        for worker in [cluster.start_worker(environment=WITH_MODEL) for _ in range(workers)]:
            worker.wait_ready(READY_SECONDS)
        await cluster.replay(STREAM)
        await cluster.drained()
        test = backtest(stream(None), partitions, model=load_model(ModelSettings()))
        scored = await cluster.contracts(SCORED, ScoredMention)
        assert Counter(one.dedupe.value for one in scored) == Counter(
            {kind.value: test.result.counts[kind.value] for kind in DedupeKind}
        )
        assert {one.institution_negative for one in scored} == {True, False}
        assert sum(one.emotion is not Emotion.NEUTRAL for one in scored) > len(scored) // 10
        alerts = await cluster.contracts(ALERTS, Alert)
        assert {one.kind for one in alerts} >= {AlertKind.RAISED, AlertKind.RESOLVED}
        assert said(alerts) == said(test.result.alerts)
        last = {one.id: one for one in await cluster.contracts(EVENTS, Event)}
        assert last == test.result.events


def said(alerts: Iterable[Alert]) -> list[dict[str, Any]]:
    """What alerts say, in the order of events; but for the broker's clock, which a file has not."""
    ordered = sorted(alerts, key=lambda alert: (alert.event_id, alert.sequence))
    return [alert.model_dump(exclude={"received_at"}) for alert in ordered]


def test_the_demo_finds_what_its_script_says(tmp_path: Path) -> None:
    shown = wanglou("demo", "--speed", "5400", folder=tmp_path, seconds=300)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "挤兑传言,新预警" in shown.stdout
    assert shown.stdout.count("as expected") == 3


async def test_agents_can_be_split_over_workers(cluster: Cluster) -> None:
    front = cluster.start_worker(["intake", "dedupe"])
    back = cluster.start_worker(["sentiment", "risk"])
    front.wait_ready(READY_SECONDS)
    back.wait_ready(READY_SECONDS)
    await cluster.send(stream())
    await cluster.drained()
    scored = len(await cluster.records(SCORED))
    assert scored == len(await cluster.records(DEDUPED)) > 0
    assert front.metric("wanglou_messages_in_total", agent="sentiment") == 0
    done = back.metric("wanglou_messages_in_total", agent="risk")
    assert done == (await cluster.counts())["mentions.scored"]


async def test_a_killed_worker_loses_and_repeats_nothing_in_effect(cluster: Cluster) -> None:
    first = cluster.start_worker()
    first.wait_ready(READY_SECONDS)
    values = stream()
    await cluster.send(values)
    while first.metric("wanglou_messages_in_total", agent="dedupe") < 100:
        assert first.process.poll() is None, first.log_tail()
    first.kill()
    second = cluster.start_worker()
    await cluster.drained()
    distinct = {
        (one.id, one.institution, one.dedupe, one.collected_at)
        for one in await cluster.contracts(DEDUPED, DedupedMention)
    }
    expected = backtest(values, partitions=4).result.counts
    assert len(distinct) == expected["scored"]
    assert second.metric("wanglou_state_restores_total", agent="dedupe") > 0
    assert second.stop() == 0


async def test_a_stopped_worker_ends_its_batches_so_that_nothing_is_written_twice(
    cluster: Cluster,
) -> None:
    first = cluster.start_worker()
    first.wait_ready(READY_SECONDS)
    values = stream(None)
    await cluster.send(values)
    while first.metric("wanglou_messages_in_total", agent="sentiment") < 500:
        assert first.process.poll() is None, first.log_tail()
    assert first.stop() == 0
    written = len(await cluster.records(SCORED))
    cluster.start_worker()
    await cluster.drained()
    assert 0 < written < len(await cluster.records(SCORED))
    expected = backtest(values, partitions=4).result.counts
    for topic, count in ((ACCEPTED, "accepted"), (DEDUPED, "scored"), (SCORED, "scored")):
        ids = [dict(one.headers)["ce_id"] for one in await cluster.records(topic)]
        assert len(ids) == len(set(ids)) == expected[count], topic.short_name


async def test_intake_waits_for_the_last_agent_and_goes_on_with_it(cluster: Cluster) -> None:
    """What it does not let in waits in Kafka: no agent keeps more in memory than a window."""
    window, partitions = 50, 4
    narrow = {**WITHOUT_MODEL, "WANGLOU_WORKER__WINDOW_MESSAGES": str(window)}
    front = cluster.start_worker(["intake", "dedupe", "sentiment"], narrow)
    front.wait_ready(READY_SECONDS)
    values = stream()
    await cluster.send(values)
    for number in range(partitions):
        of_intake = {"agent": "intake", "partition": str(number)}
        while front.metric("wanglou_waiting_messages", **of_intake) == 0:
            assert front.process.poll() is None, front.log_tail()
    let_in = {
        tuple(dict(one.headers)["ce_id"].split(b"/")[:2]) for one in await cluster.records(ACCEPTED)
    }
    assert 0 < len(let_in) <= window * partitions
    cluster.start_worker(["risk"])
    await cluster.drained()
    expected = backtest(values, partitions).result
    assert len(await cluster.records(SCORED)) == expected.counts["scored"]
    last = {one.id: one for one in await cluster.contracts(EVENTS, Event)}
    assert last == expected.events


async def test_bad_messages_cost_nothing_else(cluster: Cluster) -> None:
    cluster.start_worker().wait_ready(READY_SECONDS)
    good = mention("a", "和兴银行手机银行又崩了,转账一直失败")
    comment = mention("b", "我也是,气死了", root_id="a", kind="comment")
    invalid_utf8 = good.replace("崩".encode(), b"\xff\xfe")
    deep = b'{"id":"d","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    large = mention("e", "银" * 100_000)
    await cluster.send_keyed(
        [
            ("a", good),
            (None, b"not json"),
            ("u", invalid_utf8),
            ("d", deep),
            ("e", large),
            ("n", None),
            (None, mention("c", "和兴银行不错")),  # no key: accepted all the same
            ("x" * 300, mention("f", "和兴银行还行")),  # a wrong key too
            ("a", comment),
        ]
    )
    await cluster.drained()
    accepted = {one.id: one for one in await cluster.contracts(ACCEPTED, Mention)}
    assert sorted(accepted) == ["a", "b", "c", "f"]
    assert accepted["b"].inherited
    assert accepted["b"].context == accepted["a"].text
    letters = await cluster.contracts(DEAD_LETTERS, DeadLetter)
    by_value = {letter.value: letter.reason for letter in letters}
    assert by_value == {
        b"not json": Reason.NOT_JSON,
        invalid_utf8: Reason.NOT_JSON,
        deep: Reason.NOT_JSON,
        large: Reason.TOO_LARGE,
        None: Reason.NO_VALUE,
    }


async def test_dead_letters_can_be_shown_and_replayed(cluster: Cluster) -> None:
    worker = cluster.start_worker()
    worker.wait_ready(READY_SECONDS)
    await cluster.send([b"not json", mention("a", "和兴银行")])
    await cluster.drained()
    [letter] = await cluster.contracts(DEAD_LETTERS, DeadLetter)
    options = ("--broker", cluster.broker.url)

    listed = wanglou("dlq", "list", *options, folder=cluster.folder)
    assert listed.returncode == 0
    assert "1 dead letters" in listed.stdout
    shown = wanglou("dlq", "show", letter.id, *options, folder=cluster.folder)
    assert "value:     not json" in shown.stdout
    unknown = wanglou("dlq", "show", "x/0/0", *options, folder=cluster.folder)
    assert unknown.returncode == 1
    assert "there is no dead letter x/0/0" in unknown.stderr
    replayed = wanglou("dlq", "replay", letter.id, *options, folder=cluster.folder)
    assert "1 replayed" in replayed.stdout
    await cluster.drained()
    raw = [record.value for record in await cluster.records(RAW)]
    assert raw.count(b"not json") == 2
    assert len(await cluster.contracts(DEAD_LETTERS, DeadLetter)) == 2


async def test_a_worker_does_not_start_on_wrong_topics(tmp_path: Path) -> None:
    with running_broker(tmp_path) as cluster:
        options = ("--broker", cluster.broker.url)
        missing = wanglou("worker", *options, folder=tmp_path)
        assert missing.returncode == 5
        assert "wanglou.mentions.raw.v1: is missing. Run: wanglou topics create" in missing.stderr
        created = wanglou("topics", "create", *options, folder=tmp_path)
        assert created.returncode == 0, created.stderr
        assert wanglou("topics", "check", *options, folder=tmp_path).returncode == 0


async def test_a_state_topic_with_other_partitions_is_named(tmp_path: Path) -> None:
    with running_broker(tmp_path) as cluster:
        await topic_admin.create(cluster.broker, TopicSettings(partitions=2), [INTAKE_STATE])
        await topic_admin.create(cluster.broker, TopicSettings(partitions=4))
        refused = wanglou("worker", "--broker", cluster.broker.url, folder=tmp_path)
        assert refused.returncode == 5
        assert (
            "wanglou.state.intake.v1: has 2 partitions, "
            "but its source wanglou.mentions.raw.v1 has 4"
        ) in refused.stderr
        assert "kafka-topics --alter" in refused.stderr


async def test_replay_and_watch_from_the_command_line(cluster: Cluster) -> None:
    cluster.start_worker().wait_ready(READY_SECONDS)
    file = cluster.folder / "stream.jsonl"
    file.write_bytes(b"\n".join(stream(50)) + b"\n")
    options = ("--speed", "max", "--broker", cluster.broker.url)
    sent = wanglou("replay", str(file), *options, folder=cluster.folder)
    assert sent.returncode == 0, sent.stderr
    assert "50 mentions sent" in sent.stdout
    file.with_name("stream.jsonl.position").write_text('{"line": 40}')
    resumed = wanglou("replay", str(file), "--resume", *options, folder=cluster.folder)
    assert "10 mentions sent" in resumed.stdout
    assert not file.with_name("stream.jsonl.position").exists()
    await cluster.drained()
    assert len(await cluster.records(RAW)) == 60
