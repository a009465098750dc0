"""The formats of a report."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """In what a report is written."""

    HTML = "html"
    PDF = "pdf"
    MARKDOWN = "markdown"
