from __future__ import annotations

import json
from pathlib import Path

from wanglou.models.network import EMOTION, EVENT_TYPE, HEADS, INSTITUTION_NEGATIVE, POLARITY
from wanglou.models.training.example import Example
from wanglou.models.training.labelled import labelled_lines, write_labelled

RUN = HEADS[EVENT_TYPE].index("提现困难")


def test_labels_are_written_by_name() -> None:
    (line,) = labelled_lines(Example("气死了", "论坛", {POLARITY: 0, EMOTION: 1}))
    assert line == {"text": "气死了", "source": "论坛", "polarity": "negative", "emotion": "angry"}


def test_institution_is_asked_about_as_true_or_false() -> None:
    for label in (0, 1):
        example = Example("坏甲行", "新闻", {INSTITUTION_NEGATIVE: label}, "甲行")
        (line,) = labelled_lines(example)
        assert line["institution"] == "甲行"
        assert line[INSTITUTION_NEGATIVE] is bool(label)


def test_event_is_asked_with_its_institution_and_without() -> None:
    example = Example("坏甲行", "新闻", {EVENT_TYPE: RUN, INSTITUTION_NEGATIVE: 1}, "甲行")
    without, named = labelled_lines(example)
    assert without == {"text": "坏甲行", "source": "新闻", "event_type": "提现困难"}
    assert named == {
        **without,
        "source": "新闻, named",
        "institution": "甲行",
        INSTITUTION_NEGATIVE: True,
    }


def test_text_without_labels_measures_nothing() -> None:
    assert list(labelled_lines(Example("好", "微博"))) == []
    assert list(labelled_lines(Example("甲行好", "微博", {}, "甲行"))) == []


def test_file_has_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "new" / "dev.jsonl"
    write_labelled(path, [Example("好\n", "论坛", {POLARITY: 2})] * 2)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["好\n", "好\n"]
    assert "好" in lines[0]
