"""Chapter 08: where the windows stand on a line, and how many there are."""

from collections.abc import Callable

import numpy as np

from . import learner, style
from .controls import slider
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

ROWS = 12  # windows drawn one below the other; more are counted, not drawn
LONGEST = 16 + 2 * 4  # cells of the longest padded line


def explore_windows(
    output_size: Callable | None = None,
    predict: str | None = "10 cells, a kernel of 3, dilation 2, stride 1, no padding. How many "
    "windows fit: 8, 6 or 3? Say a number, then set the sliders.",
) -> Explorer:
    """Every place of a window on a padded line, one row for each.

    Parameters
    ----------
    output_size : the learner's ``conv_output_size(size, kernel, stride, pad, dilation)``, shown
        beside the count of the windows drawn
    predict : the question above the picture
    """
    with style.rc():
        figure, (ax,) = style.subplots(size=(8.6, 3.9))
        ax.set(
            xlim=(-0.3, LONGEST + 0.3), ylim=(ROWS + 0.3, -1.6), xlabel="cell of the padded line"
        )
        ax.set(yticks=np.arange(0, ROWS, 2) + 0.5, yticklabels=np.arange(0, ROWS, 2))
        ax.set(xlabel="cell of the padded line", ylabel="place")
        ax.grid(False)
        line = ax.pcolormesh(
            np.arange(LONGEST + 1.0),
            [-1.3, -0.4],
            np.zeros((1, LONGEST)),
            cmap=_colours("white", style.INK, style.PALE),
            vmin=0,
            vmax=2,
            edgecolors="white",
            linewidth=1.5,
        )
        field = ax.pcolormesh(
            np.arange(LONGEST + 1.0),
            np.arange(ROWS + 1.0),
            np.zeros((ROWS, LONGEST)),
            cmap=_colours("white", style.BLUE, style.SKY + "55", style.RED),
            vmin=0,
            vmax=3,
            edgecolors="white",
            linewidth=1.5,
        )
    picture = LiveFigure(
        figure,
        [line, field],
        alt="A padded line of cells; below it, row by row, the cells that the window covers at "
        "each place. A last place that sticks out is red and does not count.",
    )

    def move(size, kernel, stride, pad, dilation):
        long, reach = size + 2 * pad, dilation * (kernel - 1) + 1
        cells = np.zeros((1, LONGEST))
        cells[0, :long] = 2
        cells[0, pad : pad + size] = 1
        count = max(0, (long - reach) // stride + 1)
        table = np.zeros((ROWS, LONGEST))
        for place in range(min(ROWS, count + 1)):
            first = place * stride
            table[place, first : first + reach] = 2
            table[place, first : first + reach : dilation] = 1 if place < count else 3
        line.set_array(cells)
        field.set_array(table)
        unused = long - ((count - 1) * stride + reach) if count else long
        reading = (
            f"({size} + 2·{pad} − {dilation}·({kernel} − 1) − 1) // {stride} + 1 = **{count}** "
            f"places. A window reaches over {reach} cells; left over at the end: {unused}."
        )
        if output_size is None:
            return reading
        try:
            own = learner.call(output_size, size, kernel, stride, pad, dilation)
            own = learner.as_array(own, (), output_size)
        except LearnerProblem as problem:
            return reading, str(problem)
        return f"{reading} `{learner.name_of(output_size)}` says **{float(own):g}**."

    controls = {
        "size": slider("cells", 10, 4, 16, 1),
        "kernel": slider("kernel", 3, 1, 5, 1),
        "stride": slider("stride", 1, 1, 4, 1),
        "pad": slider("pad", 0, 0, 4, 1),
        "dilation": slider("dilation", 1, 1, 4, 1),
    }
    caption = (
        "Top: the line, dark, with its padding, pale. Below: each place of the window. Dark blue "
        "cells are multiplied by a weight, pale ones are skipped. A red window sticks out: it does "
        "not count."
    )
    return explorer(picture, move, controls, predict, caption, still={"dilation": 2})


def _colours(*names: str):
    from matplotlib.colors import ListedColormap

    return ListedColormap(list(names))
