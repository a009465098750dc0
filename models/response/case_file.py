"""A case file 案卷: what an event asks of people, what they did, and where the case stands.

One for each event; an event that comes back re-opens it. Its life goes in order:

    open 待确认 → acknowledged 已确认 → in response 处置中 → watched 观察中 → closed 已结案

A measure takes an acknowledged or watched case into response; a case that needs none is watched at
once. Every step tells who, when and why.
Alerts and responses come in one after the other, each once; nothing here looks at a clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from wanglou.schemas.base import Timestamp
from wanglou.schemas.response import MEASURES, RELEASES, Act, Response, ReviewVerdict
from wanglou.schemas.risk import Alert, AlertKind, Level, LevelName, Subject

SENSITIVE_FROM = Level.ORANGE
"""A case that ever had this level is sensitive: who reads it is recorded."""

MOST_AHEAD = timedelta(minutes=5)
"""So much later than now a response may say that it was: clocks differ."""

SYSTEM = "wanglou"
"""Who makes the steps that follow from alerts."""


class Refused(ValueError):
    """A response that the case does not allow; the message names the field and says what would."""


class CaseStatus(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    IN_RESPONSE = "in-response"
    WATCHED = "watched"
    CLOSED = "closed"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            CaseStatus.OPEN: "待确认",
            CaseStatus.ACKNOWLEDGED: "已确认",
            CaseStatus.IN_RESPONSE: "处置中",
            CaseStatus.WATCHED: "观察中",
            CaseStatus.CLOSED: "已结案",
        }[self]


class DraftStatus(StrEnum):
    """Where a draft stands."""

    WRITTEN = "written"
    APPROVED = "approved"
    REJECTED = "rejected"
    RELEASED = "released"

    @property
    def chinese(self) -> str:
        """The operators' word."""
        return {
            DraftStatus.WRITTEN: "待签发",
            DraftStatus.APPROVED: "已签发",
            DraftStatus.REJECTED: "已退回",
            DraftStatus.RELEASED: "已发布",
        }[self]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Step(_Part):
    """A step in the life of a case."""

    at: Timestamp
    before: CaseStatus | None
    after: CaseStatus
    by: str
    why: str


class Raised(_Part):
    """An alert of the case."""

    alert_id: str
    kind: AlertKind
    level: LevelName | None
    risk: float
    at: Timestamp
    rules_version: str | None = None


class Task(_Part):
    """A measure of the playbook, or a report to the regulator, with its deadline."""

    id: str
    act: str
    """A kind of planned measure, or ``regulator-report``."""
    text: str
    department: str
    due_at: Timestamp
    person: str | None = None
    done_at: Timestamp | None = None
    done_by: str | None = None

    def is_overdue(self, now: datetime) -> bool:
        """Whether it is not done, and should be."""
        return self.done_at is None and self.due_at < now


class Draft(_Part):
    """A text to be released."""

    id: str
    text: str
    by: str
    at: Timestamp
    evidence: tuple[str, ...]
    replaces: str | None = None
    status: DraftStatus = DraftStatus.WRITTEN
    decided_by: str | None = None
    decided_at: Timestamp | None = None


class Taken(_Part):
    """A measure that was taken."""

    response_id: str
    act: Act
    by: str
    at: Timestamp
    text: str = ""
    channel: str | None = None
    url: str | None = None
    draft_id: str | None = None


class Review(_Part):
    """What people say of the alerts afterwards."""

    verdict: ReviewVerdict
    by: str
    at: Timestamp
    text: str
    missed_from: Timestamp | None = None
    expected_level: LevelName | None = None


