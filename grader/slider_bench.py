"""What a move of a slider costs in Python, for every explorer: a table of `make bench`.

No browser runs here: each control is set to one value after another, and the time until the new
picture is encoded is taken. It is CPU time, so that a busy machine tells nearly the same numbers.
A round trip to the browser and back adds about 33 ms (`make browser` measures the whole).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import ipywidgets
import numpy as np
from rich.table import Table

import grader.widgets as widgets
from grader.widgets.frame import Explorer

MOVES = 15  # of each control
PLAIN_SCREEN = 1.0  # one pixel for each CSS pixel; a HiDPI screen (2.0) costs about twice as much


def sliders() -> Table:
    """A row for each explorer: the cost of a move, and of its most expensive control."""
    table = Table(title="A move of a control, CPU ms in Python (aim: under 40 for every slider)")
    for column in ("explorer", "median", "p95", "slowest control", "median", "p95"):
        table.add_column(column, justify="right" if column in ("median", "p95") else "left")
    table.add_row("interact + plt.show", *_row({"k": plain_interact()}))
    for name, make in explorers().items():
        explorer = make()
        if isinstance(explorer, Explorer):  # else it is drawn in the browser, without Python
            explorer.picture.ratio = PLAIN_SCREEN
            table.add_row(name, *_row(timed(explorer)))
        explorer.close()
    return table


def explorers() -> dict[str, Callable[[], Any]]:
    """How to make every explorer, by name."""
    found = {n: getattr(widgets, n) for n in widgets.__all__ if n.startswith(("explore_", "name_"))}
    found["explore_feature_maps"] = _feature_maps
    return found


def _feature_maps() -> Explorer:
    """The one explorer that cannot do without a net."""
    rng = np.random.default_rng(0)
    params = {"W1": rng.normal(size=(16, 1, 3, 3)), "b1": np.zeros(16), "b3": np.zeros(10)}
    net = SimpleNamespace(params=params, loss=lambda x: np.zeros((len(x), 10)))
    return widgets.explore_feature_maps(net, rng.random((40, 1, 8, 8)), np.zeros(40, int))


def plain_interact(moves: int = MOVES) -> list[float]:
    """CPU ms of each move with what is usual: a function that plots, under `interact`."""
    import matplotlib.pyplot as plt
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    InteractiveShell.instance()
    plt.switch_backend("module://matplotlib_inline.backend_inline")
    set_matplotlib_formats("png")
    x = np.linspace(-6, 6, 400)

    def draw(k):
        _, axes = plt.subplots(1, 2, figsize=(8.6, 3.4))
        axes[0].plot(x, np.tanh(k * x))
        axes[1].plot(x, k * (1 - np.tanh(k * x) ** 2))
        plt.show()

    with capture_output():
        control = ipywidgets.interactive(draw, k=(0.1, 4.0, 0.01)).children[0]
        return _times(control, moves)


def timed(explorer: Explorer, moves: int = MOVES) -> dict[str, list[float]]:
    """CPU ms of each move, by control."""
    return {name: _times(control, moves) for name, control in explorer.controls.items()}


def values(control: ipywidgets.Widget, count: int) -> Iterator:
    """Up to `count` values for a control, each other than the last, as a hand would drag it."""
    if hasattr(control, "options"):
        options = [each[1] for each in control._options_full]
        walk = options[1:] + options[-2::-1]  # there and back
    elif isinstance(control, ipywidgets.Checkbox):
        walk = [not control.value, control.value]
    elif isinstance(control, ipywidgets.FloatLogSlider):
        walk = list(np.geomspace(control.base**control.min, control.base**control.max, count))
    else:
        walk = list(np.linspace(control.min, control.max, count))
        if isinstance(control, (ipywidgets.IntSlider, ipywidgets.Play)):
            walk = [int(value) for value in walk]
    for k in range(count):
        yield walk[k % len(walk)]


def _times(control: ipywidgets.Widget, moves: int) -> list[float]:
    found = []
    for value in values(control, moves):
        if value != control.value:
            start = time.process_time()
            control.value = value
            found.append(1e3 * (time.process_time() - start))
    return found


def _row(times: dict[str, list[float]]) -> list[str]:
    every = [ms for one in times.values() for ms in one]
    slowest = max(times, key=lambda name: statistics.median(times[name] or [0]))
    return [*_pair(every), slowest, *_pair(times[slowest])]


def _pair(times: list[float]) -> list[str]:
    return [f"{statistics.median(times):.0f}", f"{np.percentile(times, 95):.0f}"]
