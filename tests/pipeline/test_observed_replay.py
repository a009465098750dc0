"""What a real Prometheus sees of a real worker: no panel is empty, and the counters are true."""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pytest
from cluster import Cluster
from observed_replay import PARTITIONS, ObservedReplay, expression, observed_replay

from wanglou.agents.app import STAGES
from wanglou.agents.program import ProgramMissing
from wanglou.agents.settings import Settings
from wanglou.agents.stage import COMMON_OUTCOMES
from wanglou.deploy.grafana.generate import DASHBOARDS
from wanglou.deploy.grafana.panels import Dashboard, Panel, Variable
from wanglou.models.event import negativity
from wanglou.models.scoring import NEGATIVE_FROM
from wanglou.models.taxonomy import OTHER
from wanglou.schemas.dead_letter import DeadLetter, Reason
from wanglou.schemas.mention import DedupedMention, DedupeKind, Mention, ScoredMention
from wanglou.schemas.risk import Alert, Event, Level
from wanglou.schemas.topics import (
    ACCEPTED,
    ALERTS,
    DEAD_LETTERS,
    DEDUPED,
    EVENTS,
    RAW,
    SCORED,
    TOPICS,
)

LINES, SPEED = 1500, 1200.0
"""Eight hours of the stream in 24 seconds: a run begins in them, with malformed mentions."""

SELECTOR = re.compile(r"\b(?:wanglou[a-z0-9_:]*|up)\b(?:\{[^}]*\})?")
"""What reads a series in PromQL of ours."""

PANELS = [(board, panel) for board in DASHBOARDS for panel in board.panels()]
VARIABLES = [(board, variable) for board in DASHBOARDS for variable in board.variables]


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObservedReplay]:
    try:
        with observed_replay(tmp_path_factory.mktemp("replay"), SPEED, LINES) as observed:
            yield observed
    except ProgramMissing as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize(
    ("board", "panel"), PANELS, ids=[f"{board.name}: {panel.title}" for board, panel in PANELS]
)
def test_every_query_of_a_panel_returns_data(
    replay: ObservedReplay, board: Dashboard, panel: Panel
) -> None:
    for query in panel.queries:
        asked = expression(query)
        if panel.kind == "bars":
            found = [value for _, value in replay.prometheus.now(asked) if math.isfinite(value)]
        else:
            series = replay.prometheus.over_time(asked, replay.started, replay.ended)
            found = [value for _, values in series for _, value in values]
        assert found, asked


@pytest.mark.parametrize(
    ("board", "variable"), VARIABLES, ids=[f"{one.name}: {two.name}" for one, two in VARIABLES]
)
def test_every_variable_has_values(
    replay: ObservedReplay, board: Dashboard, variable: Variable
) -> None:
    assert replay.prometheus.ask(f"label/{variable.name}/values", **{"match[]": variable.metric})


def test_every_rule_is_evaluated_and_every_record_has_data(replay: ObservedReplay) -> None:
    rules = replay.prometheus.rules()
    assert {one["type"] for one in rules} == {"recording", "alerting"}
    assert {one["name"]: one.get("lastError", "") for one in rules if one["health"] != "ok"} == {}
    records = {one["name"] for one in rules if one["type"] == "recording"}
    values = {name: [one for _, one in replay.prometheus.now(name)] for name in records}
    assert {name for name, found in values.items() if not any(map(math.isfinite, found))} == set()


def test_every_alert_reads_series_that_are_there(replay: ObservedReplay) -> None:
    """An alert is empty as long as all is well; what it reads must not be."""
    alerts = [one for one in replay.prometheus.rules() if one["type"] == "alerting"]
    selectors = {found for one in alerts for found in SELECTOR.findall(one["query"])}
    assert len(selectors) > len(alerts) / 2
    assert {one for one in selectors if not replay.prometheus.now(one)} == set()


