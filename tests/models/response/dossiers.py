"""A case that a test makes act by act; minutes count from its first alert."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from wanglou.models.response.case_file import CaseFile, after_alert, after_response
from wanglou.models.response.dossier import Chain, Course, Dossier
from wanglou.schemas.base import minute_of
from wanglou.schemas.evaluation import (
    Counterfactual,
    EffectVerdict,
    Evaluation,
    Interval,
    Trend,
)
from wanglou.schemas.page import PageOutcome, PageRecord
from wanglou.schemas.playbook import MeasureKind, PlannedMeasure, RegulatorReport
from wanglou.schemas.response import Act, Response
from wanglou.schemas.risk import (
    Alert,
    AlertKind,
    Assessment,
    Event,
    Level,
    Situation,
    Slot,
    Subject,
    Viewpoint,
)

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""14:00 in China."""

NO_TERMS = Assessment(risk=0, likelihood=0, impact=0, terms=())


class World:
    """A case as the archive would tell of it."""

    def __init__(
        self,
        start: datetime = START,
        institution: str = "和兴银行",
        topic: str = "挤兑传言",
        id: str = "hexing-bank.run",
    ) -> None:
        self.start = start
        self.institution = Subject(id="hexing-bank", name=institution)
        self.topic = Subject(id="run", name=topic)
        self.id = id
        self.files: list[CaseFile] = []
        self.responses: list[Response] = []
        self.pages: list[PageRecord] = []
        self.mentions, self.negative = Counter[int](), Counter[int]()
        self.snapshots: list[Event] = []
        self.slots: list[Slot] = []
        self.evaluations: list[Evaluation] = []

    @property
    def case(self) -> CaseFile:
        return self.files[0]

    def at(self, minute: float) -> datetime:
        return self.start + timedelta(minutes=minute)

    def alert(
        self,
        minute: float,
        level: Level | None,
        kind: AlertKind = AlertKind.RAISED,
        due: Mapping[tuple[str, MeasureKind], float] | None = None,
        report_due: float | None = None,
    ) -> None:
        """An alert; ``due`` are minutes by department and kind of measure."""
        alert = Alert(
            id=f"a{minute}",
            kind=kind,
            sequence=1,
            event_id=self.id,
            institution=self.institution,
            topic=self.topic,
            level=level,
            decided_at=self.at(minute),
            title="预警",
            assessment=Assessment(risk=51.0, likelihood=0.6, impact=0.8, terms=()),
            situation=self.situation(),
            evidence=(),
            received_at=self.at(minute),
            rules_version="575cd04df7ac",
            measures=tuple(
                PlannedMeasure(
                    kind=one,
                    text=f"{department}做{one.chinese}",
                    department=department,
                    due_at=self.at(when),
                )
                for (department, one), when in (due or {}).items()
            ),
            reports=()
            if report_due is None
            else (
                RegulatorReport(
                    rule="突发事件信息报告办法",
                    issuer="银保监会",
                    issued_on=START.date(),
                    asks="1 小时内报告",
                    due_at=self.at(report_due),
                ),
            ),
        )
        self.files = [after_alert(self.files[0] if self.files else None, alert)]

    def respond(self, act: Act, minute: float, by: str = "zhang", **fields: Any) -> str:
        """An act that the case takes in; its id."""
        fields.setdefault("id", f"r{len(self.responses) + 1}")
        response = Response(event_id=self.id, act=act, by=by, at=self.at(minute), **fields)
        assert after_response(self.case, response, self.at(10**6))
        self.responses.append(response)
        return response.id

    def statement(self, minute: float, text: str = "经核实，网点正常营业。", **fields: Any) -> str:
        """A statement, with its draft and approval just before it; the id of the release."""
        draft = self.respond(Act.DRAFT, minute - 2, "chen", text=text, evidence=("日报",))
        self.respond(Act.APPROVAL, minute - 1, "li", draft_id=draft)
        return self.respond(Act.STATEMENT, minute, "chen", draft_id=draft, **fields)

    def say(self, minute: int, mentions: int, negative: int = 0) -> None:
        """Mentions of a minute."""
        self.mentions[minute_of(self.at(minute))] += mentions
        self.negative[minute_of(self.at(minute))] += negative

    def slot(self, minute: float, platforms: dict[str, int], **emotions: int) -> None:
        """An hour's platforms and emotions."""
        self.slots.append(
            Slot(
                begins_at=self.at(minute),
                minutes=60,
                mentions=sum(platforms.values()),
                platforms=platforms,
                emotions=emotions,
            )
        )

    def snapshot(
        self, minute: float, risk: float, level: Level | None, text: str = "取不出钱"
    ) -> None:
        """The event at the close of a minute."""
        self.snapshots.append(
            Event(
                id=self.id,
                institution=self.institution,
                topic=self.topic,
                level=level,
                since=self.start,
                assessed_at=self.at(minute),
                assessment=NO_TERMS.model_copy(update={"risk": risk}),
                situation=self.situation(text),
                evidence=(),
            )
        )

    def situation(self, text: str = "取不出钱") -> Situation:
        first = min(self.mentions, default=minute_of(self.start))
        platforms = Counter[str]()
        emotions = Counter[str]()
        for slot in self.slots:
            platforms.update(slot.platforms)
            emotions.update(slot.emotions)
        return Situation(
            mentions=self.mentions.total(),
            updates=0,
            late=0,
            negative=self.negative.total(),
            clusters=1,
            heat=10.0,
            authors=9.0,
            audience=100.0,
            platforms=platforms,
            emotions=emotions,
            depth=1,
            first_at=datetime.fromtimestamp(first * 60, UTC),
            last_at=self.start,
            timeline=tuple(self.slots),
            viewpoints=(
                Viewpoint(
                    text=text,
                    mention_id="m1",
                    share=0.5,
                    mentions=7,
                    polarities={"negative": 0.9},
                    first_at=self.start,
                    last_at=self.start,
                ),
            ),
        )

    def evaluate(
        self,
        response_id: str,
        span: int,
        verdict: EffectVerdict,
        ratio: float | None = None,
        reason: str | None = None,
    ) -> None:
        """An evaluation; with a ratio, 100 negative mentions were expected."""
        trend = Trend(mentions=100, negative_share=0.5, risk=40)

        def both(middle: float) -> Counterfactual:
            one = Interval(estimate=middle, low=middle / 2, high=middle * 2)
            return Counterfactual(mentions=one, negative=one)

        response = next(one for one in self.responses if one.id == response_id)
        self.evaluations.append(
            Evaluation(
                id=f"{response_id}.{span}",
                response_id=response_id,
                event_id=self.id,
                span_minutes=span,
                before=trend,
                after=trend,
                evaluated_at=response.at + timedelta(minutes=span),
                verdict=verdict,
                expected=None if ratio is None else both(100),
                effect=None if ratio is None else both(ratio),
                reason=reason,
            )
        )

    def page(self, minute: float, receiver: str, outcome: PageOutcome = PageOutcome.SENT) -> None:
        """A page to a receiver."""
        self.pages.append(
            PageRecord(
                id=f"p{len(self.pages)}",
                event_id=self.id,
                alert_id="a0",
                receiver=receiver,
                call=0,
                outcome=outcome,
                at=self.at(minute),
            )
        )

    def dossier(self, minute: float = 10_000) -> Dossier:
        """What is known after so many minutes."""
        return Dossier(
            case=self.case,
            as_of=self.at(minute),
            mentions=self.mentions,
            negative=self.negative,
            course=Course.of(self.snapshots),
            evaluations=self.evaluations,
            pages=self.pages,
            responses=self.responses,
            chain=Chain(records=42, head="9f2c41aa70b3d5e8"),
        )


