from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.builders import (
    AUTHOR_KEY,
    NOW,
    WATCHLIST,
    Positions,
    StateTopic,
    accepted,
    at,
    encode,
    intake_step,
    minute_at,
    position_at,
    raw,
    raw_bytes,
    rules,
)
from wanglou.models.intake import (
    CONTEXT_CHARACTERS,
    PERSONAL,
    IntakeStep,
    Rejection,
    Thread,
    author_hash,
    fields_of,
    parse,
    raw_key,
)
from wanglou.models.watchlist import Watchlist
from wanglou.schemas.dead_letter import Reason
from wanglou.schemas.mention import Author, Engagement, Kind, Mention, RawMention, Tier

REQUIRED = ("id", "platform", "text", "published_at")
DAY = 24 * 60


def read(value: bytes) -> RawMention:
    outcome = parse(value, NOW)
    assert isinstance(outcome, RawMention), outcome
    return outcome


def refused(value: bytes | None) -> Rejection:
    """Why the bytes are refused, by parse and by the step alike."""
    outcome = parse(value, NOW)
    assert isinstance(outcome, Rejection), outcome
    assert intake_step().process(value, position=position_at(), received_at=NOW) == outcome
    return outcome


def spliced(field: str, literal: str) -> bytes:
    """A raw mention in which a field, or a counter, is a JSON literal that Python cannot write."""
    fields: dict[str, Any] = (
        {"engagement": {field: "@@"}} if field in Engagement.model_fields else {field: "@@"}
    )
    return raw_bytes(**fields).replace(b'"@@"', literal.encode())


# --- what is no JSON, or no object


def test_message_without_a_value() -> None:
    assert refused(None) == Rejection(Reason.NO_VALUE, "message has no value")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"  \n",
        b"\x00",
        b"{",
        b'{"id": "1"',
        "和兴银行".encode(),
        b"{'id': '1'}",
        b'{"id": "1",}',
        raw_bytes() + b" x",
        raw_bytes() * 2,
        raw_bytes().decode().encode("utf-16"),
        raw_bytes().decode().encode("gb18030"),
        b"\xef\xbb\xbf" + raw_bytes(),  # byte order mark
        b'{"id": "\xff"}',
        b'{"id": "\xc0\xaf"}',  # overlong
        b'{"id": "\xed\xa0\x80"}',  # a surrogate in UTF-8
        raw_bytes(text="@@").replace(b"@@", b"\\ud800"),
        raw_bytes(text="@@").replace(b"@@", b"\\udc00\\ud800"),
        raw_bytes(text="@@").replace(b"@@", b"a\nb"),  # a control character that is not escaped
        b"[" * 10_000,
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        spliced("text", "[" * 10_000 + "]" * 10_000),
        spliced("likes", "1" * 5_000),
    ],
)
def test_what_is_no_json(value: bytes) -> None:
    rejection = refused(value)
    assert rejection.reason is Reason.NOT_JSON
    assert rejection.error.startswith("(whole value): Invalid JSON: ")


@pytest.mark.parametrize("value", [b"null", b"true", b"7", b'"text"', b"[]", b"[{}]"])
def test_json_that_is_no_object(value: bytes) -> None:
    assert refused(value) == Rejection(Reason.INVALID, "(whole value): Input should be an object")


def test_more_bytes_than_allowed() -> None:
    limit = 64 * 1024
    spare = limit - len(raw_bytes(text=""))
    assert read(raw_bytes(text="a" * spare)).text == "a" * spare
    rejection = refused(raw_bytes(text="a" * (spare + 1)))
    assert rejection.reason is Reason.TOO_LARGE
    assert "65537 bytes; at most 65536" in rejection.error


def test_ten_megabytes() -> None:
    rejection = refused(raw_bytes(text="a" * 10_000_000))
    assert rejection.reason is Reason.TOO_LARGE
    assert len(rejection.error) < 200


# --- fields


@pytest.mark.parametrize("field", REQUIRED)
def test_missing_field_is_named(field: str) -> None:
    fields = raw()
    del fields[field]
    assert refused(encode(fields)) == Rejection(Reason.INVALID, f"{field}: Field required")


