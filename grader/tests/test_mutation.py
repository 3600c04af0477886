"""Mutants: what is changed, and that every check notices (a sample; `make mutants` takes all)."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from grader import mutation
from grader.exercises import all_exercises, get
from grader.mutants import mutants

TASKS = [e for e in all_exercises() if e.kind != "quiz"]
SEED = random.SystemRandom().randrange(10**6)
DEEP = bool(os.environ.get("GRADER_DEEP"))


def changes(source: str) -> set[str]:
    return {str(mutant) for mutant in mutants(source)}


@pytest.mark.parametrize(
    "source, change",
    [
        ("def f(x): return x + 1", "x + 1 -> x - 1"),
        ("def f(x): return x + 1", "x + 1 -> x"),
        ("def f(x): return x + 1", "1 -> 2"),
        ("def f(x): return -x", "-x -> x"),
        ("def f(x): return x.sum(axis=0)", "0 -> 1"),
        ("def f(x): return x.sum(axis=0)", "x.sum(axis=0) -> x.mean(axis=0)"),
        ("def f(x): return x.sum(axis=0)", "x.sum(axis=0) -> x.sum()"),
        ("def f(x, w): return x @ w.T", "w.T -> w"),
        ("def f(x, w): return x @ w", "x @ w -> w @ x"),
        ("def f(x): return x > 0", "x > 0 -> x >= 0"),
        ("def f(a, b): return a, b", "return (a, b) -> return (b, a)"),
        ("def f(x):\n    x += 1\n    return x", "x += 1 -> x = 1"),
        ("def f(x): return x[1:-1]", "1:-1 -> 1 + 1:-1"),
        ("def f(a, b): return g(a, b)", "g(a, b) -> g(b, a)"),
        ("def f(x):\n    if x: return 1\n    return 2", "if x: return 1 -> if not x: return 1"),
    ],
)
def test_each_kind_of_change_is_made(source: str, change: str) -> None:
    assert change in changes(source)


def test_docstrings_and_annotations_are_left_alone_and_every_mutant_differs() -> None:
    source = 'def f(x: int) -> int:\n    """x + 1"""\n    return x * 2 * 2'
    found = list(mutants(source))
    assert len({mutant.source for mutant in found}) == len(found) > 5
    assert not any("x + 1" in mutant.source for mutant in found)
    assert "2 -> 3" in {str(m) for m in found} and "2 -> 3 (number 2)" in {str(m) for m in found}


def test_a_check_with_a_hole_is_found_out() -> None:
    """A case in which both sizes are 1 cannot see an axis."""
    import numpy as np

    from grader.exercise import Case, Chapter

    chapter = Chapter("98_holes", "Holes")

    @chapter.exercise(points=1, returns="total")
    def column_total(x):
        """The sum of every column."""
        return x.sum(axis=0)

    @chapter.cases(column_total)
    def total_cases(rng):
        yield Case((rng.normal(0, 1, (1, 1)),))

    (exercise,) = chapter
    alive = {str(mutant) for mutant in mutation.score(exercise).alive}
    assert "0 -> 1" in alive
    assert np.ones((1, 1)).sum(axis=0) == 1


REASONS = mutation.read_reasons(
    Path(__file__).resolve().parents[2] / "solutions" / mutation.EQUIVALENT_FILE
)


@pytest.mark.parametrize("exercise", TASKS, ids=lambda e: e.name)
def test_what_lives_is_listed_as_equivalent(exercise) -> None:
    every = 1 if DEEP else 12
    print(f"every {every}th mutant")
    score = mutation.score(exercise, every=every)
    assert score.total > 0
    assert [str(mutant) for mutant in score.unexplained(REASONS)] == []


def test_the_list_names_exercises_and_gives_reasons() -> None:
    assert REASONS
    for (name, change), reason in REASONS.items():
        assert get(name).kind != "quiz" and " -> " in change
        assert len(reason.split()) > 4


def test_the_table_adds_up() -> None:
    scores = [mutation.score(get(name)) for name in ("sigmoid_forward", "relu_forward")]
    text = mutation.table(scores)
    total = sum(score.total for score in scores)
    assert f"{total} mutants; {total - sum(len(s.alive) for s in scores)} are caught" in text
    assert "| 02 | `sigmoid_forward` |" in text
