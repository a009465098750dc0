"""Check a draft before it is approved (文稿检查): promises, blame, rude words, personal data.

It warns, people decide. The words stand in ``deploy/wording.yaml``. Numbers that give away a person
are found as ``models.masking`` masks them, names only where a word like 客户…女士 shows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from wanglou.models.masking import mask
from wanglou.models.rules_file import RulesFile
from wanglou.models.text import normalise
from wanglou.schemas.problems import Problem, check

ANY = "…"
"""In a word of the file: up to ``ANY_CHARACTERS`` of the same clause."""

ANY_CHARACTERS = 12
NEGATED_WITHIN = 12
"""Characters between a negation and what it negates: 没有向客户作出保本承诺."""

_SENTENCE_END = "。！？!?；;\n"
_CLAUSE_END = _SENTENCE_END + "，,：:"
_QUOTED = re.compile(r"“[^”\n]*”|「[^」\n]*」|『[^』\n]*』|\"[^\"\n]*\"|《[^》\n]*》")
_QUOTES = str.maketrans("", "", '“”「」『』"《》')
_TIME = re.compile(
    r"\d{1,2} ?[时点:]|\{[^{}\n]*时间\}"
    r"|(?:\d+|[一二三四五六七八九十两半]+) ?个?(?:小时|分钟|工作日|日|天)"
)
_GAP = re.compile(r"\{[^{}\n]{1,20}\}|_{2,}|(?<![a-z0-9])x{2,}(?![a-z0-9])|[×○]{2,}|【待[^】\n]*】")
_MASKED = re.compile(r"\[(?:身份证号|银行卡号|手机号|固定电话|QQ号|微信号|邮箱)\]")
_MOST_MASKED = 64
"""Characters of what one placeholder of ``mask`` stands for, at most."""


class Concern(StrEnum):
    """What is wrong with a place in a draft."""

    PROMISE = "promise"
    BLAME = "blame"
    RUDE = "rude"
    PERSONAL = "personal"
    GAP = "gap"
    NO_CHANNEL = "no-channel"
    NO_NEXT_NEWS = "no-next-news"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            Concern.PROMISE: "绝对承诺",
            Concern.BLAME: "推责指责",
            Concern.RUDE: "不当用语",
            Concern.PERSONAL: "个人信息",
            Concern.GAP: "未填空",
            Concern.NO_CHANNEL: "缺官方渠道",
            Concern.NO_NEXT_NEWS: "缺下次通报时间",
        }[self]


@dataclass(frozen=True, slots=True)
class DraftWarning:
    """A place in a draft, from ``start`` up to ``end`` (characters), and what to do about it.

    What is missing has its place at the end, and no words.
    """

    concern: Concern
    start: int
    end: int
    words: str
    why: str
    instead: str


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _pattern(word: str) -> str:
    """A word of the file as a regular expression over folded texts."""
    between = rf"[^{_CLAUSE_END}]{{0,{ANY_CHARACTERS}}}?"
    pattern = between.join(re.escape(folded(part)) for part in word.split(ANY))
    return rf"(?<!\d){pattern}" if word[0].isdecimal() else pattern


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(_pattern, words)))


def _no_empty_part(word: object) -> object:
    if isinstance(word, str) and not all(part.strip() for part in word.split(ANY)):
        raise ValueError(f"{word!r} needs characters, also before and after each {ANY}")
    return word


Word = Annotated[str, BeforeValidator(_no_empty_part)]
Sentence = Annotated[str, Field(min_length=1, max_length=200)]


class Phrase(_Section):
    """Words to look for."""

    word: Word
    exceptions: tuple[Word, ...] = Field((), alias="except")
    instead: Sentence | None = None

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
        """What to look for, and where it does not count."""
        return re.compile(_pattern(self.word)), (
            _any_of(self.exceptions) if self.exceptions else None
        )

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Places in a folded text."""
        pattern, exceptions = self.patterns
        spared = [] if exceptions is None else [one.span() for one in exceptions.finditer(text)]
        for match in pattern.finditer(text):
            start, end = match.span()
            if not any(begin <= start and end <= stop for begin, stop in spared):
                yield start, end