@pytest.mark.parametrize("field", REQUIRED)
@pytest.mark.parametrize("value", [None, 7, 7.5, True, [], {}, ["weibo"]])
def test_field_of_another_type_is_named(field: str, value: object) -> None:
    rejection = refused(raw_bytes(**{field: value}))
    assert rejection.reason is Reason.INVALID
    assert rejection.error.startswith(f"{field}: Input should be a valid ")
    assert (f"(got {value!a})" in rejection.error) == (field not in PERSONAL)


@pytest.mark.parametrize(
    "fields",
    [
        {"text": 13900000000},
        {"title": ["13900000000"]},
        {"url": "\n13900000000"},
        {"author": {"id": 13900000000}},
        {"author": {"id": "7", "name": 13900000000}},
    ],
)
def test_error_shows_nothing_that_could_be_personal(fields: dict[str, object]) -> None:
    error = refused(raw_bytes(**fields)).error
    assert error.startswith(next(iter(fields)))
    assert "13900000000" not in error


def test_all_problems_are_told_at_once() -> None:
    error = refused(b"{}").error
    assert error == "; ".join(f"{field}: Field required" for field in REQUIRED)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 257}, "id"),
        ({"platform": ""}, "platform"),
        ({"platform": "Weibo"}, "platform"),
        ({"platform": "微博"}, "platform"),
        ({"platform": "weibo\n"}, "platform"),
        ({"platform": "w" * 33}, "platform"),
        ({"kind": "tweet"}, "kind"),
        ({"kind": None}, "kind"),
        ({"title": 7}, "title"),
        ({"title": "t" * 1025}, "title"),
        ({"url": "u" * 2049}, "url"),
        ({"author": "小明"}, "author"),
        ({"author": []}, "author"),
        ({"author": {}}, "author.id"),
        ({"author": {"id": ""}}, "author.id"),
        ({"author": {"id": 7}}, "author.id"),
        ({"author": {"id": "a", "followers": -1}}, "author.followers"),
        ({"author": {"id": "a", "followers": "9"}}, "author.followers"),
        ({"author": {"id": "a", "tier": "robot"}}, "author.tier"),
        ({"author": {"id": "a", "tier": None}}, "author.tier"),
        ({"author": {"id": "a", "name": "n" * 257}}, "author.name"),
        ({"engagement": None}, "engagement"),
        ({"engagement": 7}, "engagement"),
        ({"collected_at": "yesterday"}, "collected_at"),
        ({"parent_id": ""}, "parent_id"),
        ({"root_id": 7}, "root_id"),
    ],
)
def test_invalid_field_is_named(fields: dict[str, Any], place: str) -> None:
    rejection = refused(raw_bytes(**fields))
    assert rejection.reason is Reason.INVALID
    assert rejection.error.startswith(f"{place}: ")


@pytest.mark.parametrize("field", ["id", "parent_id", "root_id"])
@pytest.mark.parametrize("character", ["\x00", "\n", "\r", "\t", "\x1b", "\x7f"])
def test_control_characters_in_ids_are_refused(field: str, character: str) -> None:
    # ids become keys, headers and lines of logs; databases do not take a NUL
    rejection = refused(raw_bytes(**{field: f"weibo:1{character}"}))
    assert rejection.reason is Reason.INVALID
    assert rejection.error.startswith(f"{field}: ")


@pytest.mark.parametrize("character", ["\x00", "\n", "\r", "\x7f"])
def test_control_characters_in_urls_are_refused(character: str) -> None:
    rejection = refused(raw_bytes(url=f"https://a.cn/{character}"))
    assert rejection.reason is Reason.INVALID
    assert rejection.error.startswith("url: ")


@pytest.mark.parametrize("identity", ["微博:一", "a b", "a/b.c#d", "😀", "x" * 256])
def test_any_other_id_is_taken(identity: str) -> None:
    assert read(raw_bytes(id=identity)).id == identity


def test_unknown_fields_are_ignored() -> None:
    assert read(raw_bytes(mood="sad", author={"id": "a", "age": 7})).id == "weibo:1"


def test_last_of_duplicate_keys_counts() -> None:
    first = raw_bytes()[:-1] + b', "id": "weibo:2", "text": 7, "text": "last"}'
    assert (read(first).id, read(first).text) == ("weibo:2", "last")
    assert raw_key(fields_of(first)) == "weibo:2"


