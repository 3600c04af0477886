"""Mutation testing of the exercises: does every check notice every small change of its answer?

A mutant that passes is either equal to the answer in all that a learner promises, or a hole in the
cases. The first kind is listed with its reason in `solutions/equivalent_mutants.txt`; the second
is mended. `grader mutants` writes the table.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from grader.attempt import LocalAttempt
from grader.build import source_of
from grader.checks import check_exercise
from grader.exercise import Exercise
from grader.exercises import all_exercises
from grader.expected import PUBLIC_SEED, forward_of
from grader.mutants import Mutant, mutants

EQUIVALENT_FILE = "equivalent_mutants.txt"


@dataclass(frozen=True)
class Score:
    """What became of the mutants of one exercise.

    Attributes
    ----------
    alive : tuple of Mutant
        Those that the check passes.
    """

    exercise: Exercise
    total: int
    alive: tuple[Mutant, ...]

    def unexplained(self, reasons: dict[tuple[str, str], str]) -> list[Mutant]:
        """Mutants that live and are not listed as equivalent."""
        return [m for m in self.alive if (self.exercise.name, str(m)) not in reasons]


def score(exercise: Exercise, seed: int = PUBLIC_SEED, every: int = 1) -> Score:
    """Check every mutant of an exercise's answer.

    A forward function's mutant is also tried with the reference backward: what it puts into the
    cache is free, but must serve.

    Parameters
    ----------
    exercise : Exercise
        Not a quiz item.
    every : int
        Take only every so manieth mutant, for a quick look.
    """
    backwards = [e for e in all_exercises() if e.gradient_of == exercise.name]
    answers = {e.name: e.answer for e in all_exercises() if e.kind != "quiz"}
    total, alive = 0, []
    for number, mutant in enumerate(mutants(source_of(exercise.answer))):
        if number % every:
            continue
        total += 1
        if _passes(exercise, mutant, backwards, answers, seed):
            alive.append(mutant)
    return Score(exercise, total, tuple(alive))


def _passes(
    exercise: Exercise,
    mutant: Mutant,
    backwards: list[Exercise],
    answers: dict[str, Any],
    seed: int,
) -> bool:
    namespace: dict[str, Any] = {**answers, "np": np}
    try:
        with np.errstate(all="ignore"):
            exec(compile(mutant.source, f"<mutant of {exercise.name}>", "exec"), namespace)
    except Exception:
        return False
    attempt = LocalAttempt({exercise.name: namespace[exercise.name]})
    if exercise.gradient_of:
        forward = forward_of(exercise)
        attempt.namespace[forward.name] = forward.answer
    if not check_exercise(exercise, attempt, seed).passed:
        return False
    attempt.namespace |= {backward.name: backward.answer for backward in backwards}
    return all(check_exercise(backward, attempt, seed).passed for backward in backwards)


# --- the list of equivalent mutants, and the table ------------------------------------------------


def read_reasons(path: Path) -> dict[tuple[str, str], str]:
    """Reasons of a list whose blocks are: "# reason", then lines "exercise | change".

    Returns
    -------
    dict
        (exercise, change as `str(Mutant)`) -> reason
    """
    reasons: dict[tuple[str, str], str] = {}
    reason = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("#"):
            reason = line[1:].strip()
        elif line.strip():
            name, _, change = line.partition(" | ")
            reasons[name.strip(), change.strip()] = reason
    return reasons


def table(scores: Iterable[Score]) -> str:
    """A Markdown page: for each exercise its mutants, and how many the check kills."""
    rows, total, killed = [], 0, 0
    for one in scores:
        dead = one.total - len(one.alive)
        total, killed = total + one.total, killed + dead
        name, chapter = one.exercise.name, one.exercise.chapter[:2]
        rows.append(f"| {chapter} | `{name}` | {one.total} | {dead} | {len(one.alive)} |")
    text = f"""\
        # Mutants

        Each answer is changed in one place at a time: another operator, constant, axis or sign, a
        term or a factor left out, arguments exchanged, a window moved by one. The check must
        notice. Made by `make mutants`.

        {total} mutants; {killed} are caught. The other {total - killed} do what the task asks; each
        is listed with its reason in `solutions/{EQUIVALENT_FILE}`.

        | chapter | exercise | mutants | caught | equivalent |
        |---|---|---|---|---|
        """
    return textwrap.dedent(text) + "\n".join(rows) + "\n"


def scores_of(names: Iterable[str] = ()) -> Iterator[Score]:
    """Scores of the exercises of the chapters called `names`; of all by default."""
    from grader.exercises import chapters, get_chapter

    for chapter in [get_chapter(name) for name in names] or chapters():
        for exercise in chapter:
            if exercise.kind != "quiz" and _is_code(exercise):
                yield score(exercise)


def _is_code(exercise: Exercise) -> bool:
    return isinstance(ast.parse(source_of(exercise.answer)).body[0], ast.FunctionDef | ast.ClassDef)
