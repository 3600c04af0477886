"""The site in a real browser without any network: pages, formulas, answers, living explorers."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

pytest.importorskip("math_core", reason="math-core is not installed: it draws the formulas")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from grader.course import CourseError, find_course  # noqa: E402
from grader.exercises import get_chapter  # noqa: E402
from grader.site import build_site  # noqa: E402
from grader.site.run import executed  # noqa: E402
from grader.tests.browser.accessibility import AXE_SCRIPT, violations  # noqa: E402
from grader.tests.browser.lab import find_chromium  # noqa: E402

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium on the PATH: the browser tests need one"
)
expect = playwright.expect
LESSON, EXERCISES = "02_backprop_lesson.html", "02_backprop_exercises.html"
PHONE = {"width": 360, "height": 740}
BROKEN_LINKS = """() => [...document.querySelectorAll("a[href^='#']")]
  .map(a => a.getAttribute("href")).filter(h => !document.getElementById(h.slice(1)))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    build_site(find_course(), place, ["02"])
    return place


@pytest.fixture
def visit(folder, chromium):
    """Open a page from the disk. At the end: nothing was refused, and no script complained."""
    page, refused, said = chromium.context.new_page(), [], []

    def guard(route, request):
        if request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            refused.append(request.url)
            route.abort()

    page.route("**/*", guard)
    page.on("requestfailed", lambda request: refused.append(request.url[:200]))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda line: said.append(line.text) if line.type != "log" else None)

    def open_it(name):
        page.goto((folder / name).as_uri())
        return page

    yield open_it
    page.close()
    assert refused == []
    assert said == []


def test_a_second_build_runs_no_lesson_again(folder, tmp_path):
    ran = []
    pages = build_site(find_course(), tmp_path, ["02"], say=ran.append)
    assert ran == []
    assert [page.name for page in pages] == ["index.html", LESSON, EXERCISES]
    assert [page.read_bytes() for page in pages] == [
        (folder / page.name).read_bytes() for page in pages
    ]


def test_a_lesson_that_fails_is_named(tmp_path):
    path = tmp_path / "99_broken_lesson.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1 / 0")]), path)
    with pytest.raises(CourseError, match=r"99_broken_lesson does not run[\s\S]*ZeroDivision"):
        executed([path], tmp_path / "kept", say=lambda line: None)
    assert list((tmp_path / "kept").iterdir()) == []


def test_the_contents_lead_to_the_lesson(visit):
    page = visit("index.html")
    expect(page).to_have_title("Contents · Neural Networks by Hand")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    titles = page.locator("ol.contents > li > h2").all_inner_texts()
    assert titles == sorted(titles) and titles[2] == "02 · Backpropagation"
    entry = page.locator("ol.contents > li").nth(2)
    expect(entry).to_contain_text("How can one number tell a million?")
    expect(entry).to_contain_text("35 minutes to read, 80 for the exercises")
    entry.get_by_role("link", name="02 · Backpropagation").click()
    expect(page).to_have_title("02 · Backpropagation · Neural Networks by Hand")
    page.get_by_role("link", name="Exercise 2.3").click()
    expect(page.locator("#affine_backward")).to_be_in_viewport()
    page.get_by_role("link", name="Contents").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Neural Networks by Hand")


def test_the_graph_is_alive_without_a_kernel(visit):
    graph = visit(LESSON).locator(".nn-graph")
    expect(graph.locator(".say")).to_contain_text("The inputs are known")
    graph.get_by_role("button", name="Step").click()
    expect(graph.locator(".say")).to_contain_text("Forward: u = w · x = 1.000 · 2.000 = 2.000")
    slider = graph.get_by_label("input x")
    slider.focus()
    for _ in range(4):
        slider.press("ArrowRight")
    row = graph.locator("tbody tr").filter(has=graph.page.get_by_label("input x"))
    expect(row).to_contain_text("2.20")


def test_every_picture_is_there_and_says_what_it_shows(visit):
    page = visit(LESSON)
    images = page.locator("img")
    assert images.count() >= 4
    for image in images.all():
        assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") > 100
        assert len(image.get_attribute("alt") or "") > 20
    assert "children=(" not in page.locator("main").inner_text(), "a widget without a picture"


@pytest.mark.parametrize("name", [LESSON, EXERCISES])
def test_formulas_are_drawn_by_the_browser(visit, name):
    page = visit(name)
    formulas = page.locator("math")
    assert formulas.count() >= 3
    assert all(formula.bounding_box()["width"] > 2 for formula in formulas.all())
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px Formulas'))")
    words = page.evaluate(
        "() => { document.querySelectorAll('pre, code, details').forEach(e => e.remove());"
        " return document.body.innerText; }"
    )
    assert "$" not in words and "\\" not in words


def test_every_answer_is_hidden_and_opens_on_a_click(visit):
    page = visit(EXERCISES)
    for exercise in get_chapter("02"):
        assert page.locator(f"#{exercise.name} details.answer").count() == 1, exercise.name
    task = page.locator("#affine_backward")
    answer = task.locator("details.answer pre")
    expect(task.locator("pre").first).to_contain_text("raise NotImplementedError()")
    expect(answer).to_be_hidden()
    task.locator("summary").click()
    expect(answer).to_be_visible()
    expect(answer).to_contain_text("dout.sum(axis=0)")
    expect(page.locator("body")).not_to_contain_text("BEGIN SOLUTION")
    question = page.locator("#backprop_q9")
    question.locator("summary").press("Enter")
    expect(question.locator("details.answer")).to_contain_text("c")
    rubric = page.locator("details.answer").filter(has_text="Rubric.")
    expect(rubric).not_to_have_attribute("open", "")


@pytest.mark.parametrize("name", ["index.html", LESSON, EXERCISES])
def test_a_page_fits_a_phone_and_its_links_lead_somewhere(visit, name):
    page = visit(name)
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate(BROKEN_LINKS) == []


@pytest.mark.skipif(AXE_SCRIPT is None, reason="axe is not installed")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", LESSON, EXERCISES])
def test_a_page_can_be_read_in_both_themes(folder, chromium, name, theme, shot):
    page = chromium.context.new_page()
    page.emulate_media(color_scheme=theme)
    page.goto((folder / name).as_uri())
    page.screenshot(path=shot(f"site_{name.removesuffix('.html')}_{theme}"))
    page.locator("details").evaluate_all("all => all.forEach(e => e.open = true)")
    # The explorers themselves are looked at where they are at home, in JupyterLab.
    page.locator(".explorer").evaluate_all("all => all.forEach(e => e.remove())")
    assert violations(page.locator("html")) == []
    page.close()
