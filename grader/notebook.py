"""What a learner calls in a notebook: `check`, `hint`, `progress`, `compare`."""

from __future__ import annotations

import inspect
import os
import sys
from typing import Any

import numpy as np

from grader.agreement import Agreement, agree, size_of
from grader.attempt import LocalAttempt, plain
from grader.checks import check_exercise
from grader.exercise import Exercise
from grader.exercises import UnknownName, all_exercises, chapters, get
from grader.notes import Note, chapter_map
from grader.own_cases import own_case
from grader.report import Report
from grader.store import Store
from grader.worked_example import intermediates

_stores: dict[str, Store] = {}
_remedies: dict[str, str] = {}  # of the mistakes found last; each joins the next hint

NEARLY = 1e-6  # relative to the largest entry


def check(what: Any, /, **inputs: Any) -> Report | Note:
    """Check an exercise and show what was found.

    Parameters
    ----------
    what : function, class or str
        The learner's function, or the exercise's name.
    **inputs
        Inputs of one's own, by name: `check(affine_forward, x=..., w=..., b=...)` shows what the
        function gives for them beside what is right. A backward function takes its forward's
        inputs, and `dout` if it is not to be drawn. Never recorded, no points.

    Returns
    -------
    Report
        Shows itself as a page. `check(...).show()` displays it and gives the points as a float.
    """
    namespace = dict(_namespace())
    try:
        exercise, namespace = _find(what, namespace)
    except UnknownName as problem:
        return Note(str(problem))
    state = np.random.get_state()  # the learner's random numbers go on as if nothing happened
    try:
        if inputs:
            return own_case(exercise, LocalAttempt(namespace), inputs)
        full = check_exercise(exercise, LocalAttempt(namespace), feedback="full")
    finally:
        np.random.set_state(state)
    _remedies[exercise.name] = full.cause.remedy if full.cause else ""
    report = full.at("diagnosis")
    source = _source(namespace.get(exercise.name)) if report.passed else ""
    if not _in_lesson():
        _store().record(exercise.name, report.outcome, report.points, source)
    return report


def hint(what: Any) -> Note:
    """The next hint for an exercise: three steps, the last one points to the solution.

    After a check that named a mistake, the first hint begins with its remedy.
    """
    try:
        exercise, _ = _find(what, {})
    except UnknownName as problem:
        return Note(str(problem))
    if not exercise.hints:
        return Note(f"`{exercise.name}` has no hints.")
    if _in_lesson():
        step = 1
    else:
        step = _store().next_hint(exercise.name, len(exercise.hints))
    title = f"Hint {step} of {len(exercise.hints)} for `{exercise.name}`"
    told, remedy = exercise.hints[step - 1], _remedies.pop(exercise.name, "")
    return Note(told if remedy in exercise.hints else f"{remedy} {told}".strip(), title)


def progress(chapter: str | None = None) -> Note:
    """The map of the course, or of one chapter: what is done, tried, and still open."""
    from grader.exercises import get_chapter

    try:
        shown = [get_chapter(chapter)] if chapter else [c for c in chapters() if c.exercises]
    except UnknownName as problem:
        return Note(str(problem))
    return chapter_map(shown, _store())


def compare(got: Any, expected: Any, name: str = "value") -> Note:
    """Say whether two values agree exactly, approximately, or by how much they differ.

    Parameters
    ----------
    got : array or number
    expected : array, number or str
        A name such as "dZ1" means that value of chapter 02's worked example.
    name : str
        What to call it in the sentence.
    """
    if isinstance(expected, str) and not isinstance(got, str):
        harder = getattr(_namespace().get("X"), "shape", ()) == (3, 2)
        table = intermediates(3 if harder else 2)
        if expected not in table:
            known = ", ".join(f"`{each}`" for each in table)
            return Note(f"The worked example has no value called `{expected}`. It has {known}.")
        name, expected = expected, table[expected]
    right = plain(expected)
    if isinstance(right, list):
        right = _as_array(right)
    numbers = isinstance(right, (np.ndarray, int, float)) and not isinstance(right, bool)
    limit = NEARLY * (max(size_of(right), 1e-300) if numbers else 1.0)
    result = agree(plain(got), right, limit)
    apart = _largest_difference(got, right) if numbers else None
    if isinstance(result, Agreement):
        if not apart:
            return Note(f"`{name}`: exactly equal.")
        return Note(f"`{name}`: approximately equal; the largest difference is {apart:.1g}.")
    said = [result.message.replace("{part}", f"`{name}`")]
    if apart is not None and np.isfinite(apart) and np.ndim(right):
        said.append(f"The largest difference is {apart:.3g}.")
    if result.where and np.ndim(right):
        said.append(f"In it, {result.where}.")
    return Note(" ".join(said))


def _largest_difference(got: Any, expected: Any) -> float | None:
    """None where the two cannot be subtracted, entry by entry."""
    try:
        a, b = np.asarray(got, float), np.asarray(expected, float)
    except (TypeError, ValueError):
        return None
    if a.shape != b.shape:
        return None
    with np.errstate(all="ignore"):
        gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    return float(gap.max(initial=0.0))


def _as_array(items: list) -> Any:
    """A list of numbers as an array; any other list as it is."""
    try:
        array = np.asarray(items)
    except ValueError:
        return items
    return array if array.dtype.kind in "biuf" else items


def _find(what: Any, namespace: dict[str, Any]) -> tuple[Exercise, dict[str, Any]]:
    """The exercise meant, and a namespace in which its name is bound to the learner's object."""
    if isinstance(what, str):
        return get(what), namespace
    name = _bound_name(what, namespace) or getattr(what, "__name__", None)
    if not isinstance(name, str):
        kind = type(what).__name__
        raise UnknownName(
            f"check takes a function or the name of an exercise, not a {kind}. "
            "For a quiz item, write its name in quotes."
        )
    exercise = get(name)
    around = getattr(what, "__globals__", {})
    return exercise, {**around, **namespace, name: what}


def _bound_name(what: Any, namespace: dict[str, Any]) -> str:
    """The exercise's name that `what` is bound to: a lambda, a partial, an undecorated wrapper."""
    if what is None:
        return ""
    names = (e.name for e in all_exercises() if e.kind != "quiz")
    return next((name for name in names if namespace.get(name) is what), "")


def _namespace() -> dict[str, Any]:
    """The learner's names: the notebook's, or those of the calling module."""
    try:
        from IPython import get_ipython

        shell = get_ipython()
        if shell is not None:
            return shell.user_ns
    except ImportError:
        pass
    return sys._getframe(2).f_globals


def _in_lesson() -> bool:
    """Lessons show checks on purpose; only what is done in an exercise notebook is recorded."""
    return os.environ.get("JPY_SESSION_NAME", "").endswith("_lesson.ipynb")


def _store() -> Store:
    """One store for each place: a kernel may change its folder."""
    place = os.getcwd()
    if place not in _stores:
        _stores[place] = Store()
    return _stores[place]


def _source(thing: Any) -> str:
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        return ""
