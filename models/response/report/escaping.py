"""Foreign text in a report is read and never acted on: no formula, no mark-up, no hidden control.

HTML is escaped by Jinja2 itself; here is what it does not see.
"""

from __future__ import annotations

import re
import unicodedata

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
"""How a formula begins where a spreadsheet opens a table of a report."""

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of controls, formats (which can turn the direction of a text around) and
separators of lines."""

MARKDOWN = re.compile(r"[\\`*_{}\[\]()#!|~$^=@]|(?<![0-9])[-+.:]|[-+.:](?![0-9])")
"""What may be Markdown; between digits (2026-03-02 14:20) it is none."""


def harmless(text: str) -> str:
    r"""A text on one line without hidden characters; one that begins as a formula is quoted.

    >>> harmless("=HYPERLINK(1)\n\u202ea"), harmless("a=b")
    ("'=HYPERLINK(1) a", 'a=b')
    """
    shown = ("" if unicodedata.category(one) == "Cf" else _visible(one) for one in text)
    line = " ".join("".join(shown).split())
    return f"'{line}" if FORMULA.match(line) else line


def _visible(one: str) -> str:
    return " " if unicodedata.category(one) in HIDDEN else one


def markdown(text: str) -> str:
    r"""A text that Markdown sets as it stands.

    >>> print(markdown("**a** <b> [c](http://d) 10:20 | e"))
    \*\*a\*\* &lt;b&gt; \[c\]\(http\://d\) 10:20 \| e
    """
    entities = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return MARKDOWN.sub(r"\\\g<0>", entities)