class CaseFile(_Part):
    """A case. ``lives`` counts how often it was opened."""

    id: str
    institution: Subject
    topic: Subject
    status: CaseStatus = CaseStatus.OPEN
    lives: int = 1
    opened_at: Timestamp
    closed_at: Timestamp | None = None
    level: LevelName | None = None
    highest: LevelName
    owner: str | None = None
    team: tuple[str, ...] = ()
    alerts: list[Raised] = []
    steps: list[Step] = []
    tasks: list[Task] = []
    drafts: list[Draft] = []
    measures: list[Taken] = []
    reviews: list[Review] = []
    responses: list[str] = []
    """Ids of the responses that it took in."""
    evaluated: list[str] = []
    """Ids of the evaluations of its measures that were made."""

    @property
    def is_sensitive(self) -> bool:
        """Whether those who read it are recorded."""
        return self.highest >= SENSITIVE_FROM

    @property
    def acknowledged_at(self) -> datetime | None:
        """When somebody took it, in its present life."""
        return self._entered(CaseStatus.ACKNOWLEDGED)

    def _entered(self, status: CaseStatus) -> datetime | None:
        for step in reversed(self.steps):
            if step.after is status:
                return step.at
            if step.after is CaseStatus.OPEN:
                return None
        return None

    def task(self, id: str) -> Task:
        """One of its tasks. Raises ``Refused``."""
        for task in self.tasks:
            if task.id == id:
                return task
        known = ", ".join(task.id for task in self.tasks) or "none"
        raise Refused(f"task_id: {id!r} is no task of {self.id}; there are: {known}")

    def draft(self, id: str) -> Draft:
        """One of its drafts. Raises ``Refused``."""
        for draft in self.drafts:
            if draft.id == id:
                return draft
        known = ", ".join(draft.id for draft in self.drafts) or "none"
        raise Refused(f"draft_id: {id!r} is no draft of {self.id}; there are: {known}")

    def overdue(self, now: datetime) -> list[Task]:
        """The tasks of an open case that should be done and are not."""
        if self.status is CaseStatus.CLOSED:
            return []
        return [task for task in self.tasks if task.is_overdue(now)]

    def next_deadline(self) -> datetime | None:
        """The earliest deadline of a task that is not done."""
        if self.status is CaseStatus.CLOSED:
            return None
        return min((task.due_at for task in self.tasks if task.done_at is None), default=None)


def after_alert(case: CaseFile | None, alert: Alert) -> CaseFile:
    """The case after an alert, each of which comes once: opened, re-opened, or with more to do."""
    case = _opened(alert) if case is None else case
    risk = alert.assessment.risk
    case.alerts.append(
        Raised(
            alert_id=alert.id,
            kind=alert.kind,
            level=alert.level,
            risk=risk,
            at=alert.decided_at,
            rules_version=alert.rules_version,
        )
    )
    case.level = alert.level
    if alert.level is None:
        return case
    case.highest = max(case.highest, alert.level)
    if case.status is CaseStatus.CLOSED:
        case.lives += 1
        case.opened_at, case.closed_at, case.owner = alert.decided_at, None, None
        case.tasks = [task for task in case.tasks if task.done_at is not None]
        _go(case, CaseStatus.OPEN, alert.decided_at, SYSTEM, alert.title)
    elif case.status is CaseStatus.WATCHED and alert.kind in (
        AlertKind.RAISED,
        AlertKind.ESCALATED,
    ):
        _go(case, CaseStatus.IN_RESPONSE, alert.decided_at, SYSTEM, alert.title)
    _plan(case, alert)
    return case


def _opened(alert: Alert) -> CaseFile:
    case = CaseFile(
        id=alert.event_id,
        institution=alert.institution,
        topic=alert.topic,
        opened_at=alert.decided_at,
        highest=alert.level or Level.BLUE,
    )
    _step(case, None, CaseStatus.OPEN, alert.decided_at, SYSTEM, alert.title)
    return case


def _plan(case: CaseFile, alert: Alert) -> None:
    """Add the tasks that an alert asks for. One that is asked for again is due at the earlier of
    both times."""
    asked = [(one.kind.value, one.text, one.department, one.due_at) for one in alert.measures]
    asked += [
        (Act.REGULATOR_REPORT.value, f"{one.rule}:{one.asks}", "合规部", one.due_at)
        for one in alert.reports
    ]
    for act, text, department, due_at in asked:
        known = next((one for one in case.tasks if (one.act, one.text) == (act, text)), None)
        if known is None:
            id = f"t{1 + max((int(one.id[1:]) for one in case.tasks), default=0)}"
            task = Task(id=id, act=act, text=text, department=department, due_at=due_at)
            case.tasks.append(task)
        elif known.done_at is None:
            known.due_at = min(known.due_at, due_at)


