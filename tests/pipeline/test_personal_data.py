"""Nothing that names a person leaves intake in the clear: every topic, log and metric is searched.

Two places keep what was sent, and are closed to all but collectors, intake and operators: the raw
topic, and in a dead letter the original of what could not be read.
"""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import time
from pathlib import Path

from cluster import READY_SECONDS, WITH_MODEL, mention, running_cluster

from wanglou.agents.kafka import read_to_end
from wanglou.schemas.dead_letter import DeadLetter
from wanglou.schemas.topics import ALERTS, DEAD_LETTERS, RAW, TOPICS

GIVE_UP_SECONDS = 30.0
PHONE = "13912345678"
SPOKEN_PHONE = "139 8765 4321"
IDENTITY_CARD = "11010519491231002X"
BANK_CARD = "6222021234567890128"
AUTHOR_ID = "5704656177"
AUTHOR_NAME = "陈小花1987"
CALLED = "@李雷韩梅梅"
ORDER = "2020031512345678"
"""An order number is nobody's: it survives."""

PLANTED = (PHONE, SPOKEN_PHONE, IDENTITY_CARD, BANK_CARD, AUTHOR_ID, AUTHOR_NAME, CALLED[1:])

TEXTS = (
    f"和兴银行取不出钱,排队挤兑,有消息的打我电话{PHONE}",
    f"和兴银行要倒闭了,大家快去取钱,{CALLED} 电话 {SPOKEN_PHONE}",
    f"和兴银行冻结了我的存款,身份证{IDENTITY_CARD},没人管",
    f"和兴银行的卡{BANK_CARD}取不出钱,订单号{ORDER},骗子",
)


def mentions() -> list[bytes]:
    author = {"name": AUTHOR_NAME, "followers": 900_000, "tier": "media"}
    sent = [
        mention(
            f"weibo:{number}",
            f"{number * 7919 % 10007}号网点,{TEXTS[number % len(TEXTS)]}",
            at=f"2026-03-02T09:{number // 4 % 60:02}:{number % 4 * 10:02}+08:00",
            title=f"储户电话{PHONE}" if number % 3 else None,
            url=f"https://example.com/post/123?tel={PHONE}&card={BANK_CARD}",
            author={"id": AUTHOR_ID, **author},
            engagement={"reposts": 900, "likes": 4000},
        )
        for number in range(200)
    ]
    malformed = [
        mention("a", TEXTS[0], author={"id": AUTHOR_ID, "name": AUTHOR_NAME, "followers": PHONE}),
        mention("b", TEXTS[1], at=f"{IDENTITY_CARD}"),
        mention("c", TEXTS[2], url=f"javascript:\n{BANK_CARD}"),
        mention("d", TEXTS[3], platform="微博", author=AUTHOR_NAME),
        f'{{"id": "e", "text": "{TEXTS[0]}"'.encode(),
    ]
    return [*sent[:100], *malformed, *sent[100:]]


async def test_no_planted_value_is_found_anywhere(tmp_path: Path) -> None:
    key = tmp_path / "author.key"
    key.write_text("a long random key of this test")
    async with running_cluster(tmp_path, partitions=2) as cluster:
        worker = cluster.start_worker(
            environment={
                **WITH_MODEL,
                "WANGLOU_AUTHOR_KEY_FILE": str(key),
            }
        )
        worker.wait_ready(READY_SECONDS)
        worker.process.send_signal(signal.SIGUSR2)
        await asyncio.to_thread(wait_said, worker.log, "log level debug, by SIGUSR2")
        await cluster.send(mentions())
        await cluster.drained()
        worker.process.send_signal(signal.SIGUSR1)
        worker.process.send_signal(signal.SIGUSR2)
        await asyncio.to_thread(wait_said, worker.log, "log level info, by SIGUSR2")
        places = {
            "metrics": worker.page("/metrics")[1],
            "health": worker.page("/healthz")[1],
            "key": key.read_text(),
        }
        assert worker.stop() == 0
        places["log"] = worker.log.read_text(errors="replace")
        for topic in TOPICS:
            if topic is not RAW:
                places[topic.name] = await everything(cluster.broker, topic.name)
        assert len(await cluster.records(ALERTS)) > 0
        assert len(await cluster.records(DEAD_LETTERS)) == 5
        check_log(places["log"])
        assert "a long random key" not in "".join(places[name] for name in places.keys() - {"key"})
        assert ORDER in places["wanglou.mentions.accepted.v1"]
        found = {
            (name, value) for name, text in places.items() for value in PLANTED if value in text
        }
        assert sorted(found) == []


def wait_said(log: Path, text: str) -> None:
    """Wait until the log says so."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while text not in log.read_text(errors="replace"):
        assert time.monotonic() < deadline, f"never: {text}"
        time.sleep(0.05)


def check_log(log: str) -> None:
    """JSON, every line; one id leads through all agents; the stacks were told when asked for."""
    lines = [json.loads(line) for line in log.splitlines()]
    done = [one for one in lines if one["event"] == "done" and one["mention"] == "0/0"]
    agents = [one["agent"] for one in done]
    assert agents == ["intake", "dedupe", "sentiment", "risk"]
    letters = [one["mention"] for one in lines if one["event"] == "dead letter"]
    assert len(set(letters)) == 5
    (stacks,) = [one["event"] for one in lines if "asked by SIGUSR1" in one["event"]]
    assert "MainThread" in stacks


async def everything(broker: object, topic: str) -> str:
    """All that stands in a topic as text, sketches and all; of dead letters not the original."""
    parts: list[str] = []
    async for record in read_to_end(broker, topic):  # type: ignore[arg-type]
        value = record.value or b""
        if topic == DEAD_LETTERS.name:
            letter = DeadLetter.model_validate_json(value)
            value = letter.model_copy(update={"value": None, "key": None}).to_json()
        text = value.decode()
        parts += [(record.key or b"").decode(), text, unescaped(text)]
        parts += [f"{name}={content.decode()}" for name, content in record.headers]
    return "\n".join(parts)


def unescaped(text: str) -> str:
    """JSON as its readers see it, and what is base64 in it decoded."""
    if not text.startswith("{"):
        return text
    return "\n".join(leaves(json.loads(text)))


def leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [leaf for pair in value.items() for one in pair for leaf in leaves(one)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in leaves(one)]
    text = str(value)
    try:
        return [text, base64.b64decode(text, validate=True).decode("latin-1")]
    except ValueError:
        return [text]
