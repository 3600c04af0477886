"""One look for every picture: colours that stay apart for colour-blind eyes, sizes, text.

Colours are Okabe and Ito's. A role has one colour in the whole course, so a learner who has
read one picture can read the next: blue is the reference, orange is the learner's own.
"""

import html
import re

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, INK, GREY, PALE = "#CC79A7", "#56B4E9", "#222222", "#767676", "#D9D9D9"

REFERENCE = BLUE  # what the course's own function gives
LEARNER = ORANGE  # what the learner's function gives
SIGNAL = BLUE  # values on the way forward
GRADIENT = RED  # gradients on the way back
HERE = INK  # the point under the slider

RC = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 10.5,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 10.5,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=[BLUE, RED, GREEN, PURPLE, ORANGE, SKY]),
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "text.color": INK,
    "lines.linewidth": 2.2,
    "legend.facecolor": "white",
    "legend.edgecolor": "none",
    "legend.framealpha": 1.0,
    "legend.fontsize": 9.5,
    "legend.handlelength": 2.4,
    "mathtext.fontset": "dejavusans",
}


def rc():
    """Context in which figures get the course's look, whatever the learner's settings are."""
    return mpl.rc_context(RC)


def subplots(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (8.6, 3.4), **grid
) -> tuple[Figure, list[Axes]]:
    """A figure without pyplot, and its axes as a flat list.

    pyplot keeps every figure it makes; a figure of ours goes when its widget goes.

    Parameters
    ----------
    rows, columns : int
    size : width and height in inches; one inch is 100 CSS pixels on the page
    grid : passed to ``Figure.subplots`` (``width_ratios`` and others)
    """
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **grid)
    return figure, list(axes.flat)


def to_html(text: str) -> str:
    """Plain text with `code` and **bold** as safe HTML."""
    text = html.escape(text, quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)


def number(value: float, digits: int = 3) -> str:
    """A number as a learner would write it: 0.25, -1.3e-07, with a true minus sign."""
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        text = f"{value:.{max(digits - 2, 1)}e}"
    else:
        text = f"{value:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")
