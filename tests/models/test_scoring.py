from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from tests.models.builders import (
    TAXONOMY,
    WATCHLIST,
    AllNegative,
    Always,
    ByWord,
    emotions,
    polarities,
    scored,
)
from wanglou.models.opinion import NO_EVENT, NoModel, Opinion, OpinionModel, Passage
from wanglou.models.scoring import ScoringStep, likeliest, most_probable, scored_text, shown
from wanglou.schemas.mention import (
    DedupedMention,
    Emotion,
    EmotionProbabilities,
    Polarity,
    PolarityProbabilities,
    ScoredMention,
)


def deduped(text: str, **fields: object) -> DedupedMention:
    made = dict(scored(text=text)) | fields
    return DedupedMention.model_validate(made)


def score(model: OpinionModel, *mentions: DedupedMention) -> list[ScoredMention]:
    return ScoringStep(WATCHLIST, TAXONOMY, model).process(mentions)


def score_one(model: OpinionModel, text: str, **fields: object) -> ScoredMention:
    (one,) = score(model, deduped(text, **fields))
    return one


@pytest.mark.parametrize(
    ("probabilities", "polarity"),
    [
        (polarities(0.5, 0.3, 0.2), Polarity.NEGATIVE),
        (polarities(0.2, 0.5, 0.3), Polarity.NEUTRAL),
        (polarities(0.2, 0.3, 0.5), Polarity.POSITIVE),
        (polarities(0.4, 0.4, 0.2), Polarity.NEGATIVE),
        (polarities(0.2, 0.4, 0.4), Polarity.NEUTRAL),
        (polarities(0.4, 0.2, 0.4), Polarity.NEGATIVE),
    ],
)
def test_most_probable_polarity_and_the_graver_of_equals(
    probabilities: PolarityProbabilities, polarity: Polarity
) -> None:
    assert most_probable(Polarity, probabilities) is polarity


@pytest.mark.parametrize("emotion", Emotion)
def test_most_probable_emotion(emotion: Emotion) -> None:
    others = dict.fromkeys(set(Emotion) - {emotion}, 0.1)
    assert most_probable(Emotion, emotions(**others | {emotion: 0.5})) is emotion


@pytest.mark.parametrize(
    ("probabilities", "emotion"),
    [
        (emotions(angry=0.5, fear=0.5), Emotion.ANGRY),
        (emotions(fear=0.5, neutral=0.5), Emotion.FEAR),
        (emotions(happy=0.5, angry=0.5), Emotion.HAPPY),
    ],
)
def test_first_listed_of_equal_emotions(
    probabilities: EmotionProbabilities, emotion: Emotion
) -> None:
    assert most_probable(Emotion, probabilities) is emotion


def test_first_of_the_likeliest() -> None:
    assert likeliest({"其他": 0.4, "提现困难": 0.4, "涉嫌欺诈": 0.2}) == "其他"
    assert likeliest({"提现困难": 0.4, "其他": 0.4}) == "提现困难"


def test_shown_are_those_from_one_in_a_hundred_on_highest_first() -> None:
    probabilities = {"a": 0.0099, "b": 0.01, "c": 0.5, "d": 0.4801, "e": 0.0}
    assert list(shown(probabilities).items()) == [("c", 0.5), ("d", 0.4801), ("b", 0.01)]


def test_probability_outside_the_unit_interval_is_refused() -> None:
    with pytest.raises(ValidationError):
        polarities(1.1, 0, 0)
    with pytest.raises(ValidationError):
        emotions(fear=-0.1)


def test_mentions_keep_their_order_and_fields() -> None:
    mentions = [deduped("坏"), deduped("还行", url="https://a.cn/"), deduped("好")]
    result = score(ByWord(), *mentions)
    assert [one.polarity.value for one in result] == ["negative", "neutral", "positive"]
    assert [one.polarity_probabilities.negative for one in result] == [0.8, 0.1, 0.1]
    for before, after in zip(mentions, result, strict=True):
        assert {name: getattr(after, name) for name in DedupedMention.model_fields} == dict(before)


def test_every_answer_is_told_with_its_probabilities() -> None:
    result = score_one(ByWord(), "气人,坏和兴银行提现不了")
    assert result.polarity is Polarity.NEGATIVE
    assert result.polarity_probabilities == polarities(0.8, 0.1, 0.1)
    assert result.emotion is Emotion.ANGRY
    assert result.emotion_probabilities == emotions(
        angry=0.8, **dict.fromkeys(("happy", "sad", "fear", "surprise", "neutral"), 0.04)
    )
    assert result.event_type == "提现困难"
    assert result.event_type_probabilities == {"提现困难": 0.8}  # the others have .0095 each
    assert result.risk_topic == "run"
    assert result.risk_topic_probabilities == {"run": 0.8095, "other": 0.1805}
    assert (result.institution_negative, result.institution_negative_probability) == (True, 0.8)


