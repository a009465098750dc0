"""Responsibilities 责任分工: who may do what on which cases, and who answers for it at which hour.

Roles 角色 say what a person may do; ``may`` checks every command and every row with them. Duties
职责 say who has to do it, by institution and hour of the week.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wanglou.models.duty import Rota
from wanglou.models.response.case_file import Refused
from wanglou.models.rules_file import RulesFile
from wanglou.models.watchlist import Watchlist
from wanglou.schemas.problems import Problem, check
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
                f"role {_listed(needed)}; {id} has {_listed(person.roles)}"
            )
        if not person.sees(institution):
            raise Forbidden(
                f"by: {id} ({person.name}) may not do {action.value!r} for {where}: "
                f"institutions of {id} are {', '.join(person.institutions)}"
            )

    def who_is_responsible(self, institution: str, duty: Duty, time: datetime) -> tuple[str, ...]:
        """Ids of those who have a duty at a time, the first before the others."""
        raise NotImplementedError

    def problems(self, watchlist: Watchlist) -> list[Problem]:
        """What does not fit the watch list."""
        raise NotImplementedError


def load_responsibilities(path: Path, watchlist: Watchlist) -> Responsibilities:
    """Read the file. Raises ``RulesError`` with everything that is wrong."""
    file = RulesFile.read(path, Responsibilities)
    file.check(file.rules.problems(watchlist))
    return file.rules