def test_unknown_follower_count_is_none() -> None:
    mention = accepted(
        intake_step().process(
            raw_bytes(author={"id": "a", "followers": None}),
            position=position_at(),
            received_at=NOW,
        )
    )
    assert mention.author is not None
    assert mention.author.followers == 0


# --- counters


@pytest.mark.parametrize("counter", ["reads", "likes", "comments", "reposts"])
@pytest.mark.parametrize(
    "literal",
    [
        "-1",
        "1.5",
        "3.0",
        '"3"',
        "true",
        "[]",
        "1e3",
        "1000000000001",
        "9223372036854775808",
        "1" + "0" * 400,
        "1" * 4_000,
        "1e400",
        "NaN",
        "Infinity",
        "-Infinity",
    ],
)
def test_impossible_counter_is_named(counter: str, literal: str) -> None:
    rejection = refused(spliced(counter, literal))
    assert rejection.reason is Reason.INVALID
    assert rejection.error.startswith(f"engagement.{counter}: ")
    assert len(rejection.error) < 200


@pytest.mark.parametrize("count", [None, 0, 1, 10**12])
def test_possible_counter_is_taken(count: int | None) -> None:
    assert read(raw_bytes(engagement={"reads": count})).engagement.reads == count


# --- times


@pytest.mark.parametrize("field", ["published_at", "collected_at"])
@pytest.mark.parametrize(
    "time",
    [
        "2026-03-02T16:00:00",  # no offset
        "2026-03-02",
        "2026-03-02T16:00:00+24:00",
        "2026-02-30T16:00:00+08:00",
        "2026-03-02T25:00:00+08:00",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "刚刚",
        "",
        1772438400,
        1772438400.5,
    ],
)
def test_what_is_no_time_with_an_offset_is_named(field: str, time: object) -> None:
    rejection = refused(raw_bytes(**{field: time}))
    assert rejection.reason is Reason.INVALID
    assert rejection.error.startswith(f"{field}: Input should ")


@pytest.mark.parametrize("field", ["published_at", "collected_at"])
@pytest.mark.parametrize(
    "time",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+08:00",  # before the year 1 in UTC
        "0001-01-01T00:00:00+23:59",
        "1970-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
        "2026-03-03T08:05:01Z",  # a second too far ahead
        "2026-03-04T08:00:00Z",  # tomorrow
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-12:00",  # after the year 9999 in UTC
        "9999-12-31T23:59:59.999999-23:59",
        "20260302160000",  # read as milliseconds since 1970
        "20260302",  # read as seconds since 1970
    ],
)
def test_implausible_time_is_named(field: str, time: str) -> None:
    rejection = refused(raw_bytes(**{field: time}))
    assert rejection.reason is Reason.IMPLAUSIBLE_TIME
    assert rejection.error.startswith(f"{field}: ")
    assert rejection.error.endswith("is not between 2000-01-01 and 5 minutes from now")


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2026-03-02T16:00:00+08:00", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-03T08:05:00Z", datetime(2026, 3, 3, 8, 5, tzinfo=UTC)),  # five minutes from now
        ("2026-03-03T20:04:59.5+12:00", datetime(2026, 3, 3, 8, 4, 59, 500_000, tzinfo=UTC)),
    ],
)
def test_plausible_time_is_taken(time: str, utc: datetime) -> None:
    assert read(raw_bytes(published_at=time)).published_at == utc


# --- texts


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000\u00a0"])
def test_blank_text_is_named(text: str) -> None:
    rejection = refused(raw_bytes(text=text))
    assert rejection.reason is Reason.INVALID
    assert rejection.error.startswith("text: ")


def outcome_of(**fields: Any) -> Mention:
    """The mention that a comment under a post about 和兴银行 makes."""
    step = intake_step()
    accepted(step.process(raw_bytes(id="root"), position=position_at(), received_at=NOW))
    comment = raw_bytes(id="comment", kind="comment", root_id="root", **fields)
    return accepted(step.process(comment, position=position_at(offset=1), received_at=NOW))


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("😀😀", "😀😀"),
        ("@小明", ""),
        ("http://t.cn/A6", ""),
        ("\u200b", ""),
        ("\u0000", ""),
        ("a\u0000b", "ab"),
        ("\u202e钱不出取\u202c", "钱不出取"),
        ("\u200f取\u200e钱", "取钱"),
        ("é" * 30_000, "é" * 30_000),  # 60 KB
        ("\\", "\\"),
        ('"}', '"}'),
    ],
)
def test_strange_text_is_accepted(text: str, normalised: str) -> None:
    mention = outcome_of(text=text)
    assert mention.text == normalised
    assert Mention.model_validate_json(mention.to_json()) == mention


