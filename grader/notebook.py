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
from grader.report import Report
from grader.store import Store

_stores: dict[str, Store] = {}


def check(what: Any) -> Report | Note:
    """Check an exercise and show what was found.

    Parameters
    ----------
    what : function, class or str
        The learner's function, or the exercise's name.

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
        report = check_exercise(exercise, LocalAttempt(namespace))
    finally:
        np.random.set_state(state)
    source = _source(namespace.get(exercise.name)) if report.passed else ""
    if not _in_lesson():
        _store().record(exercise.name, report.outcome, report.points, source)
    return report


def hint(what: Any) -> Note:
    """The next hint for an exercise: three steps, the last one points to the solution."""
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
    return Note(exercise.hints[step - 1], title)


def progress(chapter: str | None = None) -> Note:
    """The map of the course, or of one chapter: what is done, tried, and still open."""
    from grader.exercises import get_chapter

    try:
        shown = [get_chapter(chapter)] if chapter else [c for c in chapters() if c.exercises]
    except UnknownName as problem:
        return Note(str(problem))
    return chapter_map(shown, _store())


def compare(got: Any, expected: Any, name: str = "value") -> Note:
    """Say whether two values agree, exactly or nearly, and where they differ most.

    Parameters
    ----------
    got, expected : array or number
    name : str
        What to call it in the sentence.
    """
    right = plain(expected)
    if isinstance(right, list):
        right = _as_array(right)
    try:
        limit = 1e-9 * max(size_of(right), 1e-300)
    except (TypeError, ValueError):
        limit = 1e-9
    result = agree(plain(got), right, limit)
    if isinstance(result, Agreement):
        exact = np.array_equal(np.asarray(got, object), np.asarray(right, object))
        return Note(f"`{name}`: {'exactly' if exact else 'numerically'} equal.")
    where = f" In it, {result.where}." if result.where else ""
    return Note(result.message.replace("{part}", f"`{name}`") + where)


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
