"""The contracts, and that their JSON Schemas say the same as the models."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from wanglou.schemas.base import Contract
from wanglou.schemas.control import Heartbeat, Watermark
from wanglou.schemas.export import json_schema, message_topics
from wanglou.schemas.playbook import MeasureKind
from wanglou.schemas.response import MEASURES
from wanglou.schemas.risk import Alert

RAW = {
    "id": "weibo:4464336942156713",
    "platform": "weibo",
    "kind": "comment",
    "text": "和兴银行的手机银行又崩了",
    "title": "转账失败",
    "url": "https://example.com/1",
    "author": {"id": "5704656177", "name": "某人", "followers": 34842, "tier": "media"},
    "published_at": "2020-01-25T13:06:44+08:00",
    "collected_at": "2020-01-25T13:07:02+08:00",
    "engagement": {"reads": 100, "likes": 9, "comments": 0, "reposts": 3},
    "parent_id": "weibo:2",
    "root_id": "weibo:1",
    "region": "浙江",
}
MENTION = {
    "id": RAW["id"],
    "institution": "hexing-bank",
    "inherited": True,
    "platform": "weibo",
    "kind": "comment",
    "text": "和兴银行的手机银行又崩了",
    "context": "和兴银行公告",
    "url": "https://example.com/1",
    "author": {"id": "0f" * 16, "followers": 34842, "tier": "media"},
    "published_at": "2020-01-25T05:06:44Z",
    "collected_at": "2020-01-25T05:07:02Z",
    "received_at": "2020-01-25T05:07:03.123Z",
    "engagement": {"likes": 9},
    "parent_id": "weibo:2",
    "root_id": "weibo:1",
    "region": "浙江",
}
DEDUPED = {
    **MENTION,
    "cluster_id": "hexing-bank/weibo:1",
    "dedupe": "duplicate",
    "original_text": "和兴银行的手机银行崩了",
    "original_context": "和兴银行公告",
    "engagement_change": {"likes": 2},
}
SCORED = {
    **DEDUPED,
    "polarity": "negative",
    "polarity_probabilities": {"negative": 0.93, "neutral": 0.05, "positive": 0.02},
    "emotion": "angry",
    "emotion_probabilities": {
        "happy": 0.01,
        "angry": 0.62,
        "sad": 0.04,
        "fear": 0.25,
        "surprise": 0.03,
        "neutral": 0.05,
    },
    "event_type": "投诉维权",
    "event_type_probabilities": {"投诉维权": 0.87, "其他": 0.12},
    "risk_topic": "outage",
    "risk_topic_probabilities": {"outage": 0.87, "other": 0.13},
    "institution_negative": True,
    "institution_negative_probability": 0.97,
    "viewpoint": f"{'A' * 171}=",
}
TERM = {
    "name": "burst",
    "factor": "activity",
    "value": 7.2,
    "unit": "deviations",
    "score": 0.59,
    "weight": 0.4,
    "contribution": 0.21,
}
ASSESSMENT = {"risk": 61.4, "likelihood": 0.7, "impact": 0.8, "terms": [TERM]}
SOURCE = {
    "id": "weibo:1",
    "platform": "weibo",
    "kind": "comment",
    "published_at": "2020-01-25T05:06:44Z",
    "author": {"id": "0f" * 16, "followers": 34842, "tier": "media"},
    "url": "https://example.com/1",
    "path": ["weibo:0"],
}
SITUATION = {
    "mentions": 12,
    "updates": 3,
    "late": 0,
    "negative": 9,
    "clusters": 4,
    "heat": 33.5,
    "authors": 11.0,
    "audience": 52000.0,
    "platforms": {"weibo": 12},
    "emotions": {"angry": 8, "neutral": 4},
    "depth": 2,
    "first_at": "2020-01-25T05:06:44Z",
    "last_at": "2020-01-25T06:06:44Z",
    "viewpoints": [
        {
            "text": "手机银行又崩了",
            "mention_id": "weibo:1",
            "share": 0.75,
            "mentions": 9,
            "polarities": {"negative": 0.9, "neutral": 0.1},
            "first_at": "2020-01-25T05:06:44Z",
            "last_at": "2020-01-25T06:06:44Z",
        }
    ],
    "regions": {"浙江": 3},
    "first_source": SOURCE,
    "spreaders": [{**SOURCE, "reached": 34842}],
    "timeline": [
        {
            "begins_at": "2020-01-25T05:05:00Z",
            "minutes": 5,
            "mentions": 12,
            "platforms": {"weibo": 12},
            "emotions": {"angry": 8, "neutral": 4},
        }
    ],
}
EVIDENCE = {
    "id": "weibo:1",
    "platform": "weibo",
    "kind": "post",
    "published_at": "2020-01-25T05:06:44Z",
    "polarity": "negative",
    "emotion": "angry",
    "heat": 12.5,
    "text": "和兴银行的手机银行又崩了",
    "url": "https://example.com/1",
}
EVENT = {
    "id": "hexing-bank.outage",
    "institution": {"id": "hexing-bank", "name": "和兴银行"},
    "topic": {"id": "outage", "name": "系统故障"},
    "level": "orange",
    "since": "2020-01-25T06:00:00Z",
    "assessed_at": "2020-01-25T06:07:00Z",
    "assessment": ASSESSMENT,
    "situation": SITUATION,
    "evidence": [EVIDENCE],
}
ALERT = {
    **{key: EVENT[key] for key in ("institution", "topic", "assessment", "situation", "evidence")},
    "id": "hexing-bank.outage.2",
    "kind": "escalated",
    "sequence": 2,
    "event_id": "hexing-bank.outage",
    "level": "orange",
    "previous_level": "yellow",
    "decided_at": "2020-01-25T06:07:00Z",
    "title": "和兴银行:系统故障升为橙色",
    "received_at": "2020-01-25T06:07:01Z",
    "goal": "恢复优先",
    "measures": [
        {
            "kind": "statement",
            "text": "发布提示",
            "department": "品牌公关部",
            "due_at": "2020-01-25T06:37:00Z",
        }
    ],
    "reports": [
        {
            "rule": "某办法",
            "issuer": "某局",
            "number": "某发〔2020〕1号",
            "issued_on": "2020-01-02",
            "article": "第三条",
            "asks": "报告",
            "due_at": "2020-01-25T07:07:00Z",
            "note": "待合规部门确认",
        }
    ],
    "rules_version": "3f2a91c07be4",
}
RESPONSE = {
    "id": "r-1",
    "event_id": "hexing-bank.outage",
    "alert_id": "hexing-bank.outage.2",
    "act": "crisis-team",
    "by": "王芳",
    "at": "2020-01-25T06:30:00Z",
    "text": "已启动预案",
    "draft_id": "d-1",
    "evidence": ["https://example.com/log/7"],
    "channel": "官方微博",
    "url": "https://example.com/1",
    "task_id": "t2",
    "owner": "王芳",
    "team": ["王芳", "李雷"],
    "verdict": "late",
    "missed_from": "2020-01-25T06:00:00Z",
    "expected_level": "red",
}
PAGE = {
    "id": "p-1",
    "event_id": "hexing-bank.outage",
    "alert_id": "hexing-bank.outage.2",
    "receiver": "on-call-dingtalk",
    "call": 2,
    "outcome": "given-up",
    "at": "2020-01-25T06:30:00Z",
    "error": "429",
}
TREND = {
    "mentions": 30,
    "negative_share": 0.8,
    "risk": 55.0,
    "negative": 24,
    "heat": 120.5,
    "authors": 25.0,
    "audience": 81000.0,
    "emotions": {"angry": 0.7, "fear": 0.3},
}
INTERVAL = {"estimate": 40.0, "low": 12.0, "high": 95.0}
EVALUATION = {
    "id": "r-1.60",
    "response_id": "r-1",
    "event_id": "hexing-bank.outage",
    "span_minutes": 60,
    "before": TREND,
    "after": {**TREND, "mentions": 4},
    "evaluated_at": "2020-01-25T07:30:00Z",
    "expected": {"mentions": INTERVAL, "negative": INTERVAL},
    "effect": {"mentions": INTERVAL, "negative": INTERVAL},
    "verdict": "not-separable",
    "reason": "前后各 1 小时内另有措施",
    "not_separable_from": ["r-2"],
}
DEAD_LETTER = {
    "id": "wanglou.mentions.raw.v1/2/17",
    "agent": "intake",
    "reason": "not-json",
    "error": "(whole value): Invalid JSON",
    "topic": "wanglou.mentions.raw.v1",
    "partition": 2,
    "offset": 17,
    "timestamp": "2020-01-25T06:30:00Z",
    "raw_partition": 1,
    "raw_offset": 12,
    "key": "YQ==",
    "value": "e///",
    "omitted_bytes": 0,
}
HEARTBEAT = {"time": "2020-01-25T06:30:00.123Z"}
WATERMARK = {"positions": {"0": [1579933800123, 2, 17, 1], "3": [-1, -1, -1, -1]}}
MESSAGES: Mapping[str, Mapping[str, Any]] = {
    "RawMention": RAW,
    "Mention": MENTION,
    "DedupedMention": DEDUPED,
    "ScoredMention": SCORED,
    "Event": EVENT,
    "Alert": ALERT,
    "Response": RESPONSE,
    "Evaluation": EVALUATION,
    "PageRecord": PAGE,
    "DeadLetter": DEAD_LETTER,
    "Heartbeat": HEARTBEAT,
    "Watermark": WATERMARK,
}
"""A message of each contract with every field set."""

CONTRACTS = list(
    dict.fromkeys(
        contract
        for topic in message_topics()
        for contract in (topic.message, topic.control)
        if contract is not None
    )
)
each_contract = pytest.mark.parametrize("contract", CONTRACTS, ids=lambda one: one.__name__)


def full(contract: type[Contract]) -> dict[str, Any]:
    return copy.deepcopy(dict(MESSAGES[contract.__name__]))


def validator(contract: type[Contract]) -> Draft202012Validator:
    return Draft202012Validator(json_schema(contract))


def model_accepts(contract: type[Contract], message: object) -> bool:
    try:
        contract.model_validate_json(json.dumps(message))
    except ValidationError:
        return False
    return True


def parts(contract: type[Contract]) -> Iterator[type[Contract]]:
    """A contract and all that it is made of."""
    yield contract
    for field in contract.model_fields.values():
        for one in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(one, type) and issubclass(one, Contract):
                yield from parts(one)


ALL_PARTS = sorted({part for one in CONTRACTS for part in parts(one)}, key=lambda one: one.__name__)
each_part = pytest.mark.parametrize("part", ALL_PARTS, ids=lambda one: one.__name__)


@each_contract
def test_the_full_message_sets_every_field(contract: type[Contract]) -> None:
    assert full(contract).keys() == contract.model_fields.keys()


@each_contract
def test_the_json_schema_is_valid_and_accepts_what_the_model_accepts(
    contract: type[Contract],
) -> None:
    schema = json_schema(contract)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)

    message = full(contract)
    required = {name: message[name] for name in schema["required"]}
    for accepted in (message, required):
        assert model_accepts(contract, accepted)
        assert validator(contract).is_valid(accepted)


@each_contract
def test_without_a_required_field_model_and_json_schema_refuse_it(
    contract: type[Contract],
) -> None:
    required = json_schema(contract)["required"]
    assert required
    for name in required:
        message = full(contract)
        del message[name]
        assert not model_accepts(contract, message), name
        assert not validator(contract).is_valid(message), name


@each_contract
def test_what_is_written_is_read_back_and_fits_the_json_schema(contract: type[Contract]) -> None:
    message = contract.model_validate_json(json.dumps(full(contract)))
    assert contract.model_validate_json(message.to_json()) == message
    assert validator(contract).is_valid(json.loads(message.to_json()))


@each_contract
def test_unknown_fields_are_ignored(contract: type[Contract]) -> None:
    message = {**full(contract), "invented_later": {"by": "a collector"}}
    read = contract.model_validate_json(json.dumps(message))
    assert read == contract.model_validate_json(json.dumps(full(contract)))
    assert validator(contract).is_valid(message)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("RawMention", "id", ""),
        ("RawMention", "id", "x" * 257),
        ("RawMention", "platform", "Weibo"),
        ("RawMention", "platform", "x" * 33),
        ("RawMention", "kind", "tweet"),
        ("RawMention", "text", ""),
        ("RawMention", "title", "x" * 1025),
        ("RawMention", "url", "x" * 2049),
        ("RawMention", "author.tier", "nobody"),
        ("RawMention", "author.followers", -1),
        ("RawMention", "engagement.likes", 10**12 + 1),
        ("RawMention", "engagement.likes", 1.5),
        ("RawMention", "engagement", None),
        ("Mention", "inherited", None),
        ("DedupedMention", "dedupe", "repeat"),
        ("ScoredMention", "polarity", "angry"),
        ("ScoredMention", "polarity_probabilities.negative", 1.01),
        ("ScoredMention", "emotion", "negative"),
        ("ScoredMention", "emotion_probabilities.fear", -0.01),
        ("ScoredMention", "event_type_probabilities.其他", 1.01),
        ("ScoredMention", "risk_topic_probabilities", None),
        ("ScoredMention", "risk_topic_probabilities.outage", "0.5 or so"),
        ("ScoredMention", "institution_negative", "perhaps"),
        ("ScoredMention", "institution_negative_probability", 1.01),
        ("Event", "level", "purple"),
        ("Event", "assessment.risk", 100.1),
        ("Event", "assessment.terms.0.score", -0.1),
        ("Event", "situation.platforms.weibo", -1),
        ("Event", "situation.emotions.angry", -1),
        ("Event", "situation.heat", None),
        ("Event", "evidence.0.emotion", "bored"),
        ("Alert", "kind", "lowered"),
        ("Alert", "sequence", -1),
        ("Alert", "measures.0.kind", "prayer"),
        ("Alert", "measures.0.department", None),
        ("Alert", "reports.0.asks", None),
        ("Response", "act", "prayer"),
        ("Response", "text", "x" * 8193),
        ("Evaluation", "before.negative_share", 2),
        ("Evaluation", "after.emotions.fear", 1.01),
        ("Evaluation", "expected.negative.low", -0.1),
        ("Evaluation", "effect.mentions", None),
        ("Evaluation", "verdict", "perhaps"),
        ("DeadLetter", "reason", "bad-luck"),
        ("DeadLetter", "offset", -1),
    ],
)
def test_model_and_json_schema_refuse_the_same(name: str, path: str, value: object) -> None:
    contract = next(one for one in CONTRACTS if one.__name__ == name)
    message: Any = full(contract)
    place = message
    *way, last = path.split(".")
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    assert last in place, "the path is misspelt"
    place[last] = value
    assert not model_accepts(contract, message)
    assert not validator(contract).is_valid(message)


@pytest.mark.parametrize("time", ["2020-01-25T13:06:44", "2020-01-25", "yesterday"])
def test_a_time_without_an_offset_is_refused(time: str) -> None:
    contract = next(one for one in CONTRACTS if one.__name__ == "RawMention")
    assert not model_accepts(contract, {**RAW, "published_at": time})


@each_part
def test_every_example_is_accepted(part: type[Contract]) -> None:
    properties = json_schema(part)["properties"]
    for name, field in part.model_fields.items():
        adapter = TypeAdapter(Annotated[(field.annotation, field, *field.metadata)])
        schema = {**properties[name], "$defs": json_schema(part).get("$defs", {})}
        for example in properties[name].get("examples", []):
            adapter.validate_json(json.dumps(example), strict=True)
            Draft202012Validator(schema).validate(example)


@each_part
def test_every_field_and_contract_has_a_description(part: type[Contract]) -> None:
    assert (part.__doc__ or "").strip().endswith(".")
    for name, field in part.model_fields.items():
        assert field.description, name


def test_there_are_examples() -> None:
    fields = [field for part in ALL_PARTS for field in part.model_fields.values()]
    assert sum(bool(field.examples) for field in fields) > 20


def test_a_contract_cannot_be_changed() -> None:
    contract = next(one for one in CONTRACTS if one.__name__ == "Response")
    message = contract.model_validate_json(json.dumps(RESPONSE))
    with pytest.raises(ValidationError, match="frozen"):
        message.by = "someone else"  # type: ignore[attr-defined]


def test_null_fields_are_not_written() -> None:
    contract = next(one for one in CONTRACTS if one.__name__ == "Event")
    message = contract.model_validate_json(json.dumps({**EVENT, "level": None}))
    assert "level" not in json.loads(message.to_json())


@pytest.mark.parametrize("place", [[1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, "x"], [], 7, None])
def test_a_watermark_has_places_of_four_numbers(place: object) -> None:
    message = {"positions": {"0": place}}
    assert not model_accepts(Watermark, message)
    assert not validator(Watermark).is_valid(message)


def test_a_heartbeat_has_a_time_with_an_offset() -> None:
    assert not model_accepts(Heartbeat, {"time": "2020-01-25T06:30:00"})
    assert Heartbeat.model_validate_json(json.dumps(HEARTBEAT)).time.microsecond == 123_000


LATER = ("goal", "measures", "reports", "rules_version")
"""Fields that alerts have had only since a later release."""


def test_an_alert_of_a_release_without_playbooks_is_read() -> None:
    contract = next(one for one in CONTRACTS if one.__name__ == "Alert")
    old = {name: ALERT[name] for name in ALERT if name not in LATER}
    alert = contract.model_validate_json(json.dumps(old))
    assert isinstance(alert, Alert)
    assert [getattr(alert, name) for name in LATER] == [None, (), (), None]


def test_what_is_planned_and_what_is_recorded_have_the_same_words() -> None:
    planned = {kind.value for kind in MeasureKind} - {"fact-finding"}
    assert planned == {one.value for one in MEASURES} - {"regulator-report", "correction"}
    assert len({kind.chinese for kind in MeasureKind}) == len(MeasureKind)