# --- what becomes of a valid one


def test_mention_carries_what_was_collected() -> None:
    value = raw_bytes(
        kind="article",
        title="ＨＥＸＩＮＧ",
        text="和興銀行 取不出錢 http://t.cn/A6",
        url="https://a.cn/1",
        author={"id": "5704656177", "name": "小明", "followers": 34842, "tier": "media"},
        collected_at="2026-03-02T16:05:00+08:00",
        engagement={"likes": 9},
        parent_id="p",
        root_id="r",
    )
    mention = accepted(intake_step().process(value, position=position_at(), received_at=at(6)))
    secret = hmac.new(AUTHOR_KEY, b"weibo\x005704656177", hashlib.sha256).hexdigest()[:32]
    assert mention == Mention(
        id="weibo:1",
        institution="hexing",
        inherited=False,
        platform="weibo",
        kind=Kind.ARTICLE,
        text="HEXING 和兴银行 取不出钱",
        url="https://a.cn/1",
        author=Author(id=secret, followers=34842, tier=Tier.MEDIA),
        published_at=at(0),
        collected_at=at(5),
        received_at=at(6),
        engagement=Engagement(likes=9),
        parent_id="p",
        root_id="r",
    )
    assert b"5704656177" not in mention.to_json()
    assert "小明".encode() not in mention.to_json()


def test_unknown_times_follow_from_the_known() -> None:
    mention = accepted(intake_step().process(raw_bytes(), position=position_at(), received_at=None))
    assert mention.published_at == mention.collected_at == mention.received_at == at(0)
    collected = raw_bytes(collected_at=at(5).isoformat())
    mention = accepted(intake_step().process(collected, position=position_at(), received_at=None))
    assert (mention.collected_at, mention.received_at) == (at(5), at(5))


def test_title_names_an_institution_as_the_text_does() -> None:
    mention = accepted(
        intake_step().process(
            raw_bytes(title="和兴银行", text="公告"), position=position_at(), received_at=NOW
        )
    )
    assert mention.text == "和兴银行 公告"


@pytest.mark.parametrize(
    ("title", "text", "joined"),
    [
        ("快讯", "和兴银行破产?假的", "快讯 和兴银行破产?假的"),
        ("和兴银行破产?", "和兴银行破产?假的", "和兴银行破产?假的"),
        ("和興銀行破產？", "和兴银行破产?假的", "和兴银行破产?假的"),  # once normalised
        ("http://t.cn/A6", "和兴银行", "和兴银行"),
        ("", "和兴银行", "和兴银行"),
        (None, "和兴银行", "和兴银行"),
        ("和兴银行", "http://t.cn/A6", "和兴银行"),
    ],
)
def test_title_stands_before_the_text_unless_the_text_has_it(
    title: str | None, text: str, joined: str
) -> None:
    assert outcome_of(title=title, text=text).text == joined


def test_author_hash_depends_on_key_platform_and_id() -> None:
    known = author_hash(b"k", "weibo", "1")
    assert known == author_hash(b"k", "weibo", "1")
    others = [
        author_hash(b"j", "weibo", "1"),
        author_hash(b"k", "zhihu", "1"),
        author_hash(b"k", "weibo", "2"),
    ]
    assert len({known, *others}) == 4
    assert len(known) == 32


def test_author_hash_takes_any_text() -> None:
    assert len(author_hash(b"k", "weibo", "\ud800\x00")) == 32


def test_mention_of_nobody_watched_is_irrelevant() -> None:
    assert (
        intake_step().process(raw_bytes(text="早安"), position=position_at(), received_at=NOW) == ()
    )


