"""Drafts of submissions for a demo class: code for the answer cells, and what it should earn."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from grader.attempt import LocalAttempt
from grader.build import source_of
from grader.bulk.demo_sources import answer_source, mistake_source
from grader.checks import check_exercise
from grader.exercise import Chapter, Exercise
from grader.exercises import all_exercises

Notebook = dict[str, Any]
OPEN_ANSWER = "The loss also falls with a wrong gradient, as long as it points roughly downhill."


@dataclass
class Draft:
    """A submission in the making.

    Attributes
    ----------
    code : dict
        What stands in the answer cells, by exercise.
    broken : set
        Exercises whose cell does not run, or not to an end.
    later : str
        Code that is run after everything else.
    edit : callable
        What is done to the notebook at the end.
    raw : bytes, optional
        The file, if it is no notebook.
    nothing, unusable : bool
        No file; a file that earns nothing.
    """

    code: dict[str, str]
    broken: set[str] = field(default_factory=set)
    later: str = ""
    edit: Callable[[Notebook], Notebook] = lambda notebook: notebook
    raw: bytes | None = None
    nothing: bool = False
    unusable: bool = False
    name: str = ""
    open_answer: bool = False
    review: bool = False
    why: tuple[str, ...] = ()
    late: bool = False
    encoding: str = "utf-8"


class Maker:
    """Makes drafts for one student.

    Parameters
    ----------
    chapter : Chapter
    released : dict
        The released notebook.
    rng : random.Random
        The student's own.
    """

    def __init__(self, chapter: Chapter, released: Notebook, rng: random.Random):
        ids = {cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in released["cells"]}
        self.exercises = [e for e in chapter if e.name in ids]
        self.functions = [e for e in self.exercises if e.kind == "function"]
        self.rng = rng
        before = [e for e in all_exercises() if e.kind == "function" and e.chapter < chapter.name]
        self._stubs = {e.name: cell_of(released, f"{e.name}-answer") for e in self.exercises}
        self._given = [source_of(e.answer) for e in before]

    def honest(self, **more: Any) -> Draft:
        """Every answer right."""
        return Draft(
            {e.name: answer_source(e) for e in self.exercises},
            open_answer=self.rng.random() < 0.7,
            **more,
        )

    def leaf(self) -> Exercise:
        """A function that no other exercise needs."""
        needed = {e.gradient_of for e in self.exercises}
        return self.rng.choice([e for e in self.functions if e.name not in needed])

    def mistaken(self, draft: Draft, count: int) -> Draft:
        """Put `count` named mistakes into a draft, in different exercises."""
        for exercise in self.rng.sample(self.functions, count):
            options = list(filter(None, (mistake_source(exercise, m) for m in exercise.mistakes)))
            draft.code[exercise.name] = self.rng.choice(options)
        return draft

    def points(self, draft: Draft) -> dict[str, float]:
        """What the checks give for a draft's definitions, run in this very process."""
        if draft.unusable:
            return {e.name: 0.0 for e in self.exercises}
        namespace: dict[str, Any] = {"np": np}
        stubs = {name: "".join(cell["source"]) for name, cell in self._stubs.items()}
        code = {**stubs, **draft.code}
        mine = [source for name, source in code.items() if name not in draft.broken]
        for source in [*self._given, *mine, draft.later]:
            exec(source, namespace)
        attempt = LocalAttempt(namespace)
        return {e.name: check_exercise(e, attempt).points for e in self.exercises}


# --- notebooks -----------------------------------------------------------------------------------


def cell_of(notebook: Notebook, grade_id: str) -> dict[str, Any]:
    """The cell with an id."""
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id:
            found: dict[str, Any] = cell
            return found
    raise KeyError(grade_id)


def code_cell(source: str) -> dict[str, Any]:
    """A cell that the learner added."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": "added",
        "metadata": {},
        "outputs": [],
        "source": source,
    }


def with_cell(source: str, at: int | None = None) -> Callable[[Notebook], Notebook]:
    """Adds a cell, at the end by default."""

    def edit(notebook: Notebook) -> Notebook:
        place = len(notebook["cells"]) if at is None else at
        notebook["cells"].insert(place, code_cell(source))
        return notebook

    return edit
