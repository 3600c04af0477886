"""The course in a real browser: JupyterLab and Chromium, on a working copy of its own.

To run this module alone, in one process::

    make test ARGS="grader/tests/browser -n 0"
    GRADER_SHOTS=/tmp/shots make test ARGS="grader/tests/browser -n 0"     # keeps the screenshots

It needs Chromium or Chrome on the PATH (Debian: ``apt-get install --no-install-recommends
chromium``) and skips itself without one. About a minute and a half on two cores.
"""

from __future__ import annotations

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from grader.exercises import get  # noqa: E402
from grader.page import first_sentence  # noqa: E402
from grader.tests.browser.accessibility import AXE_SCRIPT, violations  # noqa: E402
from grader.tests.browser.lab import Notebook, find_chromium, run_the_whole  # noqa: E402

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium on the PATH: the browser tests need one"
)
expect = playwright.expect
expect.set_options(timeout=60_000)

LESSON = "02_backprop/02_backprop_lesson.ipynb"
EXERCISES = "02_backprop/02_backprop_exercises.ipynb"

RIGHT = """\
def affine_backward(dout, cache):
    x, w, b = cache
    rows = x.reshape(len(x), -1)
    dx = (dout @ w.T).reshape(x.shape)
    return dx, rows.T @ dout, dout.sum(axis=0)"""
WRONG = RIGHT.replace("axis=0", "axis=1")
ENDLESS = "def sgd_step(param, grad, lr):\n    while True:\n        pass"


# --- lessons -------------------------------------------------------------------------------------


def test_the_lesson_runs_and_its_pictures_move(open_notebook, chromium, shot):
    lesson = open_notebook(LESSON)
    run_the_whole(lesson, chromium)

    def active() -> int:
        return lesson.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
        )

    # The graph: walked with the mouse, changed with the keyboard; all of it in the browser.
    graph = lesson.output("explore_graph()")
    expect(graph.locator(".say")).to_contain_text("The inputs are known")
    graph.get_by_role("button", name="Step").click()
    expect(graph.locator(".say")).to_contain_text("Forward: u = w · x = 1.000 · 2.000 = 2.000")
    graph.get_by_role("button", name="End").click()
    row = graph.locator("tbody tr").filter(has=graph.page.get_by_label("input x"))
    expect(row).to_contain_text("2.00")
    before = row.inner_text()
    slider = graph.get_by_label("input x")
    slider.focus()
    for _ in range(4):
        slider.press("ArrowRight")
    expect(row).to_contain_text("2.20")
    changed = [
        one != other for one, other in zip(before.split(), row.inner_text().split(), strict=True)
    ]
    assert changed == [False, True, True, True], "value, gradient and nudge test all change"
    assert active() == lesson.place("explore_graph()"), "the arrow keys stay with the slider"
    graph.screenshot(path=shot("graph"))

    # The figure of the kernel: its slider moves by the arrow keys, and the picture follows.
    figure = lesson.output("explore_two_layer()")
    picture = figure.locator("img.nn-picture")
    source = picture.get_attribute("src")
    handle = figure.get_by_role("slider", name="steps", exact=True)
    handle.focus()
    for _ in range(30):
        handle.press("ArrowRight")
    expect(figure.locator(".nn-reading")).to_contain_text("After 30 steps the loss is")
    expect(picture).not_to_have_attribute("src", source)
    assert picture.evaluate("i => i.decode().then(() => i.naturalWidth)") > 300
    assert active() == lesson.place("explore_two_layer()")
    figure.screenshot(path=shot("two_layer"))
    assert lesson.errors == []


# --- exercises -----------------------------------------------------------------------------------


def test_a_learner_goes_from_wrong_to_right(open_notebook, chromium, shot):
    notebook = open_notebook(EXERCISES)
    notebook.run_first()
    notebook.run("affine_backward-answer")
    page = notebook.run("affine_backward")
    expect(page).to_contain_text("still raises NotImplementedError")
    page.screenshot(path=shot("not_attempted"))

    notebook.write("affine_backward-answer", WRONG)
    notebook.run("affine_backward-answer")
    page = notebook.run("affine_backward")
    named = next(m for m in get("affine_backward").mistakes if m.key == "bias_per_example")
    finding, why = first_sentence(named.message.replace("`", ""))
    expect(page.locator(".say")).to_have_text(finding)
    expect(page.locator(".why")).to_contain_text(why)
    expect(page.locator("ul.steps li")).to_contain_text(["✗ wrong", "✓ passed", "✓ passed"])
    expect(page.locator(".points")).to_have_text("2 of 3 points")

    for number in (1, 2):
        shown = notebook.run(notebook.add("hint(affine_backward)"))
        expect(shown).to_contain_text(f"Hint {number} of 3")
        text = get("affine_backward").hints[number - 1].replace("`", "")
        expect(shown).to_contain_text(text)
        shown.screenshot(path=shot(f"hint_{number}"))

    notebook.write("affine_backward-answer", RIGHT)
    notebook.run("affine_backward-answer")
    page = notebook.run("affine_backward")
    expect(page).to_contain_text("All public checks passed.")
    expect(page.locator(".points")).to_have_text("3 of 3 points")
    page.screenshot(path=shot("passed"))

    done = notebook.run('progress("02")')
    item = done.locator("li").filter(has_text="affine_backward")
    expect(item).to_contain_text("done")
    expect(item).to_contain_text("3/3")
    done.screenshot(path=shot("progress"))

    notebook.restart()
    notebook.run_first()
    item = notebook.run('progress("02")').locator("li").filter(has_text="affine_backward")
    expect(item).to_contain_text("done")
    assert notebook.problems() == [] and notebook.errors == [] and chromium.foreign == []