def _written(value: object) -> object:
    return {"word": value} if isinstance(value, str) else value


class Group(_Section):
    """Words with one reason."""

    concern: Literal[Concern.PROMISE, Concern.BLAME, Concern.RUDE, Concern.PERSONAL]
    why: Sentence
    instead: Sentence
    unless: tuple[Literal["negated", "asked", "reported"], ...] = ()
    words: tuple[Annotated[Phrase, BeforeValidator(_written)], ...] = Field(min_length=1)


class Negations(_Section):
    """What negates a word behind it."""

    within: tuple[Word, ...] = Field(min_length=1)
    adjacent: tuple[Word, ...] = Field(min_length=1)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Searched in the characters before a word."""
        return re.compile(f"{_any_of(self.within).pattern}|(?:{_any_of(self.adjacent).pattern})$")


class NextNews(_Section):
    """How a draft says when more comes, or that no more does."""

    marks: tuple[Word, ...] = Field(min_length=1)
    verbs: tuple[Word, ...] = Field(min_length=1)
    final: tuple[Word, ...] = ()

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """All of which a sentence has that says when more comes."""
        return _TIME, _any_of(self.marks), _any_of(self.verbs)

    def is_said(self, text: str) -> bool:
        """Whether a folded text says it."""
        if any(re.search(_pattern(word), text) for word in self.final):
            return True
        sentences = re.split(f"[{_SENTENCE_END}]", text)
        return any(all(one.search(sentence) for one in self.patterns) for sentence in sentences)


class Wording(_Section):
    """The whole file."""

    groups: tuple[Group, ...] = Field(min_length=1)
    negations: Negations
    reports: tuple[Word, ...] = Field(min_length=1)
    reported_as: tuple[Word, ...] = Field(min_length=1)
    channels: tuple[Word, ...] = Field(min_length=1)
    next_news: NextNews

    @model_validator(mode="after")
    def _no_word_twice(self) -> Self:
        check(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        first: dict[str, str] = {}
        for number, group in enumerate(self.groups):
            for index, phrase in enumerate(group.words):
                here = f"groups[{number}].words[{index}]"
                where = ("groups", number, "words", index)
                other = first.setdefault(folded(phrase.word), here)
                if other != here:
                    yield where, f"{phrase.word!r} is also {other}: leave one out"
                for exception in phrase.exceptions:
                    if not re.search(_pattern(phrase.word), folded(exception)):
                        text = f"{phrase.word!r} does not stand in its exception {exception!r}"
                        yield where, f"{text}: leave it out"

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
        """Of reports, what ends them, and channels."""
        return _any_of(self.reports), _any_of(self.reported_as), _any_of(self.channels)

    def spares(self, group: Group, text: str, start: int, end: int) -> bool:
        """Whether words of a group are no concern where they stand."""
        tests = {"negated": self._is_negated, "asked": _is_asked, "reported": self._is_reported}
        return any(tests[how](text, start, end) for how in group.unless)

    def _is_negated(self, text: str, start: int, end: int) -> bool:
        clause = text[_begin(text, start, _CLAUSE_END) : start].translate(_QUOTES)
        return self.negations.pattern.search(clause[-NEGATED_WITHIN:]) is not None

    def _is_reported(self, text: str, start: int, end: int) -> bool:
        reports, reported_as, _ = self.patterns
        begin, stop = _begin(text, start, _SENTENCE_END), _end(text, end, _SENTENCE_END)
        for quote in _QUOTED.finditer(text, begin, stop):
            if quote.start() <= start and end <= quote.end():
                around = text[begin : quote.start()] + text[quote.end() : stop]
                return reports.search(around) is not None
        clause = text[_begin(text, start, _CLAUSE_END) : start]
        return (
            reports.search(clause) is not None and reported_as.search(text, end, stop) is not None
        )


def check_draft(text: str, wording: Wording) -> list[DraftWarning]:
    """What should be changed before the draft is approved, in the order of the text."""
    read = folded(text)
    found = [
        *_wording_warnings(read, text, wording),
        *_personal_warnings(read, text),
        *_gap_warnings(read, text),
    ]
    found.sort(key=lambda one: (one.start, -one.end))
    return [*_outermost(found), *_missing(read, wording)]


def _wording_warnings(read: str, text: str, wording: Wording) -> Iterator[DraftWarning]:
    for group in wording.groups:
        for phrase in group.words:
            for start, end in phrase.find(read):
                if not wording.spares(group, read, start, end):
                    instead = phrase.instead or group.instead
                    words = text[start:end]
                    yield DraftWarning(group.concern, start, end, words, group.why, instead)


def _personal_warnings(read: str, text: str) -> Iterator[DraftWarning]:
    """Numbers that ``mask`` would replace: the text is matched to what is left of it."""
    masked = mask(read)
    if masked == read:
        return
    literals = map(re.escape, _MASKED.split(masked))
    match = re.fullmatch(f"(.{{1,{_MOST_MASKED}}}?)".join(literals), read, re.DOTALL)
    if match is None:
        raise AssertionError("mask changed more than the numbers")
    for group, kind in enumerate(_MASKED.findall(masked), 1):
        start, end = match.span(group)
        if read[start:end] != kind:
            why = f"{kind.strip('[]')}是个人信息，不能对外公布。"
            instead = "删去；需要联系个人的另行私下联系。"
            yield DraftWarning(Concern.PERSONAL, start, end, text[start:end], why, instead)


def _gap_warnings(read: str, text: str) -> Iterator[DraftWarning]:
    for match in _GAP.finditer(read):
        start, end = match.span()
        why = "模板里还有空没有填。"
        instead = "填入已核实的内容；没有的删去这一句。"
        yield DraftWarning(Concern.GAP, start, end, text[start:end], why, instead)


def _missing(read: str, wording: Wording) -> Iterator[DraftWarning]:
    end = len(read)
    if not wording.patterns[2].search(read):
        why = "没有官方渠道，公众不知道以哪里的信息为准。"
        instead = "写明官方渠道，例如官网、官方账号或客服热线。"
        yield DraftWarning(Concern.NO_CHANNEL, end, end, "", why, instead)
    if not wording.next_news.is_said(read):
        why = "没有说下次何时通报，空白会被猜测填满。"
        instead = (
            "写明“将于…时前通报进展”，到点即使没有新情况也通报；已是最后一次的，写明不再另行通报。"
        )
        yield DraftWarning(Concern.NO_NEXT_NEWS, end, end, "", why, instead)


def _outermost(found: Iterable[DraftWarning]) -> Iterator[DraftWarning]:
    """Without those that lie in another of the same concern."""
    last: dict[Concern, int] = {}
    for one in found:
        if one.end > last.get(one.concern, -1):
            last[one.concern] = one.end
            yield one


def _begin(text: str, place: int, ends: str) -> int:
    """Where the sentence or clause begins that a place lies in."""
    return max(text.rfind(mark, 0, place) for mark in ends) + 1


def _end(text: str, place: int, ends: str) -> int:
    """Where it ends, with its mark."""
    found = [at for mark in ends if (at := text.find(mark, place)) >= 0]
    return min(found, default=len(text) - 1) + 1


def _is_asked(text: str, start: int, end: int) -> bool:
    sentence = text[_begin(text, start, _SENTENCE_END) : _end(text, end, _SENTENCE_END)]
    return sentence.lstrip().startswith("问:") or sentence.endswith("?")


@lru_cache(maxsize=16_384)
def _folded(character: str) -> str:
    plain = normalise(character).lower()
    return plain if len(plain) == 1 else character


def folded(text: str) -> str:
    """A text with each character as the words are written: as long, so that places are the same.

    >>> folded("我行資金１００％安全")
    '我行资金100%安全'
    """
    return "".join(map(_folded, text))


def load_wording(path: Path) -> Wording:
    """Read the file. Raises ``RulesError`` with everything that is wrong."""
    return RulesFile.read(path, Wording).rules
