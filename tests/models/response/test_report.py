"""The report of a case: what it must tell, in every format, and what no text in it can do."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from functools import cache
from io import BytesIO
from pathlib import Path

import html5lib
import pytest
from markdown_it import MarkdownIt
from pypdf import PdfReader

from tests.models.response.dossiers import World, told
from wanglou.models.response.dossier import Course
from wanglou.models.response.report.case_report import case_document, write_report
from wanglou.models.response.report.document import Document
from wanglou.models.response.report.writing import (
    Format,
    PdfUnavailable,
    as_html,
    as_markdown,
    as_pdf,
)
from wanglou.schemas.response import Act
from wanglou.schemas.risk import AlertKind, Level

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    '=HYPERLINK("http://evil.example","点我")',
    "+cmd|' /C calc'!A0",
    "[点我](javascript:alert(1)) ![](http://evil.example/x.png)",
    "# 标题\n\n- 项\n\n```\n代码\n```\n| a | b |\n|---|---|",
    "{{ 7 * 7 }} {% raw %}",
    "http://evil.example www.evil.example a@evil.example <http://evil.example>",
    "$$\\href{javascript:alert(1)}{x}$$ &#x3C;b&#x3E;",
    "\u202e反转\u202c\u200b\x1b[31m",
]

SECTIONS = [
    "一 摘要",
    "二 时间线",
    "三 热度与风险曲线",
    "四 传播渠道",
    "五 主要观点",
    "六 情绪变化",
    "七 处置措施与效果",
    "八 时限执行情况",
    "九 做得好的与需要改进的",
    "十 待人工回答的问题",
    "附录 数据口径与校验",
]

LIVES = {"script", "iframe", "object", "embed", "form", "input", "a", "link", "base", "svg", "math"}
"""Elements that can do something, or lead somewhere; a report has none."""


def elements(html: str) -> list[ET.Element]:
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return list(parser.parse(html).iter())


def text_of(html: str) -> str:
    body = next(one for one in elements(html) if one.tag == "body")
    return re.sub(r"\s+", " ", " ".join(body.itertext()))


@pytest.fixture(scope="module")
def page() -> str:
    return as_html(case_document(told().dossier()))


def test_a_report_has_all_sections_in_order(page: str) -> None:
    headings = [one.text for one in elements(page) if one.tag == "h2"]
    assert headings == SECTIONS


@pytest.mark.parametrize(
    "fact",
    [
        "和兴银行 挤兑传言",
        "2026-03-02 14:00 首次预警",
        "橙色·重大",
        "提及总量 354 条 负面 77%",  # 4 + 20 + 300 + 30, of which 3 + 15 + 250 + 5
        "最高风险值 73 03-02 14:45",
        "首条提及 → 首次预警 20 分钟",
        "预警 → 确认 12 分钟 时限 03-02 14:25",
        "预警 → 首次发布 1 小时 20 分钟",
        "任务按时 2 / 3",
        "03-02 14:40 提及高峰 10 分钟内 300 条提及",
        "03-02 14:01 通知未送达",
        "微博 344 97% 03-02 13:00",
        "新闻 10 3% 03-02 17:00",
        "恐惧 68% 0%",  # 220 of 324 before the statement, none of 30 after it
        "下降 68 个百分点",
        "有效。低于预期的下限",
        "03-02 15:00 合规部 突发事件信息报告办法:1 小时内报告 03-02 15:15 逾期完成",
        "575cd04df7ac",
        "9f2c41aa70b3d5e8",
        "存档记录 42 条",
    ],
)
def test_a_report_tells(page: str, fact: str) -> None:
    assert fact in text_of(page)


def test_html_needs_nothing_else_and_runs_nothing(page: str) -> None:
    found = elements(page)
    assert not {one.tag for one in found} & LIVES
    assert all(one.get("src", "data:").startswith("data:") for one in found)
    assert set(re.findall(r"url\((.{5})", page)) == {"data:"}
    policy = [one.get("content", "") for one in found if one.get("http-equiv")]
    assert policy == [
        "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'"
    ]


@cache
def hostile_document(hostile: str) -> Document:
    return case_document(told(hostile).dossier())


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_text_is_only_text_in_html(hostile: str) -> None:
    document = hostile_document(hostile)
    html = as_html(document)
    found = elements(html)
    assert not {one.tag for one in found} & LIVES
    assert not [name for one in found for name in one.attrib if name.startswith("on")]
    assert len([one for one in found if one.tag == "img"]) == len(document.pictures)
    cells = ["".join(one.itertext()).strip() for one in found if one.tag in ("td", "dd", "li", "p")]
    assert not [one for one in cells if re.match(r"[=+\-@]", one)]
    assert not re.search("[\u202a-\u202e\u200b\x1b]", html)
    words = "alert(1)" if "alert" in hostile else ""
    assert words in text_of(html)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_text_is_only_text_in_markdown(hostile: str) -> None:
    document = hostile_document(hostile)
    markdown = as_markdown(document, "pictures")
    reader = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")
    tokens = reader.parse(markdown)
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in [*tokens, *inline]}
    assert not kinds & {"html_block", "html_inline", "link_open", "fence", "code_block"}
    assert not kinds & {"code_inline", "s_open", "hr"}
    pictures = [one.attrs["src"] for one in inline if one.type == "image"]
    assert pictures == [f"pictures/{one.name}.svg" for one in document.pictures]
    headings = [
        tokens[place + 1].content
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h2"
    ]
    assert headings == SECTIONS
    assert not re.search(r"https?://|www\.\w|\w@\w", markdown)  # others make links of these


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "$x^2$ \\frac", "]]> --> &x;"])
def test_a_picture_is_a_picture_whatever_it_shows(hostile: str) -> None:
    world = told(hostile)
    world.slot(240, {"weibo": 30}, **{hostile: 30})
    world.snapshot(310, 0, None)
    for picture in case_document(world.dossier()).pictures:
        tags = {one.tag.split("}")[-1] for one in ET.fromstring(picture.svg).iter()}
        assert not tags & {"script", "foreignObject", "a", "image"}


def test_pictures_mark_measures_levels_and_what_was_expected() -> None:
    names = [one.name for one in case_document(told().dossier()).pictures]
    assert names == ["course", "channels", "emotions", "effect-2"]


def test_a_pdf_has_its_type_embedded_and_leads_nowhere(tmp_path: Path) -> None:
    hostile = '<a href="http://evil.example">x</a>=HYPERLINK("http://evil.example")'
    try:
        [path] = write_report(told(hostile).dossier(), tmp_path, [Format.PDF])
    except PdfUnavailable as error:
        pytest.skip(str(error))
    reader = PdfReader(BytesIO(path.read_bytes()))
    text = "".join("".join(page.extract_text() for page in reader.pages).split())
    assert "舆情处置复盘报告" in text
    assert "待人工回答的问题" in text
    sizes = {(round(page.mediabox.width), round(page.mediabox.height)) for page in reader.pages}
    assert sizes == {(595, 842)}  # A4
    fonts = {}
    for page in reader.pages:
        assert "/Annots" not in page
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
            described = font["/DescendantFonts"][0]["/FontDescriptor"]
            fonts[described["/FontName"]] = described
    assert fonts
    assert all("/FontFile3" in one or "/FontFile2" in one for one in fonts.values())
    assert {name.split("+")[1] for name in fonts} == {"Wanglou-Sans", "Wanglou-Serif"}
    catalog = reader.trailer["/Root"]
    assert "/OpenAction" not in catalog  # type: ignore[operator]
    assert "/JavaScript" not in catalog.get("/Names", {})  # type: ignore[union-attr]


class WithoutPango:
    """Stands in for weasyprint: it fails as that does where Pango is missing."""

    def __getattr__(self, name: str) -> None:
        raise OSError("cannot load library 'libpango-1.0-0'")


def test_without_pango_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", WithoutPango())
    with pytest.raises(PdfUnavailable, match=r"libpango-1.0-0.*apt install libpango-1.0-0"):
        as_pdf("<p>")


def test_files_are_named_after_the_case_and_stay_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    paths = write_report(told().dossier(), folder, [Format.HTML, Format.MARKDOWN])
    assert paths == [folder / "hexing-bank.run.html", folder / "hexing-bank.run.md"]
    linked = re.findall(r"\]\((.+?\.svg)\)", paths[1].read_text(encoding="utf-8"))
    assert len(linked) == 4
    assert all((folder / one).is_file() for one in linked)


def test_an_id_that_is_a_path_leads_out_of_no_folder(tmp_path: Path) -> None:
    world = World(id="../../x/y.run")
    world.alert(0, Level.BLUE)
    folder = tmp_path / "made"
    for path in write_report(world.dossier(), folder, [Format.HTML, Format.MARKDOWN]):
        assert path.resolve().parent == folder
    assert [one.name for one in tmp_path.iterdir()] == ["made"]


def test_a_case_of_which_little_is_known_has_a_report_all_the_same() -> None:
    world = World()
    world.alert(0, Level.BLUE)
    dossier = world.dossier(1)
    assert not dossier.course.moments
    words = text_of(as_html(case_document(dossier)))
    assert "没有采取措施的记录" in words
    assert "没有渠道数据" in words
    assert "首条提及 → 首次预警 —" in words


def test_a_reopened_case_says_so() -> None:
    world = told()
    world.respond(Act.WATCH, 400, text="回落")
    world.respond(Act.CLOSE, 500, text="无新增")
    world.say(3000, 40, 30)
    world.alert(3005, Level.YELLOW)
    world.snapshot(3005, 30, Level.YELLOW)
    words = text_of(as_html(case_document(world.dossier())))
    assert "结案后重新打开 1 次" in words
    assert "首条提及 → 首次预警 5 分钟 预警 03-04 16:05" in words


def test_the_same_case_gives_the_same_report() -> None:
    assert as_html(case_document(told().dossier())) == as_html(case_document(told().dossier()))


def test_snapshots_are_read_one_by_one_and_chapters_kept() -> None:
    world = World()
    world.say(0, 5)
    world.alert(0, Level.BLUE)
    world.snapshot(1, 10, Level.BLUE)
    world.snapshot(2, 40, Level.ORANGE)
    world.mentions.clear()
    world.say(9000, 2)
    world.alert(9001, Level.BLUE, AlertKind.RAISED)
    world.snapshot(9002, 12, Level.BLUE)
    course = Course.of(iter(world.snapshots))
    assert [one.risk for one in course.moments] == [10, 40, 12]
    assert [one.assessed_at for one in course.chapters] == [world.at(2), world.at(9002)]
    assert course.peak is not None
    assert course.peak.assessed_at == world.at(2)
