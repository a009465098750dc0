from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.training.builders import write_lines
from wanglou.models.network import EMOTION, EVENT_TYPE, HEADS, INSTITUTION_NEGATIVE, POLARITY
from wanglou.models.training import corpora
from wanglou.models.training.corpora import READERS, read_corpus, sha256
from wanglou.models.training.example import CorpusError, Example
from wanglou.models.training.recipe import DEFAULT_RECIPE

NEGATIVE, NEUTRAL, POSITIVE = range(3)


def write_csv(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_sentiment_names_its_own_sources(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "a.jsonl",
        [
            {"text": "銀行 取不出錢 http://t.cn/a", "label": "negative", "source": "微博"},
            {"text": "还行", "label": "neutral", "source": "论坛"},
        ],
    )
    assert read_corpus(path, "sentiment") == [
        Example("银行 取不出钱", "微博", {POLARITY: NEGATIVE}),
        Example("还行", "论坛", {POLARITY: NEUTRAL}),
    ]


def test_emotion(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": "气死了", "emotion": "angry"}])
    assert read_corpus(path, "emotion") == [
        Example("气死了", "smp", {EMOTION: HEADS[EMOTION].index("angry")})
    ]


@pytest.mark.parametrize(
    ("subject", "institution"),
    [("和興銀行", "和兴银行"), ("云汀银行", None), ("", None), (None, None), (7, None)],
)
def test_event_is_about_a_subject_that_stands_in_the_text(
    tmp_path: Path, subject: object, institution: str | None
) -> None:
    row = {"text": "和兴银行停业", "event_type": "歇业停业", "subject": subject}
    (example,) = read_corpus(write_lines(tmp_path / "a.jsonl", [row]), "event_type")
    assert example.institution == institution
    assert example.labels == {EVENT_TYPE: HEADS[EVENT_TYPE].index("歇业停业")}


def test_negative_subject_gives_an_example_an_entity(tmp_path: Path) -> None:
    row = {
        "title": "快讯",
        "text": "坏和兴银行,云汀银行无事",
        "entities": "和兴银行;云汀银行;;和兴银行",
        "negative_entities": "和兴银行",
    }
    text = "快讯 坏和兴银行,云汀银行无事"
    assert read_corpus(write_lines(tmp_path / "a.jsonl", [row]), "negative_subject") == [
        Example(text, "finnsp", {INSTITUTION_NEGATIVE: 1}, "和兴银行"),
        Example(text, "finnsp", {INSTITUTION_NEGATIVE: 0}, "云汀银行"),
    ]


def test_two_classes_are_told_by_the_files_name(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "评论.csv", 'label,text\n1,开心\n0,"排队,\n真久"\n-1,亏了\n')
    assert read_corpus(path, "two_class") == [
        Example("开心", "评论", {POLARITY: POSITIVE}, two_class=True),
        Example("排队,真久", "评论", {POLARITY: NEGATIVE}, two_class=True),
        Example("亏了", "评论", {POLARITY: NEGATIVE}, two_class=True),
    ]


def test_spaces_of_a_segmentation_are_removed(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", 'label,text\n1,"今天 去 银行 用 good app 转账 , 真 快"\n')
    (example,) = read_corpus(path, "two_class")
    assert example.text == "今天去银行用good app转账,真快"


def test_seven_emotions_are_two_polarities_or_none(tmp_path: Path) -> None:
    lines = [f"第{number}条,{number}\n" for number in range(7)]
    examples = read_corpus(
        write_csv(tmp_path / "a.csv", "text,label\n" + "".join(lines)), "seven_emotions"
    )
    assert all(example.two_class for example in examples)
    assert {example.text: example.labels[POLARITY] for example in examples} == {
        "第0条": NEGATIVE,
        "第1条": NEGATIVE,
        "第2条": POSITIVE,
        "第4条": POSITIVE,  # 3 is surprise
        "第5条": NEGATIVE,
        "第6条": NEGATIVE,
    }


def test_company_news_is_about_its_company(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "a.csv",
        ",公司,正负面,标题,正文\n1,甲行,0,甲行被罚,甲行被罚五万元\n2,,1,快讯,盈利了\n",
    )
    negative = {POLARITY: NEGATIVE, INSTITUTION_NEGATIVE: 1}
    positive = {POLARITY: POSITIVE, INSTITUTION_NEGATIVE: 0}
    assert read_corpus(path, "company_news") == [
        Example("甲行被罚五万元", "news", negative, "甲行", two_class=True),
        Example("快讯 盈利了", "news", positive, None, two_class=True),
    ]


def test_own_texts_have_labels_of_several_heads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = {"emotion": None, "event_type": None, "institution_negative": None, "institution": None}
    rows = [
        SimpleNamespace(text="和興銀行挺好", polarity="positive", **bare),
        SimpleNamespace(
            text="和兴银行取不出钱",
            polarity="negative",
            emotion="fear",
            event_type="提现困难",
            institution_negative=True,
            institution="和興銀行",
        ),
    ]
    monkeypatch.setattr(corpora, "bank_texts", lambda path, **options: rows)
    assert read_corpus(tmp_path / "any", "own") == [
        Example("和兴银行挺好", "any", {POLARITY: POSITIVE}),
        Example(
            "和兴银行取不出钱",
            "any",
            {
                POLARITY: NEGATIVE,
                EMOTION: HEADS[EMOTION].index("fear"),
                EVENT_TYPE: HEADS[EVENT_TYPE].index("提现困难"),
                INSTITUTION_NEGATIVE: 1,
            },
            "和兴银行",
        ),
    ]


@pytest.mark.parametrize("name", ["bank_texts.yaml", "bank_texts_more.yaml"])
def test_the_shipped_own_texts_are_read(name: str) -> None:
    examples = read_corpus(DEFAULT_RECIPE.with_name(name), "own")
    assert {head for example in examples for head in example.labels} == {*HEADS}
    for example in examples:
        assert (INSTITUTION_NEGATIVE in example.labels) == (example.institution is not None)
        assert example.institution is None or example.institution in example.text


def test_problem_of_own_texts_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    with pytest.raises(CorpusError, match=re.escape(f"{path}: No such file")):
        read_corpus(path, "own")
    path.write_text("kinds: 3", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"own\.yaml, kinds: Input should be"):
        read_corpus(path, "own")


def test_unlabelled_texts_have_no_labels(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "posts.jsonl", [{"text": "排队", "likes": 3}])
    assert read_corpus(path, "unlabelled") == [Example("排队", "posts")]


def test_news_with_tags_are_texts_without_labels(tmp_path: Path) -> None:
    path = tmp_path / "news.json"
    path.write_text(json.dumps([["某银行降息", "中国 公司"], ["排队", ""]]), encoding="utf-8")
    rows = read_corpus(path, "tagged_news")
    assert rows == [Example("某银行降息", "news"), Example("排队", "news")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[", "is not JSON: "),
        ('[["好", ""], ["好"]]', "item 1 must be a text and its tags, not ['好']"),
        ('[["好", 3]]', "item 0 must be a text and its tags, not ['好', 3]"),
        ('{"好": ""}', "must be a list of items"),
    ],
)
def test_bad_news_with_tags_are_named(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "news.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CorpusError, match=re.escape(f"{path}: {problem}")):
        read_corpus(path, "tagged_news")


@pytest.mark.parametrize("text", ["", " ", "http://t.cn/a", "@小明"])
def test_texts_that_say_nothing_are_dropped(tmp_path: Path, text: str) -> None:
    rows = [{"text": text}, {"text": "排队"}]
    assert len(read_corpus(write_lines(tmp_path / "a.jsonl", rows), "unlabelled")) == 1


def test_byte_order_mark_windows_lines_and_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    line = json.dumps({"text": "气死了\u2028真的", "emotion": "angry"}, ensure_ascii=False)
    path.write_bytes(f"\ufeff{line}\r\n\r\n{line}\r\n".encode())
    assert len(read_corpus(path, "emotion")) == 2


GOOD = {
    "sentiment": {"text": "好", "label": "positive", "source": "论坛"},
    "emotion": {"text": "好", "emotion": "happy"},
    "event_type": {"text": "好", "event_type": "其他"},
    "negative_subject": {"title": "", "text": "好", "entities": "", "negative_entities": ""},
    "unlabelled": {"text": "好"},
}


@pytest.mark.parametrize(
    ("format_name", "line", "problem"),
    [
        ("sentiment", GOOD["sentiment"] | {"label": "bad"}, "polarity 'bad' is none of negative, "),
        ("sentiment", {"text": "好", "label": "neutral"}, "field 'source' must be a string, not "),
        ("sentiment", GOOD["sentiment"] | {"label": 1}, "field 'label' must be a string, not 1"),
        ("sentiment", GOOD["sentiment"] | {"text": None}, "field 'text' must be a string, not No"),
        ("emotion", GOOD["emotion"] | {"emotion": "joy"}, "emotion 'joy' is none of happy, angry"),
        ("event_type", {"text": "好", "event_type": "雨"}, "event_type '雨' is none of 其他, "),
        ("negative_subject", {"text": "好"}, "field 'title' must be a string, not None"),
        ("unlabelled", {"texts": "好"}, "field 'text' must be a string, not None"),
        ("unlabelled", "{", "is not JSON: "),
        ("unlabelled", "[]", "is not an object"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, format_name: str, line: object, problem: str) -> None:
    path = write_lines(tmp_path / "a.jsonl", [GOOD[format_name], "", line])
    with pytest.raises(CorpusError, match=re.escape(f"{path}:3: {problem}")):
        read_corpus(path, format_name)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", ":1: header lacks label, text"),
        ("label,words\n1,好\n", ":1: header lacks text"),
        ('label,text\n1,"a\nb"\n2,好\n', ":4: label '2' is none of -1, 0, 1"),
        ("text,label\n好\n", ":2: label '' is none of -1, 0, 1"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, content: str, problem: str) -> None:
    path = write_csv(tmp_path / "a.csv", content)
    with pytest.raises(CorpusError, match=re.escape(f"{path}{problem}")):
        read_corpus(path, "two_class")


@pytest.mark.parametrize("format_name", sorted({*READERS} - {"own"}))
def test_files_that_cannot_be_read_are_named(tmp_path: Path, format_name: str) -> None:
    missing, binary = tmp_path / "missing", tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(CorpusError, match=re.escape(f"{missing}: No such file")):
        read_corpus(missing, format_name)
    with pytest.raises(CorpusError, match=re.escape(f"{binary}: is not UTF-8")):
        read_corpus(binary, format_name)


def test_file_without_texts_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": ""}])
    with pytest.raises(CorpusError, match=re.escape(f"{path}: has no texts")):
        read_corpus(path, "unlabelled")


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223b00361a3")
