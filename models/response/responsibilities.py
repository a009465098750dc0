"""Responsibilities 责任分工: who may do what on which cases, and who answers for it at which hour.

Roles 角色 say what a person may do; ``may`` checks every command and every row with them. Duties
职责 say who has to do it, by institution and hour of the week.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from wanglou.models.duty import Rota, gaps, on_duty, overlaps, spans
from wanglou.models.response.case_file import SYSTEM, Refused
from wanglou.models.rules_file import RulesFile
from wanglou.models.watchlist import Watchlist
from wanglou.schemas.problems import Location, Problem, check
from wanglou.schemas.response import MEASURES, Act

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class Forbidden(Refused):
    """Somebody may not do something; the message says who, what, where, and which role it needs."""


class Role(StrEnum):
    """What a person may do."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            Role.VIEWER: "查看",
            Role.RESPONDER: "处置",
            Role.APPROVER: "审批",
            Role.AUDITOR: "审计",
            Role.ADMINISTRATOR: "管理",
        }[self]


class Duty(StrEnum):
    """What somebody has to do at every hour."""

    MONITOR = "monitor"
    ANALYSE = "analyse"
    RESPOND = "respond"
    APPROVE = "approve"
    REPORT = "report"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            Duty.MONITOR: "监测",
            Duty.ANALYSE: "分析研判",
            Duty.RESPOND: "处置",
            Duty.APPROVE: "审批",
            Duty.REPORT: "报送",
        }[self]


class Operation(StrEnum):
    """What is done with cases and their archive beside the acts of a response."""

    VIEW = "view"  # 查看案卷
    ACCESSES = "accesses"  # 查看访问记录
    VERIFY = "verify"  # 核验存档
    EXPORT = "export"  # 导出存档
    CONFIGURATION = "configuration"  # 修改配置
    APPROVE_CONFIGURATION = "approve-configuration"  # 签发配置
    HOLD = "hold"  # 依法保全
    RETENTION = "retention"  # 到期清理
    ERASURE = "erasure"  # 删除个人信息
    KEYS = "keys"  # 密钥轮换


_SEE = frozenset({Role.VIEWER, Role.RESPONDER, Role.APPROVER, Role.AUDITOR})
_RESPOND = frozenset({Role.RESPONDER})
_APPROVE = frozenset({Role.APPROVER})
_EITHER = _RESPOND | _APPROVE
_AUDIT = frozenset({Role.AUDITOR})
_ADMINISTER = frozenset({Role.ADMINISTRATOR})

ALLOWED: Mapping[Act | Operation, frozenset[Role]] = {
    Act.ACKNOWLEDGEMENT: _RESPOND,
    **dict.fromkeys(MEASURES, _RESPOND),
    Act.CRISIS_TEAM: _EITHER,
    Act.DRAFT: _RESPOND,
    Act.APPROVAL: _APPROVE,
    Act.REJECTION: _APPROVE,
    Act.ASSIGNMENT: _EITHER,
    Act.TASK_DONE: _RESPOND,
    Act.WATCH: _RESPOND,
    Act.CLOSE: _APPROVE,
    Act.REVIEW: _EITHER,
    Operation.VIEW: _SEE,
    Operation.ACCESSES: _AUDIT,
    Operation.VERIFY: _AUDIT,
    Operation.EXPORT: _AUDIT,
    Operation.CONFIGURATION: _ADMINISTER,
    Operation.APPROVE_CONFIGURATION: _APPROVE,
    Operation.HOLD: _ADMINISTER,
    Operation.RETENTION: _ADMINISTER,
    Operation.ERASURE: _ADMINISTER,
    Operation.KEYS: _ADMINISTER,
}
"""Which roles may do it: one of them is enough."""

NEEDED: Mapping[Duty, frozenset[Role]] = {
    Duty.MONITOR: _SEE,
    Duty.ANALYSE: _SEE,
    Duty.RESPOND: _RESPOND,
    Duty.APPROVE: _APPROVE,
    Duty.REPORT: _RESPOND,
}
"""Which role somebody needs who has a duty."""

