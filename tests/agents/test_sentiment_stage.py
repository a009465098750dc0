"""The sentiment agent: batches for the model, and one bad text costs no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wanglou.agents import step3_sentiment
from wanglou.agents.metrics import Metrics
from wanglou.agents.settings import ModelSettings, Settings
from wanglou.agents.stage import Record
from wanglou.agents.step3_sentiment import Sentiment, load_model
from wanglou.models.rules import Rules
from wanglou.models.scoring import ModelError, NoModel
from wanglou.schemas.dead_letter import DeadLetter, Reason
from wanglou.schemas.mention import DedupedMention, Polarity, ScoredMention
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
    return Sentiment(settings, rules, metrics)


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
    assert word_model.calls == [texts], "one batch for the model"


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
    assert word_model.calls == [["又崩了"]]


async def test_a_batch_of_nothing_readable(sentiment: Sentiment, record: Make) -> None:
    assert await sentiment.process([]) == []
    assert outcomes(await sentiment.process([record(b"[]", 0)])) == {0: Reason.INVALID}


async def test_the_text_of_the_original_is_scored_for_its_near_duplicates(
    sentiment: Sentiment, record: Make, word_model: Any
) -> None:
    value = deduped(0, "天气好", original_text="又崩了", dedupe="duplicate")
    assert outcomes(await sentiment.process([record(value, 0)])) == {0: Polarity.NEGATIVE}
    assert word_model.calls == [["又崩了"]]


async def test_the_key_is_the_institution(sentiment: Sentiment, record: Make) -> None:
    (emission,) = await sentiment.process([record(deduped(0, "又崩了"), 0, topic=DEDUPED.name)])
    assert emission.message.key == b"hexing-bank"


def test_without_the_model_every_text_is_neutral() -> None:
    model = load_model(ModelSettings(enabled=False))
    assert isinstance(model, NoModel)
    (row,) = model.probabilities(["又崩了"])
    assert (row.negative, row.neutral, row.positive) == (0, 1, 0)


def test_a_model_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"model folder {tmp_path} has no config.json"):
        load_model(ModelSettings(path=tmp_path))