COUNT = """\
import gc, threading
from ipywidgets.widgets.widget import _instances
from matplotlib.figure import Figure
gc.collect()
len(_instances), sum(isinstance(o, Figure) for o in gc.get_objects()), threading.active_count()"""


def test_an_explorer_that_is_run_again_leaves_nothing_behind(open_notebook):
    notebook = open_notebook(EXERCISES)
    cell = notebook.add("from grader.widgets import explore_bends\nexplore_bends()")
    count = notebook.add(COUNT)
    found = []
    for runs in (2, 5):
        for _ in range(runs):
            notebook.run(cell)
        found.append(notebook.run(count).locator("pre").last.inner_text())
    assert found[0] == found[1]


def test_an_endless_loop_is_stopped_and_the_kernel_survives(open_notebook, shot):
    notebook = open_notebook(EXERCISES)
    notebook.run_first()
    notebook.run(notebook.add("remembered = 6 * 7"))
    notebook.write("sgd_step-answer", ENDLESS)
    notebook.run("sgd_step-answer")
    page = notebook.run("sgd_step")
    expect(page.locator(".say")).to_have_text("sgd_step was stopped after 2 s.")
    page.screenshot(path=shot("timed_out"))
    shown = notebook.run(notebook.add("remembered"))
    expect(shown.locator("pre")).to_have_text("42")
    assert notebook.problems() == []


# --- the page of a failed check ------------------------------------------------------------------

# For every element with text of its own: the text, and the contrast with what is behind it
# (WCAG 2: 1 to 21, and 4.5 is enough for small text).
CONTRASTS = r"""section => {
  const read = css => {
    const [r, g, b, a = 1] = css.match(/[\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, under) => [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * under[i]);
  const background = element => {
    if (!element) return [255, 255, 255];
    const own = read(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, background(element.parentElement));
  };
  const light = colour => {
    const part = x => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(colour[0]) + 0.7152 * part(colour[1]) + 0.0722 * part(colour[2]);
  };
  const found = [];
  for (const element of section.querySelectorAll("*:not(style)")) {
    const text = [...element.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim());
    if (!text.join("")) continue;
    const behind = background(element);
    const [a, b] = [over(read(getComputedStyle(element).color), behind), behind].map(light);
    found.push([text.join(" "), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
  }
  return found;
}"""


class TestAFailedCheck:
    @pytest.fixture(scope="class")
    def failed(self, open_notebook) -> tuple[Notebook, playwright.Locator]:
        """A notebook with a wrong answer, and the page that says so."""
        notebook = open_notebook(EXERCISES)
        notebook.run_first()
        notebook.write("affine_backward-answer", WRONG)
        notebook.run("affine_backward-answer")
        return notebook, notebook.run("affine_backward").locator("section")

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_can_be_read_in_both_themes(self, failed, theme, shot):
        notebook, section = failed
        notebook.theme(theme)
        section.screenshot(path=shot(f"failed_{theme}"))
        contrasts = section.evaluate(CONTRASTS)
        assert any("one number per example" in text for text, _ in contrasts)
        assert len(contrasts) > 10
        assert [(text, round(ratio, 2)) for text, ratio in contrasts if ratio < 4.5] == []

    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.skipif(AXE_SCRIPT is None, reason="axe-playwright-python is not installed")
    def test_has_nothing_that_axe_would_mend(self, failed, theme):
        notebook, section = failed
        notebook.theme(theme)
        assert violations(section) == []

    def test_speaks_to_a_screen_reader(self, failed):
        _, section = failed
        expect(section).to_have_role("group")
        expect(section).to_have_accessible_name("affine_backward: wrong")
        # Each step is an item of a list and says its outcome in words, not by colour alone.
        rows = section.get_by_role("list").get_by_role("listitem")
        expect(rows).to_have_count(3)
        expect(rows).to_contain_text(["wrong", "passed", "passed"])
        # The numbers are tables: got, and expected.
        tables = section.get_by_role("table")
        expect(tables).to_have_count(2)
        expect(tables.first.get_by_role("cell")).to_have_count(3)
        expect(tables.last.get_by_role("cell")).to_have_count(4)
        # Nothing traps the keyboard: the page holds nothing to focus.
        assert section.locator("a, button, input, [tabindex]").count() == 0
