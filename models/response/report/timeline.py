"""The timeline of a case: what was said, what Wanglou said, and what people did, in one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from wanglou.models.page import STEPS, clock
from wanglou.models.response.dossier import Dossier
from wanglou.models.response.figures import PEAK_WINDOW, Figures
from wanglou.models.response.report.document import Cell, Column, Mark, Table, Tone
from wanglou.models.response.words import cut, span
from wanglou.schemas.page import PageOutcome
from wanglou.schemas.response import Act, Response

TEXT = 90
"""Characters of what was written."""

Entry = tuple[datetime, Cell, str, str]
"""When, what, more of it, and who."""


def timeline(dossier: Dossier, figures: Sequence[Figures]) -> Table:
    """All that happened, by time; of equal times in the order of cause and effect."""
    entries = [
        *_public(dossier, figures),
        *_alerts(dossier),
        *_pages(dossier),
        *(_response(one, dossier) for one in dossier.responses),
    ]
    entries.sort(key=lambda one: one[0])
    return Table(
        (Column("时间", 12), Column("事项", 17), Column("说明", 55), Column("经办", 16)),
        [[clock(at), what, more, who] for at, what, more, who in entries],
    )


def _public(dossier: Dossier, figures: Sequence[Figures]) -> Iterator[Entry]:
    for one in figures:
        if one.first_mention_at is not None:
            yield one.first_mention_at, "首条提及", "", "公众"
        if one.peak_at is not None:
            yield (
                one.peak_at,
                "提及高峰",
                f"{span(PEAK_WINDOW)}内 {one.peak_mentions:,} 条提及",
                "公众",
            )
    peak = dossier.course.peak
    if peak is not None:
        negative = peak.situation.negative / max(peak.situation.mentions, 1)
        known = f"累计 {peak.situation.mentions:,} 条提及，负面 {negative:.0%}"
        more = f"风险值 {peak.assessment.risk:.0f}，{known}"
        yield peak.assessed_at, "风险峰值", more, "望楼"


def _alerts(dossier: Dossier) -> Iterator[Entry]:
    for one in dossier.case.alerts:
        level = "已解除" if one.level is None else one.level.chinese
        step = STEPS[one.kind]
        what = Mark(step if "预警" in step else f"预警{step}", Tone.of(one.level))
        yield one.at, what, f"{level}，风险值 {one.risk:.0f}", "望楼"


def _pages(dossier: Dossier) -> Iterator[Entry]:
    """Pages that did not arrive; those that did would drown the rest."""
    for one in dossier.pages:
        if one.outcome is PageOutcome.GIVEN_UP:
            what = Mark("通知未送达", Tone.BAD)
            yield one.at, what, cut(one.error or "", TEXT), one.receiver


def _response(one: Response, dossier: Dossier) -> Entry:
    said = [_task(one, dossier), one.text or "", "、".join(one.team)]
    if one.verdict is not None:
        said.insert(0, one.verdict.chinese)
    if one.owner is not None:
        said.insert(0, f"由 {one.owner} 负责")
    if one.act in (Act.STATEMENT, Act.CORRECTION):
        said.append(one.channel or "")
    return one.at, one.act.chinese, cut("；".join(filter(None, said)), TEXT), one.by


def _task(one: Response, dossier: Dossier) -> str:
    texts = (task.text for task in dossier.case.tasks if task.id == one.task_id)
    return next(texts, "")
