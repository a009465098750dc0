"""Whom the pager tells and how: ``pager.yaml``, checked when loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from wanglou.models.case import Policy
from wanglou.models.duty import Hours, Rota, gaps
from wanglou.models.page_plan import Rate
from wanglou.models.page_text import DEFAULT_TEMPLATE, template_problem
from wanglou.models.rules_file import RulesFile
from wanglou.schemas.problems import Problem, check
from wanglou.schemas.risk import Level, LevelName

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
"""Of receivers and people: it stands in metrics."""

Kind = Literal["alertmanager", "dingtalk", "wecom", "feishu", "pagerduty", "webhook", "apprise"]

OPEN_URLS: tuple[Kind, ...] = ("alertmanager", "pagerduty")
"""Whose URL is no secret by itself."""

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"

MAX_BYTES: dict[Kind, int] = {
    "alertmanager": 8192,
    "dingtalk": 19_000,
    "wecom": 2048,
    "feishu": 19_000,
    "pagerduty": 1024,
    "webhook": 8192,
    "apprise": 8192,
}
"""Longest text, in bytes of UTF-8: what the service says, or else what a person reads."""

CHAT_RATE = Rate(pages=20, seconds=60)
"""DingTalk and WeCom refuse a robot's 21st message of a minute."""

DEFAULT_RATES: dict[Kind, Rate | None] = {
    "alertmanager": None,
    "dingtalk": CHAT_RATE,
    "wecom": CHAT_RATE,
    "feishu": CHAT_RATE,
    "pagerduty": None,
    "webhook": None,
    "apprise": CHAT_RATE,
}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Secret(_Section):
    """A text that stands in the environment or in a file, never in the rules."""

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("must have either env, the name of a variable, or file, a path")
        if self.env is not None and self.env.upper().startswith("WANGLOU_"):
            raise ValueError(
                f"{self.env}: names that begin with WANGLOU_ are settings; use another"
            )
        if not self.load().get_secret_value():
            raise ValueError(f"{self.env or self.file}: is empty, or not there: put the secret in")
        return self

    def load(self) -> SecretStr:
        """The text, empty if there is none."""
        if self.file is None:
            return SecretStr(os.environ.get(self.env or "", "").strip())
        try:
            return SecretStr(self.file.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError):
            return SecretStr("")


class Receiver(_Section):
    """Something that takes pages."""

    kind: Kind
    url: str | Secret | None = None
    secret: Secret | None = Field(
        None,
        description="Key of the signature (dingtalk, feishu, webhook), or routing key (pagerduty).",
    )
    mobiles: tuple[str, ...] = Field((), description="Who is named with @ (dingtalk, wecom).")
    from_level: LevelName = Level.BLUE
    rate: Rate | None = None
    timeout_seconds: Annotated[float, Field(ge=0.1, le=120)] = 10.0
    remind_seconds: Annotated[float, Field(ge=1, le=3600)] = Field(
        60.0, description="How often Alertmanager, which forgets, is told of open cases again."
    )
    give_up_minutes: Annotated[float, Field(gt=0, le=10_080)] = 60.0

    @field_validator("url", mode="before")
    @classmethod
    def _no_secret_here(cls, url: object) -> object:
        """Before pydantic's own check, whose error would show the value."""
        if isinstance(url, dict):
            return Secret.model_validate(url)
        if not isinstance(url, str | Secret | None):
            raise ValueError("must be a URL, or {env: …} or {file: …}")
        if isinstance(url, str):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.netloc:
                raise ValueError("is no http or https URL")
            if "@" in parts.netloc or parts.query:
                raise ValueError("has a secret in it: put it elsewhere, {env: …} or {file: …}")
        return url

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.url is None and self.kind != "pagerduty":
            raise ValueError("url: is missing: write {env: …} or {file: …}")
        if isinstance(self.url, str) and self.kind not in OPEN_URLS:
            raise ValueError(
                f"url: whoever has the URL of a {self.kind} receiver can write to it: put it "
                "elsewhere, {env: …} or {file: …}"
            )
        if self.kind == "pagerduty" and self.secret is None:
            raise ValueError("secret: is missing: the routing key, {env: …} or {file: …}")
        if self.secret is not None and self.kind in ("alertmanager", "wecom", "apprise"):
            raise ValueError(f"secret: a {self.kind} receiver has none: leave it out")
        return self

    def load_url(self) -> SecretStr:
        """Where it is."""
        if isinstance(self.url, Secret):
            return self.url.load()
        return SecretStr(self.url or PAGERDUTY_URL)

    @property
    def max_rate(self) -> Rate | None:
        """What it takes, as configured or as its kind does."""
        return self.rate or DEFAULT_RATES[self.kind]

    @property
    def give_up(self) -> timedelta:
        """How long a page may wait for it."""
        return timedelta(minutes=self.give_up_minutes)


