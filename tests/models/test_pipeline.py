"""Whatever comes in: every step answers, and every message is one of its own contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.models.builders import (
    AUTHOR_KEY,
    NOW,
    TAXONOMY,
    WATCHLIST,
    AllNegative,
    ByWord,
    at,
    encode,
    intake_step,
    mention,
    position_at,
    raw,
    raw_bytes,
    rules,
)
from wanglou.models.intake import IntakeStep, Rejection, fields_of, published_milliseconds
from wanglou.models.opinion import NoModel, OpinionModel
from wanglou.models.order import Position, RawClock
from wanglou.models.risk import Decision
from wanglou.models.scoring import ScoringStep
from wanglou.schemas.base import Contract
from wanglou.schemas.dead_letter import Reason
from wanglou.schemas.mention import (
    DedupedMention,
    Mention,
    ScoredMention,
)
from wanglou.schemas.risk import Alert, Event


def check(message: Contract, contract: type[Contract]) -> None:
    """Exactly what the contract says, before and after the wire."""
    assert type(message) is contract
    again = contract.model_validate(message.model_dump())
    assert again == message
    assert again.to_json() == message.to_json()  # the fields are in their order
    assert contract.model_validate_json(message.to_json()) == message


class Pipeline:
    """All four steps over one partition each; checks every message."""

    def __init__(self, model: OpinionModel) -> None:
        made = rules(levels={"blue": {"enter": 1, "leave": 0.5}})
        self.intake = IntakeStep(WATCHLIST, AUTHOR_KEY, made.intake_state(), clock=lambda: NOW)
        self.dedupe = made.dedupe_step()
        self.scoring = ScoringStep(WATCHLIST, TAXONOMY, model)
        self.risk = made.risk_step()
        self.clock = RawClock(0)
        self.offset = -1

    def next_position(self, milliseconds: int | None) -> Position:
        """The position of the next raw message."""
        self.offset += 1
        position = self.clock.stamp(self.offset, milliseconds)
        assert position is not None
        return position

    def take(self, value: bytes) -> Rejection | list[ScoredMention]:
        """Take one raw message through; the mentions that reached risk, or why none did."""
        position = self.next_position(published_milliseconds(fields_of(value), NOW))
        outcome = self.intake.process(value, position=position, received_at=NOW)
        if isinstance(outcome, Rejection):
            assert outcome.error
            outcome.error.encode()  # it goes into a dead letter
            return outcome
        reached = []
        for part, one in enumerate(outcome):
            check(one, Mention)
            reached += self.take_mention(one, position._replace(part=part))
        return reached

    def take_mention(self, one: Mention, position: Position) -> list[ScoredMention]:
        """Take an accepted mention through the steps behind intake."""
        deduped = self.dedupe.process(one, position=position)
        if deduped is None:
            return []
        check(deduped, DedupedMention)
        (result,) = self.scoring.process([deduped])
        check(result, ScoredMention)
        self.told(self.risk.process(result, position=position))
        return [result]

    def told(self, decision: Decision) -> Decision:
        """What risk decided, checked."""
        for alert in decision.alerts:
            check(alert, Alert)
        for event in decision.events:
            check(event, Event)
        return decision

    def close(self) -> Decision:
        """Close every minute there was."""
        return self.told(self.risk.close(position_at(2 * 24 * 60)))


MODELS = pytest.mark.parametrize(
    "model", [NoModel(), AllNegative(), ByWord()], ids=["no model", "negative", "by word"]
)

# --- what may come

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(10**11, 10**400),
        st.floats(),
        st.text(max_size=20),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.sampled_from(
    ["和兴银行", "云汀银行", "和興行", "HXB", "和兴行动", "挤兑", "@和兴银行", "坏", "气", "提现"]
)
texts = st.one_of(
    st.text(min_size=1, max_size=40),
    st.lists(st.one_of(names, st.text(max_size=6)), min_size=1, max_size=6).map("".join),
    st.sampled_from(["和兴银行\x00", "和\u202e兴银行", "和兴银行" * 500, "和兴银行\ufdfa\ufdfa"]),
)
ids = st.one_of(st.sampled_from(["1", "2", "3", "x" * 256, "a/b", "a.b"]), st.text(max_size=8))
counts = st.one_of(st.none(), st.integers(0, 20), st.sampled_from([10**12, 10**12 + 1, -1, 0.5]))
offsets = st.sampled_from(["Z", "+08:00", "-12:00", "+23:59", "-23:59", ""])
times = st.one_of(
    st.builds(lambda time, offset: time.isoformat() + offset, st.datetimes(), offsets),
    st.integers(0, 60 * 24).map(lambda minute: at(minute).isoformat()),
    st.integers(-60 * 24 * 9, 60 * 24).map(lambda minute: at(minute).isoformat()),
)
PLAUSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "id": ids,
    "platform": st.sampled_from(["weibo", "zhihu", "w" * 32, "Weibo"]),
    "kind": st.sampled_from(["post", "repost", "comment", "article", "video", "search"]),
    "text": texts,
    "title": st.one_of(st.none(), texts),
    "url": st.one_of(st.none(), st.just("https://a.cn/"), st.text(max_size=10)),
    "author": st.one_of(
        st.none(),
        st.fixed_dictionaries(
            {"id": ids},
            optional={
                "name": st.one_of(st.none(), st.text(max_size=9)),
                "followers": counts,
                "tier": st.sampled_from(["person", "media", "government"]),
            },
        ),
    ),
    "published_at": times,
    "collected_at": st.one_of(st.none(), times),
    "engagement": st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("reads", "likes", "comments", "reposts"), counts)
    ),
    "parent_id": st.one_of(st.none(), ids),
    "root_id": st.one_of(st.none(), ids),
}


@st.composite
def plausible(draw: st.DrawFn) -> bytes:
    """What a collector might send: mostly valid."""
    fields = draw(st.fixed_dictionaries({}, optional=PLAUSIBLE))
    return encode_any(raw(**fields))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid message in which something was replaced, removed, cut, or overwritten."""
    fields = draw(st.fixed_dictionaries({}, optional=PLAUSIBLE))
    fields |= draw(st.dictionaries(st.sampled_from([*PLAUSIBLE, "more"]), json_values, max_size=2))
    for name in draw(st.sets(st.sampled_from(["id", "platform", "text", "published_at"]))):
        fields = {**raw(), **fields}
        if draw(st.booleans()):
            del fields[name]
    value = bytearray(encode_any(raw(**fields) if draw(st.booleans()) else fields))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, max(0, len(value) - 1)))
        value[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(value)


def encode_any(value: object) -> bytes:
    """JSON, escaped where UTF-8 cannot hold it."""
    try:
        return encode(value)
    except UnicodeEncodeError:
        return json.dumps(value).encode()


anything = st.one_of(st.binary(max_size=100), json_values.map(encode_any), mutated())


@given(st.lists(anything, max_size=5))
@example([raw_bytes(), b'{"id": "1", "platform": "weibo", "text": "\\ud800"}'])
def test_intake_answers_whatever_comes(values: list[bytes]) -> None:
    step = intake_step()
    for offset, value in enumerate(values):
        position = position_at(offset=offset)
        outcome = step.process(value, position=position, received_at=NOW)
        if isinstance(outcome, Rejection):
            assert outcome.reason in Reason
            assert outcome.error
        else:
            assert all(type(one) is Mention for one in outcome)


@MODELS
@given(values=st.lists(st.one_of(plausible(), mutated()), min_size=1, max_size=6))
def test_every_message_on_the_way_is_one_of_its_contract(
    model: OpinionModel, values: list[bytes]
) -> None:
    pipeline = Pipeline(model)
    for value in values:
        pipeline.take(value)
    pipeline.close()


@given(plausible(), st.integers(0, 3))
def test_duplicate_changes_nothing_downstream(value: bytes, more: int) -> None:
    pipeline = Pipeline(AllNegative())
    pipeline.take(value)
    for _ in range(more):
        again = pipeline.take(value)
        assert isinstance(again, Rejection) or again == []


@given(st.lists(plausible(), min_size=1, max_size=6), st.integers(1, 3))
def test_stream_with_every_message_repeated_makes_the_same_alerts(
    values: list[bytes], times_over: int
) -> None:
    once, often = Pipeline(AllNegative()), Pipeline(AllNegative())
    for value in values:
        first = once.take(value)
        assert often.take(value) == first
        for _ in range(times_over):
            again = often.take(value)
            assert isinstance(again, Rejection) or again == []
    assert often.close() == once.close()


# --- the same, at the edges


def test_hypothesis_reaches_the_alerts() -> None:
    # the property tests above would be idle if nothing ever reached risk
    pipeline = Pipeline(AllNegative())
    for number in range(5):
        reached = pipeline.take(raw_bytes(id=str(number)))
        assert not isinstance(reached, Rejection)
        assert [one.risk_topic for one in reached] == ["run"]
    decision = pipeline.close()
    assert decision.alerts
    assert decision.events


EDGES: Sequence[dict[str, Any]] = [
    {"id": "x" * 256},
    {"text": "和兴银行" + "\ufdfa" * 21_000},  # each grows to eighteen characters
    {"text": "和兴银行" * 5_000},
    {"text": "和兴银行😀👨‍👩‍👧"},
    {"text": "和兴银行\u0000\u202e\u200b"},
    {"author": {"id": "a", "followers": None}},
    {"author": {"id": "a", "followers": 10**12, "tier": "government"}},
    {"engagement": dict.fromkeys(("reads", "likes", "comments", "reposts"), 10**12)},
    {"published_at": "2000-01-01T00:00:00Z"},
    {"published_at": "2026-03-03T16:05:00+08:00"},  # five minutes ahead
    {"published_at": "2026-03-02T08:00:00+23:59", "collected_at": "2026-03-02T08:00:00.5-12:00"},
    {"url": ""},
    {"parent_id": "x" * 256, "root_id": "y" * 256},
]


@MODELS
@pytest.mark.parametrize("fields", EDGES, ids=range(len(EDGES)))
def test_edges_go_all_the_way(model: OpinionModel, fields: dict[str, Any]) -> None:
    pipeline = Pipeline(model)
    reached = pipeline.take(raw_bytes(**fields))
    assert not isinstance(reached, Rejection)
    assert len(reached) == 1
    copy = pipeline.take(raw_bytes(**fields | {"id": "another"}))
    assert not isinstance(copy, Rejection)
    assert len(copy) == 1
    pipeline.close()


def test_longest_institution_and_id_go_all_the_way() -> None:
    pipeline = Pipeline(NoModel())
    (reached,) = pipeline.take_mention(mention(institution="i" * 64, id="x" * 256), position_at())
    assert reached.cluster_id == "i" * 64 + "/" + "x" * 256
