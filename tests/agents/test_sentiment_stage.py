"""The sentiment agent: batches for the model, and one bad text costs no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agents.builders import counts
from wanglou.agents import step3_sentiment
from wanglou.agents.metrics import Metrics
from wanglou.agents.record import Record
from wanglou.agents.settings import ModelSettings, Settings
from wanglou.agents.step3_sentiment import Sentiment, load_model
from wanglou.models.opinion import ModelError, NoModel, Passage
from wanglou.models.rules import Rules
from wanglou.schemas.dead_letter import DeadLetter, Reason
from wanglou.schemas.mention import DedupedMention, Emotion, Polarity, ScoredMention
from wanglou.schemas.topics import DEAD_LETTERS, DEDUPED, SCORED

Make = Callable[..., Record]


@pytest.fixture
def sentiment(
    settings: Settings,
    rules: Rules,
    metrics: Metrics,
    word_model: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Sentiment:
    monkeypatch.setattr(step3_sentiment, "load_model", lambda settings: word_model)
    return Sentiment(settings, rules, metrics, counts())


def deduped(number: int, text: str, **fields: Any) -> bytes:
    return DedupedMention.model_validate(
        {
            "id": f"weibo:{number}",
            "institution": "hexing-bank",
            "platform": "weibo",
            "kind": "post",
            "text": text,
            "published_at": "2026-03-02T00:00:00Z",
            "collected_at": "2026-03-02T00:00:00Z",
            "received_at": "2026-03-02T00:00:00Z",
            "engagement": {},
            "cluster_id": f"hexing-bank/weibo:{number}",
            "dedupe": "original",
            "engagement_change": {},
            **fields,
        }
    ).to_json()


def outcomes(emissions: list[Any]) -> dict[int, Polarity | Reason]:
    """What became of each offset."""
    found: dict[int, Polarity | Reason] = {}
    for emission in emissions:
        if emission.message.topic == DEAD_LETTERS.name:
            letter = DeadLetter.model_validate_json(emission.message.value)
            found[emission.record.offset] = letter.reason
        else:
            assert emission.message.topic == SCORED.name
            mention = ScoredMention.model_validate_json(emission.message.value)
            assert mention.id == f"weibo:{emission.record.offset}"
            found[emission.record.offset] = mention.polarity
    assert len(found) == len(emissions)
    return found


async def test_each_mention_gets_the_polarity_of_its_text(
    sentiment: Sentiment, record: Make, word_model: Any
) -> None:
    texts = ["系统崩了", "今天天气好", "又崩了"]
    records = [record(deduped(number, text), number) for number, text in enumerate(texts)]
    assert outcomes(await sentiment.process(records)) == {
        0: Polarity.NEGATIVE,
        1: Polarity.NEUTRAL,
        2: Polarity.NEGATIVE,
    }
    assert word_model.texts == [texts], "one batch for the model"


async def test_each_mention_gets_every_answer_about_its_own_institution(
    sentiment: Sentiment, record: Make, rules: Rules, word_model: Any
) -> None:
    ids = [institution.id for institution in rules.watchlist.institutions[:2]] + ["gone"]
    values = [
        deduped(number, "又崩了", institution=identity) for number, identity in enumerate(ids)
    ]
    emissions = await sentiment.process([record(one, n) for n, one in enumerate(values)])
    scored = [ScoredMention.model_validate_json(one.message.value or b"") for one in emissions]
    assert [one.institution for one in scored] == ids
    for one in scored:
        assert (one.emotion, one.emotion_probabilities.angry) == (Emotion.ANGRY, 0.7)
        assert one.event_type == "歇业停业"
        assert one.event_type_probabilities == {"歇业停业": 0.75, "其他": 0.25}
        # of the built-in taxonomy
        assert one.risk_topic == "infection"
        assert one.risk_topic_probabilities == {"infection": 0.75, "other": 0.25}
    assert [one.institution_negative for one in scored] == [True, True, None]
    assert [one.institution_negative_probability for one in scored] == [0.875, 0.875, None]
    (asked,) = word_model.calls
    names = [one.normalised_names for one in rules.watchlist.institutions[:2]]
    assert asked == [Passage("又崩了", names[0]), Passage("又崩了", names[1]), Passage("又崩了")]


async def test_only_the_text_that_the_model_cannot_bear_becomes_a_dead_letter(
    sentiment: Sentiment, record: Make
) -> None:
    texts = ["系统崩了", "炸弹", "今天天气好", "又崩了"]
    records = [record(deduped(number, text), number) for number, text in enumerate(texts)]
    emissions = await sentiment.process(records)
    assert outcomes(emissions) == {
        0: Polarity.NEGATIVE,
        1: Reason.FAILED,
        2: Polarity.NEUTRAL,
        3: Polarity.NEGATIVE,
    }
    (letter,) = (
        DeadLetter.model_validate_json(one.message.value or b"")
        for one in emissions
        if one.message.topic == DEAD_LETTERS.name
    )
    assert letter.value == records[1].value
    assert letter.error == "ValueError: a text that the model cannot bear"
    assert letter.agent == "sentiment"


async def test_unreadable_records_are_put_aside_before_the_model_sees_the_others(
    sentiment: Sentiment, record: Make, word_model: Any
) -> None:
    records = [record(b"\xff", 0), record(deduped(1, "又崩了"), 1), record(None, 2)]
    assert outcomes(await sentiment.process(records)) == {
        0: Reason.NOT_JSON,
        1: Polarity.NEGATIVE,
        2: Reason.NO_VALUE,
    }
    assert word_model.texts == [["又崩了"]]


async def test_a_batch_of_nothing_readable(sentiment: Sentiment, record: Make) -> None:
    assert await sentiment.process([]) == []
    assert outcomes(await sentiment.process([record(b"[]", 0)])) == {0: Reason.INVALID}


async def test_the_text_of_the_original_is_scored_for_its_near_duplicates(
    sentiment: Sentiment, record: Make, word_model: Any
) -> None:
    value = deduped(0, "天气好", original_text="又崩了", dedupe="duplicate")
    assert outcomes(await sentiment.process([record(value, 0)])) == {0: Polarity.NEGATIVE}
    assert word_model.texts == [["又崩了"]]


async def test_the_key_is_the_institution(sentiment: Sentiment, record: Make) -> None:
    (emission,) = await sentiment.process([record(deduped(0, "又崩了"), 0, topic=DEDUPED.name)])
    assert emission.message.key == b"hexing-bank"


def test_without_the_model_every_text_is_neutral() -> None:
    model = load_model(ModelSettings(enabled=False))
    assert isinstance(model, NoModel)
    about_nobody, about_one = model.read([Passage("又崩了"), Passage("又崩了", ("和兴银行",))])
    assert about_nobody == about_one
    polarity, emotion = about_nobody.polarity, about_nobody.emotion
    assert (polarity.negative, polarity.neutral, polarity.positive) == (0, 1, 0)
    assert emotion.neutral == sum(dict(emotion).values()) == 1
    assert about_nobody.event_type == {"其他": 1}
    assert about_nobody.institution_negative is None


def test_the_model_is_loaded_as_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, dict[str, object]]] = []
    monkeypatch.setattr(
        "wanglou.models.bert_opinion.BertOpinion",
        lambda path, **options: asked.append((path, options)),
    )
    load_model(ModelSettings(path=tmp_path, precision="float32", threads=3, long_texts="head"))
    assert asked == [(tmp_path, {"precision": "float32", "threads": 3, "long_texts": "head"})]


def test_a_model_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"model folder {tmp_path} has no config.json"):
        load_model(ModelSettings(path=tmp_path))
