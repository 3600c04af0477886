"""Answers and named mistakes as code that a learner could have written."""

from __future__ import annotations

import ast
import inspect
import textwrap
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from grader.build import source_of
from grader.exercise import Exercise, Mistake


def answer_source(exercise: Exercise) -> str:
    """The answer as a learner would have written it."""
    if exercise.kind == "quiz":
        return f"{exercise.name} = {exercise.answer!r}"
    lines = source_of(exercise.answer).splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith("### "))


def mistake_source(exercise: Exercise, mistake: Mistake) -> str | None:
    """A named mistake as code of its own under the exercise's name; None where that is not easy.

    What it uses of its module comes along. The right answer, where it is used, gets another name.
    """
    if not isinstance(mistake.answer, FunctionType):
        return None
    rename = {exercise.name: f"_right_{exercise.name}"}
    parts: dict[str, str] = {}
    try:
        _collect(mistake.answer, exercise.name, rename, parts)
    except (OSError, TypeError, ValueError, SyntaxError):
        return None
    return "\n\n\n".join(parts.values())


def _collect(
    function: FunctionType, name: str, rename: dict[str, str], parts: dict[str, str]
) -> None:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise ValueError("not a plain function")
    tree.decorator_list = []
    defaults = [
        ast.parse(_literal(value), mode="eval").body for value in function.__defaults__ or ()
    ]
    tree.args.defaults = defaults
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for free, cell in cells:
        parts[free] = f"{free} = {_literal(cell.cell_contents)}"
    for used in sorted(_names(function.__code__)):
        thing = function.__globals__.get(used)
        if isinstance(thing, FunctionType):
            mine = rename.get(used, used)
            if mine not in parts:
                parts[mine] = ""  # keeps a function that calls itself from going round
                _collect(thing, mine, rename, parts)
        elif thing is not None and thing is not np:
            parts.setdefault(used, f"{used} = {_literal(thing)}")
    tree.name = name
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in rename and name not in rename.values():
            node.id = rename[node.id]
    parts.pop(name, None)
    parts[name] = ast.unparse(ast.fix_missing_locations(tree))


def _literal(value: Any) -> str:
    text = repr(value) if not isinstance(value, set) else repr(sorted(value))
    ast.literal_eval(text)
    return text


def _names(code: CodeType) -> set[str]:
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*map(_names, inner))
