"""Take the pictures of the README anew: `python -m grader.tests.browser.pictures`.

Each is a piece of the page in Chromium, as a learner sees it, saved to docs/pictures/.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, sync_playwright

from grader.tests.browser.lab import Notebook, browser, find_chromium, server
from grader.workspace import Workspace

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "pictures"
COLOURS = 128  # enough for text and plots, and a third of the bytes
LESSON = "02_backprop/02_backprop_lesson.ipynb"
EXERCISES = "02_backprop/02_backprop_exercises.ipynb"

WRONG = '''\
def affine_backward(dout, cache):
    """Gradients of a fully connected layer."""
    x, w, b = cache
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(len(x), -1).T @ dout
    db = dout.sum(axis=1)
    return dx, dw, db'''


def take(notebook: Notebook, name: str, first: Locator, last: Locator, left: int, width: int):
    """Save the page from the top of `first` to the bottom of `last`, `left` of its edge."""
    page = notebook.page
    page.mouse.move(2, 2)
    page.evaluate(
        """() => {
             window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0;
             document.activeElement.blur();
           }"""
    )
    first.evaluate(
        """element => {
             element.scrollIntoView({block: "start"});
             element.closest(".jp-WindowedPanel-outer").scrollTop -= 40;  // below the toolbar
           }"""
    )
    page.wait_for_timeout(1000)  # pictures of the kernel arrive, hover and focus fade
    top, bottom = first.bounding_box(), last.bounding_box()
    assert top and bottom
    clip = {"x": top["x"] - left, "y": top["y"] - 6, "width": width}
    clip["height"] = bottom["y"] + bottom["height"] + 8 - clip["y"]
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path, clip=clip)
    image = Image.open(path).convert("RGB")
    image = image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
    print(f"{path}: {image.width} x {image.height}, {path.stat().st_size // 1000} kB")


def failed_check(notebook: Notebook) -> None:
    """A wrong answer, and the page that names the mistake."""
    notebook.run_first()
    given = next(c["source"] for c in notebook.cells() if "def affine_forward" in c["source"])
    notebook.run(given)
    notebook.write("affine_backward-answer", WRONG)
    notebook.run("affine_backward-answer")
    page = notebook.run("affine_backward").locator("section")
    code = notebook.cell(notebook.place("affine_backward-answer")).locator(".jp-InputArea-editor")
    box = code.bounding_box()
    assert box
    take(notebook, "failed_check", code, page, 3, int(box["width"]) + 6)


def lesson(notebook: Notebook) -> None:
    """A figure after its slider was moved, with the text around it; and the zoo of bugs."""
    notebook.run_all()
    figure = notebook.output("explore_two_layer()")
    handle = figure.get_by_role("slider", name="steps", exact=True)
    handle.focus()
    for _ in range(42):
        handle.press("ArrowRight")
    notebook.wait()
    before = notebook.cell(notebook.place("explore_two_layer()") - 1)
    text = before.locator(".jp-RenderedMarkdown")
    take(notebook, "lesson", text, figure.locator(".nn-caption"), 58, 960)

    zoo = notebook.output("visit_bug_zoo()")
    zoo.get_by_role("button", name="Train").click()
    zoo.locator(".nn-reading").filter(has_text="your bet was").wait_for()
    explorer = zoo.locator(".jp-OutputArea-output").first
    take(notebook, "zoo", explorer, explorer, 8, 916)


def main() -> None:
    chromium = find_chromium()
    assert chromium, "no Chromium on the PATH"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        Workspace(folder / "course").fill()
        (folder / "home").mkdir()
        with (
            server(folder / "course", folder / "home") as lab,
            sync_playwright() as play,
            browser(play, chromium, folder / "profile", size=(1080, 1500), scale=1.25) as window,
        ):
            failed_check(Notebook(lab, window.context.new_page(), EXERCISES, "one"))
            lesson(Notebook(lab, window.context.new_page(), LESSON, "two"))


if __name__ == "__main__":
    main()
