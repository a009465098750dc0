"""Behavioural cases of the sentiment model, after CheckList: expand ``cases.yaml``, and judge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Literal
from zlib import crc32

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from wanglou.agents.settings import WEIGHTS
from wanglou.models.bert_opinion import BertOpinion
from wanglou.models.opinion import Opinion, Passage
from wanglou.models.scoring import NEGATIVE_FROM, most_probable
from wanglou.models.text import normalise
from wanglou.schemas.mention import Polarity

FOLDER = Path(__file__).parent

SLACK = 0.1
"""How far P(negative) may go the wrong way in a directional case."""

_SLOT = re.compile(r"<(\w+)>")


class Kind(StrEnum):
    """The three kinds of CheckList."""

    MFT = "MFT"
    INV = "INV"
    DIR = "DIR"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The polarity is one of these."""

    labels: frozenset[Polarity]


@dataclass(frozen=True, slots=True)
class Towards:
    """The text is, or is not, negative for the institution."""

    negative: bool


@dataclass(frozen=True, slots=True)
class SameAs:
    """Polarity and verdict on the institution are those of the base."""

    base: str


@dataclass(frozen=True, slots=True)
class Shift:
    """P(negative) goes this way from the base, or at most ``SLACK`` the other way."""

    base: str
    negative: Literal["rises", "falls"]


Expectation = Allowed | Towards | SameAs | Shift
Asked = tuple[str, str | None]
"""A text as written, and the institution in question."""


@dataclass(frozen=True, slots=True)
class Case:
    """One text and what is expected of the model."""

    id: str
    group: str
    kind: Kind
    text: str
    institution: str | None
    expectation: Expectation

    def asked(self) -> list[Asked]:
        """What the model must read for this case: the text, and its base where it has one."""
        texts = [self.text]
        if isinstance(self.expectation, SameAs | Shift):
            texts.append(self.expectation.base)
        return [(text, self.institution) for text in texts]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Texts(_Part):
    texts: tuple[str, ...]
    slots: dict[str, tuple[str, ...]] = {}


class _Polarities(_Texts):
    polarity: frozenset[Polarity]


class _Verdicts(_Texts):
    institution_negative: dict[str, bool]


class _Comparison(_Part):
    negative: Literal["rises", "falls"] | None = None


class _Pairs(_Comparison):
    pairs: tuple[tuple[str, str], ...]


class _Changes(_Comparison):
    bases: tuple[str, ...]
    changes: tuple[str, ...]


_Block = _Polarities | _Verdicts | _Pairs | _Changes


class _Group(_Part):
    kind: Kind
    blocks: dict[str, _Block]


class _Book(_Part):
    banks: dict[str, str]
    groups: dict[str, _Group]


def load_cases() -> tuple[Case, ...]:
    """All cases, in the order of the file."""
    content = yaml.safe_load((FOLDER / "cases.yaml").read_text(encoding="utf-8"))
    book = _Book.model_validate(content)
    return tuple(
        Case(f"{name}/{block_name}/{number}", name, group.kind, text, institution, expectation)
        for name, group in book.groups.items()
        for block_name, block in group.blocks.items()
        for number, (text, institution, expectation) in enumerate(_expand(block, book.banks), 1)
    )


def load_floors() -> dict[str, float]:
    """The least share of its cases that each group must pass."""
    content = yaml.safe_load((FOLDER / "floors.yaml").read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, float]).validate_python(content)


def _expand(
    block: _Block, banks: Mapping[str, str]
) -> Iterator[tuple[str, str | None, Expectation]]:
    """Text, institution and expectation of each case of a block."""
    match block:
        case _Polarities():
            for text, slots in _filled(block, banks):
                yield text, _named(text, slots), Allowed(block.polarity)
        case _Verdicts():
            for text, slots in _filled(block, banks):
                for slot, negative in block.institution_negative.items():
                    yield text, slots[slot], Towards(negative)
        case _Pairs():
            for base, changed in block.pairs:
                yield _compared(base, changed, block, banks)
        case _Changes():
            for base, change in product(block.bases, block.changes):
                yield _compared(base, change.replace("<text>", base), block, banks)


