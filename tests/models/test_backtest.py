from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.models.builders import AUTHOR_KEY, ByWord, at, encode, raw, rules
from wanglou.models.backtest import BATCH, WHOLE, Backtest, BacktestResult, PartitionOf, Share
from wanglou.models.opinion import NoModel, OpinionModel
from wanglou.schemas.dead_letter import Reason
from wanglou.schemas.risk import AlertKind, Level

RUMOUR = "坏消息,和兴银行城南支行门口排长队挤兑"
PLAIN = {
    "impact_weights": {"severity": 1.0, "reach": 0.0, "source": 0.0},
    "activity_weights": {"heat": 0.0, "burst": 0.0, "velocity": 1.0},
}


def line(minute: float = 0, **fields: Any) -> bytes:
    return encode(raw(published_at=at(minute).isoformat(), **fields)) + b"\n"


def one_partition(key: str) -> int:
    return 0


def run(
    lines: Iterable[bytes],
    model: OpinionModel | None = None,
    partition_of: PartitionOf = one_partition,
    share: Share = WHOLE,
) -> BacktestResult:
    backtest = Backtest(rules(**PLAIN), model or ByWord(), AUTHOR_KEY, partition_of, share)
    for _ in backtest.feed(lines):
        pass
    return backtest.result


STREAM = [
    line(0, id="1", text=RUMOUR),
    line(0, id="1", text=RUMOUR),  # repeat
    line(0, id="1", text=RUMOUR, engagement={"likes": 5}),  # update
    line(1, id="2", text=RUMOUR + "了"),  # duplicate
    b"no json\n",
    b"\n",
    line(1, id="3", text="早安"),  # about nobody
    line(1, id="4", text="吓死了,坏", root_id="1"),  # inherits
    line(2, id="5", text="和兴银行和云汀银行都好"),  # two mentions
    line(2, id="6", text="和兴银行", platform="?"),
    line(60, id="7", text="云汀银行很安静"),  # closes the minutes
]


def test_every_line_is_accounted_for() -> None:
    counts = run(STREAM).counts
    assert counts == {
        "raw": 11,
        "dead-letter": 3,
        "irrelevant": 1,
        "accepted": 8,
        "original": 5,
        "update": 1,
        "duplicate": 1,
        "repeat": 1,
        "scored": 7,
    }


def test_refused_lines_are_named_by_number_and_reason() -> None:
    refused = run(STREAM).rejections
    assert [(number, rejection.reason) for number, rejection in refused] == [
        (5, Reason.NOT_JSON),
        (6, Reason.NOT_JSON),
        (10, Reason.INVALID),
    ]
    assert refused[2][1].error.startswith("platform: ")


def test_alerts_and_latest_events_come_out() -> None:
    lines = [line(0, id=str(number), text=RUMOUR) for number in range(7)]
    result = run([*lines, line(1, id="x", text="云汀银行"), line(2, id="y", text="云汀银行")])
    # negative with .8: share 6 / 9, score 7 / 12; three doublings of four: 43.75
    (alert,) = result.alerts
    assert (alert.kind, alert.level) == (AlertKind.RAISED, Level.RED)
    assert alert.assessment.risk == pytest.approx(43.75, abs=1e-4)
    assert list(result.events) == ["hexing.run"]
    assert result.events["hexing.run"].assessed_at == at(2)  # the latest, not the first


def test_without_a_model_nothing_is_negative() -> None:
    lines = [line(0, id=str(number), text=RUMOUR) for number in range(50)]
    result = run([*lines, line(5, id="x")], model=NoModel())
    assert result.alerts == []
    assert result.counts["scored"] == 51


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_line_endings_do_not_count(ending: bytes) -> None:
    assert run([line().rstrip(b"\n") + ending]).counts["accepted"] == 1


def test_empty_stream_has_no_result() -> None:
    result = run([])
    assert (result.counts, result.alerts, result.events) == ({}, [], {})


def test_progress_is_told_in_batches() -> None:
    backtest = Backtest(rules(), NoModel(), AUTHOR_KEY, one_partition)
    stream = (line(0, id=str(number), text="早安") for number in range(BATCH + 3))
    assert list(backtest.feed(stream)) == [BATCH, 3]


