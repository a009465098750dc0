"""Write the demo's stream of raw mentions and what should be found in it.

Run from anywhere::

    python deploy/demo/generate.py            # writes mentions.jsonl and expected.yaml
    python deploy/demo/generate.py --check    # exit status 1 if either is out of date

The words and waves are in ``texts.yaml``, the institutions and topics in ``../watchlist.yaml`` and
``../taxonomy.yaml``. One seed decides everything else: no clock, no order of a set. What should be
found comes from how a mention was made, not from the pipeline, and so can test it.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
SEED = 20260302
START = datetime(2026, 3, 2, 8, tzinfo=timezone(timedelta(hours=8)))
HOURS = 48
MAX_DELAY_SECONDS = 60  # from published to collected
HEARTBEAT_SECONDS = 34 * 60  # each institution is mentioned about this often, at night too
EVERYDAY_BY_DAY = 330  # everyday mentions on top of the heartbeat, most of them by day
UNWATCHED = 240  # mentions of no watched institution, besides the written ones
REPEATS = 60
PERSONS = 2600
ALIKE = 0.5  # Jaccard of character bigrams from which two texts count as near-duplicates
WAVES = ("run", "outage", "good")
PREFIX = {"weibo": "wb", "wechat": "wx", "douyin": "dy", "zhihu": "zh", "news": "nw"}
KIND = {"wechat": "article", "douyin": "video", "news": "article"}  # elsewhere: post
SIMPLIFIED = str.maketrans("興銀瀾隊錢", "兴银澜队钱")  # all that the demo's own texts need
TYPOS = (("赶紧", "敢紧"), ("已经", "以经"), ("在里面", "再里面"), ("排队", "排对"), ("的", "得"))
EMOJI = ("[泪]", "😱", "[悲伤]", "😭", "[崩溃]", "！！！", "[怒]", "……", "[抓狂]")
# Share of a day's everyday mentions in each hour from midnight.
DAILY_RHYTHM = (2, 1, 1, 1, 1, 2, 4, 8, 10, 11, 11, 10, 11, 10, 9, 9, 9, 9, 10, 11, 12, 11, 8, 4)
STYLES = {"question": 24, "offer": 17, "news": 9, "praise": 17, "grumble": 11, "life": 19}
GENRES = {"hesui-life": "insurer", "juzhou-finance": "consumer"}  # elsewhere: bank


@dataclass
class Mention:
    """A raw mention and the label that the pipeline does not see: its part and institutions."""

    raw: dict[str, Any]
    at: int  # published, in seconds after START
    collected: int
    part: str
    institutions: tuple[str, ...]

    @property
    def id(self) -> str:
        """The id of the raw mention."""
        return str(self.raw["id"])

    @property
    def text(self) -> str:
        """The text of the raw mention."""
        return str(self.raw["text"])

    def line(self, later: int = 0, counters: dict[str, int] | None = None) -> bytes:
        """Return the raw mention as collected `later` seconds after its first collection."""
        read = {"collected_at": moment(self.collected + later)}
        return compact(self.raw | read | ({"engagement": counters} if counters else {}))


@dataclass(frozen=True)
class Line:
    """A line of the stream; a mention comes with its first line, a reason with a malformed one."""

    at: int
    raw: bytes
    mention: Mention | None = None
    reason: str | None = None


@dataclass
class Thread:
    """A root and what hangs below it; it draws replies as strongly as `pull` says."""

    root: Mention
    pull: float
    calm: bool = False
    members: list[Mention] = field(default_factory=list)


def moment(seconds: int) -> str:
    """Return the time `seconds` after START in ISO 8601.

    >>> moment(60)
    '2026-03-02T08:01:00+08:00'
    """
    return (START + timedelta(seconds=seconds)).isoformat()


def compact(value: object) -> bytes:
    """Return compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def choices_of(block: str) -> list[str]:
    r"""Split a block of texts.yaml into its choices.

    >>> choices_of("a / b\nc")
    ['a', 'b', 'c']
    """
    return [c.strip() for line in block.splitlines() for c in line.split(" / ") if c.strip()]