def test_text_that_names_forty_institutions_makes_forty_mentions() -> None:
    names = {
        f"bank-{number}": f"{left}{right}银行"
        for number, (left, right) in enumerate(
            (left, right) for left in "甲乙丙丁戊己庚辛" for right in "子丑寅卯辰"
        )
    }
    watchlist = Watchlist.model_validate(
        {"institutions": [{"id": one, "name": name} for one, name in names.items()]}
    )
    step = IntakeStep(watchlist, AUTHOR_KEY, rules().intake_state(), clock=lambda: NOW)
    outcome = step.process(
        raw_bytes(text="、".join(names.values())), position=position_at(), received_at=NOW
    )
    assert isinstance(outcome, tuple)
    assert [mention.institution for mention in outcome] == list(names)
    assert {mention.id for mention in outcome} == {"weibo:1"}


# --- what gives away a person (how it is told from other numbers: test_masking)


def test_numbers_of_persons_are_masked_in_title_and_text() -> None:
    mention = outcome_of(
        title="求助 ①３９ 7777-7777",
        text="和興銀行卡６２00 0000 0000 0005被盜刷,身份证990101199001010\u200b06X,邮箱 a7@b.com",
    )
    assert mention.text == ("求助 [手机号] 和兴银行卡[银行卡号]被盗刷,身份证[身份证号],邮箱 [邮箱]")


def test_public_lines_and_order_numbers_stay() -> None:
    text = "和兴银行95588,400-777-7777,订单20240115123456789,亏了13,977元"
    assert outcome_of(text=text).text == text


def test_number_over_the_end_of_title_is_found_as_the_text_stands() -> None:
    assert outcome_of(title="电话", text="13977777777").text == "电话 [手机号]"


def test_institution_is_found_by_what_was_written() -> None:
    watchlist = Watchlist.model_validate(
        {
            "institutions": [
                {"id": "digits", "name": "数字银行", "aliases": ["95577", "13977777777"]},
                {"id": "words", "name": "文字银行", "aliases": ["手机号", "银行卡号"]},
            ]
        }
    )
    step = IntakeStep(watchlist, AUTHOR_KEY, rules().intake_state(), clock=lambda: NOW)
    for offset, text in enumerate(["打95577", "打13977777777", "卡6200000000000005和95577"]):
        value = raw_bytes(id=str(offset), text=text)
        position = position_at(offset=offset)
        mention = accepted(step.process(value, position=position, received_at=NOW))
        assert mention.institution == "digits"


def test_nothing_that_leaves_intake_carries_a_persons_number(partition: Partition) -> None:
    phone, card = "13977777777", "6200000000000005"
    text = f"和兴银行的人打{phone}要我的卡号{card}"
    url = f"https://a.cn/p/4464336942156713?from={phone}#{card}"
    author = {"id": phone, "name": phone}
    (root,) = partition.take(id="root", text=text, title=phone, url=url, author=author)
    (comment,) = partition.take(id="c", text=f"加我{phone}", root_id="root", author=author)
    topic = StateTopic(Thread)
    topic.store(partition.state)
    stored = partition.state.get("root")
    assert stored is not None
    for said in (root.to_json().decode(), comment.to_json().decode(), repr(stored)):
        assert phone not in said
        assert card not in said
    assert root.url == "https://a.cn/p/4464336942156713?from=[手机号]#[银行卡号]"
    assert comment.context == "和兴银行的人打[手机号]要我的卡号[银行卡号]"
    assert comment.text == "加我[手机号]"


def test_context_is_masked_before_it_is_cut(partition: Partition) -> None:
    text = "和兴银行" + "钱" * (CONTEXT_CHARACTERS - 9) + "13977777777"
    partition.take(id="root", text=text)
    (comment,) = partition.take(id="c", text="吓死了", root_id="root")
    assert comment.context is not None
    assert comment.context.endswith("钱[手机号]")


def test_posts_that_differ_in_a_phone_number_only_have_one_text(partition: Partition) -> None:
    (first,) = partition.take(id="1", text="和兴银行取不出钱,退保加13977777777")
    (second,) = partition.take(id="2", text="和兴银行取不出钱,退保加198 7777 7777")
    assert first.text == second.text


# --- threads


