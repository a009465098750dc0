"""The live board: what is open, the gravest first, and what happened last."""

from __future__ import annotations

import importlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from wanglou.agents.alert_text import colour
from wanglou.agents.board import LAST_ALERTS, Board, mood
from wanglou.agents.commands import main
from wanglou.models.page import clock
from wanglou.schemas.mention import Emotion
from wanglou.schemas.risk import Alert, Event, Level, Situation

START = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
ASSESSMENT = {"likelihood": 0.5, "impact": 0.5, "terms": []}
SITUATION = {
    "mentions": 12,
    "updates": 0,
    "late": 0,
    "negative": 9,
    "clusters": 4,
    "heat": 33.4,
    "authors": 11,
    "audience": 52000,
    "platforms": {},
    "emotions": {"fear": 6, "neutral": 6},
    "depth": 0,
    "first_at": START,
    "last_at": START,
}


def about(institution: str, topic: str, risk: float) -> dict[str, Any]:
    return {
        "institution": {"id": institution, "name": f"{institution}银行"},
        "topic": {"id": topic, "name": topic},
        "assessment": {**ASSESSMENT, "risk": risk},
        "situation": SITUATION,
        "evidence": [],
    }


def event(
    institution: str,
    level: Level | None,
    risk: float = 50.0,
    topic: str = "run",
    minute: int = 0,
) -> Event:
    return Event.model_validate(
        {
            **about(institution, topic, risk),
            "id": f"{institution}.{topic}",
            "level": level,
            "since": START,
            "assessed_at": START + timedelta(minutes=minute),
        }
    )


def alert(number: int, title: str = "升级", level: Level | None = Level.RED) -> Alert:
    return Alert.model_validate(
        {
            **about("和兴", "run", 50),
            "id": f"a{number}",
            "kind": "escalated",
            "sequence": number,
            "event_id": "和兴.run",
            "level": level,
            "title": f"{title}{number}",
            "decided_at": START + timedelta(minutes=number),
            "received_at": START,
        }
    )


def picture(board: Board) -> list[str]:
    console = Console(file=io.StringIO(), width=140, record=True)
    console.print(board.render())
    return console.export_text().splitlines()


def rows(board: Board, *words: str) -> list[str]:
    """The lines that have one of some words, in order, each by its word."""
    return [word for line in picture(board) for word in words if word in line]


def test_the_gravest_event_stands_first_then_the_riskier() -> None:
    board = Board()
    board.take_event(event("蓝", Level.BLUE, 90))
    board.take_event(event("红", Level.RED, 40))
    board.take_event(event("黄低", Level.YELLOW, 20))
    board.take_event(event("橙", Level.ORANGE, 60))
    board.take_event(event("黄高", Level.YELLOW, 30))
    names = ("红银行", "橙银行", "黄高银行", "黄低银行", "蓝银行")
    assert rows(board, *names) == list(names)
    levels = [level.chinese for level in reversed(Level)]
    assert rows(board, *levels) == [levels[0], levels[1], levels[2], levels[2], levels[3]]


def test_an_event_shows_its_latest_state_once() -> None:
    board = Board()
    board.take_event(event("和兴", Level.BLUE, 21.5))
    board.take_event(event("和兴", Level.RED, 88.5, minute=1))
    (line,) = (line for line in picture(board) if "和兴银行" in line)
    for shown in (
        "红色·特别重大",
        "run",
        "88.5",
        "33",
        "12",
        "9",
        "恐惧 50%",
        "52,000",
        "03-02 08:31",
    ):
        assert shown in line


def test_a_resolved_event_leaves_and_the_others_stay() -> None:
    board = Board()
    board.take_event(event("和兴", Level.BLUE, topic="run"))
    board.take_event(event("和兴", Level.BLUE, topic="outage"))
    board.take_event(event("和兴", None, topic="run", minute=1))
    assert rows(board, "run", "outage") == ["outage"]


def test_an_event_that_was_never_open_may_be_resolved() -> None:
    board = Board()
    board.take_event(event("和兴", None))
    assert rows(board, "和兴银行") == []


def test_a_resolved_event_may_open_again() -> None:
    board = Board()
    for minute, level in enumerate((Level.BLUE, None, Level.YELLOW)):
        board.take_event(event("和兴", level, minute=minute))
    assert rows(board, "黄色·较大") == ["黄色·较大"]


def test_an_older_state_that_comes_again_changes_nothing() -> None:
    board = Board()
    board.take_event(event("和兴", Level.RED, minute=2))
    board.take_event(event("和兴", None, minute=1))
    assert rows(board, "红色·特别重大") == ["红色·特别重大"]


def test_a_repeated_alert_is_dropped() -> None:
    board = Board()
    assert board.take_alert(alert(1))
    assert not board.take_alert(alert(1))
    assert board.take_alert(alert(2))
    assert [one.id for one in board.alerts] == ["a1", "a2"]
    assert rows(board, "升级1", "升级2") == ["升级2", "升级1"]


