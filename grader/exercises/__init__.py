"""All exercises of the course: one module a chapter, listed here in the course's order."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module

from grader.exercise import Chapter, Exercise

MODULES = (
    "start_here",
    "neurons",
    "backprop",
    "activations",
    "losses",
    "mlp",
    "initialisation",
    "optimisers",
    "convolution",
    "cnn",
    "rnn",
    "lstm",
    "gan",
    "regularisation",
    "metrics",
    "normalisation",
)


class UnknownName(LookupError):
    """No exercise or chapter has this name; the message offers the nearest one."""

    def __str__(self) -> str:  # LookupError would put quotes around some messages
        return str(self.args[0])


@lru_cache(maxsize=1)
def chapters() -> tuple[Chapter, ...]:
    """Every chapter with exercises, in order."""
    return tuple(import_module(f"grader.exercises.{name}").chapter for name in MODULES)


def all_exercises() -> tuple[Exercise, ...]:
    """Every exercise of the course, in order; each has `name`, `points`, `mistakes`, `hints`."""
    return tuple(exercise for chapter in chapters() for exercise in chapter)


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Exercise]:
    table: dict[str, Exercise] = {}
    for exercise in all_exercises():
        if exercise.name in table:
            raise ValueError(f"two exercises are called {exercise.name}; names are unique")
        table[exercise.name] = exercise
    return table


def get(name: str) -> Exercise:
    """The exercise called `name`.

    Raises
    ------
    UnknownName
        With the nearest match.
    """
    try:
        return _by_name()[name]
    except KeyError:
        raise UnknownName(_unknown("exercise", name, _by_name())) from None


def get_chapter(name: str) -> Chapter:
    """The chapter called `name`, by full name ("02_backprop"), number ("02", "2") or topic.

    Raises
    ------
    UnknownName
        With the nearest match.
    """
    table = {chapter.name: chapter for chapter in chapters()}
    return table[match_chapter(name, table)]


def match_chapter(name: str, known: Iterable[str]) -> str:
    """The full name among `known` that `name` means: the same, its number, or its topic.

    Raises
    ------
    UnknownName
        With the nearest match.
    """
    full_names = list(known)
    for full in full_names:
        number, _, topic = full.partition("_")
        if name in (full, number, number.lstrip("0") or "0", topic):
            return full
    raise UnknownName(_unknown("chapter", name, full_names))


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    if not near:
        near = [known for known in names if name and name.lower() in known.lower()][:1]
    more = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(names[:12])}."
    return f"There is no {what} called {name!r}.{more}"
