from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wanglou.models.text import normalise, simplify, with_title

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one emoji of three, joined


def test_traditional_becomes_simplified() -> None:
    assert simplify("銀行擠兌") == "银行挤兑"


@pytest.mark.parametrize("text", ["和兴银行取不出钱", "APP down", ""])
def test_simplified_and_latin_stay(text: str) -> None:
    assert simplify(text) == text


def test_name_is_the_same_whether_written_traditional_or_simplified() -> None:
    assert simplify("乾縣農商銀行") == simplify("乾县农商银行")
    assert simplify("於潛支行") == simplify("於潜支行")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ＡＰＰ崩了！", "APP崩了!"),
        ("①②③", "123"),
        ("㈱ﾃﾞｰﾀ", "(株)データ"),
        ("ﬁnance", "finance"),
        ("１２３", "123"),
    ],
)
def test_compatibility_forms_become_the_usual_ones(text: str, plain: str) -> None:
    assert normalise(text) == plain


@pytest.mark.parametrize(
    "invisible",
    [
        "\u200b",  # zero width space
        "\u200c",  # zero width non-joiner
        "\u2060",  # word joiner
        "\ufeff",  # byte order mark
        "\u00ad",  # soft hyphen
        "\u200e",  # left-to-right mark
        "\u200f",  # right-to-left mark
        "\u202e",  # right-to-left override
        "\u2066",  # left-to-right isolate
        "\x00",
        "\x1b",
        "\x7f",
        "\ue000",  # private use
        "\U000e0041",  # tag
        "\ufdd0",  # no character
    ],
)
def test_invisible_characters_hide_no_word(invisible: str) -> None:
    assert normalise(f"和{invisible}兴{invisible}银行") == "和兴银行"


def test_lone_surrogate_is_taken_out() -> None:
    assert normalise("和兴\ud800银行") == "和兴银行"


def test_parts_of_a_letter_meet_when_what_stood_between_is_gone() -> None:
    assert normalise("caf\u0065\u200b\u0301") == "caf\u00e9"


@pytest.mark.parametrize(
    "space", [" ", "\n", "\r\n", "\t", "\v", "\f", "\u3000", "\u00a0", "\u2028"]
)
def test_spaces_collapse_and_ends_are_cut(space: str) -> None:
    assert normalise(f"{space}取{space}{space}钱{space}") == "取 钱"


@pytest.mark.parametrize("emoji", ["😀", FAMILY, "👍🏽", "🇨🇳"])
def test_emoji_stay_whole(emoji: str) -> None:
    assert normalise(f"崩了{emoji}") == f"崩了{emoji}"


@pytest.mark.parametrize(
    "url",
    [
        "http://t.cn/A6abc",
        "HTTPS://a.cn/x?y=1&z=%20#top",
        "www.hexing.example",
        "https://user@hexing.example:80/",
        "ｈｔｔｐ：／／t.cn/A6",
    ],
)
def test_url_is_taken_out(url: str) -> None:
    assert normalise(f"看{url}取钱") == "看 取钱"


def test_url_ends_where_chinese_begins() -> None:
    assert normalise("http://t.cn/A6和兴银行") == "和兴银行"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("@和兴银行 还我钱", "还我钱"),
        ("＠小明 好", "好"),
        ("转发//@小明:取不出钱", "转发 取不出钱"),
        ("a//@甲:b//@乙·丙:c", "a b c"),
        ("@a_b-c : 好", "好"),
        ("@ 小明", "@ 小明"),
        ("邮箱 a@", "邮箱 a@"),
    ],
)
def test_user_names_are_taken_out(text: str, plain: str) -> None:
    assert normalise(text) == plain


@pytest.mark.parametrize("text", ["", "  ", "@小明", "http://t.cn/A6", "\u200b\u200f", "\x00"])
def test_text_may_normalise_to_nothing(text: str) -> None:
    assert normalise(text) == ""


noisy = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "@/:·-_ \n\u3000\u200b\u200d\u0301\u1100\u1161\u11a8ehttpsw.銀行乾縣着著於"
        ),
    ),
    max_size=60,
)


@given(noisy)
@example("http\u200b://a")
@example("@" + "a" * 40 + "@" + "b" * 40)
@example("https://@a:b")
@example("薴")  # t2s: 薴 → 苧 → 苎
@example("//\u200b@甲: :乙")
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(noisy)
def test_result_is_visible_and_single_spaced(text: str) -> None:
    result = normalise(text)
    assert result == result.strip()
    assert "  " not in result
    invisible = {"Cc", "Cf", "Cs", "Co", "Cn"}
    assert not any(
        unicodedata.category(character) in invisible
        for character in result
        if character != "\u200d"
    )


# --- a headline and its text


@pytest.mark.parametrize(
    ("title", "text", "joined"),
    [
        ("快讯", "银行破产?假的", "快讯 银行破产?假的"),
        ("银行破产?", "银行破产?假的", "银行破产?假的"),
        ("假的", "银行破产?假的", "银行破产?假的"),
        ("银行破产?", "银行破产?", "银行破产?"),
        ("银行破产?假的", "银行破产?", "银行破产?假的 银行破产?"),
        ("", "银行", "银行"),
        ("银行", "", "银行"),
        ("", "", ""),
    ],
)
def test_title_is_said_once(title: str, text: str, joined: str) -> None:
    assert with_title(title, text) == joined


def test_title_that_the_text_repeats_goes_however_it_was_cut_or_quoted() -> None:
    head = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉"
    assert with_title(f'"{head[:9]}"{head[9:]}……', f"{head}戌亥") == f"{head}戌亥"


def test_title_that_names_somebody_else_stays() -> None:
    title, text = "系统瘫痪一整天:和兴银行", "系统瘫痪一整天:储户在门口等到天黑"
    assert with_title(title, text) == f"{title} {text}"


@given(noisy, noisy)
def test_title_and_text_as_one_are_normalised(title: str, text: str) -> None:
    joined = with_title(normalise(title), normalise(text))
    assert normalise(joined) == joined
