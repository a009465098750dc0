"""wanglou evaluate: every label is measured, every bad line is named and costs no other."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wanglou.agents.commands import main
from wanglou.models.opinion import NoModel, Opinion, Passage
from wanglou.schemas.mention import EmotionProbabilities, PolarityProbabilities

module = importlib.import_module("wanglou.agents.commands.evaluate")

PNG = b"\x89PNG\r\n\x1a\n"
EMOTIONS = ("happy", "angry", "sad", "fear", "surprise", "neutral")


class OpinionByWord:
    """崩 is negative, angry and 提现困难; 坏 before a name blames it; 炸弹 cannot be borne."""

    def __init__(self) -> None:
        self.calls: list[list[Passage]] = []

    def read(self, passages: Sequence[Passage]) -> list[Opinion]:
        self.calls.append(list(passages))
        if any("炸弹" in passage.text for passage in passages):
            raise ValueError("a text that the model cannot bear")
        return [self._opinion(passage) for passage in passages]

    def _opinion(self, passage: Passage) -> Opinion:
        down = "崩" in passage.text
        angry = 0.75 if down else 0.05
        blamed = any(f"坏{name}" in passage.text for name in passage.names)
        return Opinion(
            polarity=PolarityProbabilities(negative=0.9, neutral=0.1, positive=0.0)
            if down
            else PolarityProbabilities(negative=0.1, neutral=0.7, positive=0.2),
            emotion=EmotionProbabilities(
                **dict.fromkeys(EMOTIONS, 0.05) | {"angry": angry, "neutral": 0.8 - angry}
            ),
            event_type={"其他": 0.3, "提现困难": 0.7} if down else {"其他": 0.6, "提现困难": 0.4},
            institution_negative=(0.8 if blamed else 0.4) if passage.names else None,
        )


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> OpinionByWord:
    model = OpinionByWord()
    monkeypatch.setattr(module, "load_model", lambda settings: model)
    return model


def evaluate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", *arguments])


def write(name: str, *lines: object) -> str:
    """A file of the present folder, of objects or of bytes as they are."""
    encoded = (
        line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()
        for line in lines
    )
    Path(name).write_bytes(b"\n".join(encoded) + b"\n")
    return name


def report_of(*arguments: str) -> dict[str, Any]:
    result = evaluate(*arguments, "--json")
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


@pytest.fixture
def mixed() -> str:
    """Texts with labels of every head, some of which the model misses."""
    return write(
        "mixed.jsonl",
        {"text": "系统崩了", "polarity": "negative", "emotion": "angry", "event_type": "提现困难"},
        {"text": "又崩了", "label": "negative", "event_type": "其他", "source": "forum"},
        {"text": "还行", "label": "positive", "emotion": "sad", "title": "今天"},
        {"text": "坏甲行", "institution": "甲行", "institution_negative": True},
        {"text": "甲行坏乙行", "institution": "甲行", "institution_negative": True},
    )


def test_every_head_is_measured_by_source(mixed: str) -> None:
    report = report_of(mixed)
    heads = report["heads"]
    assert list(heads) == ["polarity", "emotion", "event_type", "institution_negative"]
    polarity = heads["polarity"]
    assert polarity["labels"] == ["negative", "neutral", "positive"]
    assert {name: one["answers"] for name, one in polarity["sources"].items()} == {
        "forum": 1,
        "mixed": 2,
    }
    assert polarity["overall"]["f1"] == {"negative": 1, "neutral": None, "positive": 0}
    assert polarity["overall"]["macro_f1"] == 0.5
    assert polarity["overall"]["accuracy"] == pytest.approx(2 / 3)
    assert polarity["overall"]["confusion"] == [[2, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert heads["emotion"]["overall"]["accuracy"] == 0.5
    assert heads["event_type"]["overall"]["f1"] == {"其他": 0, "提现困难": pytest.approx(2 / 3)}
    assert heads["institution_negative"]["overall"]["confusion"] == [[1, 1], [0, 0]]
    assert heads["institution_negative"]["overall"]["reliability"][0]["confidence"] == 0.6
    assert report["rejected"] == report["unanswered"] == {}


def test_texts_are_read_as_the_pipeline_reads_them(mixed: str, model: OpinionByWord) -> None:
    report_of(mixed)
    (passages,) = model.calls
    assert passages[2] == Passage("今天 还行")
    assert passages[3] == Passage("坏甲行", ("甲行",))
    report_of(write("traditional.jsonl", {"text": "銀行崩了 http://t.cn/a", "label": "negative"}))
    assert model.calls[-1] == [Passage("银行崩了")]


def test_the_shapes_of_the_public_sets(model: OpinionByWord) -> None:
    emotion = write("e.jsonl", {"text": "崩", "emotion": "angry", "source": "usual"})
    event = write("t.jsonl", {"text": "崩", "event_type": "提现困难", "subject": "甲行"})
    subject = write(
        "n.jsonl",
        {
            "title": "快讯",
            "text": "坏甲行,乙行无事",
            "entities": "甲行;乙行;甲行",
            "negative": "1",
            "negative_entities": "甲行",
        },
        {"title": "", "text": "无", "entities": "", "negative": "0", "negative_entities": ""},
    )
    heads = report_of(emotion, event, subject)["heads"]
    assert list(heads["emotion"]["sources"]) == ["usual"]
    assert list(heads["event_type"]["sources"]) == ["t"]
    pairs = heads["institution_negative"]["sources"]["n"]
    assert pairs["confusion"] == [[1, 0], [0, 1]]
    text = "快讯 坏甲行,乙行无事"
    assert [list(call) for call in model.calls] == [
        [Passage("崩")],
        [Passage("崩")],
        [Passage(text, ("甲行",)), Passage(text, ("乙行",))],
    ]


GOOD = {"text": "崩", "label": "negative"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"nonsense", "Invalid JSON: "),
        (b"", "Invalid JSON: "),
        (b'{"text": "\xff"}', "Invalid JSON: "),
        (b"[]", "Input should be an object"),
        ({"label": "negative"}, "text: Field required"),
        ({"text": 7, "label": "negative"}, "text: Input should be a valid string (got 7)"),
        ({"text": " ", "label": "negative"}, "text: is empty"),
        ({"text": "好"}, "no label: expected polarity, label, emotion, "),
        ({"text": "好", "label": None}, "no label: "),
        (
            {**GOOD, "polarity": "negative", "polarity_probabilities": {"negative": 0.9}},
            "polarity_probabilities: what a model said is not what is true",
        ),
        ({"text": "好", "label": "bad"}, "label: Input should be 'negative', 'neutral' or "),
        ({"text": "好", "emotion": "joy"}, "emotion: Input should be 'happy', 'angry', "),
        ({"text": "好", "event_type": ""}, "event_type: String should have at least 1 "),
        ({"text": "好", "label": "negative", "source": ""}, "source: String should have "),
        (
            {"text": "好", "label": "negative", "polarity": "neutral"},
            "label: is negative, but polarity neutral",
        ),
        (
            {"text": "好", "institution_negative": True},
            "institution: must be given with institution_negative",
        ),
        (
            {"text": "好", "institution": "甲", "institution_negative": "yes"},
            "institution_negative: Input should be a valid boolean (got 'yes')",
        ),
        ({"text": "好", "entities": "甲"}, "entities and negative_entities: one is given "),
        (
            {"text": "好", "entities": "甲", "negative_entities": "乙"},
            "negative_entities: '乙' is none of entities",
        ),
        ({"text": "炸弹", "label": "negative"}, "ValueError: a text that the model cannot bear"),
    ],
)
def test_a_bad_line_is_named_and_costs_no_other(line: object, problem: str) -> None:
    result = evaluate(write("bad.jsonl", GOOD, line, GOOD), "--json")
    assert result.exit_code == 1
    first, last = result.stderr.splitlines()
    assert first.startswith(f"bad.jsonl:2: {problem}")
    assert last == "wanglou: 1 lines could not be measured"
    report = json.loads(result.stdout)
    assert list(report["rejected"]) == ["bad.jsonl:2"]
    assert report["heads"]["polarity"]["overall"]["answers"] == 2


def test_of_many_bad_lines_some_are_listed_and_all_are_reported() -> None:
    result = evaluate(write("bad.jsonl", *[{"text": "x"}] * 50, GOOD), "--json")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 21
    assert "wanglou: 50 lines could not be measured" in result.stderr
    assert len(json.loads(result.stdout)["rejected"]) == 50


@pytest.mark.parametrize("lines", [[], [{"text": "无", "entities": "", "negative_entities": ""}]])
def test_nothing_to_measure_is_a_failure(lines: list[object]) -> None:
    Path("empty.jsonl").touch()
    result = evaluate(write("nothing.jsonl", *lines) if lines else "empty.jsonl", "--out", "out")
    assert result.exit_code == 1
    assert result.stderr == "wanglou: there is nothing to measure\n"
    assert json.loads(Path("out/report.json").read_text(encoding="utf-8"))["heads"] == {}
    assert not Path("out/confusion.png").exists()


def test_a_label_unknown_to_the_model_is_always_a_miss() -> None:
    result = evaluate(
        write("t.jsonl", {"text": "崩", "event_type": "新\x1b[2J"}, {"text": "好", **GOOD})
    )
    assert result.exit_code == 0
    assert result.stderr == (
        "wanglou: event_type: the model knows no '新\\x1b[2J': always a miss\n"
    )
    assert "\x1b" not in result.stdout


def test_without_an_answer_a_label_is_left_out(mixed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_model", lambda settings: NoModel())
    result = evaluate(mixed, "--json")
    assert result.exit_code == 0
    assert "wanglou: institution_negative: 2 without an answer, left out" in result.stderr
    report = json.loads(result.stdout)
    assert "institution_negative" not in report["heads"]
    assert report["unanswered"] == {"institution_negative": 2}


def test_what_is_shown(mixed: str) -> None:
    output = evaluate(mixed).stdout
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines()]
    assert "polarity 情感极性" in output
    assert ["answers", "1", "2", "3"] in rows
    assert ["macro-F1", "1.000", "0.500", "0.500"] in rows
    assert ["accuracy", "1.000", "0.500", "0.667"] in rows
    assert ["F1 negative (n)", "1.000 (1)", "1.000 (1)", "1.000 (2)"] in rows
    assert ["F1 neutral (n)", "–", "–", "–"] in rows
    assert ["0.700", "neutral", "positive", "mixed.jsonl:3", "今天 还行"] in rows
    assert ["0.600", "false", "true", "mixed.jsonl:5", "(甲行) 甲行坏乙行"] in rows


def test_what_strangers_wrote_commands_no_terminal_and_is_cut() -> None:
    line = {"text": "[/red]" + "字" * 500, "label": "positive", "source": "\x1b[2J[/red]"}
    output = evaluate(write("long.jsonl", line)).stdout
    assert "\x1b" not in output
    assert "\\x1b[2J[/red]" in output
    assert "[/red]" + "字" * 114 + "…" in output


def test_files_written(mixed: str) -> None:
    result = evaluate(mixed, "--out", "a/b", "--mistakes", "1")
    assert result.exit_code == 0, result.output
    out = Path("a/b")
    assert sorted(path.name for path in out.iterdir()) == [
        *("confusion.png", "mistakes.jsonl", "reliability.png", "report.json"),
    ]
    assert json.loads((out / "report.json").read_text(encoding="utf-8")) == report_of(mixed)
    mistakes = [
        json.loads(line) for line in (out / "mistakes.jsonl").read_text("utf-8").splitlines()
    ]
    assert [row["head"] for row in mistakes] == [
        *("polarity", "emotion", "event_type", "institution_negative"),
    ]
    assert mistakes[0] == {
        "head": "polarity",
        "where": "mixed.jsonl:3",
        "source": "mixed",
        "text": "今天 还行",
        "institution": None,
        "truth": "positive",
        "predicted": "neutral",
        "confidence": 0.7,
    }
    for name in ("confusion.png", "reliability.png"):
        assert (out / name).read_bytes().startswith(PNG)


@pytest.mark.filterwarnings("error")
def test_pictures_bear_any_names_and_many_sources() -> None:
    lines = [
        {"text": "崩", "event_type": f"$事件{number}_{{^" + "长" * 40, "source": f"来源${number}"}
        for number in range(12)
    ]
    assert evaluate(write("wild.jsonl", *lines), "--out", "out").exit_code == 0


def test_the_same_seed_gives_the_same_figures(mixed: str) -> None:
    first, again, other = (report_of(mixed, "--seed", seed) for seed in ("1", "1", "2"))
    assert first == again
    assert {**other, "seed": 1, "heads": {}} == {**first, "heads": {}}


def test_long_files_are_read_in_chunks(
    monkeypatch: pytest.MonkeyPatch, model: OpinionByWord
) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    report_of(write("long.jsonl", *[GOOD] * 5))
    assert [len(call) for call in model.calls] == [2, 2, 1]


def test_byte_order_mark_and_windows_lines() -> None:
    Path("w.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "a", "label": "neutral"}\r\n')
    assert report_of("w.jsonl")["heads"]["polarity"]["overall"]["accuracy"] == 1
