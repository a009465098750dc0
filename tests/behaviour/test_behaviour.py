from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from tests.behaviour.cases import (
    Allowed,
    Asked,
    Case,
    Kind,
    Result,
    SameAs,
    Shift,
    Towards,
    load_cases,
    load_floors,
    passes,
    read,
    results,
)
from wanglou.models.opinion import NoModel, Opinion, Passage
from wanglou.models.text import normalise
from wanglou.schemas.mention import Polarity, PolarityProbabilities

CASES = load_cases()
GROUPS = list(dict.fromkeys(case.group for case in CASES))


@pytest.fixture(scope="module")
def by_group() -> dict[str, Result]:
    """The shipped model's results: loaded once, every text read once."""
    return results(CASES, read(asked for case in CASES for asked in case.asked()))


@pytest.mark.parametrize("group", GROUPS)
def test_group_passes_at_its_floor(group: str, by_group: dict[str, Result]) -> None:
    result, floor = by_group[group], load_floors()[group]
    assert result.rate >= floor, "\n".join(
        [f"{group}: {result.rate:.3f} is below its floor {floor}; failing:", *result.failures]
    )


def test_there_are_enough_cases_of_every_kind() -> None:
    assert len(CASES) >= 300
    assert {case.kind for case in CASES} == set(Kind)


def test_every_group_has_a_floor_and_no_other() -> None:
    floors = load_floors()
    assert set(floors) == set(GROUPS)
    assert all(0 <= floor <= 1 for floor in floors.values())


def test_ids_are_unique() -> None:
    assert len({case.id for case in CASES}) == len(CASES)


def test_no_text_stands_twice_in_a_group() -> None:
    # except to ask after another institution, or to be held against another base
    keys = [(case.group, case.text, case.institution, case.expectation) for case in CASES]
    assert len(set(keys)) == len(keys)
    judged = [key[:3] for key in keys if isinstance(key[3], Allowed)]
    assert len(set(judged)) == len(judged)


def test_every_slot_is_filled() -> None:
    texts = [text for case in CASES for text, _ in case.asked()]
    assert [text for text in texts if "<" in text or ">" in text] == []


def makes_sense(case: Case) -> bool:
    """Whether the expectation is of the case's kind, and something could fail it."""
    match case.expectation:
        case Allowed(labels):
            return case.kind is Kind.MFT and 0 < len(labels) < len(Polarity)
        case Towards():
            return case.kind is Kind.MFT and case.institution is not None
        case SameAs(base):
            return case.kind is Kind.INV and case.text != base
        case Shift(base, _):
            return case.kind is Kind.DIR and case.text != base


def test_every_expectation_makes_sense() -> None:
    assert [case.id for case in CASES if not makes_sense(case)] == []


def test_institution_stands_in_the_text_that_the_model_reads() -> None:
    assert [
        (case.id, text)
        for case in CASES
        for text, institution in case.asked()
        if institution is not None and institution not in normalise(text)
    ] == []


def opinion(negative: float, *, against: float | None = None) -> Opinion:
    return replace(
        NoModel().read([Passage("")])[0],
        polarity=PolarityProbabilities(negative=negative, neutral=1 - negative, positive=0.0),
        institution_negative=against,
    )


@pytest.mark.parametrize(
    ("direction", "negative", "expected"),
    [("rises", 0.31, True), ("rises", 0.29, False), ("falls", 0.49, True), ("falls", 0.51, False)],
)
def test_shift_may_go_the_wrong_way_a_little(
    direction: Literal["rises", "falls"], negative: float, expected: bool
) -> None:
    case = Case("id", "group", Kind.DIR, "text", None, Shift("base", direction))
    said: dict[Asked, Opinion] = {("base", None): opinion(0.4), ("text", None): opinion(negative)}
    assert passes(case, said) is expected


@pytest.mark.parametrize(
    ("negative", "against", "expected"),
    [(0.9, 0.8, True), (0.4, 0.8, False), (0.9, 0.2, False)],
)
def test_invariance_is_of_polarity_and_of_the_verdict_on_the_institution(
    negative: float, against: float, expected: bool
) -> None:
    case = Case("id", "group", Kind.INV, "text", None, SameAs("base"))
    said: dict[Asked, Opinion] = {
        ("base", None): opinion(0.7, against=0.7),
        ("text", None): opinion(negative, against=against),
    }
    assert passes(case, said) is expected