def test_the_last_alerts_stand_with_the_newest_first() -> None:
    board = Board()
    for number in range(100, 100 + LAST_ALERTS + 3):
        board.take_alert(alert(number))
    titles = [f"升级{number}" for number in range(100, 100 + LAST_ALERTS + 3)]
    assert rows(board, *titles) == titles[::-1][:LAST_ALERTS]
    assert len(board.alerts) == LAST_ALERTS + 3
    assert not board.take_alert(alert(100)), "a repeat of one that is not shown any more"


def with_measures(number: int, level: Level, text: str, institution: str = "和兴") -> Alert:
    planned = {
        "kind": "statement",
        "text": text,
        "department": "公关部",
        "due_at": START + timedelta(minutes=90),
    }
    update = {"event_id": f"{institution}.run", "goal": "稳住", "measures": [planned]}
    return Alert.model_validate({**alert(number, level=level).model_dump(), **update})


def test_the_steps_of_the_alert_in_force_are_shown_while_its_event_is_open() -> None:
    board = Board()
    board.take_alert(with_measures(1, Level.YELLOW, "旧措施"))
    board.take_alert(with_measures(2, Level.RED, "新措施"))
    assert rows(board, "旧措施", "新措施") == []
    board.take_event(event("和兴", Level.RED))
    assert rows(board, "旧措施", "新措施") == ["新措施"]
    assert rows(board, "10:00 前  信息发布·公关部") != []
    board.take_event(event("和兴", None, minute=1))
    assert rows(board, "新措施") == []


def test_the_steps_of_the_gravest_events_only_are_shown() -> None:
    board = Board()
    for number, level in enumerate((Level.YELLOW, Level.RED, Level.ORANGE)):
        name = level.label
        board.take_event(event(name, level))
        board.take_alert(with_measures(number, level, f"{name}措施", name))
    assert rows(board, "yellow措施", "red措施", "orange措施") == ["red措施", "orange措施"]


def said(text: str, share: float, negative: float) -> dict[str, Any]:
    return {
        "text": text,
        "mention_id": "weibo:1",
        "share": share,
        "mentions": 5,
        "polarities": {"negative": negative, "neutral": 1 - negative},
        "first_at": START,
        "last_at": START,
    }


def test_the_two_main_viewpoints_stand_with_their_event() -> None:
    viewpoints = [
        said("[b]取不出钱" + "了" * 140, 0.61, 0.97),
        said("是谣言", 0.21, 0.0),
        said("问一问", 0.18, 0.5),
    ]
    board, shown = Board(), event("和兴", Level.RED)
    situation = Situation.model_validate(SITUATION | {"viewpoints": viewpoints})
    board.take_event(shown.model_copy(update={"situation": situation}))
    board.take_event(event("云汀", Level.BLUE))
    first, second = (line for line in picture(board) if "取不出钱" in line or "是谣言" in line)
    for word in ("和兴银行", "run", "61%", "97%", "[b]取不出钱了", "…"):
        assert word in first
    assert "21%" in second
    assert "和兴银行" not in second
    assert not any("问一问" in line for line in picture(board))


def test_an_empty_board_can_be_drawn() -> None:
    assert any("开放事件" in line for line in picture(Board()))


@pytest.mark.parametrize(
    ("emotions", "mentions", "shown"),
    [
        ({"fear": 3, "angry": 2}, 5, "恐惧 60%"),
        ({"fear": 1, "neutral": 99}, 100, "恐惧 1%"),
        ({"fear": 2, "angry": 2}, 6, "愤怒 33%"),  # ties: the first listed
        ({"a word of a later release": 9, "sad": 1}, 10, "悲伤 10%"),
        ({"neutral": 4}, 4, "无情绪"),
        ({}, 4, "无情绪"),
        ({}, 0, "无情绪"),
    ],
)
def test_the_mood_is_the_commonest_emotion_besides_none(
    emotions: dict[str, int], mentions: int, shown: str
) -> None:
    situation = SITUATION | {"emotions": emotions, "mentions": mentions}
    assert mood(Situation.model_validate(situation)) == shown


def test_each_emotion_has_its_word() -> None:
    assert len({one.chinese for one in Emotion}) == len(Emotion) == 6


def test_each_level_has_its_colour() -> None:
    colours = [colour(level) for level in (None, *Level)]
    assert len(set(colours)) == 5
    for level, name in zip(Level, ("blue", "yellow", "orange", "red"), strict=True):
        assert name in colour(level)


def test_times_are_those_of_china() -> None:
    assert clock(datetime(2026, 12, 31, 16, 5, tzinfo=UTC)) == "01-01 00:05"


def test_watch_prints_one_line_an_alert_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def feed(board: Board, broker: object) -> AsyncIterator[list[Alert]]:
        yield [alert(1, "[/red] 和兴银行升级")]
        yield []
        yield [alert(2, "又升级"), alert(3, "解除", None)]

    module = importlib.import_module("wanglou.agents.commands.watch")
    monkeypatch.setattr(module, "feed", feed)
    result = CliRunner().invoke(main, ["watch"])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "03-02 08:31 [/red] 和兴银行升级1",
        "03-02 08:32 又升级2",
        "03-02 08:33 解除3",
    ]