def test_no_alert_but_on_speed_fires_while_all_is_well(replay: ObservedReplay) -> None:
    """The objective of 10 s is missed by a busy machine."""
    firing = 'ALERTS{alertstate="firing", alertname!~"WanglouBudget.*"}'
    assert replay.prometheus.over_time(firing, replay.started, replay.ended) == []


@dataclass(frozen=True, slots=True)
class Written:
    """What the topics hold after the replay."""

    messages: dict[str, int]
    """With those that only tell the time, by the topic's short name."""
    raw: int
    raw_accepted: int
    """Raw mentions that named an institution."""
    accepted: list[Mention]
    deduped: list[DedupedMention]
    scored: list[ScoredMention]
    states: list[Event]
    alerts: list[Alert]
    letters: list[DeadLetter]

    @classmethod
    async def read(cls, cluster: Cluster) -> Written:
        accepted = await cluster.records(ACCEPTED)
        places = {dict(one.headers)["ce_id"].rsplit(b"/", 1)[0] for one in accepted}
        return cls(
            messages=await cluster.counts(),
            raw=len(await cluster.records(RAW)),
            raw_accepted=len(places),
            accepted=await cluster.contracts(ACCEPTED, Mention),
            deduped=await cluster.contracts(DEDUPED, DedupedMention),
            scored=await cluster.contracts(SCORED, ScoredMention),
            states=await cluster.contracts(EVENTS, Event),
            alerts=await cluster.contracts(ALERTS, Alert),
            letters=await cluster.contracts(DEAD_LETTERS, DeadLetter),
        )

    @property
    def counted(self) -> list[ScoredMention]:
        """What counts as a mention: not the updates of counters."""
        return [one for one in self.scored if one.dedupe is not DedupeKind.UPDATE]

    @property
    def open_events(self) -> list[Event]:
        """The events that are open in the end."""
        last = {one.id: one for one in self.states}
        return [one for one in last.values() if one.level is not None]


@pytest.fixture(scope="module")
def written(replay: ObservedReplay) -> Written:
    return asyncio.run(Written.read(replay.cluster))


Totals = dict[tuple[str, ...], float]


def totals(replay: ObservedReplay, metric: str, *by: str, **labels: str) -> Totals:
    """The sums of a metric that are not 0, by some of its labels."""
    chosen = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    found = replay.prometheus.now(f"sum by ({', '.join(by)}) ({metric}{{{chosen}}}) != 0")
    return {tuple(one[name] for name in by): value for one, value in found}


def test_messages_add_up(replay: ObservedReplay, written: Written) -> None:
    read = {(agent,): written.messages[one.source.short_name] for agent, one in STAGES.items()}
    assert min(read.values()) > 0
    assert totals(replay, "wanglou_messages_in_total", "agent") == read
    assert totals(replay, "wanglou_step_latency_seconds_count", "agent") == read
    topics = {
        ACCEPTED: written.accepted,
        DEDUPED: written.deduped,
        SCORED: written.scored,
        EVENTS: written.states,
        ALERTS: written.alerts,
        DEAD_LETTERS: written.letters,
    }
    assert all(topics.values())
    assert totals(replay, "wanglou_messages_out_total", "topic") == {
        (topic.name,): len(messages) for topic, messages in topics.items()
    }
    told = sum(totals(replay, "wanglou_heartbeats_total").values())
    assert told == written.messages[RAW.short_name] - written.raw


def test_outcomes_add_up(replay: ObservedReplay, written: Written) -> None:
    outcomes = partial(totals, replay, "wanglou_outcomes_total", "outcome")
    letters = Counter((one.agent, one.reason.value) for one in written.letters)
    assert totals(replay, "wanglou_dead_letters_total", "agent", "reason") == letters
    assert {agent for agent, _ in letters} == {"intake"}
    assert outcomes(agent="intake") == {
        ("accepted",): len(written.accepted),
        ("dead-letter",): len(written.letters),
        ("irrelevant",): written.raw - written.raw_accepted - len(written.letters),
    }
    kinds = Counter((one.dedupe.value,) for one in written.deduped)
    repeats = Counter({("repeat",): len(written.accepted) - len(written.deduped)})
    assert outcomes(agent="dedupe") == kinds + repeats
    polarities = Counter((one.polarity.value,) for one in written.scored)
    assert outcomes(agent="sentiment") == polarities
    risk = outcomes(agent="risk")
    assert sum(risk.pop((name,), 0) for name in ("assessed", "late")) == len(written.scored)
    assert risk == Counter((f"alert-{one.kind.value}",) for one in written.alerts)


