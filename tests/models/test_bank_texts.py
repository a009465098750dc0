from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from wanglou.models.training.bank_texts import DEFAULT, BankText, bank_texts

HEAD = """
kinds:
  bank: {stems: [青屿, 岚州], endings: [银行], generic: [某银行]}
slots:
  amount: [五千, 三万]
shares: {positive: 0.5}
signs:
  before: ['转发 ']
  after: {negative: ['！'], positive: ['[赞]'], neutral: ['。'], angry: ['[怒]']}
typos:
  客服: [kf]
groups:
"""


def expand(folder: Path, group: str, *, limit: int = 20) -> list[BankText]:
    """The texts of one group."""
    path = folder / "texts.yaml"
    path.write_text(HEAD + group, encoding="utf-8")
    return bank_texts(path, seed=1, limit_per_template=limit)


def like_another(folder: Path, more: str) -> list[BankText]:
    """The texts of a file that has all but its groups from another."""
    (folder / "texts.yaml").write_text(
        HEAD + "- {polarity: negative, texts: '崩了'}", encoding="utf-8"
    )
    path = folder / "more.yaml"
    path.write_text(f"like: texts.yaml\n{more}", encoding="utf-8")
    return bank_texts(path, seed=1, limit_per_template=20)


def test_a_file_like_another_has_its_words_and_groups_of_its_own(tmp_path: Path) -> None:
    group = "groups: [{polarity: neutral, plain: true, first: false, texts: '{bank}收{amount}'}]"
    texts = {text.text for text in like_another(tmp_path, group)}
    assert texts == {
        f"{bank}收{amount}"
        for bank in ("青屿银行", "岚州银行", "某银行")
        for amount in ("五千", "三万")
    }


def test_a_file_like_another_may_have_words_of_its_own(tmp_path: Path) -> None:
    more = """
slots: {amount: [两块]}
groups: [{polarity: neutral, plain: true, texts: '收{amount}'}]
"""
    assert {text.text for text in like_another(tmp_path, more)} == {"收两块"}


def test_a_file_like_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "more.yaml"
    path.write_text("like: nowhere.yaml\ngroups: []", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        bank_texts(path, seed=1, limit_per_template=1)


@pytest.mark.parametrize("path", [DEFAULT, DEFAULT.with_name("bank_texts_more.yaml")])
def test_every_shipped_template_is_filled(path: Path) -> None:
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    templates = sum(len(group["texts"].strip().splitlines()) for group in groups)
    assert len(bank_texts(path, seed=1, limit_per_template=1)) >= templates


def test_same_seed_gives_the_same_texts() -> None:
    assert bank_texts(seed=3, limit_per_template=2) == bank_texts(seed=3, limit_per_template=2)


def test_another_seed_gives_other_texts() -> None:
    assert bank_texts(seed=3, limit_per_template=2) != bank_texts(seed=4, limit_per_template=2)


def test_institution_stands_in_its_text() -> None:
    texts = bank_texts(seed=1, limit_per_template=5)
    assert all(text.institution is None or text.institution in text.text for text in texts)


def test_institution_is_judged_exactly_where_one_is_asked_about() -> None:
    texts = bank_texts(seed=1, limit_per_template=5)
    assert all((t.institution is None) == (t.institution_negative is None) for t in texts)


def test_no_brace_is_left() -> None:
    texts = bank_texts(seed=1, limit_per_template=5)
    assert not [text for text in texts if set("{}|") & set(text.text)]


def test_one_text_never_has_two_sets_of_labels() -> None:
    texts = bank_texts(seed=1, limit_per_template=10)
    assert len({(text.text, text.institution) for text in texts}) == len(texts)


def test_limit_holds(tmp_path: Path) -> None:
    group = "- {polarity: neutral, plain: true, first: false, texts: '{bank}收{amount}'}"
    assert len(expand(tmp_path, group, limit=3)) == 3


def test_polarity_gets_its_share_of_the_limit(tmp_path: Path) -> None:
    group = "- {polarity: positive, plain: true, first: false, texts: '{bank}送我{amount}'}"
    assert len(expand(tmp_path, group, limit=3)) == 2


def test_comparison_is_judged_for_each_institution(tmp_path: Path) -> None:
    labels = "polarity: negative, plain: true, first: true, second: false"
    group = f"- {{{labels}, texts: '{{bank}}不如{{bank2}}'}}"
    texts = expand(tmp_path, group)
    assert {(t.text.index(str(t.institution)) == 0, t.institution_negative) for t in texts} == {
        (True, True),
        (False, False),
    }


def test_generic_phrase_is_no_institution(tmp_path: Path) -> None:
    group = "- {polarity: negative, plain: true, first: true, texts: '{bank}欠我{amount}'}"
    anonymous = [text for text in expand(tmp_path, group) if "某银行" in text.text]
    assert anonymous
    assert all(text.institution is None for text in anonymous)


@pytest.mark.parametrize(
    ("group", "place"),
    [
        ("- {polarity: bad, texts: x}", r"groups\.0\.polarity"),
        ("- {polarity: neutral, event: 无, texts: x}", r"groups\.0\.event"),
        ("- {polarity: neutral, texts: '去{nowhere}'}", r"group 1, '去\{nowhere\}'.*'nowhere'"),
        ("- {polarity: neutral, texts: '去{bank}'}", "without 'first'"),
        ("- {polarity: neutral, first: true, texts: '{bank}和{bank2}'}", "without 'second'"),
        ("- {polarity: neutral, texts: '去{amount'}", "unmatched brace"),
        ("- {polarity: neutral, texts: '{去|amount}'}", "cannot be a choice: 'amount'"),
        ("- {polarity: neutral, emotion: sad, texts: x}", "group 1: no signs for sad"),
        ("- {polarity: [", r"texts\.yaml"),
    ],
)
def test_bad_template_is_refused_with_its_place(tmp_path: Path, group: str, place: str) -> None:
    with pytest.raises(ValueError, match=place):
        expand(tmp_path, group)