class Partition:
    """An intake step with the positions of one raw partition."""

    def __init__(self) -> None:
        self.state = rules().intake_state()
        self.step = IntakeStep(WATCHLIST, AUTHOR_KEY, self.state, clock=lambda: NOW)
        self.positions = Positions()

    def take(self, minute: float = 0, **fields: Any) -> tuple[Mention, ...]:
        value = raw_bytes(published_at=at(minute).isoformat(), **fields)
        position = self.positions.next(at(minute))
        outcome = self.step.process(value, position=position, received_at=NOW)
        assert isinstance(outcome, tuple), outcome
        return outcome


@pytest.fixture
def partition() -> Partition:
    return Partition()


def test_comment_inherits_the_institutions_of_its_root(partition: Partition) -> None:
    partition.take(id="root", text="和兴银行和云汀银行都挤兑")
    comments = partition.take(id="c", text="吓死了", root_id="root", parent_id="other comment")
    assert [one.institution for one in comments] == ["hexing", "yunting"]
    assert all(one.inherited for one in comments)
    assert {one.context for one in comments} == {"和兴银行和云汀银行都挤兑"}


def test_comment_inherits_from_its_parent_where_the_root_is_unknown(partition: Partition) -> None:
    partition.take(id="parent", text="和兴银行")
    (comment,) = partition.take(id="c", text="吓死了", root_id="?", parent_id="parent")
    assert (comment.institution, comment.context) == ("hexing", "和兴银行")


def test_comment_that_names_an_institution_means_that_one(partition: Partition) -> None:
    partition.take(id="root", text="和兴银行")
    (comment,) = partition.take(id="c", text="云汀银行也是", root_id="root")
    assert (comment.institution, comment.inherited) == ("yunting", False)
    assert comment.context == "和兴银行"


def test_comment_under_an_unknown_root_is_irrelevant(partition: Partition) -> None:
    assert partition.take(id="c", text="吓死了", root_id="?", parent_id="??") == ()


def test_root_that_names_itself_as_its_root_is_no_answer(partition: Partition) -> None:
    (root,) = partition.take(id="root", text="和兴银行", root_id="root", parent_id="root")
    assert root.context is None
    (again,) = partition.take(id="root", text="和兴银行", root_id="root")
    assert again.context is None


def test_context_is_cut(partition: Partition) -> None:
    partition.take(id="root", text="和兴银行" + "钱" * 200)
    (comment,) = partition.take(id="c", text="吓死了", root_id="root")
    assert comment.context == ("和兴银行" + "钱" * 200)[:CONTEXT_CHARACTERS]


def test_edited_root_counts_as_it_stands_now(partition: Partition) -> None:
    partition.take(id="root", text="和兴银行")
    partition.take(id="root", text="云汀银行")
    (comment,) = partition.take(id="c", text="吓死了", root_id="root")
    assert comment.institution == "yunting"


def test_thread_is_forgotten_after_a_week(partition: Partition) -> None:
    partition.take(-8 * DAY, id="root", text="和兴银行")
    assert len(partition.take(-1 * DAY - 60, id="c1", text="吓死了", root_id="root")) == 1
    partition.take(0, id="clock", text="早安")
    assert partition.take(0, id="c2", text="吓死了", root_id="root") == ()


def test_irrelevant_mentions_leave_no_state(partition: Partition) -> None:
    partition.take(id="a", text="早安")
    partition.take(id="c", text="吓死了", root_id="a")
    assert len(partition.state) == 0


def test_refused_messages_leave_no_state(partition: Partition) -> None:
    partition.step.process(b'{"id": 7}', position=position_at(5), received_at=NOW)
    assert len(partition.state) == 0
    assert partition.state.changes() == []
    assert partition.state.clock == minute_at(5)  # the clock is that of the partition


def test_replayed_root_does_not_undo_a_newer_one(partition: Partition) -> None:
    partition.positions.offset = 6
    partition.take(id="root", text="云汀银行")  # offset 7
    partition.positions.offset = 2
    (replayed,) = partition.take(id="root", text="和兴银行")  # offset 3: the same mention again
    assert replayed.institution == "hexing"
    assert partition.state.get("root") == Thread(("yunting",), "云汀银行")
    assert partition.state.applied("root") == position_at(0, offset=7)