def plain(text: str) -> str:
    """Return the text without user names and URLs, in simplified characters and lower case."""
    return re.sub(r"https?://[\w./]+|@[^\s:：]+[:：]?", "", text).translate(SIMPLIFIED).lower()


def institutions_in(text: str, watchlist: dict[str, Any]) -> set[str]:
    """Return the ids of the institutions that the text names outside an exclusion."""
    text = plain(text)
    for phrase in (p for entry in watchlist["institutions"] for p in entry["exclusions"]):
        text = text.replace(phrase.lower(), "|")
    return {
        entry["id"]
        for entry in watchlist["institutions"]
        if any(name.lower() in text for name in (entry["name"], *entry["aliases"]))
    }


def topic_of(text: str, taxonomy: dict[str, Any]) -> str:
    """Return the topic with the most terms in the text; `other` where there is none."""
    text = plain(text)
    hits = [sum(term.lower() in text for term in topic["terms"]) for topic in taxonomy["topics"]]
    return str(taxonomy["topics"][hits.index(max(hits))]["id"]) if any(hits) else "other"


def bigrams(text: str) -> frozenset[str]:
    """Return the pairs of neighbouring characters, without punctuation and emoji."""
    text = re.sub(r"[\W_]+", "", text).lower()
    return frozenset(text[i : i + 2] for i in range(len(text) - 1))


def rate(
    minute: int, *, slow: int, rise: int, hold: int, decay: int, calm: int, calm_decay: int
) -> float:
    """Return the relative rate of a wave in its minute; texts.yaml says what the rest mean."""
    if minute < slow:
        return 0.025
    fall = max(0, min(minute, calm) - hold) / decay + max(0, minute - calm) / calm_decay
    return (1 - math.exp(-(minute - slow + 1) / rise)) * math.exp(-fall)


