from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.models.builders import TAXONOMY, ByWord, scored
from wanglou.models.scoring import NoModel, ScoringStep, most_probable, scored_text
from wanglou.schemas.mention import DedupedMention, Polarity, PolarityProbabilities, ScoredMention


def row(negative: float, neutral: float, positive: float) -> PolarityProbabilities:
    return PolarityProbabilities(negative=negative, neutral=neutral, positive=positive)


def deduped(text: str, **fields: object) -> DedupedMention:
    made = dict(scored(text=text)) | fields
    return DedupedMention.model_validate(made)


@pytest.mark.parametrize(
    ("probabilities", "polarity"),
    [
        (row(0.5, 0.3, 0.2), Polarity.NEGATIVE),
        (row(0.2, 0.5, 0.3), Polarity.NEUTRAL),
        (row(0.2, 0.3, 0.5), Polarity.POSITIVE),
        (row(0.4, 0.4, 0.2), Polarity.NEGATIVE),
        (row(0.2, 0.4, 0.4), Polarity.NEUTRAL),
        (row(0.4, 0.2, 0.4), Polarity.NEGATIVE),
    ],
)
def test_most_probable_polarity_and_the_graver_of_equals(
    probabilities: PolarityProbabilities, polarity: Polarity
) -> None:
    assert most_probable(probabilities) is polarity


def test_probability_outside_the_unit_interval_is_refused() -> None:
    with pytest.raises(ValidationError):
        row(1.1, 0, 0)


def test_mentions_keep_their_order_and_fields() -> None:
    mentions = [deduped("坏"), deduped("还行", url="https://a.cn/"), deduped("好")]
    result = ScoringStep(TAXONOMY, ByWord()).process(mentions)
    assert [one.polarity.value for one in result] == ["negative", "neutral", "positive"]
    assert [one.polarity_probabilities.negative for one in result] == [0.8, 0.1, 0.1]
    for before, after in zip(mentions, result, strict=True):
        assert {name: getattr(after, name) for name in DedupedMention.model_fields} == dict(before)


def test_text_of_the_original_decides_polarity_and_topic() -> None:
    copy = deduped("坏!系统故障", original_text="好:挤兑", dedupe="duplicate")
    result = ScoringStep(TAXONOMY, ByWord()).process([copy])[0]
    assert scored_text(copy) == "好:挤兑"
    assert (result.polarity, result.risk_topic) == (Polarity.POSITIVE, "run")
    assert result.text == "坏!系统故障"


def test_context_decides_the_topic_where_the_text_does_not() -> None:
    step = ScoringStep(TAXONOMY, NoModel())
    comment = deduped("吓死了", context="和兴银行挤兑")
    assert step.process([comment])[0].risk_topic == "run"


def test_context_of_the_original_goes_with_its_text() -> None:
    step = ScoringStep(TAXONOMY, NoModel())
    fields = {"context": "挤兑", "original_text": "吓死了", "dedupe": "duplicate"}
    elsewhere = deduped("吓死了呀", original_context="系统故障", **fields)
    nowhere = deduped("吓死了呀", original_context=None, **fields)
    assert [one.risk_topic for one in step.process([elsewhere, nowhere])] == ["outage", "other"]


def test_empty_batch_is_empty() -> None:
    assert ScoringStep(TAXONOMY, NoModel()).process([]) == []


def test_without_a_model_everything_is_neutral() -> None:
    result = ScoringStep(TAXONOMY, NoModel()).process([deduped("坏"), deduped("好")])
    assert [one.polarity for one in result] == [Polarity.NEUTRAL] * 2
    assert result[0].polarity_probabilities == row(0, 1, 0)


def test_model_that_forgets_a_text_is_an_error() -> None:
    class Forgetful(NoModel):
        def probabilities(self, texts: object) -> list[PolarityProbabilities]:
            return [row(0, 1, 0)]

    with pytest.raises(ValueError, match="shorter"):
        ScoringStep(TAXONOMY, Forgetful()).process([deduped("坏"), deduped("好")])


def test_result_is_a_valid_message() -> None:
    result = ScoringStep(TAXONOMY, ByWord()).process([deduped("坏")])[0]
    assert ScoredMention.model_validate_json(result.to_json()) == result
