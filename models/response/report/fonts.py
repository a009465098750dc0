"""The type of a report: of the Chinese fonts only the characters that it has, to be embedded.

Noto Sans SC and Noto Serif SC (SIL Open Font License 1.1).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from pylopdf_fonts_zh_cn import sans_path, serif_path

FONTS = {"Wanglou Sans": sans_path, "Wanglou Serif": serif_path}
"""By the names that the style sheet uses."""

ALWAYS = "".join(map(chr, range(0x20, 0x7F)))


def embedded_fonts(text: str) -> Iterable[tuple[str, str]]:
    """Name and data URI of each font with the characters of a text."""
    for name, path in FONTS.items():
        yield name, f"data:font/woff;base64,{b64encode(subset(path(), text)).decode()}"


def subset(path: Path, text: str) -> bytes:
    """A font with the characters of a text only, as WOFF; a character that it lacks is left out."""
    options = Options()
    options.flavor = "woff"
    options.layout_features = ["kern", "locl", "tnum", "palt"]
    with TTFont(path, lazy=True, recalcBBoxes=False, recalcTimestamp=False) as font:
        subsetter = Subsetter(options)
        subsetter.populate(text=text + ALWAYS)
        subsetter.subset(font)
        font.flavor = "woff"
        out = BytesIO()
        font.save(out)
    return out.getvalue()
