"""The pages of the site: contents, and for each chapter a lesson and its exercises."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Template
from nbformat import NotebookNode

from grader.course import Course, CourseError
from grader.site import cells
from grader.site.answers import exercises
from grader.site.run import executed

ASSETS = Path(__file__).parent / "assets"
COURSE = "Neural Networks by Hand"
_TIMES = re.compile(r"(\d+) minutes to read, (\d+) for the")
_QUESTION = re.compile(r"^> \*\*The question\.\*\*(.*?)(?:\n(?!>)|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Chapter:
    """One chapter as the contents show it.

    Attributes
    ----------
    name, title : "02_backprop", "02 · Backpropagation"
    question : the opening question, as Markdown
    minutes : to read, and for the exercises
    """

    name: str
    title: str
    question: str
    minutes: tuple[int, int]

    @property
    def lesson(self) -> str:
        return f"{self.name}_lesson.html"

    @property
    def exercises(self) -> str:
        return f"{self.name}_exercises.html"


def build_site(
    course: Course,
    folder: Path,
    names: Iterable[str] = (),
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Execute the lessons and write their pages; every page works from the file system.

    Parameters
    ----------
    course : Course
    folder : Path
        Where the pages go. Pages of other chapters stay.
    names : chapters to build; all, if none is named
    say : called with one line for each lesson that is run

    Returns
    -------
    list of Path
        The pages written, the contents first.

    Raises
    ------
    CourseError
        When a lesson fails, a notebook has not been built, or a formula cannot be drawn.
    """
    chosen = list(dict.fromkeys(text.parent.name for text in course.texts(names)))
    chapters = [_chapter(_read(_lesson(course, name)), name) for name in _all(course)]
    runs = executed([_lesson(course, name) for name in chosen], course.root / "build/site", say=say)
    folder.mkdir(parents=True, exist_ok=True)
    for asset in ("site.js", "formulas.woff2", "formulas.LICENSE.txt"):
        shutil.copyfile(ASSETS / asset, folder / asset)
    styles = (ASSETS / "site.css").read_text("utf-8") + cells.code_styles()
    (folder / "site.css").write_text(styles, "utf-8")

    built = [chapter for chapter in chapters if chapter.name in chosen]
    there = {c.name for c in chapters if c in built or (folder / c.lesson).exists()}
    pages = {"index.html": _page("Contents", contents=_contents(chapters), there=there)}
    linked = [chapter for chapter in chapters if chapter.name in there]
    for chapter in built:
        at = linked.index(chapter)
        around: dict[str, Any] = {
            "chapter": chapter,
            "before": linked[at - 1] if at else None,
            "after": linked[at + 1] if at + 1 < len(linked) else None,
        }
        lesson = runs[_lesson(course, chapter.name)]
        body = "\n".join(map(cells.cell, lesson.cells))
        pages[chapter.lesson] = _page(chapter.title, body, **around)
        solved, given = (
            _read(place / chapter.name / f"{chapter.name}_exercises.ipynb")
            for place in (course.solutions, course.learners)
        )
        title = f"{chapter.title}: exercises"
        pages[chapter.exercises] = _page(title, exercises(solved, given), note=True, **around)
    for name, page in pages.items():
        (folder / name).write_text(page, "utf-8")
    return [folder / name for name in pages]


def _page(title: str, body: str = "", **parts: Any) -> str:
    sections = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', body)
    values = {"course": COURSE, "title": title, "body": body, "sections": sections, **parts}
    return _template().render(values)


@lru_cache(maxsize=1)
def _template() -> Template:
    return Template((ASSETS / "page.html").read_text("utf-8"), trim_blocks=True, lstrip_blocks=True)


def _contents(chapters: Iterable[Chapter]) -> list[tuple[Chapter, str]]:
    return [(chapter, cells.text(chapter.question)) for chapter in chapters]


def _all(course: Course) -> list[str]:
    return list(dict.fromkeys(text.parent.name for text in course.texts()))


def _lesson(course: Course, name: str) -> Path:
    return course.solutions / name / f"{name}_lesson.ipynb"


def _read(path: Path) -> NotebookNode:
    if not path.exists():
        raise CourseError(f"{path.name} has not been built; run `grader build`.")
    return nbformat.read(path, as_version=4)


def _chapter(lesson: NotebookNode, name: str) -> Chapter:
    """Title, question and minutes, from the first cell of a lesson."""
    head = lesson.cells[0].source
    times, question = _TIMES.search(head), _QUESTION.search(head)
    if times is None or question is None:
        raise CourseError(f"{name}: a lesson begins with its minutes and with **The question.**")
    asked = re.sub(r"\n> ?", " ", question[1]).strip()
    return Chapter(name, lesson.metadata.title, asked, (int(times[1]), int(times[2])))
