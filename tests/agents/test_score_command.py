"""wanglou score: the same lines in the same order, each with a polarity or an error."""

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
    assert "polarity" not in bad


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
    good, bad = "服务态度非常好,业务办理很快,给个赞", "垃圾银行,钱被骗走了还不给说法,太气人了"
    result = score(lines_of({"text": good}, {"text": bad}, {"text": ""}))
    assert result.exit_code == 0, result.output
    found = rows(result.stdout)
    assert [row["polarity"] for row in found[:2]] == ["positive", "negative"]
    for row in found:
        assert sum(row["polarity_probabilities"].values()) == pytest.approx(1, abs=0.001)
        assert (
            max(row["polarity_probabilities"], key=row["polarity_probabilities"].get)
            == (row["polarity"])
        )