class Desk:
    """Where mentions are written: the words, the accounts and the one source of chance."""

    def __init__(self, texts: dict[str, Any], watchlist: dict[str, Any], rng: Random) -> None:
        """Make the accounts; every later draw comes from `rng`."""
        self.rng = rng
        self.texts = texts
        self.entries = {entry["id"]: entry for entry in watchlist["institutions"]}
        blocks = {**texts["slots"], **texts["noise_slots"], **texts["unwatched_slots"]}
        self.slots = {name: choices_of(block) for name, block in blocks.items()}
        self.seen: dict[str, list[frozenset[str]]] = {}
        self.accounts = {
            a["name"]: {"id": f"{rng.getrandbits(40):010x}"} | {k: a[k] for k in a if k != "of"}
            for a in texts["accounts"]
        }
        self.account_of = {a["of"]: a["name"] for a in texts["accounts"] if "of" in a}
        first, second = (choices_of(texts["nicknames"][part]) for part in "ab")
        self.persons = [self.person(first, second) for _ in range(PERSONS)]

    def person(self, first: Sequence[str], second: Sequence[str]) -> dict[str, Any]:
        """Make an account of a person: most have few followers, some very many."""
        name = self.rng.choice(first) + self.rng.choice(second)
        name += str(self.rng.randrange(10, 10000)) if self.rng.random() < 0.3 else ""
        followers = min(int(30 * self.rng.paretovariate(0.75)) - 29, 900_000)
        author = {"id": f"{self.rng.getrandbits(40):010x}", "name": name, "followers": followers}
        return author | ({"tier": "verified"} if followers > 20_000 else {})

    def fill(self, template: str, institution: str | None = None) -> str:
        """Put a choice into every slot of the template; a choice may have slots of its own."""
        used: list[str] = []

        def choice(match: re.Match[str]) -> str:
            options = self.slots.get(match[1], [])
            if institution and match[1] in ("n", "p"):
                entry = self.entries[institution]
                names = {"n": [entry["name"]] * 3, "p": []}
                for alias in entry["aliases"]:
                    product = re.search("App|手机银行|信用卡|易借|疾险", alias)
                    names["p" if product else "n"].append(alias)
                options = names[match[1]] or names["n"]
            used.append(self.rng.choice([o for o in options if o not in used]))
            return self.fill(used[-1], institution)

        return re.sub(r"\{(\w+)\}", choice, template)

    def original(self, group: str, templates: Sequence[str], institution: str | None) -> str:
        """Write a text that is no near-duplicate of the group's others, if 40 tries find one."""
        seen = self.seen.setdefault(group, [])
        for _ in range(40):
            text = self.fill(self.rng.choice(templates), institution).replace("AppApp", "App")
            pairs = bigrams(text)
            if all(len(pairs & s) < ALIKE * len(pairs | s) for s in seen):
                break
        seen.append(pairs)
        return text

    def edit(self, text: str, emoji: Sequence[str]) -> str:
        """Change a text as people do who pass it on: a typo, a word or a clause less, an emoji."""
        clauses = re.split(r"(?<=[，。！])", text)
        free = [i for i, c in enumerate(clauses) if i and c and not re.search("银行|銀行", c)]
        if len(clauses) > 3 and free and self.rng.random() < 0.3:
            del clauses[self.rng.choice(free)]
        text = "".join(clauses)
        if self.rng.random() < 0.3:
            text = text.replace(*self.rng.choice(TYPOS), 1)
        if self.rng.random() < 0.25:
            text = text.replace(self.rng.choice(("了", "都", "的", "今天", "出现")), "", 1)
        return text + (self.rng.choice(emoji) if emoji and self.rng.random() < 0.3 else "")

    def counters(self, followers: int) -> dict[str, int]:
        """Draw the counters of an ordinary post; none where the collector did not see them."""
        size = 1 + math.log10(1 + followers) / 3
        likes = min(int(size * self.rng.paretovariate(1.0)) - 1, 4000)
        if likes == 0 or self.rng.random() < 0.55:
            return {}
        return {"likes": likes, **({"comments": likes // 4} if likes > 7 else {})}

    def post(
        self, part: str, institutions: Sequence[str], at: int, text: str, **given: Any
    ) -> Mention:
        """Make a mention; what is not given is drawn, what is None is left out."""
        platforms = ("weibo", "wechat", "douyin", "zhihu")
        platform = given.get("platform") or self.rng.choices(platforms, (66, 10, 14, 10))[0]
        author = given.get("author") or self.rng.choice(self.persons)
        letters = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
        name = "".join(self.rng.choices(letters, k=7))
        raw = {
            "id": f"{PREFIX[platform]}:{name}",
            "platform": platform,
            "kind": given.get("kind") or KIND.get(platform),
            "text": text,
            "title": given.get("title"),
            "url": f"https://news.example/{name}" if platform == "news" else None,
            "author": author,
            "published_at": moment(at),
            "engagement": self.counters(author["followers"]) or None,
            "parent_id": given.get("parent_id"),
            "root_id": given.get("root_id"),
        }
        collected = at + self.rng.randint(3, MAX_DELAY_SECONDS)
        raw = {k: v for k, v in raw.items() if v is not None}
        return Mention(raw, at, collected, part, tuple(institutions))


def everyday(desk: Desk) -> Iterator[Mention]:
    """Yield the everyday mentions, those of no institution and those written one by one."""
    rng, noise = desk.rng, desk.texts["noise"]
    hours = [DAILY_RHYTHM[(START.hour + hour) % 24] for hour in range(HOURS)]
    media = [author for author in desk.accounts.values() if author["tier"] == "media"]

    def by_day() -> int:
        return rng.choices(range(HOURS), hours)[0] * 3600 + rng.randrange(3500)

    times = [(by_day(), rng.choice(list(desk.entries))) for _ in range(EVERYDAY_BY_DAY)]
    for offset, institution in enumerate(desk.entries):
        for beat in range(60 + offset * 280, HOURS * 3600 - 400, HEARTBEAT_SECONDS):
            times.append((beat + rng.randrange(300), institution))
    for at, institution in sorted(times):
        genre = noise[GENRES.get(institution, "bank")]
        style = rng.choices([*STYLES, "service"], [*STYLES.values(), 3])[0]
        text = desk.original("everyday", choices_of(genre[style]), institution)
        given: dict[str, Any] = {}
        if style == "news":
            given = {"author": rng.choice(media), "platform": rng.choice(("news", "news", "weibo"))}
            given["title"] = text.split("，")[0] if given["platform"] == "news" else None
        elif style == "offer" and rng.random() < 0.4:
            given["author"] = desk.accounts[desk.account_of[institution]]
        yield desk.post("everyday", [institution], at, text, **given)
    for _ in range(UNWATCHED):
        text = desk.original("unwatched", choices_of(desk.texts["unwatched"]), None)
        yield desk.post("everyday", [], by_day(), text)
    for single in desk.texts["singles"]:
        yield desk.post("everyday", single["institutions"], by_day(), single["text"])
    for number in range(5):  # reposts of a root that is not in the stream
        given = {"platform": "weibo", "kind": "repost", "root_id": f"wb:old{number}"}
        yield desk.post("everyday", [], by_day(), "转发微博", **given)


def written_roots(desk: Desk, part: str) -> list[dict[str, Any]]:
    """Return the roots of a wave that are written one by one."""
    calm = [{"calm": True} | root for root in desk.texts[part].get("calm_roots", [])]
    return [*desk.texts[part]["roots"], *calm]


def cascade(desk: Desk, part: str) -> Iterator[Mention]:
    """Yield a wave: roots, posts in people's own words, copies, quoting reposts and replies."""
    rng, blocks = desk.rng, ("posts", "prefixes", "comments")
    wave: dict[str, Any] = desk.texts[part]
    wave = wave | {k: choices_of(wave[k]) for k in wave if k.endswith(blocks)}
    threads = []
    for root in written_roots(desk, part):
        at = (wave["start"] + root["minute"]) * 60 + rng.randrange(60)
        given = {"author": desk.accounts.get(root.get("by")), "title": root.get("title")}
        given["platform"] = root["platform"]
        post = desk.post(part, [wave["institution"]], at, root["text"], **given)
        post.raw["engagement"] = {"likes": 0, "comments": 0}
        threads.append(Thread(post, root["pull"], root.get("calm", False), [post]))
        yield post
    calm_from = min((t.root.at for t in threads if t.calm), default=HOURS * 3600)
    minutes = range(wave["minutes"])
    drawn = rng.choices(minutes, [rate(m, **wave["rate"]) for m in minutes], k=wave["count"])
    for at in sorted((wave["start"] + m) * 60 + rng.randrange(60) for m in drawn):
        calm = rng.random() < 0.85 * (1 - math.exp(-max(0, at - calm_from - 60) / 1500))
        ready = [t for t in threads if t.root.at < at - MAX_DELAY_SECONDS and t.calm == calm]
        styles = wave["shares"] | ({"post": 0.0} if calm else {})
        style = rng.choices(list(styles), list(styles.values()))[0]
        if ready and style != "post":
            fresh = [t.pull * math.exp(-(at - t.root.at) / 9000) + 1e-9 for t in ready]
            yield reply(desk, wave, rng.choices(ready, fresh)[0], at, style)
        else:
            text = desk.original(part, wave["posts"], wave["institution"])
            post = desk.post(part, [wave["institution"]], at, text)
            threads.append(Thread(post, wave["own_pull"] * rng.paretovariate(1.2), members=[post]))
            yield post


def reply(desk: Desk, wave: dict[str, Any], thread: Thread, at: int, style: str) -> Mention:
    """Make a copy or a quoting repost of the root, or a short reply in its thread."""
    rng, root, before = desk.rng, thread.root, "calm_" if thread.calm else ""
    known = thread.members[
        : bisect_right(thread.members, at - MAX_DELAY_SECONDS - 1, key=lambda m: m.at)
    ]
    weights = [1 + math.sqrt(m.raw["author"]["followers"]) for m in known]
    parent = rng.choices(known, weights)[0] if rng.random() < 0.45 else root
    platform = root.raw["platform"]
    given = {"platform": platform, "parent_id": parent.id, "root_id": root.id}
    if style == "reply" or f"{before}prefixes" not in wave:
        given["kind"] = "repost" if platform == "weibo" and rng.random() < 0.5 else "comment"
        options = [c for c in wave[f"{before}comments"] if given["kind"] == "repost" or len(c) > 6]
        text = desk.fill(rng.choice(options), wave["institution"])
    else:
        prefix = rng.choice(wave[f"{before}prefixes"])
        passed = root.text if len(root.text) < 75 else root.raw.get("title", root.text)
        passed = desk.edit(passed, () if before or wave["kind"] == "good news" else EMOJI)
        names = dict.fromkeys(m.raw["author"]["name"] for m in (parent, root))
        text = prefix + "".join(f"//@{name}:" for name in names) + passed
        given["kind"] = "repost"
        if style == "copy" or platform != "weibo":
            given, text = {"platform": "weibo"}, f"{prefix} {passed}"
    made = desk.post(root.part, root.institutions, at, text, **given)
    if "root_id" in given:
        thread.members.append(made)
    return made


def updates(desk: Desk, mentions: Sequence[Mention]) -> Iterator[Line]:
    """Yield later collections of a mention, whose counters have grown, and the hot-search list."""
    rng = desk.rng
    ends = {m.part: m.at for m in sorted(mentions, key=lambda m: m.at)}
    pulls = {root["text"]: root["pull"] for part in WAVES for root in written_roots(desk, part)}
    for mention in mentions:
        first = mention.raw.get("engagement", {})
        if mention.text in pulls:
            likes = pulls[mention.text] * desk.texts[mention.part]["likes"] * rng.uniform(0.8, 1.2)
            final = {"likes": likes, "comments": likes / 6, "reposts": likes / 4}
            if mention.raw["platform"] != "weibo":
                final = {"reads": likes * 60, **final}
            minutes = [6, 14, 25, 40, 60, 90, 130, 180, 250, 340, 440]
        elif first.get("likes", 0) > 12 and rng.random() < 0.5:
            final, minutes = {k: v * 3.0 for k, v in first.items()}, [rng.randrange(45, 180)]
        else:
            continue
        for later in (minute * 60 + rng.randrange(40) for minute in minutes):
            if mention.at + later < ends[mention.part] - 2 * MAX_DELAY_SECONDS:
                grown = 1 - math.exp(-later / 5400)
                now = {k: int(v * grown) + first.get(k, 0) for k, v in final.items()}
                yield Line(mention.collected + later, mention.line(later, now))
    run = desk.texts["run"]
    for number, entry in enumerate(run["search"]):
        at = (run["start"] + entry["minute"]) * 60 + rng.randrange(60)
        raw = {"id": f"wb:hot{number}", "platform": "weibo", "kind": "search"}
        raw |= {"text": entry["text"], "published_at": moment(at)}
        hot = Mention(raw, at, at + 20, "run", (run["institution"],))
        for later in range(0, 4 * 3600, 1200):
            heat = {"reads": 180_000 + 95 * later}
            yield Line(hot.collected + later, hot.line(later, heat), None if later else hot)


def malformed(desk: Desk) -> Iterator[Line]:
    """Yield the lines that must not be accepted, one of each reason, evenly over the stream."""
    reasons = desk.texts["malformed"]
    for number, (reason, edit) in enumerate(reasons.items()):
        at = (number + 1) * HOURS * 3600 // (len(reasons) + 1)
        text = desk.fill("{when}路过{n}{branch}，换了新招牌", "hexing-bank")
        mention = desk.post("malformed", [], at, text, platform="weibo")
        mention.raw |= edit
        if reason == "missing_id":
            del mention.raw["id"]
        raw = mention.line()
        if reason == "not_json":  # cut off in the middle of a character, so it is no UTF-8 either
            raw = raw[: raw.index("路过".encode()) + 4]
        elif reason == "json_array":
            raw = b"[" + raw + b"]"
        elif reason == "lone_surrogate":
            raw = raw.replace(b'"text":"', rb'"text":"\ud83d')
        yield Line(mention.collected, raw, reason=reason)


def expected(
    desk: Desk, lines: Sequence[Line], watchlist: dict[str, Any], taxonomy: dict[str, Any]
) -> dict[str, Any]:
    """Return what should be found in the lines; raise ValueError where a text belies its label."""
    mentions = [line.mention for line in lines if line.mention]
    named = {m.id: institutions_in(m.text, watchlist) for m in mentions}
    topic = {m.id: topic_of(m.text, taxonomy) for m in mentions}
    about = Counter(institution for m in mentions for institution in m.institutions)
    allowed = {"everyday": ("other", "service"), "good": ("other",)}
    for m in mentions:
        wrong = named[m.id] - set(m.institutions)
        if m.part == "everyday":
            wrong = named[m.id] ^ set(m.institutions)
        if wrong or topic[m.id] not in allowed.get(m.part, topic.values()):
            raise ValueError(f"{m.part}, {m.institutions}, {topic[m.id]}: {m.text}")
    incidents = []
    for part in WAVES:
        wave, own = desk.texts[part], [m for m in mentions if m.part == part]
        level, within = wave.get("at_least"), wave.get("alert_within")
        minutes = sorted(m.at // 60 for m in own)
        incidents.append(
            {
                "institution": wave["institution"],
                "topic": wave["topic"],
                "kind": wave["kind"],
                "first_minute": moment(minutes[0] * 60),
                "last_minute": moment(minutes[-1] * 60),
                "mentions": len(own),
                "naming_the_institution": sum(bool(named[m.id]) for m in own),
                "with_a_term_of_the_topic": sum(topic[m.id] == part for m in own),
                "alerts": level is not None,
                "at_least": level,
                "first_alert_by": moment((wave["start"] + within) * 60) if within else None,
                "resolves_before_the_end": True if level else None,
            }
        )
    distinct = len({line.raw for line in lines})
    bad = [{"line": n, "reason": line.reason} for n, line in enumerate(lines, 1) if line.reason]
    return {
        "stream": {"from": moment(0), "until": moment(HOURS * 3600), "seed": SEED},
        "totals": {
            "lines": len(lines),
            "malformed": len(bad),
            "repeats": len(lines) - distinct,
            "updates": distinct - len(bad) - len(mentions),
            "ids": len(mentions),
            "ids_about_no_watched_institution": sum(not m.institutions for m in mentions),
            "ids_about_several_institutions": sum(len(m.institutions) > 1 for m in mentions),
            "mentions_of_an_institution": sum(about.values()),
        },
        "malformed": bad,
        "mentions_by_institution": {
            institution: about[institution] for institution in desk.entries
        },
        "everyday_about_service": sum(
            m.part == "everyday" and topic[m.id] == "service" for m in mentions
        ),
        "incidents": incidents,
    }


def generate() -> tuple[bytes, bytes]:
    """Return the contents of mentions.jsonl and expected.yaml."""
    names = ("texts.yaml", "../watchlist.yaml", "../taxonomy.yaml")
    texts, watchlist, taxonomy = (yaml.safe_load((HERE / n).read_text("utf-8")) for n in names)
    desk = Desk(texts, watchlist, Random(SEED))
    mentions = [*everyday(desk), *(m for part in WAVES for m in cascade(desk, part))]
    lines = [Line(m.collected, m.line(), m) for m in mentions]
    lines += updates(desk, mentions)
    lines += [Line(line.at, line.raw) for line in desk.rng.sample(lines, REPEATS)]
    lines += malformed(desk)
    lines.sort(key=lambda line: line.at)
    found = expected(desk, lines, watchlist, taxonomy)
    text = "# Written by generate.py: what should be found in mentions.jsonl.\n"
    text += yaml.safe_dump(found, allow_unicode=True, sort_keys=False)
    return b"".join(line.raw + b"\n" for line in lines), text.encode()


def main() -> int:
    """Write the two files, or with --check compare them."""
    parser = argparse.ArgumentParser(description="Write the demo's stream and what is in it.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if out of date")
    check = parser.parse_args().check
    status = 0
    for name, content in zip(("mentions.jsonl", "expected.yaml"), generate(), strict=True):
        path = HERE / name
        if not check:
            path.write_bytes(content)
        elif not path.exists() or path.read_bytes() != content:
            print(f"{path} is out of date: run {Path(__file__).name}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