def after_response(case: CaseFile, response: Response, now: datetime) -> bool:
    """Take a response in; False if it was before. ``now`` is the time on the wall.

    Raises ``Refused``; the case has then not changed.
    """
    if response.id in case.responses:
        return False
    if response.at > now + MOST_AHEAD:
        raise Refused(f"at: {response.at.isoformat()} is in the future, it is {now.isoformat()}")
    if response.at < case.opened_at:
        raise Refused(
            f"at: {response.at.isoformat()} is before the case was opened, "
            f"{case.opened_at.isoformat()}"
        )
    if case.status is CaseStatus.CLOSED and response.act is not Act.REVIEW:
        raise Refused(f"act: {response.act.value} on {case.id}, which is closed; only review is")
    task = None if response.task_id is None else case.task(response.task_id)
    if response.act in MEASURES:
        _take_measure(case, response)
    else:
        _WORK[response.act](case, response)
    if task is not None and response.act is not Act.ASSIGNMENT and task.done_at is None:
        task.done_at, task.done_by = response.at, response.by
    case.responses.append(response.id)
    return True


def _acknowledge(case: CaseFile, response: Response) -> None:
    """The first who acknowledges owns the case; that others did too is recorded by the response."""
    if case.status is CaseStatus.OPEN:
        case.owner = case.owner or response.by
        why = response.text or "确认收到"
        _go(case, CaseStatus.ACKNOWLEDGED, response.at, response.by, why)


def _take_measure(case: CaseFile, response: Response) -> None:
    if case.status is CaseStatus.OPEN:
        raise Refused(
            f"act: {response.act.value} on {case.id}, which nobody has acknowledged; "
            "acknowledge it first"
        )
    text = response.text or ""
    if response.act in RELEASES:
        text = _release(case, response)
    elif response.draft_id is not None:
        raise Refused(f"draft_id: {response.act.value} releases no draft; leave it out")
    elif not text.strip():
        raise Refused(f"text: {response.act.value} needs one: what was done or decided")
    case.measures.append(
        Taken(
            response_id=response.id,
            act=response.act,
            by=response.by,
            at=response.at,
            text=text,
            channel=response.channel,
            url=response.url,
            draft_id=response.draft_id,
        )
    )
    if case.status is not CaseStatus.IN_RESPONSE:
        why = response.act.chinese
        _go(case, CaseStatus.IN_RESPONSE, response.at, response.by, why)


def _release(case: CaseFile, response: Response) -> str:
    """Mark a draft as released; its text."""
    if response.draft_id is None:
        raise Refused(f"draft_id: {response.act.value} needs one: the approved draft")
    draft = case.draft(response.draft_id)
    if draft.status is not DraftStatus.APPROVED:
        raise Refused(
            f"draft_id: {draft.id} is {draft.status.value}; a text is released once a second "
            "person has approved it"
        )
    if response.text is not None and response.text != draft.text:
        raise Refused(f"text: is not the text of {draft.id} that was approved; leave it out")
    evidence = (*draft.evidence, *response.evidence)
    if not evidence:
        raise Refused(f"evidence: {draft.id} has none; give at least one piece that shows it true")
    if draft.decided_at is not None and response.at < draft.decided_at:
        raise Refused(
            f"at: {response.at.isoformat()} is before {draft.id} was approved, "
            f"{draft.decided_at.isoformat()}"
        )
    draft.evidence, draft.status = evidence, DraftStatus.RELEASED
    return draft.text


def _write_draft(case: CaseFile, response: Response) -> None:
    if not (response.text or "").strip():
        raise Refused("text: a draft needs one")
    if response.draft_id is not None:
        before = case.draft(response.draft_id)
        if before.status in (DraftStatus.APPROVED, DraftStatus.RELEASED):
            raise Refused(f"draft_id: {before.id} is {before.status.value} and is not replaced")
        before.status = DraftStatus.REJECTED
        before.decided_by, before.decided_at = response.by, response.at
    case.drafts.append(
        Draft(
            id=response.id,
            text=response.text or "",
            by=response.by,
            at=response.at,
            evidence=response.evidence,
            replaces=response.draft_id,
        )
    )