def _compared(
    base: str, changed: str, block: _Comparison, banks: Mapping[str, str]
) -> tuple[str, str | None, Expectation]:
    slots = _two_banks(base, banks)
    before = _fill(base, slots)
    expected = Shift(before, block.negative) if block.negative else SameAs(before)
    return _fill(changed, slots), _named(before, slots), expected


def _filled(block: _Texts, banks: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Every template with every combination of its slots, and the values of the slots."""
    for template in block.texts:
        names = [name for name in block.slots if f"<{name}>" in template]
        for values in product(*(block.slots[name] for name in names)):
            own = dict(zip(names, values, strict=True))
            slots = _two_banks(_fill(template, own), banks) | own
            yield _fill(template, slots), slots


def _two_banks(template: str, banks: Mapping[str, str]) -> dict[str, str]:
    """Two different banks for a template, the same in every run."""
    names = list(banks)
    first = crc32(template.encode()) % len(names)
    bank, other = names[first], names[first - 3]
    return {"bank": bank, "bank_traditional": banks[bank], "other": other}


def _fill(template: str, slots: Mapping[str, str]) -> str:
    return _SLOT.sub(lambda slot: slots.get(slot[1], slot[0]), template)


def _named(text: str, slots: Mapping[str, str]) -> str | None:
    return slots["bank"] if slots["bank"] in text else None


def read(asked: Iterable[Asked]) -> dict[Asked, Opinion]:
    """What the shipped model says of texts, read in one batch as the pipeline reads them."""
    distinct = list(dict.fromkeys(asked))
    passages = [
        Passage(normalise(text), (normalise(name),) if name else ()) for text, name in distinct
    ]
    return dict(zip(distinct, BertOpinion(WEIGHTS).read(passages), strict=True))


@dataclass(frozen=True, slots=True)
class Result:
    """How many cases of a group pass, and which do not."""

    group: str
    kind: Kind
    cases: int
    failures: tuple[str, ...]

    @property
    def rate(self) -> float:
        """The share of cases that pass."""
        return (self.cases - len(self.failures)) / self.cases


def results(cases: Sequence[Case], opinions: Mapping[Asked, Opinion]) -> dict[str, Result]:
    """The result of each group, in the order of the cases."""
    return {
        group: _result([case for case in cases if case.group == group], opinions)
        for group in dict.fromkeys(case.group for case in cases)
    }


def _result(cases: Sequence[Case], opinions: Mapping[Asked, Opinion]) -> Result:
    failures = tuple(
        f"{case.id} {case.text!r} about {case.institution} {_expected(case.expectation)}, "
        f"but is {' against '.join(_said(opinions[asked]) for asked in case.asked())}"
        for case in cases
        if not passes(case, opinions)
    )
    return Result(cases[0].group, cases[0].kind, len(cases), failures)


def passes(case: Case, opinions: Mapping[Asked, Opinion]) -> bool:
    """Whether the model does what is expected."""
    opinion, *bases = [opinions[asked] for asked in case.asked()]
    match case.expectation:
        case Allowed(labels):
            return most_probable(Polarity, opinion.polarity) in labels
        case Towards(negative):
            return _against(opinion) is negative
        case SameAs():
            return _verdict(opinion) == _verdict(bases[0])
        case Shift(negative="rises"):
            return opinion.polarity.negative >= bases[0].polarity.negative - SLACK
        case Shift():
            return opinion.polarity.negative <= bases[0].polarity.negative + SLACK


def _against(opinion: Opinion) -> bool | None:
    probability = opinion.institution_negative
    return None if probability is None else probability >= NEGATIVE_FROM


def _verdict(opinion: Opinion) -> tuple[Polarity, bool | None]:
    return most_probable(Polarity, opinion.polarity), _against(opinion)


def _expected(expectation: Expectation) -> str:
    match expectation:
        case Allowed(labels):
            return f"must be {' or '.join(sorted(labels))}"
        case Towards(negative):
            return f"must {'' if negative else 'not '}be negative for the institution"
        case SameAs(base):
            return f"must be as {base!r}"
        case Shift(base, negative):
            return f"must have P(negative) as {base!r} or {negative.removesuffix('s')}"


def _said(opinion: Opinion) -> str:
    row = opinion.polarity
    said = f"negative {row.negative:.2f} neutral {row.neutral:.2f} positive {row.positive:.2f}"
    towards = opinion.institution_negative
    return said if towards is None else f"{said} institution negative {towards:.2f}"