APART = (
    (Role.AUDITOR, Role.RESPONDER, "who audits acts on nothing"),
    (Role.AUDITOR, Role.APPROVER, "who audits acts on nothing"),
    (Role.AUDITOR, Role.ADMINISTRATOR, "who audits changes nothing"),
    (Role.ADMINISTRATOR, Role.APPROVER, "who administers approves nothing"),
)
"""Roles that one person does not have together (不相容岗位分离)."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Person(_Section):
    """Somebody, or a system that writes responses."""

    name: Annotated[str, Field(min_length=1, max_length=32)]
    kind: Literal["human", "system"] = "human"
    department: Annotated[str, Field(min_length=1, max_length=64)]
    roles: tuple[Role, ...] = Field(min_length=1)
    institutions: Literal["all"] | tuple[str, ...] = Field(
        description="Those whose cases the person may see and work on."
    )

    @field_validator("institutions", mode="before")
    @classmethod
    def _all_or_some(cls, value: object) -> object:
        """Before pydantic's own check, which would complain twice."""
        if value == "all" or (isinstance(value, list | tuple) and value):
            return value
        raise ValueError(f"{value!r} is neither all nor a list of ids of the watch list")

    def sees(self, institution: str | None) -> bool:
        """Whether its cases are the person's; None is all institutions together."""
        return self.institutions == "all" or institution in self.institutions


class Duties(_Section):
    """Who does what when."""

    monitor: Rota = Field(min_length=1)
    analyse: Rota = Field(min_length=1)
    respond: Rota = Field(min_length=1)
    approve: Rota = Field(min_length=1)
    report: Rota = Field(min_length=1)

    def rota(self, duty: Duty) -> Rota:
        """The shifts of a duty."""
        rota: Rota = getattr(self, duty.value)
        return rota


class Exceptions(_Section):
    """Duties for which an institution has its own shifts."""

    monitor: Rota | None = Field(None, min_length=1)
    analyse: Rota | None = Field(None, min_length=1)
    respond: Rota | None = Field(None, min_length=1)
    approve: Rota | None = Field(None, min_length=1)
    report: Rota | None = Field(None, min_length=1)

    def rota(self, duty: Duty) -> Rota | None:
        """Its own shifts of a duty."""
        rota: Rota | None = getattr(self, duty.value)
        return rota