def _decide(case: CaseFile, response: Response) -> None:
    """Approve or reject a draft."""
    if response.draft_id is None:
        raise Refused(f"draft_id: {response.act.value} needs one")
    draft = case.draft(response.draft_id)
    if draft.status is not DraftStatus.WRITTEN:
        raise Refused(f"draft_id: {draft.id} is {draft.status.value} already")
    approves = response.act is Act.APPROVAL
    if approves and response.by in _authors(case, draft):
        raise Refused(f"by: {response.by} wrote {draft.id}; a second person approves it")
    if not approves and not (response.text or "").strip():
        raise Refused("text: a rejection needs one: what is to be changed")
    draft.status = DraftStatus.APPROVED if approves else DraftStatus.REJECTED
    draft.decided_by, draft.decided_at = response.by, response.at


def _authors(case: CaseFile, draft: Draft) -> set[str]:
    """Who wrote a draft, or one that it replaces."""
    found = {draft.by}
    while draft.replaces is not None:
        draft = case.draft(draft.replaces)
        found.add(draft.by)
    return found


def _assign(case: CaseFile, response: Response) -> None:
    if response.task_id is not None:
        if response.owner is None:
            raise Refused("owner: an assignment of a task needs one: who does it")
        case.task(response.task_id).person = response.owner
        return
    if response.owner is None and not response.team:
        raise Refused("owner: an assignment needs owner or team")
    case.owner = response.owner or case.owner
    case.team = response.team or case.team


def _finish_task(case: CaseFile, response: Response) -> None:
    if response.task_id is None:
        raise Refused("task_id: task-done needs one")
    task = case.task(response.task_id)
    if task.done_at is not None:
        raise Refused(f"task_id: {task.id} was done by {task.done_by} already")


def _watch(case: CaseFile, response: Response) -> None:
    _advance(case, response, (CaseStatus.ACKNOWLEDGED, CaseStatus.IN_RESPONSE), CaseStatus.WATCHED)


def _close(case: CaseFile, response: Response) -> None:
    judged = {review.verdict for review in case.reviews}
    if case.level is not None and ReviewVerdict.FALSE_ALARM not in judged:
        raise Refused(
            f"act: close on {case.id}, whose level is {case.level.label}; it is closed once the "
            "alert is resolved, or a review calls it a false alarm"
        )
    _advance(case, response, (CaseStatus.WATCHED,), CaseStatus.CLOSED)
    case.closed_at = response.at


def _advance(
    case: CaseFile, response: Response, allowed: tuple[CaseStatus, ...], after: CaseStatus
) -> None:
    if case.status not in allowed:
        raise Refused(
            f"act: {response.act.value} on {case.id}, which is {case.status.value}; "
            f"it must be {' or '.join(allowed)}"
        )
    if not (response.text or "").strip():
        raise Refused(f"text: {response.act.value} needs one: why")
    _go(case, after, response.at, response.by, response.text or "")


def _review(case: CaseFile, response: Response) -> None:
    if response.verdict is None:
        raise Refused("verdict: a review needs one: right, false-alarm, late, missed")
    case.reviews.append(
        Review(
            verdict=response.verdict,
            by=response.by,
            at=response.at,
            text=response.text or "",
            missed_from=response.missed_from,
            expected_level=response.expected_level,
        )
    )


_WORK = {
    Act.ACKNOWLEDGEMENT: _acknowledge,
    Act.DRAFT: _write_draft,
    Act.APPROVAL: _decide,
    Act.REJECTION: _decide,
    Act.ASSIGNMENT: _assign,
    Act.TASK_DONE: _finish_task,
    Act.WATCH: _watch,
    Act.CLOSE: _close,
    Act.REVIEW: _review,
}


def _go(case: CaseFile, after: CaseStatus, at: datetime, by: str, why: str) -> None:
    _step(case, case.status, after, at, by, why)
    case.status = after


def _step(
    case: CaseFile,
    before: CaseStatus | None,
    after: CaseStatus,
    at: datetime,
    by: str,
    why: str,
) -> None:
    case.steps.append(Step(at=at, before=before, after=after, by=by, why=why))
