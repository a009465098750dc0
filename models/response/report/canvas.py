"""What all pictures of a report share: size, type, colours that print in grey, and SVG.

Colours of a row go from dark to light, so that they are told apart without colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from typing import Any, Final

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from wanglou.models.plots import STYLE

WIDTH_INCHES: Final = 6.85
"""The width of the text on A4 paper."""

INK: Final = "#1B2A41"
STEEL: Final = "#5B7C99"
MIST: Final = "#C3D0DB"
LINE: Final = "#DDE3E8"
ACCENT: Final = "#B5402A"
MUTED: Final = "#6B7580"

MOST_BARS: Final = 120

PRINT: Final[dict[Any, Any]] = STYLE | {
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "wanglou",  # the same figures give the same file
}


class Drawing:
    """A figure, and what became of it."""

    def __init__(self, height: float) -> None:
        self.figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
        self.svg = b""


@contextmanager
def drawing(height: float) -> Iterator[Drawing]:
    """A figure of the text's width, ``height`` inches high; its SVG is there once it is left."""
    with rc_context(PRINT):
        made = Drawing(height)
        yield made
        out = BytesIO()
        made.figure.savefig(out, format="svg", metadata={"Date": None})
        made.svg = out.getvalue()


def shades(count: int) -> list[str]:
    """So many colours from dark to light.

    >>> from matplotlib.colors import to_rgb
    >>> [sum(to_rgb(one)) for one in shades(3)] == sorted(sum(to_rgb(one)) for one in shades(3))
    True
    >>> len(shades(1)), len(shades(6))
    (1, 6)
    """
    row = colormaps["bone"]
    return [to_hex(row(0.25 + 0.65 * place / max(count - 1, 1))) for place in range(count)]


def tidy(axes: Axes) -> None:
    """Fine horizontal lines behind the data, and nothing else that is not needed."""
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)


def bar_minutes(length: timedelta) -> int:
    """How many minutes a bar has, so that there are at most ``MOST_BARS``: a day at the most.

    >>> bar_minutes(timedelta(hours=9)), bar_minutes(timedelta(days=90))
    (5, 1440)
    """
    steps = (5, 10, 15, 30, 60, 120, 240, 720, 1440)
    return next((one for one in steps if length <= MOST_BARS * timedelta(minutes=one)), steps[-1])