def told(hostile: str = "") -> World:
    """A case with something in every section; a hostile text wherever one can stand."""
    world = World(institution=f"和兴银行{hostile}", topic=f"挤兑传言{hostile}")
    name = re.sub(r"[\x00-\x1f]", " ", hostile)[:150]  # an identifier has no control characters
    world.say(-20, 4, 3)
    world.say(-5, 20, 15)
    world.say(40, 300, 250)
    world.say(200, 30, 5)
    world.slot(-60, {"weibo": 24}, fear=20, neutral=4)
    world.slot(0, {"weibo": 300}, fear=200, angry=100)
    world.slot(180, {"weibo": 20, "news": 10}, neutral=30)
    due = {
        ("运营管理部", MeasureKind.FACT_FINDING): 30.0,
        ("品牌公关部", MeasureKind.STATEMENT): 90.0,
    }
    world.alert(0, Level.BLUE, due=due)
    world.alert(10, Level.ORANGE, AlertKind.ESCALATED, report_due=60)
    world.respond(Act.ACKNOWLEDGEMENT, 12, text=f"收到{hostile}")
    world.respond(Act.ASSIGNMENT, 13, owner=name or "zhang", team=(name or "li",))
    world.respond(Act.TASK_DONE, 25, task_id="t1", text=hostile or "三家网点正常")
    world.respond(Act.DRAFT, 30, "chen", id="d0", text=hostile or "绝对没有问题")
    world.respond(Act.REJECTION, 40, "li", draft_id="d0", text=hostile or "给出事实")
    release = world.statement(
        80,
        hostile or "经核实，网点正常营业。",
        channel=name or "官方微博",
        task_id="t2",
    )
    world.respond(Act.REGULATOR_REPORT, 75, task_id="t3", text=hostile or "已电话报告")
    world.evaluate(release, 60, EffectVerdict.HELPED, 0.5, hostile or "低于预期的下限")
    for minute, risk, level in ((0, 20, 1), (10, 50, 3), (45, 73, 3), (200, 10, 1), (300, 0, None)):
        world.snapshot(minute, risk, Level(level) if level else None, hostile or "取不出钱")
    world.page(0, name or "duty", PageOutcome.GIVEN_UP if hostile else PageOutcome.SENT)
    world.page(1, "li-mail", PageOutcome.GIVEN_UP)
    world.alert(300, None, AlertKind.RESOLVED)
    return world