def test_business_figures_add_up(replay: ObservedReplay, written: Written) -> None:
    counted = written.counted
    negative = Counter(
        (one.institution, "yes" if negativity(one) >= NEGATIVE_FROM else "no") for one in counted
    )
    mentions = "wanglou_institution_mentions_total"
    assert totals(replay, mentions, "institution", "negative") == negative
    topics = Counter((one.risk_topic,) for one in counted)
    assert totals(replay, "wanglou_topic_mentions_total", "topic") == topics
    assert written.open_events
    levels = Counter((one.level.label, one.topic.id) for one in written.open_events if one.level)
    assert totals(replay, "wanglou_open_events", "level", "topic") == levels
    risks: dict[tuple[str, ...], float] = {}
    for event in written.open_events:
        key = (event.institution.id,)
        risks[key] = max(risks.get(key, 0), event.assessment.risk)
    assert totals(replay, "wanglou_institution_risk", "institution") == pytest.approx(risks)


def test_latencies_and_model_add_up(replay: ObservedReplay, written: Written) -> None:
    counts = {
        "wanglou_raw_to_event_seconds_count": len(written.scored),
        "wanglou_raw_to_alert_seconds_count": len(written.alerts),
        "wanglou_model_texts_total": len(written.deduped),
    }
    for name, count in counts.items():
        assert totals(replay, name) == {(): count}, name


def series(replay: ObservedReplay) -> list[Mapping[str, str]]:
    """The labels of each series of a worker: the pager's stand-in has its own instance."""
    chosen = f'{{instance="127.0.0.1:{replay.worker.port}"}}'
    found: list[Mapping[str, str]] = replay.prometheus.ask("series", **{"match[]": chosen})
    return found


def test_label_values_are_those_of_the_configuration(replay: ObservedReplay) -> None:
    """No id of a mention, author or event, and no text, however long the worker runs."""
    rules = Settings().load_rules()
    institutions = {one.id for one in rules.watchlist.institutions}
    topics = {one.id for one in rules.taxonomy.topics}
    outcomes = {name for one in STAGES.values() for name in one.outcomes}
    known = {
        "agent": set(STAGES),
        "institution": institutions | {OTHER},
        "level": {one.label for one in Level},
        "negative": {"no", "yes"},
        "outcome": outcomes | set(COMMON_OUTCOMES),
        "partition": {str(number) for number in range(PARTITIONS)},
        "reason": {one.value for one in Reason},
        "topic": topics | {one.name for one in TOPICS},
    }
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for labels in series(replay):
        if labels["__name__"].startswith("wanglou_"):
            for name, value in labels.items():
                seen[name].add(value)
    for name, values in known.items():
        assert seen[name] - values == set(), name
    one_value = {"version", "rules", "instance", "job"}
    assert {name for name in one_value if len(seen[name]) != 1} == set()
    assert set(seen) - set(known) - one_value == {"__name__", "le"}


def test_series_of_a_worker_stay_within_the_stated_bound(replay: ObservedReplay) -> None:
    """The bound of deploy/prometheus/README.md."""
    rules = Settings().load_rules()
    institutions, topics = len(rules.watchlist.institutions), len(rules.taxonomy.topics)
    bound = 350 + 16 * PARTITIONS + 3 * (institutions + 1) + 5 * topics
    names = Counter(one["__name__"] for one in series(replay))
    assert sum(names.values()) <= bound, names