class Responsibilities(_Section):
    """The whole file."""

    people: dict[Name, Person] = Field(min_length=1)
    duties: Duties
    institutions: dict[str, Exceptions] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check([*self._people_problems(), *self._rota_problems(), *self._second_person_missing()])
        return self

    def id_of(self, who: str) -> str:
        """A person's id, from it or from the Chinese name. Raises ``Forbidden``.

        Compare people by it only: whoever is told as 张三 and as ``zhang`` is one person.
        """
        if who in self.people:
            return who
        for id, person in self.people.items():
            if person.name == who:
                return id
        raise Forbidden(
            f"by: {who!r} is nobody in responsibilities.yaml; "
            "add the person under people, with roles and institutions"
        )

    def may(self, who: str, action: Act | Operation, institution: str | None) -> None:
        """Whether somebody may do something about an institution; None is all of them together.

        ``who`` is an id or a Chinese name. Raises ``Forbidden``.
        """
        id = self.id_of(who)
        person = self.people[id]
        where = "all institutions" if institution is None else institution
        needed = ALLOWED[action]
        if needed.isdisjoint(person.roles):
            raise Forbidden(
                f"by: {id} ({person.name}) may not do {action.value!r} for {where}: it needs the "
                f"role {_listed(needed)}; {id} has {_listed(person.roles).replace(' or ', ' and ')}"
            )
        if not person.sees(institution):
            raise Forbidden(
                f"by: {id} ({person.name}) may not do {action.value!r} for {where}: "
                f"institutions of {id} are {', '.join(person.institutions)}"
            )

    def who_is_responsible(self, institution: str, duty: Duty, time: datetime) -> tuple[str, ...]:
        """Ids of those who have a duty at a time, in the order in which they are called."""
        return on_duty(self._rota(institution, duty), time)

    def _rota(self, institution: str, duty: Duty) -> Rota:
        """The shifts that count for an institution."""
        exceptions = self.institutions.get(institution)
        own = None if exceptions is None else exceptions.rota(duty)
        return self.duties.rota(duty) if own is None else own

    def _rotas(self) -> Iterator[tuple[Location, Duty, Rota]]:
        """All that the file has, and where."""
        for duty in Duty:
            yield ("duties", duty.value), duty, self.duties.rota(duty)
            for institution, exceptions in self.institutions.items():
                own = exceptions.rota(duty)
                if own is not None:
                    yield ("institutions", institution, duty.value), duty, own

    def _people_problems(self) -> Iterator[Problem]:
        owners: dict[str, str] = {}
        for id, person in self.people.items():
            if id == SYSTEM:
                yield ("people", id), f"{id!r} is who makes the steps of alerts: take another id"
            if (owner := owners.setdefault(person.name, id)) != id:
                text = f"{person.name!r} is also the name of {owner}: tell them apart, for example"
                yield ("people", id, "name"), f"{text} {person.name}({person.department})"
            if person.name in self.people and person.name != id:
                yield ("people", id, "name"), f"{person.name!r} is the id of somebody else"
            for one, other, why in APART:
                if {one, other} <= set(person.roles):
                    text = f"{one.value} and {other.value} are not one person's: {why}"
                    yield ("people", id, "roles"), f"{text}; leave one out"
            if person.kind == "system" and Role.APPROVER in person.roles:
                yield ("people", id, "roles"), "a system approves nothing: leave approver out"

    def _rota_problems(self) -> Iterator[Problem]:
        for where, duty, rota in self._rotas():
            if found := gaps(rota):
                text = f"nobody has the duty {duty.value} ({duty.chinese})"
                yield where, f"{text} {', '.join(found)}: add a shift"
            if found := overlaps(rota):
                text = f"more than one shift covers {', '.join(found)}"
                yield where, f"{text}: shorten one, or name all people in one shift"
            for number, shift in enumerate(rota):
                for index, id in enumerate(shift.people):
                    if problem := self._unfit(id, duty, shift.people[:index]):
                        yield (*where, number, "people", index), problem

    def _unfit(self, id: str, duty: Duty, before: tuple[str, ...]) -> str | None:
        """Why somebody cannot have a duty."""
        person = self.people.get(id)
        if person is None:
            return f"{id!r} is no person of this file; one of {', '.join(self.people)}"
        if id in before:
            return f"{id!r} stands twice in the shift: leave one out"
        if person.kind == "system":
            return f"{id!r} is a system: name the person who answers for it"
        if NEEDED[duty].isdisjoint(person.roles):
            needed = _listed(NEEDED[duty])
            return f"{id!r} has no role for the duty {duty.value}: it needs {needed}; add it above"
        return None

    def _second_person_missing(self) -> Iterator[Problem]:
        """Where the one who responds is the only one who approves: nobody could approve."""
        rotas = {None: (self.duties.respond, self.duties.approve)} | {
            institution: (
                self._rota(institution, Duty.RESPOND),
                self._rota(institution, Duty.APPROVE),
            )
            for institution, exceptions in self.institutions.items()
            if exceptions.respond is not None or exceptions.approve is not None
        }
        for institution, both in rotas.items():
            responders, approvers = map(_by_minute, both)
            alone = spans(
                minute
                for minute in sorted(responders.keys() & approvers.keys())
                if len({*responders[minute], *approvers[minute]}) == 1
            )
            if alone:
                where: Location = (
                    ("duties", "approve") if institution is None else ("institutions", institution)
                )
                text = f"who responds is the only one who approves {', '.join(alone)}"
                yield where, f"{text}: nobody approves a draft of one's own; name a second person"

    def problems(self, watchlist: Watchlist) -> list[Problem]:
        """What does not fit the watch list: unknown institutions, and duties of people who may
        not see the institution."""
        ids = [institution.id for institution in watchlist.institutions]
        found: list[Problem] = []
        unknown = f"is no institution of the watch list; those are {', '.join(ids)}"
        for id, person in self.people.items():
            if person.institutions != "all":
                for index, institution in enumerate(person.institutions):
                    if institution not in ids:
                        where: Location = ("people", id, "institutions", index)
                        found.append((where, f"{institution!r} {unknown}"))
        for institution in self.institutions:
            if institution not in ids:
                found.append((("institutions", institution), f"{institution!r} {unknown}"))
        for where, duty, rota in self._rotas():
            own = where[1] if where[0] == "institutions" else None
            counts = [
                one for one in ids if own == one or (own is None and self._rota(one, duty) is rota)
            ]
            for number, shift in enumerate(rota):
                for index, id in enumerate(shift.people):
                    unseen = [one for one in counts if not self.people[id].sees(one)]
                    if unseen:
                        text = (
                            f"{id!r} may not see {', '.join(unseen)}, where this shift counts: "
                            f"add to institutions of {id}, or name somebody else"
                        )
                        found.append(((*where, number, "people", index), text))
        return found


def _by_minute(rota: Rota) -> dict[int, tuple[str, ...]]:
    """Who has a duty in each minute of the week."""
    return {minute: shift.people for shift in reversed(rota) for minute in shift.minutes()}


def _listed(roles: Iterable[Role]) -> str:
    """Roles as a message names them, in the order of the enumeration."""
    return " or ".join(f"{role.value} ({role.chinese})" for role in Role if role in set(roles))


def load_responsibilities(path: Path, watchlist: Watchlist) -> Responsibilities:
    """Read the file. Raises ``RulesError`` with everything that is wrong."""
    file = RulesFile.read(path, Responsibilities)
    file.check(file.rules.problems(watchlist))
    return file.rules