def test_replay_gives_the_same_bytes(partition: Partition) -> None:
    takes: list[dict[str, Any]] = [{"id": "root"}, {"id": "c", "text": "吓死了", "root_id": "root"}]
    first = [one.to_json() for fields in takes for one in partition.take(**fields)]
    partition.positions.offset = -1
    again = [one.to_json() for fields in takes for one in partition.take(**fields)]
    assert first == again
    assert len(first) == 2


def test_restart_remembers_threads(partition: Partition) -> None:
    partition.take(id="root", text="和兴银行")
    topic = StateTopic(Thread)
    topic.store(partition.state)
    state = topic.restore(rules().intake_state())
    step = IntakeStep(WATCHLIST, AUTHOR_KEY, state, clock=lambda: NOW)
    value = raw_bytes(id="c", text="吓死了", root_id="root")
    comment = accepted(step.process(value, position=position_at(offset=1), received_at=NOW))
    assert (comment.institution, comment.context) == ("hexing", "和兴银行")
    assert state.clock == minute_at(0)


def test_times_are_checked_against_when_the_broker_took_the_message() -> None:
    # whenever it is read: a repeat after a restart has the same outcome
    tomorrow = NOW + timedelta(days=1)
    value = raw_bytes(published_at=tomorrow.isoformat())
    for clock in (NOW, tomorrow):
        step = IntakeStep(
            WATCHLIST, AUTHOR_KEY, rules().intake_state(), clock=lambda now=clock: now
        )
        outcome = step.process(value, position=position_at(), received_at=NOW)
        assert isinstance(outcome, Rejection)
        assert outcome.reason is Reason.IMPLAUSIBLE_TIME
        accepted(step.process(value, position=position_at(offset=1), received_at=tomorrow))


def test_times_of_a_recorded_stream_are_checked_against_the_moment() -> None:
    times = iter([NOW, NOW + timedelta(days=2)])
    step = IntakeStep(WATCHLIST, AUTHOR_KEY, rules().intake_state(), clock=lambda: next(times))
    value = raw_bytes(published_at=(NOW + timedelta(days=1)).isoformat())
    assert isinstance(step.process(value, position=position_at(), received_at=None), Rejection)
    accepted(step.process(value, position=position_at(offset=1), received_at=None))


# --- regions


@pytest.mark.parametrize(
    ("given_region", "told"),
    [
        (None, None),
        ("浙江", "浙江"),
        ("浙江省", "浙江"),
        ("內蒙古自治區", "内蒙古"),
        ("香港特别行政区", "香港"),
        ("CN-ZJ", "CN-ZJ"),
        ("省", "省"),
        (" ", None),
        ("13800138000", "[手机号]"),
        ("\ufdfa" * 32, "صلى الله عليه وسلمصلى الله عليه "[:32]),  # one character becomes eighteen
    ],
)
def test_region_is_told_as_platforms_call_it(given_region: str | None, told: str | None) -> None:
    value = raw_bytes(region=given_region)
    mention = accepted(intake_step().process(value, position=position_at(), received_at=NOW))
    assert mention.region == told
    assert Mention.model_validate_json(mention.to_json()).region == told


@pytest.mark.parametrize("region", ["", "省" * 33, "浙\n江", 33])
def test_what_is_no_region_is_refused(region: object) -> None:
    assert refused(raw_bytes(region=region)).error.startswith("region: ")


# --- keys


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ({"id": "a", "root_id": "r"}, "r"),
        ({"id": "a", "root_id": None}, "a"),
        ({"id": "a", "root_id": ""}, "a"),
        ({"id": "a", "root_id": 7}, "a"),
        ({"id": "a", "parent_id": "p"}, "a"),
        ({"id": ""}, None),
        ({"id": 7}, None),
        ({}, None),
        ([], None),
        ("a", None),
        (None, None),
    ],
)
def test_key_is_the_root_or_the_id(value: object, key: str | None) -> None:
    assert raw_key(fields_of(json.dumps(value).encode())) == key


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b"[" * 10_000, b'{"id": "\\ud800"}'])
def test_what_is_no_json_has_no_key(value: bytes) -> None:
    assert raw_key(fields_of(value)) is None


@given(st.binary(max_size=200))
def test_key_of_any_bytes(value: bytes) -> None:
    key = raw_key(fields_of(value))
    assert key is None or key
