"""wanglou score: the same lines in the same order, each with its answers or an error."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wanglou.agents.commands import main
from wanglou.agents.settings import WEIGHTS
from wanglou.agents.step3_sentiment import load_model
from wanglou.models.opinion import Passage
from wanglou.models.taxonomy import EVENT_TYPES
from wanglou.schemas.mention import Emotion, Polarity

module = importlib.import_module("wanglou.agents.commands.score")


@pytest.fixture(autouse=True)
def model(word_model: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(module, "load_model", lambda settings: word_model)
    return word_model


def score(lines: bytes, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["score", "-", *arguments], input=lines)


def rows(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def lines_of(*values: object) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in values).encode()


def test_lines_keep_their_order_and_fields(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)  # several chunks
    texts = ["系统崩了", "天气好", "又崩了", "好", "还是崩了", "好的", "崩"]
    result = score(lines_of(*({"text": text, "n": n} for n, text in enumerate(texts))))
    assert result.exit_code == 0
    assert result.stderr == ""
    found = rows(result.stdout)
    assert [row["n"] for row in found] == list(range(7))
    assert [row["text"] for row in found] == texts
    assert [row["polarity"] == "negative" for row in found] == ["崩" in text for text in texts]
    assert [len(call) for call in model.calls] == [3, 3, 1]
    assert found[0]["polarity_probabilities"] == {"negative": 0.9, "neutral": 0.1, "positive": 0.0}


def test_every_answer_comes_out_with_its_probabilities() -> None:
    (row,) = rows(score(lines_of({"id": 7, "text": "又崩了"})).stdout)
    assert row == {
        "id": 7,
        "text": "又崩了",
        "polarity": "negative",
        "polarity_probabilities": {"negative": 0.9, "neutral": 0.1, "positive": 0.0},
        "emotion": "angry",
        "emotion_probabilities": {
            "happy": 0.0,
            "angry": 0.7,
            "sad": 0.1,
            "fear": 0.2,
            "surprise": 0.0,
            "neutral": 0.0,
        },
        "event_type": "歇业停业",
        "event_type_probabilities": {"其他": 0.25, "歇业停业": 0.75},
        "risk_topic": "infection",
        "risk_topic_probabilities": {"other": 0.25, "infection": 0.75},
    }


@pytest.mark.parametrize(
    ("text", "negative", "probability"), [("崩", True, 0.875), ("好", False, 0.125)]
)
def test_where_an_institution_is_named_it_is_asked_about(
    text: str, negative: bool, probability: float, model: Any
) -> None:
    (row,) = rows(score(lines_of({"text": text, "institution": "和興銀行"})).stdout)
    assert row["institution_negative"] is negative
    assert row["institution_negative_probability"] == probability
    assert row["institution"] == "和興銀行"
    assert model.calls == [[Passage(text, ("和兴银行",))]]


@pytest.mark.parametrize("institution", [None, "", " ", "@和兴"])
def test_where_none_is_named_nothing_is_said_about_it(institution: str | None, model: Any) -> None:
    (row,) = rows(score(lines_of({"text": "崩", "institution": institution})).stdout)
    assert "institution_negative" not in row
    assert "institution_negative_probability" not in row
    assert model.calls == [[Passage("崩")]]


@pytest.mark.parametrize(
    ("title", "read"),
    [
        ("快讯", "快讯 系统崩了"),
        ("系統", "系统崩了"),
        ("", "系统崩了"),
        (None, "系统崩了"),
    ],
)
def test_the_title_is_read_before_the_text(title: str | None, read: str, model: Any) -> None:
    (row,) = rows(score(lines_of({"title": title, "text": "系統崩了"})).stdout)
    assert model.texts == [[read]]
    assert (row["title"], row["text"]) == (title, "系統崩了")


def test_a_term_of_the_taxonomy_decides_the_topic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    severity = {"reputation": 1, "trust": 1, "regulator": 1}
    topics = [
        {"id": "own", "name": "自定", "severity": severity, "terms": ["排长队"]},
        {"id": "closed", "name": "停业", "severity": severity, "event_types": ["歇业停业"]},
        {"id": "other", "name": "其他", "severity": severity},
    ]
    (tmp_path / "own.yaml").write_text(json.dumps({"topics": topics}), encoding="utf-8")
    monkeypatch.setenv("WANGLOU_RULES__TAXONOMY", str(tmp_path / "own.yaml"))
    texts = [{"text": "排長隊,系统崩了"}, {"text": "系统崩了", "title": "排长队"}, {"text": "崩"}]
    found = rows(score(lines_of(*texts)).stdout)
    assert [row["risk_topic"] for row in found] == ["own", "own", "closed"]
    assert [row["risk_topic_probabilities"] for row in found] == [
        {"own": 1.0},
        {"own": 1.0},
        {"other": 0.25, "closed": 0.75},
    ]
    assert {row["event_type"] for row in found} == {"歇业停业"}


def test_without_the_model_the_terms_still_find_their_topic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "load_model", load_model)
    monkeypatch.setenv("WANGLOU_MODEL__ENABLED", "false")
    line = {"text": "取不出钱", "institution": "和兴银行"}
    (row,) = rows(score(lines_of(line)).stdout)
    assert (row["polarity"], row["emotion"], row["event_type"]) == ("neutral", "neutral", "其他")
    assert (row["risk_topic"], row["risk_topic_probabilities"]) == ("run", {"run": 1.0})
    assert "institution_negative" not in row


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"nonsense", "line 2: not JSON: "),
        (b"", "line 2: not JSON: "),
        (b'{"text": "a"', "line 2: not JSON: "),
        (b'{"text": "\xff"}', "line 2: not JSON: "),
        (b'{"text": "\\ud800"}', "line 2: not JSON: "),
        (b'{"text": "a", "x": NaN}', "line 2: not JSON: "),
        (b"[" * 100_000, "line 2: not JSON: "),
        (b"[]", "line 2: not an object but list"),
        (b'"a"', "line 2: not an object but str"),
        (b"null", "line 2: not an object but NoneType"),
        (b"{}", "line 2: text: must be a string"),
        (b'{"text": 7}', "line 2: text: must be a string"),
        (b'{"text": null}', "line 2: text: must be a string"),
        (b'{"text": "a", "title": 7}', "line 2: title: must be a string or null"),
        (b'{"text": "a", "title": ["b"]}', "line 2: title: must be a string or null"),
        (b'{"text": "a", "institution": {}}', "line 2: institution: must be a string or null"),
        (b'{"text": "a", "institution": false}', "line 2: institution: must be a string or null"),
        ('{"text": "炸弹"}'.encode(), "line 2: ValueError: a text that the model cannot bear"),
    ],
)
def test_a_bad_line_gets_an_error_and_costs_no_other(line: bytes, error: str) -> None:
    good = lines_of({"text": "系统崩了"})
    result = score(good + line + b"\n" + good)
    assert result.exit_code == 1
    assert result.stderr == "wanglou: 1 lines could not be scored\n"
    first, bad, last = rows(result.stdout)
    assert first["polarity"] == last["polarity"] == "negative"
    assert bad["error"].startswith(error)
    assert not {"polarity", "emotion", "event_type", "risk_topic"} & bad.keys()


def test_an_error_of_an_earlier_run_is_not_kept() -> None:
    (row,) = rows(score(lines_of({"text": "好", "error": "line 1: old"})).stdout)
    assert "error" not in row


def test_nothing_in_gives_nothing_out() -> None:
    result = score(b"")
    assert (result.exit_code, result.output) == (0, "")


def test_windows_lines_and_byte_order_mark_are_taken() -> None:
    result = score("\ufeff".encode() + '{"text": "崩"}\r\n{"text": "好"}'.encode())
    assert [row["polarity"] for row in rows(result.stdout)] == ["negative", "neutral"]


def test_chinese_is_written_as_it_is() -> None:
    assert "系统崩了" in score(lines_of({"text": "系统崩了"})).stdout


def test_from_file_to_file(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines_of({"text": "崩"}, {"text": "好"}))
    arguments = ["score", "in.jsonl", "--out", "out.jsonl"]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.output) == (0, "")
    written = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert [row["polarity"] for row in rows(written)] == ["negative", "neutral"]


@pytest.mark.skipif(not (WEIGHTS / "model.safetensors").is_file(), reason="no weights here")
def test_the_real_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_model", load_model)
    good, bad = "服务态度非常好,业务办理很快,给个赞", "和兴银行垃圾,钱被骗走了还不给说法,太气人了"
    lines = [{"text": good}, {"text": bad, "institution": "和兴银行"}, {"text": ""}]
    lines.append({"text": "和兴银行排长队取款。" * 200, "institution": "和兴银行", "title": "快讯"})
    result = score(lines_of(*lines))
    assert result.exit_code == 0, result.output
    found = rows(result.stdout)
    assert [row["polarity"] for row in found[:2]] == ["positive", "negative"]
    assert (found[0]["emotion"], found[1]["emotion"]) == ("happy", "angry")
    assert found[1]["institution_negative"] is True
    assert ["institution_negative" in row for row in found] == [False, True, False, True]
    labels = {"polarity": set(Polarity), "emotion": set(Emotion), "event_type": set(EVENT_TYPES)}
    for row in found:
        for head in ("polarity", "emotion", "event_type", "risk_topic"):
            probabilities = row[f"{head}_probabilities"]
            assert sum(probabilities.values()) == pytest.approx(1, abs=0.002)
            assert max(probabilities, key=probabilities.get) == row[head]
            assert set(probabilities) == labels.get(head, set(probabilities))
