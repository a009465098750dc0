"""How a document becomes files: HTML that needs nothing else, PDF of it, or Markdown."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wanglou.models.response.report.document import Document, Mark, Tone
from wanglou.models.response.report.escaping import harmless, markdown
from wanglou.models.response.report.fonts import embedded_fonts

PDF_NEEDS = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz0b"
"""Debian's packages of the library that sets the PDF's text."""


class Format(StrEnum):
    """In what a report is written."""

    HTML = "html"
    PDF = "pdf"
    MARKDOWN = "markdown"


class PdfUnavailable(RuntimeError):
    """A PDF cannot be made on this machine; the message says what to install."""


def write(document: Document, folder: Path, formats: Iterable[Format]) -> list[Path]:
    """Write a document into a folder, which is made; the paths of the documents in the order asked.

    Raises ``PdfUnavailable``; what was asked for before it is then there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(dict.fromkeys(formats))
    html = "" if wanted == [Format.MARKDOWN] else as_html(document)
    paths = []
    for one in wanted:
        if one is Format.MARKDOWN:
            paths.append(_write_markdown(document, folder))
            continue
        path = folder / f"{file_name(document.name)}.{one}"
        path.write_bytes(as_pdf(html) if one is Format.PDF else html.encode())
        paths.append(path)
    return paths


def file_name(name: str) -> str:
    """A name that is one file's, whatever the id of a case is.

    >>> file_name("hexing-bank.run"), file_name("../../etc/x"), file_name("和兴")
    ('hexing-bank.run', '_.._etc_x', '和兴')
    """
    return re.sub(r"[^\w.-]", "_", name).lstrip(".")[:120] or "_"


def as_html(document: Document) -> str:
    """One file with its style, type and pictures in it; nothing in it runs or is loaded."""
    template = _html().get_template("document.html.jinja")
    plain = template.render(document=document, fonts=())
    return template.render(document=document, fonts=list(embedded_fonts(Markup(plain).unescape())))


def as_pdf(html: str) -> bytes:
    """A PDF of a report's HTML, with its type embedded. Raises ``PdfUnavailable``."""
    try:
        from weasyprint import HTML, URLFetcher  # noqa: PLC0415  # loads the system's libraries
    except OSError as error:
        raise PdfUnavailable(
            f"a PDF needs Pango, which is missing here ({str(error).splitlines()[0]}); install it "
            f"(Debian: apt install {PDF_NEEDS}), or choose html or markdown"
        ) from error
    made = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=["data"])).write_pdf()
    assert isinstance(made, bytes)
    return made


def as_markdown(document: Document, pictures: str) -> str:
    """The text of a document, whose pictures lie in a folder of this name."""
    return (
        _markdown().get_template("document.md.jinja").render(document=document, pictures=pictures)
    )


def _write_markdown(document: Document, folder: Path) -> Path:
    name = file_name(document.name)
    path, pictures = folder / f"{name}.md", folder / f"{name}-pictures"
    path.write_text(as_markdown(document, pictures.name), encoding="utf-8")
    pictures.mkdir(exist_ok=True)
    for picture in document.pictures:
        (pictures / f"{picture.name}.svg").write_bytes(picture.svg)
    return path


@cache
def _html() -> Environment:
    made = _environment()
    made.autoescape = True
    made.finalize = _harmless
    made.filters["data_uri"] = lambda svg: Markup(
        f"data:image/svg+xml;base64,{b64encode(svg).decode()}"
    )
    return made


@cache
def _markdown() -> Environment:
    made = _environment()
    made.finalize = _as_markdown
    made.filters["file"] = lambda name: Markup(quote(name))
    return made


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("wanglou.models.response.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["mark"] = lambda cell: cell if isinstance(cell, Mark) else Mark(cell, Tone.PLAIN)
    return made


def _harmless(value: object) -> object:
    """Every text that a template sets; ``Markup`` is the template's own."""
    return harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _as_markdown(value: object) -> object:
    made = _harmless(value)
    return markdown(made) if isinstance(made, str) and not isinstance(made, Markup) else made
