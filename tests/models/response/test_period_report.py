"""The report of a period: which cases are in it, and what they have in common."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import html5lib
import pytest

from tests.models.response.dossiers import World, told
from wanglou.models.response.period import rows_of
from wanglou.models.response.report.period_report import period_document, write_period_report
from wanglou.models.response.report.writing import Format, as_html
from wanglou.schemas.evaluation import EffectVerdict
from wanglou.schemas.playbook import MeasureKind
from wanglou.schemas.response import Act, ReviewVerdict
from wanglou.schemas.risk import AlertKind, Level

FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)
MIDNIGHT = datetime(2025, 12, 31, 16, tzinfo=UTC)
"""When the quarter begins in China."""

DUE = {("品牌公关部", MeasureKind.STATEMENT): 60.0, ("运营管理部", MeasureKind.FACT_FINDING): 60.0}


def case(
    number: int,
    day: float,
    *,
    detected: int,
    acknowledged: int,
    stated: int,
    verdict: ReviewVerdict | None = None,
    effect: EffectVerdict = EffectVerdict.HELPED,
) -> World:
    """A case so many days after the quarter began; the other times are minutes."""
    world = World(start=MIDNIGHT + timedelta(days=day), id=f"bank-{number}.run")
    world.say(-detected, 3)
    world.alert(0, Level.ORANGE, due=DUE)
    world.respond(Act.ACKNOWLEDGEMENT, acknowledged)
    release = world.statement(stated, task_id="t1")
    world.evaluate(release, 60, effect, 0.5)
    if verdict is not None:
        world.respond(Act.REVIEW, 2000, verdict=verdict)
    return world


def quarter() -> list[World]:
    return [
        case(1, 3, detected=10, acknowledged=2, stated=50, verdict=ReviewVerdict.RIGHT),
        case(2, 10, detected=30, acknowledged=4, stated=70, verdict=ReviewVerdict.FALSE_ALARM),
        case(3, 40, detected=20, acknowledged=9, stated=90, effect=EffectVerdict.WORSE),
    ]


def words(rows_from: list[World]) -> str:
    rows = rows_of((world.dossier() for world in rows_from), FIRST, LAST)
    html = as_html(period_document(rows, FIRST, LAST))
    body = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html).find("body")
    return " ".join(" ".join(body.itertext()).split())


@pytest.fixture(scope="module")
def page() -> str:
    return words(quarter())


@pytest.mark.parametrize(
    "fact",
    [
        "2026 年第一季度",
        "期间共 3 起案件：橙色·重大 3 起",
        "首条提及 → 首次预警 20 分钟 中位数",  # of 10, 30, 20
        "预警 → 确认 4 分钟 中位数",  # of 2, 4, 9
        "预警 → 首次发布 1 小时 10 分钟 中位数",  # of 50, 70, 90
        "任务按时 17% 1 / 6 项到期任务",  # one statement; nobody finished fact-finding
        "误报 1 起 已复盘 2 起",
        "措施有效 2 项 已有结论 3 项",
        "待复盘 1 起",
        "01-04 00:00 和兴银行 挤兑传言 橙色·重大 10 分钟 2 分钟 50 分钟 1 / 2 准确",
        "2026-01 2 20 分钟 3 分钟 1 小时",
        "2026-02 1 20 分钟 9 分钟 1 小时 30 分钟",
        "2026-03 0 — — —",
        "合计 1 1 0 0 1 50%",  # right, false alarm, late, missed, not reviewed
        "品牌公关部 3 1 2 0 33%",
        "运营管理部 3 0 0 3 0%",
        "信息发布 2 0 1 0 0",  # helped, no visible effect, worse, not separable, too early
        "任务时限 3 100%",
    ],
)
def test_a_period_tells(page: str, fact: str) -> None:
    assert fact in page


def test_only_lives_that_were_opened_in_the_period_count() -> None:
    just_before = World(start=MIDNIGHT - timedelta(minutes=1), id="a.run")
    at_its_end = World(start=datetime(2026, 3, 31, 15, 59, tzinfo=UTC), id="b.run")
    just_after = World(start=datetime(2026, 3, 31, 16, 0, tzinfo=UTC), id="c.run")
    worlds = [just_before, at_its_end, just_after]
    for world in worlds:
        world.alert(0, Level.BLUE)
        world.respond(Act.ACKNOWLEDGEMENT, 5)
        world.respond(Act.WATCH, 6, text="回落")
        world.alert(7, None, AlertKind.RESOLVED)
        world.respond(Act.CLOSE, 8, text="无新增")
    just_before.alert(100, Level.YELLOW)
    rows = rows_of((world.dossier() for world in worlds), FIRST, LAST)
    assert [(row.case_id, row.life) for row in rows] == [("a.run", 2), ("b.run", 1)]


def test_a_period_without_cases_has_a_report() -> None:
    assert "期间没有案件" in words([])


def test_markdown_has_its_pictures_beside_it(tmp_path: Path) -> None:
    dossiers = [world.dossier() for world in quarter()]
    paths = write_period_report(dossiers, FIRST, LAST, tmp_path, [Format.MARKDOWN])
    assert paths == [tmp_path / "wanglou-2026-01-01-2026-03-31.md"]
    beside = tmp_path / "wanglou-2026-01-01-2026-03-31-pictures"
    names = {one.name for one in beside.iterdir()}
    assert names == {"times.svg", "deadlines.svg", "effects.svg"}


def test_a_period_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ends on 2026-01-01, before it begins on 2026-03-31"):
        write_period_report([], LAST, FIRST, tmp_path)


def test_a_hostile_name_is_only_text() -> None:
    rows = rows_of([told("<script>alert(1)</script>").dossier()], FIRST, LAST)
    html = as_html(period_document(rows, FIRST, LAST))
    found = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)
    assert not list(found.iter("script"))
    assert "&lt;script&gt;" in html