def test_text_of_the_original_decides_every_answer() -> None:
    copy = deduped(
        "坏和兴银行!系统故障,气死了,被骗", original_text="好:挤兑,怕提现", dedupe="duplicate"
    )
    (result,) = score(ByWord(), copy)
    assert scored_text(copy) == "好:挤兑,怕提现"
    assert (result.polarity, result.emotion) == (Polarity.POSITIVE, Emotion.FEAR)
    assert (result.event_type, result.risk_topic) == ("提现困难", "run")
    assert result.institution_negative is False
    assert result.text == "坏和兴银行!系统故障,气死了,被骗"


def test_model_is_asked_about_the_mention_s_own_institution() -> None:
    model = ByWord()
    text = "坏云汀银行,好和兴银行"
    both = [deduped(text), deduped(text, institution="yunting")]
    about_hexing, about_yunting = score(model, *both)
    assert model.asked == [
        Passage(text, ("和兴银行", "和兴行", "HXB")),
        Passage(text, ("云汀银行",)),
    ]
    assert (about_hexing.institution_negative, about_yunting.institution_negative) == (False, True)


def test_names_of_the_institution_go_with_the_text_of_the_original() -> None:
    model = ByWord()
    score(model, deduped("一", original_text="二", dedupe="duplicate", institution="yunting"))
    assert model.asked == [Passage("二", ("云汀银行",))]


def test_nothing_is_said_about_an_institution_no_longer_watched() -> None:
    model = ByWord()
    (result,) = score(model, deduped("坏和兴银行", institution="gone"))
    assert model.asked == [Passage("坏和兴银行")]
    assert result.institution_negative is None
    assert result.institution_negative_probability is None


@pytest.mark.parametrize(
    ("probability", "negative"),
    [(0.0, False), (0.4999, False), (0.5, True), (1.0, True), (None, None)],
)
def test_negative_about_the_institution_from_one_half_on(
    probability: float | None, negative: bool | None
) -> None:
    result = score_one(Always(institution_negative=probability), "和兴银行")
    assert result.institution_negative is negative
    assert result.institution_negative_probability == probability


def test_term_decides_the_topic_alone_whatever_the_model_says() -> None:
    result = score_one(ByWord(), "系统故障,提现失败")
    assert result.event_type == "提现困难"
    assert (result.risk_topic, result.risk_topic_probabilities) == ("outage", {"outage": 1.0})


def test_event_types_decide_the_topic_where_no_term_does() -> None:
    event_type = {"失联跑路": 0.3, "涉嫌欺诈": 0.4, "提现困难": 0.294, "歇业停业": 0.006}
    result = score_one(Always(event_type=event_type), "早安")
    assert result.event_type == "涉嫌欺诈"  # of no topic here
    assert result.risk_topic == "run"
    assert list(result.risk_topic_probabilities.items()) == [("run", 0.594), ("other", 0.4)]


def test_context_decides_the_topic_where_the_text_does_not() -> None:
    assert score_one(NoModel(), "吓死了", context="和兴银行挤兑").risk_topic == "run"
    result = score_one(ByWord(), "提现不了", context="系统故障")
    assert result.risk_topic_probabilities == {"outage": 1.0}


def test_context_of_the_original_goes_with_its_text() -> None:
    fields = {"context": "挤兑", "original_text": "吓死了", "dedupe": "duplicate"}
    elsewhere = deduped("吓死了呀", original_context="系统故障", **fields)
    nowhere = deduped("吓死了呀", original_context=None, **fields)
    assert [one.risk_topic for one in score(NoModel(), elsewhere, nowhere)] == ["outage", "other"]


def test_empty_batch_is_empty() -> None:
    assert score(NoModel()) == []


def test_without_a_model_everything_is_neutral_and_about_nothing() -> None:
    result = score(NoModel(), deduped("坏"), deduped("好"))
    assert [one.polarity for one in result] == [Polarity.NEUTRAL] * 2
    for one in result:
        assert one.polarity_probabilities == polarities(0, 1, 0)
        assert (one.emotion, one.emotion_probabilities) == (Emotion.NEUTRAL, emotions(neutral=1))
        assert (one.event_type, one.event_type_probabilities) == (NO_EVENT, {NO_EVENT: 1})
        assert (one.risk_topic, one.risk_topic_probabilities) == ("other", {"other": 1})
        assert one.institution_negative is one.institution_negative_probability is None


def test_model_that_forgets_a_text_is_an_error() -> None:
    class Forgetful(NoModel):
        def read(self, passages: Sequence[Passage]) -> list[Opinion]:
            return super().read(passages[1:])

    with pytest.raises(ValueError, match="shorter"):
        score(Forgetful(), deduped("坏"), deduped("好"))


@pytest.mark.parametrize(
    "model", [NoModel(), AllNegative(), ByWord()], ids=["no model", "negative", "by word"]
)
@pytest.mark.parametrize("text", ["坏和兴银行", "气,提现,被骗", "挤兑", ""])
def test_result_is_a_valid_message(model: OpinionModel, text: str) -> None:
    result = score_one(model, text)
    assert ScoredMention.model_validate(result.model_dump()) == result
    assert ScoredMention.model_validate_json(result.to_json()) == result


def test_the_code_of_what_is_said_is_handed_on() -> None:
    code = "A" * 171 + "="
    assert score_one(Always(viewpoint=code), "取不出钱").viewpoint == code
    assert score_one(ByWord(), "取不出钱").viewpoint is None
