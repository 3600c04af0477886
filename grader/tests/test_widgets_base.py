"""What every explorer stands on: the example for authors, the browser's pixels, no leaks."""

import gc
import os
import re
import struct
import threading
from types import SimpleNamespace

import pytest
from ipywidgets.widgets.widget import _instances
from matplotlib.figure import Figure

import grader.widgets as widgets
from grader.slider_bench import explorers, timed
from grader.widgets import frame

RUNS = 200 if os.environ.get("GRADER_DEEP") == "1" else 20  # of one cell
MAKERS = {**explorers(), "draw_digit": widgets.draw_digit, "visit_bug_zoo": widgets.visit_bug_zoo}
ALWAYS = ("explore_bends", "explore_graph", "explore_convolution")  # quick to make
CELLS = [
    pytest.param(name, marks=() if name in ALWAYS else pytest.mark.deep, id=name) for name in MAKERS
]


def example(root) -> str:
    """The code of the explorer in the section "Pictures" of the page for authors."""
    section = (root / "docs" / "authors.md").read_text("utf-8").split("## Pictures")[1]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]


def test_the_explorer_in_the_page_for_authors_works(root):
    source = example(root)
    namespace: dict = {}
    exec(source, namespace)  # our own page, not a learner's
    explorer = namespace["explore_wave"]()
    before = explorer.picture.value
    explorer.controls["k"].value = 2.0
    assert explorer.picture.value != before
    assert explorer.reading == "k = **2.0**: the curve crosses zero every 1.57."
    explorer.close()
    wrong = namespace["explore_wave"](lambda x: x[:3])
    assert "shape (3,) where shape (300,) is expected" in wrong.problem
    wrong.close()
    assert len(source.strip().splitlines()) < 30


def test_as_many_pixels_are_drawn_as_the_browser_shows():
    explorer = explorers()["explore_bends"]()
    picture = explorer.picture

    def size():
        return struct.unpack(">II", picture.value[16:24])

    assert size()[0] == 2 * picture.width
    picture.ratio = 838 / picture.width  # what the script of the widget sends
    assert size()[0] == 838
    explorer.controls["units"].value += 1
    assert size()[0] == 838
    explorer._repr_mimebundle_()
    assert size()[0] == 2 * picture.width, "what is saved is sharp on every screen"
    explorer.close()


@pytest.fixture
def run_cell(monkeypatch):
    """Run a function as one cell of a notebook does: each time a new request from the same cell."""
    request: dict = {"metadata": {"cellId": "one"}, "header": {"msg_id": ""}}
    kernel = SimpleNamespace(get_parent=lambda channel: request)
    monkeypatch.setattr(frame, "get_ipython", lambda: SimpleNamespace(kernel=kernel))
    monkeypatch.setattr(frame, "_OF_CELL", {})

    def run(function):
        request["header"]["msg_id"] += "x"
        function()

    return run


def held() -> tuple[int, int, int]:
    """Widgets, figures and threads that are alive."""
    gc.collect()
    figures = sum(isinstance(thing, Figure) for thing in gc.get_objects())
    return len(_instances), figures, threading.active_count()


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_that_is_run_again_leaves_nothing_behind(name, run_cell):
    make = MAKERS[name]
    run_cell(make)
    run_cell(make)
    before = held()
    for _ in range(RUNS):
        run_cell(make)
    assert held() == before


def test_the_bench_moves_every_control():
    explorer = explorers()["explore_bends"]()
    times = timed(explorer, moves=3)
    assert set(times) == set(explorer.controls)
    assert all(len(ms) >= 1 and min(ms) > 0 for ms in times.values())
    explorer.close()