def outcome(result: BacktestResult) -> list[bytes]:
    messages = [*result.alerts, *result.events.values()]
    return [message.to_json() for message in messages]


def long_stream() -> list[bytes]:
    words = ["坏", "好", "还行"]
    return [
        line(
            number % 7 + number // 5,
            id=str(number % 170),
            text=f"{words[number % 3]},和兴银行挤兑{number % 11}号窗口{'取不出钱' * (number % 4)}",
            engagement={"likes": number},
            author={"id": f"a{number % 60}", "followers": number * 31 % 997},
        )
        for number in range(240)
    ]


def test_two_runs_give_equal_bytes() -> None:
    first, second = run(long_stream()), run(long_stream())
    assert first.alerts
    assert outcome(first) == outcome(second)
    assert first.counts == second.counts


def test_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = run(long_stream())
    monkeypatch.setattr("wanglou.models.backtest.BATCH", 7)
    in_pieces = run(long_stream())
    assert outcome(at_once) == outcome(in_pieces)
    assert at_once.counts == in_pieces.counts


def test_another_process_gives_equal_bytes() -> None:
    # another seed of hashes is another order of sets
    script = (
        "import sys\n"
        "from tests.models.test_backtest import long_stream, outcome, run\n"
        "sys.stdout.buffer.write(b'\\n'.join(outcome(run(long_stream()))))\n"
    )
    expected = b"\n".join(outcome(run(long_stream())))
    for seed in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-c", script],
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        assert printed.stdout == expected


def test_shares_add_up_to_the_whole() -> None:
    stream = [*long_stream(), *STREAM]
    whole, halves = run(stream), [run(stream, share=Share(number, 2)) for number in range(2)]
    assert all(half.counts["accepted"] for half in halves)
    together, other = halves
    together.add(other)
    assert outcome(together) == outcome(whole)
    assert together.counts == whole.counts
    assert together.rejections == whole.rejections
    assert (together.mentions, together.trail) == (whole.mentions, whole.trail)


def test_thread_meets_on_one_partition_whatever_its_number() -> None:
    # a partition for each key: the comment is keyed by its root
    partitions: dict[str, int] = {}
    result = run(
        [*STREAM[:1], line(1, id="9", text="吓死了", root_id="1")],
        partition_of=lambda key: partitions.setdefault(key, len(partitions)),
    )
    assert result.counts["accepted"] == 2
    assert set(partitions) == {"1", "hexing", "yunting"}


def test_clock_of_one_partition_closes_the_minutes_of_all() -> None:
    # nothing earlier will come on any of them, as their raw partitions share one order
    by_institution = {"hexing": 0, "yunting": 1}
    stream = [line(0, id=str(number), text=RUMOUR) for number in range(7)]
    stream.append(line(60, id="x", text="云汀银行"))
    apart = run(stream, partition_of=lambda key: by_institution.get(key, 0))
    # 43.75 in minute 0, and 0 from minute 30 on: down to blue after 10 minutes of calm; minute 60,
    # in which 30 minutes of quiet would resolve it, is still open
    assert [(alert.kind, alert.decided_at) for alert in apart.alerts] == [
        (AlertKind.RAISED, at(1)),
        (AlertKind.DE_ESCALATED, at(41)),
    ]
    assert outcome(apart) == outcome(run(stream))


def test_lines_come_in_the_order_of_their_clock_then_raw_partition() -> None:
    # the second line is late: its clock is that of the first, and its partition comes first
    partitions = {"1": 1, "2": 0}
    stream = [line(5, id="1", text="云汀银行"), line(4, id="2", text="早安"), b"no json"]
    result = run(stream, partition_of=lambda key: partitions.get(key, 2))
    assert result.counts["raw"] == 3
    backtest = Backtest(rules(), NoModel(), AUTHOR_KEY, lambda key: partitions.get(key, 2))
    ordered = list(backtest._in_order(iter(stream)))
    assert [(one.index, one.position.partition, one.position.offset) for one in ordered] == [
        (1, 0, 1),
        (0, 1, 0),
        (2, 2, 2),
    ]
    assert {one.position.time for one in ordered} == {int(at(5).timestamp() * 1000)}
