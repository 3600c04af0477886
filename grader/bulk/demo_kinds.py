"""The kinds of submissions in a demo class."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from grader.attempt import LocalAttempt
from grader.bulk.course import source_of
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


# --- kinds ---------------------------------------------------------------------------------------

KINDS: dict[str, Callable[[Maker], Draft]] = {}


def _kind(function: Callable[[Maker], Draft]) -> Callable[[Maker], Draft]:
    KINDS[function.__name__.removeprefix("_")] = function
    return function


def _leaf_with(maker: Maker, code: Callable[[Exercise], str], **more: Any) -> Draft:
    """One function that no other needs is replaced by code that earns nothing."""
    draft = maker.honest(**more)
    exercise = maker.leaf()
    draft.code[exercise.name] = code(exercise)
    draft.broken = {exercise.name}
    return draft


def _body(exercise: Exercise, *lines: str) -> str:
    return "\n    ".join([f"def {exercise.signature}:", *lines])


@_kind
def _all_right(maker: Maker) -> Draft:
    return maker.honest()


@_kind
def _one_mistake(maker: Maker) -> Draft:
    return maker.mistaken(maker.honest(), 1)


@_kind
def _stubs_left(maker: Maker) -> Draft:
    return Draft({}, why=("still raises NotImplementedError", "still None"))


@_kind
def _half_done(maker: Maker) -> Draft:
    draft = maker.honest()
    for exercise in maker.exercises[len(maker.exercises) // 2 :]:
        del draft.code[exercise.name]
    return draft


@_kind
def _syntax_error(maker: Maker) -> Draft:
    return _leaf_with(maker, lambda e: f"def {e.signature}\n    return 1", why=("SyntaxError",))


@_kind
def _late(maker: Maker) -> Draft:
    return maker.mistaken(maker.honest(late=True), 1)


@_kind
def _endless_function(maker: Maker) -> Draft:
    return _leaf_with(maker, lambda e: _body(e, "while True:", "    pass"), why=("stopped after",))


@_kind
def _invalid_json(maker: Maker) -> Draft:
    half = b'{"cells": [{"cell_type": "code", "source": ["def f(x):\\n'
    return Draft({}, raw=half, unusable=True, review=True, why=("not valid JSON",))


@_kind
def _raises(maker: Maker) -> Draft:
    return _leaf_with(maker, lambda e: _body(e, "return undefined_name"), why=("NameError",))


@_kind
def _two_mistakes(maker: Maker) -> Draft:
    return maker.mistaken(maker.honest(), 2)


@_kind
def _sys_exit(maker: Maker) -> Draft:
    return maker.honest(edit=with_cell("import sys\nsys.exit(0)", 3), why=("SystemExit",))


@_kind
def _empty_file(maker: Maker) -> Draft:
    return Draft({}, raw=b"", unusable=True, review=True, why=("empty",))


@_kind
def _deleted_check(maker: Maker) -> Draft:
    name = maker.leaf().name

    def edit(notebook: Notebook) -> Notebook:
        notebook["cells"].remove(cell_of(notebook, name))
        return notebook

    return maker.honest(edit=edit, review=True, why=("is missing",))


@_kind
def _duplicate_id(maker: Maker) -> Draft:
    name = maker.leaf().name

    def edit(notebook: Notebook) -> Notebook:
        cell = cell_of(notebook, f"{name}-answer")
        notebook["cells"].insert(notebook["cells"].index(cell), dict(cell))
        return notebook

    return maker.honest(edit=edit, review=True, why=("more than once",))


@_kind
def _edited_check(maker: Maker) -> Draft:
    draft = _leaf_with(
        maker, lambda e: _body(e, "return 0.0"), review=True, why=("check cell", "changed")
    )
    name = next(e.name for e in maker.functions if e.name in draft.broken)

    def edit(notebook: Notebook) -> Notebook:
        cell_of(notebook, name)["source"] = "100.0"
        return notebook

    draft.edit = edit
    return draft


@_kind
def _redefined_later(maker: Maker) -> Draft:
    exercise = maker.leaf()
    later = _body(exercise, "return 0.0")
    return maker.honest(edit=with_cell(later), later=later, why=("more than one cell",))


@_kind
def _no_notebook(maker: Maker) -> Draft:
    return Draft({}, nothing=True, unusable=True, review=True, why=("no notebook",))


@_kind
def _hard_exit(maker: Maker) -> Draft:
    edit = with_cell("import os\nos._exit(3)", 3)
    return maker.honest(edit=edit, review=True, why=("ended Python",))


@_kind
def _renamed(maker: Maker) -> Draft:
    return maker.honest(name="my homework (2).ipynb", review=True, why=("handed in as",))


@_kind
def _other_course(maker: Maker) -> Draft:
    def edit(notebook: Notebook) -> Notebook:
        notebook["cells"] = [code_cell("print('Hello')"), code_cell("total = 1 + 1")]
        return notebook

    return Draft({}, edit=edit, unusable=True, review=True, why=("none of the exercises",))


@_kind
def _old_format(maker: Maker) -> Draft:
    def edit(notebook: Notebook) -> Notebook:
        for cell in notebook["cells"]:
            cell.pop("id", None)
            if cell["cell_type"] == "code":
                cell["input"] = cell.pop("source")
                cell |= {"language": "python", "prompt_number": None}
                del cell["execution_count"]
        sheet = {"cells": notebook["cells"], "metadata": {}}
        return {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [sheet]}

    return maker.honest(edit=edit, review=True, why=("format 3",))


@_kind
def _noisy(maker: Maker) -> Draft:
    draft = maker.honest(why=("prints",))
    exercise = maker.leaf()
    noise = ["import sys, warnings", "print('here')", "print('there', file=sys.stderr)"]
    noise.append("warnings.warn('careful')")
    lines = draft.code[exercise.name].splitlines()
    function = ast.parse(draft.code[exercise.name]).body[0]
    assert isinstance(function, ast.FunctionDef)
    first = function.body[1].lineno - 1  # after the docstring
    lines[first:first] = ["    " + line for line in noise]
    draft.code[exercise.name] = "\n".join(lines)
    return draft


@_kind
def _peeks(maker: Maker) -> Draft:
    def code(e: Exercise) -> str:
        module = e.answer.__module__
        return f"from {module} import {e.name}"

    return _leaf_with(maker, code, why=("not there while your work is graded",))


@_kind
def _always_equal(maker: Maker) -> Draft:
    def code(e: Exercise) -> str:
        lies = (
            "class Any_:\n    __eq__ = __le__ = __lt__ = lambda self, other: True\n    shape = ()"
        )
        return lies + "\n\n\n" + _body(e, f"return ({'Any_(), ' * len(e.returns)})")

    return _leaf_with(maker, code)


@_kind
def _endless_cell(maker: Maker) -> Draft:
    edit = with_cell("while True:\n    pass", 3)
    return maker.honest(edit=edit, why=("did not come to an end",))


@_kind
def _utf_16(maker: Maker) -> Draft:
    return maker.honest(encoding="utf-16", review=True, why=("UTF-16",))


@_kind
def _mistake_again(maker: Maker) -> Draft:
    return maker.mistaken(maker.honest(), 1)


@_kind
def _three_mistakes(maker: Maker) -> Draft:
    return maker.mistaken(maker.honest(), 3)


@_kind
def _right_again(maker: Maker) -> Draft:
    return maker.honest()
