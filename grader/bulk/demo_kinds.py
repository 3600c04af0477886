"""The kinds of submissions in a demo class: one function each, in the order of the class."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from grader.bulk.demo_maker import Draft, Maker, Notebook, cell_of, code_cell, with_cell
from grader.exercise import Exercise

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
    return Draft({}, why=("still raises NotImplementedError", "has no answer yet"))


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
