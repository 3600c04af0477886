"""A class to try the grading on: honest, wrong, broken, late and sly submissions of one chapter.

Everything is made from the chapter's answers and named mistakes, and what each submission should
get is known, so that the same class tests the grader. What the kinds do is in `demo_kinds`.
"""

from __future__ import annotations

import copy
import datetime
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.bulk import GradeError
from grader.bulk.course import package_notebook
from grader.bulk.demo_kinds import KINDS
from grader.bulk.demo_maker import OPEN_ANSWER, Draft, Maker, Notebook, cell_of
from grader.exercises import UnknownName, get_chapter

DUE = datetime.datetime(2025, 3, 10, 12, 0)  # UTC; late submissions come after it
# fmt: off
NAMES = [
    "ada", "alan", "alonzo", "barbara", "claude", "donald", "dorothy", "edsger", "emmy",
    "frances", "geoff", "grace", "haskell", "hedy", "john", "karen", "katherine", "kurt",
    "leslie", "linus", "margaret", "marvin", "mary", "niklaus", "radia", "seymour", "shafi",
    "sofia", "tony", "yann",
]
# fmt: on


@dataclass(frozen=True)
class Expected:
    """What a submission of the class should get.

    Attributes
    ----------
    kind : str
        What is special about it: "one_mistake", "syntax_error", ...
    points : dict of str to float
        For each graded exercise.
    review : bool
        Whether it should be flagged.
    why : tuple of str
        Words that must occur in its reasons or its reports.
    late : bool
        Whether it was handed in after `DUE`.
    """

    kind: str
    points: dict[str, float]
    review: bool = False
    why: tuple[str, ...] = ()
    late: bool = False

    @property
    def total(self) -> float:
        return round(sum(self.points.values()), 6)


def make_class(
    folder: Path, chapter: str = "02_backprop", students: int = 30, seed: int = 0
) -> dict[str, Expected]:
    """Write `folder/submitted/<student>/<chapter>/` for a class.

    Parameters
    ----------
    folder : Path
        The course root to be; made where missing.
    chapter : str
        Name, number or topic.
    students : int
    seed : int
        Draws who makes which mistake.

    Returns
    -------
    dict of str to Expected
        What each student should get, with any seed.

    Raises
    ------
    GradeError
        If the chapter or its released notebook is not there.
    """
    try:
        chosen = get_chapter(chapter)
    except UnknownName as problem:
        raise GradeError(str(problem)) from None
    path = package_notebook("course", chosen.name)
    if path is None:
        raise GradeError(f"{chosen.name} has no released notebook; make it with `grader build`.")
    released = json.loads(path.read_text("utf-8"))
    expected: dict[str, Expected] = {}
    known: dict[str, dict[str, float]] = {}
    for number in range(students):
        name = NAMES[number] if number < len(NAMES) else f"student{number + 1:04d}"
        kind = list(KINDS)[number % len(KINDS)]
        maker = Maker(chosen, released, random.Random(f"{seed} {number}"))
        draft = KINDS[kind](maker)
        place = Path(folder) / "submitted" / name / chosen.name
        place.mkdir(parents=True, exist_ok=True)
        _write(place, path.name, filled(released, draft), draft, number)
        # drafts that define the same things get the same points
        key = repr((draft.code, sorted(draft.broken), draft.later, draft.unusable))
        points = known.get(key) or known.setdefault(key, maker.points(draft))
        expected[name] = Expected(kind, points, draft.review, draft.why, draft.late)
    return expected


def filled(released: Notebook, draft: Draft) -> Notebook:
    """The released notebook with a draft's code in its answer cells."""
    notebook = copy.deepcopy(released)
    for name, source in draft.code.items():
        cell_of(notebook, f"{name}-answer")["source"] = source
    if draft.open_answer:
        _open_cell(notebook)["source"] = OPEN_ANSWER
    return notebook


def _open_cell(notebook: Notebook) -> dict[str, Any]:
    for cell in notebook["cells"]:
        marks = cell["metadata"].get("nbgrader", {})
        if marks.get("grade") and marks.get("solution"):
            found: dict[str, Any] = cell
            return found
    return {}


def _write(place: Path, name: str, notebook: Notebook, draft: Draft, number: int) -> None:
    hours = 30 if draft.late else -1 - number % 100
    handed_in = DUE + datetime.timedelta(hours=hours)
    (place / "timestamp.txt").write_text(f"{handed_in:%Y-%m-%d %H:%M:%S} UTC\n", "utf-8")
    path = place / (draft.name or name)
    if draft.raw is not None:
        path.write_bytes(draft.raw)
    elif not draft.nothing:
        made = draft.edit(notebook)
        text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, draft.encoding)
