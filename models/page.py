"""What people are told about a case, taken from an alert, in words."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from wanglou.models.masking import mask
from wanglou.schemas.base import CHINA, Contract, Identifier, Timestamp
from wanglou.schemas.risk import Alert, AlertKind, LevelName, Subject, Term

TERM_NAMES = {
    "negative_share": "负面占比",
    "heat": "热度",
    "burst": "突发",
    "velocity": "传播速度",
    "severity": "严重性",
    "reach": "传播范围",
    "source": "信源级别",
}
"""The operators' words for the terms of the risk formula."""

STEPS = {
    AlertKind.RAISED: "新预警",
    AlertKind.ESCALATED: "升级",
    AlertKind.DE_ESCALATED: "下调",
    AlertKind.RESOLVED: "解除",
}

TOP_TERMS = 3
NOTHING = "无"
MAX_CHARACTERS = 400
"""Of what is said, and of the first measure: a page is read at a glance."""


class Page(Contract):
    """One step of a case, as people are told it. A case is an event; the latest page is its state.

    All texts are one line, masked.
    """

    alert_id: Identifier
    event_id: Identifier
    kind: AlertKind
    sequence: int
    level: LevelName | None = Field(None, description="None when resolved.")
    previous_level: LevelName | None = None
    decided_at: Timestamp
    institution: Subject
    topic: Subject
    risk: float
    said: str = Field(description="What is said: the main viewpoint, or else the hottest mention.")
    why: str = Field(description="The terms that contribute most, with their scores of 100.")
    deadline: str = Field(description="By when the first measure and the first report are due.")
    first: str = Field(description="What to do first, and who.")

    @property
    def level_text(self) -> str:
        """The level as operators read it."""
        return "已解除" if self.level is None else self.level.chinese

    @property
    def step(self) -> str:
        """What happened, in a word."""
        return STEPS[self.kind]


def title_of(page: Page) -> str:
    """A page's first words."""
    return f"【{page.level_text}】{page.institution.name}·{page.topic.name} {page.step}"


def page_of(alert: Alert) -> Page:
    """The page of an alert."""
    return Page(
        alert_id=alert.id,
        event_id=alert.event_id,
        kind=alert.kind,
        sequence=alert.sequence,
        level=alert.level,
        previous_level=alert.previous_level,
        decided_at=alert.decided_at,
        institution=alert.institution,
        topic=alert.topic,
        risk=alert.assessment.risk,
        said=_said(alert),
        why=_why(alert.assessment.terms),
        deadline=_deadline(alert),
        first=_first(alert),
    )


def clock(time: datetime) -> str:
    """A time as operators read it: month-day hour:minute, in China."""
    return f"{time.astimezone(CHINA):%m-%d %H:%M}"


def one_line(text: str) -> str:
    r"""A text without line breaks and other control characters, which would make a page longer.

    >>> one_line(" a\r\n b\x1b[2J\u2028c ")
    'a b [2J c'
    """
    printable = (one if one.isprintable() else " " for one in text)
    return " ".join("".join(printable).split())


def _said(alert: Alert) -> str:
    texts = [one.text for one in alert.situation.viewpoints] + [one.text for one in alert.evidence]
    text = mask(one_line(texts[0]))[:MAX_CHARACTERS] if texts else ""
    return text or alert.topic.name


def _why(terms: tuple[Term, ...]) -> str:
    top = sorted(terms, key=lambda term: -term.contribution)[:TOP_TERMS]
    return "、".join(
        f"{TERM_NAMES.get(one.name, one.name)} {100 * one.score:.0f} 分" for one in top
    )


def _deadline(alert: Alert) -> str:
    deadlines = []
    if alert.measures:
        deadlines.append(f"{clock(min(one.due_at for one in alert.measures))} 前")
    if alert.reports:
        deadlines.append(f"监管报告 {clock(min(one.due_at for one in alert.reports))} 前")
    return "，".join(deadlines) or NOTHING


def _first(alert: Alert) -> str:
    if not alert.measures:
        return NOTHING
    measure = min(alert.measures, key=lambda one: one.due_at)
    return one_line(f"{measure.department} {measure.text}")[:MAX_CHARACTERS]