class Person(_Section):
    """Somebody who is called."""

    name: str
    receivers: tuple[Name, ...] = Field(min_length=1)


class Minutes(_Section):
    """How long an acknowledgement may take before the next person is called."""

    orange: Annotated[float, Field(gt=0, le=1440)] = 15.0
    red: Annotated[float, Field(gt=0, le=1440)] = 5.0


class PagerRules(_Section):
    """The whole file."""

    link: str = Field(description="Where a case is looked at; {event_id} and {alert_id} stand for.")
    template: str = DEFAULT_TEMPLATE
    receivers: dict[Name, Receiver] = Field(min_length=1)
    always: tuple[Name, ...] = Field((), description="Receivers of every case.")
    people: dict[Name, Person] = {}
    rota: Rota = ()
    acknowledge_minutes: Minutes = Minutes()
    quiet: Hours | None = None

    @field_validator("template")
    @classmethod
    def _template(cls, template: str) -> str:
        if problem := template_problem(template):
            raise ValueError(problem)
        return template

    @field_validator("link")
    @classmethod
    def _link(cls, link: str) -> str:
        try:
            names = {name for _, name, _, _ in Formatter().parse(link) if name is not None}
        except ValueError as error:
            raise ValueError(f"cannot be read: {error}") from None
        if names - {"event_id", "alert_id"}:
            raise ValueError("may have the fields {event_id} and {alert_id}, and no others")
        return link

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        for index, name in enumerate(self.always):
            if name not in self.receivers:
                yield ("always", index), self._unknown(name, "receiver")
        for person, one in self.people.items():
            for index, name in enumerate(one.receivers):
                if name not in self.receivers:
                    yield ("people", person, "receivers", index), self._unknown(name, "receiver")
        for number, shift in enumerate(self.rota):
            for index, name in enumerate(shift.people):
                if name not in self.people:
                    yield ("rota", number, "people", index), self._unknown(name, "person")
        if self.rota and (found := gaps(self.rota)):
            yield ("rota",), f"nobody is on duty {', '.join(found)}: add a shift"
        if not self.always and not self.rota:
            yield ("always",), "nobody is told anything: name receivers here, or write a rota"

    def _unknown(self, name: str, what: str) -> str:
        known = self.receivers if what == "receiver" else self.people
        return f"{name!r} is no {what} of this file; one of {', '.join(known) or 'none'}"

    def policy(self) -> Policy:
        """Who is told what."""
        return Policy(
            least={name: one.from_level for name, one in self.receivers.items()},
            always=self.always,
            persons={name: one.receivers for name, one in self.people.items()},
            minutes={
                Level.ORANGE: self.acknowledge_minutes.orange,
                Level.RED: self.acknowledge_minutes.red,
            },
        )

    def link_of(self, event_id: str, alert_id: str) -> str:
        """Where a case is looked at."""
        return self.link.format(event_id=event_id, alert_id=alert_id)


def load_pager_rules(path: Path) -> PagerRules:
    """Read the file. Raises ``RulesError`` with everything that is wrong; it shows no secret."""
    return RulesFile.read(path, PagerRules).rules
