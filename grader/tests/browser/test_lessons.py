"""Every lesson in a real browser: its cells run, its sliders move, it can be read in both themes.

`make browser` opens them all and prints how long a picture takes to follow a key; `make test`
opens a few. With GRADER_SHOTS=folder the screenshots of every widget stay there::

    GRADER_SHOTS=/tmp/shots make browser
    make browser ARGS="-k 07"
"""

from __future__ import annotations

import os

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from grader.exercises import chapters
from grader.tests.browser import moving
from grader.tests.browser.accessibility import AXE_SCRIPT, violations
from grader.tests.browser.lab import Notebook, find_chromium, run_the_whole

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium on the PATH: the browser tests need one"
)

ALL = os.environ.get("GRADER_LESSONS") == "all"
FEW = ("00_start_here", "03_activations")  # and chapter 02, in test_browser.py
LESSONS = [chapter.name for chapter in chapters() if ALL or chapter.name in FEW]


@pytest.mark.parametrize("chapter", LESSONS)
def test_a_lesson_runs_moves_and_can_be_read(chapter, open_notebook, chromium, shot, latencies):
    lesson = open_notebook(f"{chapter}/{chapter}_lesson.ipynb")
    run_the_whole(lesson, chromium)
    names = {number: f"{chapter[:2]} {lesson.called(number)}" for number in lesson.widgets()}
    wrong = []
    for number, name in names.items():
        wrong += [f"{name}: {said}" for said in still_sliders(lesson, number)]
        if ALL:
            time_moves(lesson, number, name, latencies)
    for theme in ("light", "dark"):
        lesson.theme(theme)
        for number, name in names.items():
            output = lesson.output(number)
            output.screenshot(path=shot(f"{chapter}_{number:02d}_{theme}"))
            if AXE_SCRIPT:
                wrong += [f"{name}, {theme}: {said}" for said in violations(output)]
    assert wrong == []
    assert lesson.problems() == [] and lesson.errors == [] and chromium.foreign == []
    if not AXE_SCRIPT:
        pytest.skip("all is well, but axe-playwright-python is not installed: read by no axe")


def still_sliders(lesson: Notebook, number: int) -> list[str]:
    """The sliders of a cell whose picture does not follow, or that have no name."""
    widget = lesson.output(number)
    handles = moving.handles(widget)
    found = ["a slider has no name" for handle in handles if not moving.name_of(handle)]
    for way, follows in (("keyboard", moving.follows_keys), ("mouse", moving.follows_mouse)):
        # A second try: some matter only after another was moved, as a rate does at step 0.
        lazy = [handle for handle in handles if not follows(widget, handle)]
        lazy = [handle for handle in lazy if not follows(widget, handle)]
        found += [f"{moving.name_of(handle)} does not follow the {way}" for handle in lazy]
    return found


def time_moves(lesson: Notebook, number: int, name: str, latencies: list) -> None:
    """Note how soon the picture follows the last slider, and settles after a fast drag of it.

    Times are noted, not asserted: other programs use the machine too. Flicker is an error.
    """
    widget = lesson.output(number)
    if not (handles := moving.handles(widget)):
        return
    handle = handles[-1]  # the first ones choose, the last one moves a point or a step
    latencies.append((f"{name}, {moving.name_of(handle)}", moving.key_presses(widget, handle)))
    settled = moving.fast_drag(widget, handle)
    latencies.append((f"{name}, settled after a drag", [settled]))
