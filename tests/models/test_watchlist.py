from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.models.builders import WATCHLIST
from wanglou.models.watchlist import GENERIC_NAMES, Institution, InstitutionFinder, Watchlist
from wanglou.schemas.problems import describe


def institution(identity: str, name: str, *aliases: str, **fields: Any) -> dict[str, Any]:
    return {"id": identity, "name": name, "aliases": aliases} | fields


def watchlist(*institutions: dict[str, Any]) -> Watchlist:
    return Watchlist.model_validate({"institutions": institutions})


def problem_of(*institutions: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as error:
        watchlist(*institutions)
    return describe(error.value)


def find(text: str, *institutions: dict[str, Any]) -> tuple[str, ...]:
    return InstitutionFinder(watchlist(*institutions)).find(text)


A = institution("a", "和兴银行")


def test_duplicate_id_is_told_with_both_places() -> None:
    problem = problem_of(A, institution("b", "云汀银行"), institution("a", "霁川银行"))
    assert "institutions[2].id: 'a' is also institutions[0].id" in problem


def test_cycle_of_aliases_is_told_on_both_ends() -> None:
    problem = problem_of(
        institution("a", "和兴银行", "云汀银行"), institution("b", "云汀银行", "和兴银行")
    )
    assert (
        "institutions[1].name: '云汀银行' already means 'a' (institutions[0].aliases[0])" in problem
    )
    assert (
        "institutions[1].aliases[0]: '和兴银行' already means 'a' (institutions[0].name)" in problem
    )


@pytest.mark.parametrize("alias", ["和兴银行", "和興銀行", "和\u200b兴银行"])
def test_name_of_two_is_told_however_it_is_written(alias: str) -> None:
    assert "already means 'a'" in problem_of(A, institution("b", "云汀银行", alias))


def test_latin_names_are_one_in_any_case() -> None:
    problem = problem_of(institution("a", "和兴银行", "HXB"), institution("b", "云汀银行", "hxb"))
    assert "institutions[1].aliases[0]: 'hxb' already means 'a'" in problem


@pytest.mark.parametrize("alias", ["", " ", "和", "@和兴", "http://t.cn/a", "\u200b\u200b"])
def test_empty_or_short_alias_is_told(alias: str) -> None:
    problem = problem_of(institution("a", "和兴银行", "和兴", alias))
    assert f"institutions[0].aliases[1]: {alias.strip()!r} is too short" in problem


def test_empty_name_is_told() -> None:
    assert "institutions[0].name: '' is too short" in problem_of(institution("a", ""))


@pytest.mark.parametrize("alias", ["银行", "銀行", "保险", "中国", "Bank", "ＢＡＮＫ"])
def test_generic_alias_is_told(alias: str) -> None:
    problem = problem_of(institution("a", "和兴银行", alias))
    assert f"institutions[0].aliases[0]: {alias!r} names no institution" in problem


@pytest.mark.parametrize("name", sorted(GENERIC_NAMES))
def test_generic_name_is_told(name: str) -> None:
    assert "institutions[0].name: " in problem_of(institution("a", name))


@pytest.mark.parametrize("exclusion", ["", "  ", "@和兴", "\u200b"])
def test_empty_exclusion_is_told(exclusion: str) -> None:
    problem = problem_of(institution("a", "和兴银行", exclusions=["和兴银行杯", exclusion]))
    assert "institutions[0].exclusions[1]: is empty" in problem


@pytest.mark.parametrize("exclusion", ["和兴银行", "和興銀行", "hxb"])
@pytest.mark.parametrize("by_owner", [True, False])
def test_exclusion_that_is_a_name_is_told(exclusion: str, by_owner: bool) -> None:
    # it would silence the institution altogether
    a = institution("a", "和兴银行", "HXB", exclusions=[exclusion] if by_owner else [])
    b = institution("b", "云汀银行", exclusions=[] if by_owner else [exclusion])
    problem = problem_of(b, a)
    place = f"institutions[{1 if by_owner else 0}].exclusions[0]"
    assert f"{place}: {exclusion!r} would hide the name itself (institutions[1]." in problem


@pytest.mark.parametrize("identity", ["", "A", "和兴", "-a", "a.b", "a/b", "a b", "a" * 65])
def test_id_must_be_a_slug(identity: str) -> None:
    assert "institutions[0].id: " in problem_of(institution(identity, "和兴银行"))


def test_list_without_institutions_is_told() -> None:
    assert "institutions: " in problem_of()


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"name": None}, "institutions[0].name: "),
        ({"aliases": "和兴"}, "institutions[0].aliases: "),
        ({"aliases": [7]}, "institutions[0].aliases[0]: "),
        ({"alias": ["和兴"]}, "institutions[0].alias: "),
    ],
)
def test_wrong_types_and_unknown_fields_are_told(fields: dict[str, Any], place: str) -> None:
    assert place in problem_of(A | fields)


def test_all_problems_are_told_at_once() -> None:
    problem = problem_of(institution("a", "银行", ""), institution("a", "和兴银行", "支付"))
    assert problem.count("institutions[") >= 4


def test_own_name_twice_is_no_problem() -> None:
    assert find("和兴银行", institution("a", "和兴银行", "和興銀行", "和兴银行")) == ("a",)


def test_name_of_an_institution_no_longer_watched_is_its_id() -> None:
    assert WATCHLIST.name_of("hexing") == "和兴银行"
    assert WATCHLIST.name_of("gone") == "gone"


def test_names_are_those_that_stand_in_normalised_texts() -> None:
    a = institution("a", "和興銀行", " ＨＸＢ ", "和\u200b兴行", exclusions=["和兴行动"])
    assert Institution.model_validate(a).normalised_names == ("和兴银行", "HXB", "和兴行")
    assert Institution.model_validate(A).normalised_names == ("和兴银行",)


def test_institutions_come_in_order_of_first_appearance_once_each() -> None:
    b = institution("b", "云汀银行", "云汀行")
    assert find("云汀行比和兴银行好,云汀银行快", A, b) == ("b", "a")


def test_forty_institutions_in_one_text_are_all_found() -> None:
    names = [f"{left}{right}银行" for left in "甲乙丙丁戊己庚辛" for right in "子丑寅卯辰"]
    many = [institution(f"bank-{number}", name) for number, name in enumerate(names)]
    assert find("、".join(reversed(names)), *many) == tuple(
        f"bank-{number}" for number in reversed(range(40))
    )


def test_exclusion_hides_the_name_inside_it_only() -> None:
    a = institution("a", "和兴行", exclusions=["和兴行动"])
    assert find("和兴行动", a) == ()
    assert find("和兴行动,和兴行", a) == ("a",)


def test_longer_name_hides_the_shorter_one_inside_it() -> None:
    life = institution("b", "和兴银行人寿")
    assert find("和兴银行人寿", A, life) == ("b",)
    assert find("和兴银行和和兴银行人寿", A, life) == ("a", "b")


def test_names_match_in_any_case_and_script() -> None:
    a = institution("a", "和興銀行", "HXB")
    assert find("和兴银行", a) == find("用hxb转账", a) == ("a",)
    assert find("hxbc", a) == ()
