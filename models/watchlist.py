"""The watch list: which institutions are watched, and by which names a text means them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wanglou.models.phrases import PhraseFinder
from wanglou.models.remember import remembers
from wanglou.models.text import normalise
from wanglou.schemas.problems import Location, Problem, check, place

GENERIC_NAMES = frozenset(
    [
        "银行",
        "保险",
        "证券",
        "基金",
        "公司",
        "集团",
        "信托",
        "支付",
        "理财",
        "贷款",
        "信用卡",
        "支行",
        "分行",
        "总行",
        "中国",
        "人民",
        "人寿",
        "商业银行",
        "农商行",
        "信用社",
        "金融",
        "消费金融",
        "投资",
        "担保",
        "租赁",
        "财富",
        "财险",
        "寿险",
        "bank",
        "insurance",
    ]
)
"""Words that name no institution of their own: as an alias they would match every post."""

MIN_NAME_CHARACTERS = 2


class Size(StrEnum):
    """How much depends on an institution 机构规模."""

    SYSTEMIC = "systemic"  # 系统重要性
    LARGE = "large"
    MEDIUM = "medium"
    SMALL = "small"


class Institution(BaseModel):
    """A watched institution."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    name: str
    aliases: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = Field((), description="Phrases in which a name means another.")
    size: Size | None = Field(None, description="Makes what is said of it weigh more, or less.")

    @property
    def normalised_names(self) -> tuple[str, ...]:
        """Name and aliases, as they stand in normalised texts."""
        return tuple(normalise(name) for name in (self.name, *self.aliases))


class _Claims:
    """Which name belongs to whom; collects every problem before it complains."""

    def __init__(self) -> None:
        self.owners: dict[str, tuple[str, Location]] = {}
        self.problems: list[Problem] = []

    def claim(self, name: str, institution: str, location: Location) -> None:
        folded = normalise(name).lower()
        if len(folded) < MIN_NAME_CHARACTERS:
            self.problems.append((location, f"{name!r} is too short; at least 2 characters"))
        elif folded in GENERIC_NAMES:
            self.problems.append((location, f"{name!r} names no institution; use a longer name"))
        elif folded in self.owners and self.owners[folded][0] != institution:
            owner, other = self.owners[folded]
            text = f"{name!r} already means {owner!r} ({place(other)}); a name has one meaning"
            self.problems.append((location, text))
        else:
            self.owners.setdefault(folded, (institution, location))


class Watchlist(BaseModel):
    """All watched institutions.

    Raises ``ValidationError`` when an id or a name stands for two institutions (so also for a
    cycle of aliases), or a name is empty or generic.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    institutions: tuple[Institution, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        claims = _Claims()
        ids: dict[str, int] = {}
        for index, institution in enumerate(self.institutions):
            here: Location = ("institutions", index)
            if institution.id in ids:
                text = f"{institution.id!r} is also institutions[{ids[institution.id]}].id"
                claims.problems.append(((*here, "id"), text))
            ids[institution.id] = index
            claims.claim(institution.name, institution.id, (*here, "name"))
            for position, alias in enumerate(institution.aliases):
                claims.claim(alias, institution.id, (*here, "aliases", position))
            for position, exclusion in enumerate(institution.exclusions):
                if not normalise(exclusion):
                    claims.problems.append(((*here, "exclusions", position), "is empty"))
        for index, institution in enumerate(self.institutions):
            for position, exclusion in enumerate(institution.exclusions):
                owner = claims.owners.get(normalise(exclusion).lower())
                if owner is not None:
                    text = (
                        f"{exclusion!r} would hide the name itself ({place(owner[1])}); "
                        "an exclusion is longer than a name"
                    )
                    claims.problems.append((("institutions", index, "exclusions", position), text))
        check(claims.problems)
        return self

    def find(self, institution_id: str) -> Institution | None:
        """The institution of an id; None where it is no longer watched."""
        return next((one for one in self.institutions if one.id == institution_id), None)

    def name_of(self, institution_id: str) -> str:
        """The Chinese name of an institution; the id itself where it is no longer watched."""
        institution = self.find(institution_id)
        return institution_id if institution is None else institution.name


class InstitutionFinder:
    """Finds which watched institutions a normalised text names.

    >>> watchlist = Watchlist.model_validate({"institutions": [
    ...     {"id": "hexing", "name": "和兴银行", "aliases": ["和兴"], "exclusions": ["和兴超市"]},
    ...     {"id": "hexing-life", "name": "和兴人寿"}]})
    >>> finder = InstitutionFinder(watchlist)
    >>> finder.find("和兴银行的排队和和兴超市的排队")
    ('hexing',)
    >>> finder.find("和兴人寿理赔"), finder.find("和兴超市")
    (('hexing-life',), ())
    """

    def __init__(self, watchlist: Watchlist) -> None:
        phrases: list[tuple[str, str | None]] = []
        for institution in watchlist.institutions:
            phrases.extend((name, institution.id) for name in institution.normalised_names)
            phrases.extend((normalise(phrase), None) for phrase in institution.exclusions)
        self._finder = PhraseFinder(phrases)
        self._find_in = remembers(texts=4096)(self._find)

    def find(self, text: str) -> tuple[str, ...]:
        """Ids of the institutions named, in order of first appearance.

        Where phrases overlap the longest counts, so that an exclusion hides the name inside it and
        a longer name the shorter one.
        """
        return self._find_in(text)

    def _find(self, text: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        end = 0
        for match in sorted(self._finder.find(text), key=lambda one: (one.start, -one.end)):
            if match.end <= end:
                continue  # inside a longer phrase
            end = match.end
            if match.tag is not None:
                found[match.tag] = None
        return tuple(found)
