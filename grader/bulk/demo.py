"""A class to try the grading on: honest, wrong, broken, late and sly submissions of one chapter.

Everything is made from the chapter's answers and named mistakes, and what each submission should
get is known, so that the same class tests the grader.
"""

from __future__ import annotations

import ast
import copy
import datetime
import inspect
import json
import random
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from grader.attempt import LocalAttempt
from grader.bulk import GradeError
from grader.bulk.course import Assignment, _course_places, source_of
from grader.checks import check_exercise
from grader.exercise import Exercise
from grader.exercises import get_chapter

DUE = datetime.datetime(2025, 3, 10, 12, 0)
NAMES = """ada alan alonzo barbara claude donald dorothy edsger emmy frances geoff grace haskell
hedy john karen katherine kurt leslie linus margaret marvin mary niklaus radia seymour shafi sofia
tony yann""".split()
OPEN_ANSWER = "The loss also falls with a wrong gradient, as long as it points roughly downhill."

Notebook = dict[str, Any]


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
    """

    kind: str
    points: dict[str, float]
    review: bool = False
    why: tuple[str, ...] = ()


@dataclass
class _Draft:
    """A submission in the making: code by exercise, then what is done to the file."""

    code: dict[str, str]
    values: dict[str, Any]  # what the code defines, for the expected points
    zero: set[str] = field(default_factory=set)  # exercises that fail whatever the values are
    edit: Callable[[Notebook], Notebook | None] = lambda notebook: notebook
    raw: bytes | None = None  # instead of the notebook
    name: str = ""  # instead of the notebook's own
    review: bool = False
    why: tuple[str, ...] = ()
    late: bool = False


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
        What each student should get, with the public seed.
    """
    chosen = get_chapter(chapter)
    notebook = f"{chosen.name}_exercises"
    released = _released(chosen.name, notebook)
    maker = _Maker(released, random.Random(f"{seed}-{chosen.name}"))
    expected: dict[str, Expected] = {}
    for number in range(students):
        name = NAMES[number] if number < len(NAMES) else f"student{number + 1:04d}"
        kind = KINDS[number % len(KINDS)]
        draft = maker.draft(kind)
        place = folder / "submitted" / name / chosen.name
        place.mkdir(parents=True, exist_ok=True)
        _write(place, notebook, maker, draft, number)
        points = maker.points(draft)
        expected[name] = Expected(kind, points, draft.review, draft.why)
    return expected


def _released(chapter: str, notebook: str) -> Notebook:
    for place in _course_places("course", chapter):
        if (place / f"{notebook}.ipynb").is_file():
            data: Notebook = json.loads((place / f"{notebook}.ipynb").read_text("utf-8"))
            return data
    raise GradeError(f"There is no released notebook of {chapter}; make it with `grader build`.")


def _write(place: Path, notebook: str, maker: _Maker, draft: _Draft, number: int) -> None:
    handed_in = DUE + datetime.timedelta(hours=30 if draft.late else -1 - number)
    (place / "timestamp.txt").write_text(f"{handed_in:%Y-%m-%d %H:%M:%S} UTC\n", "utf-8")
    path = place / f"{draft.name or notebook}.ipynb"
    if draft.raw is not None:
        path.write_bytes(draft.raw)
        return
    made = draft.edit(maker.filled(draft))
    if made is not None:
        path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
