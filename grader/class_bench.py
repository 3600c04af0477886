"""How fast a class is graded, beside nbgrader and beside running the code with no protection.

The submissions are those of the demo class of chapter 02 without its endless loops: honest, wrong,
broken and odd ones. Wall time tells what a user waits; CPU time hardly depends on what else runs.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from grader.attempt import LocalAttempt
from grader.bulk.course import Assignment, open_course
from grader.bulk.demo import Expected, make_class
from grader.bulk.grade import ClassResult, grade
from grader.bulk.gradebook import Book
from grader.bulk.notebooks import read_notebook
from grader.checks import check_exercise

CHAPTER = "02_backprop"
SMALL = 100
BESIDE_NBGRADER = 5  # more would only take longer: about a second each
_ENDLESS = ("endless_function", "endless_cell")
_ORDINARY = (
    "all_right",
    "one_mistake",
    "stubs_left",
    "half_done",
    "late",
    "two_mistakes",
    "raises",
)


def classes(students: int = 1000) -> Table:
    """Grade 100 submissions in several ways, and then a class of `students`."""
    table = Table(title=f"Grading {CHAPTER}, public seed, sandbox on")
    for column in ("way", "submissions", "seconds", "each, ms", "a second", "CPU each, ms"):
        table.add_column(column, justify="left" if column == "way" else "right")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place = Path(folder)
        expected = _submissions(place / "100", SMALL)
        rates = {
            "bare": _row(table, "the same code and checks, bare", *_bare(place / "100", expected))
        }
        for jobs in (1, 2):
            graded = _graded(_copies(place / "100", place / f"jobs{jobs}", SMALL), jobs)
            rates[f"{jobs}"] = _row(table, f"grader grade --jobs {jobs}", SMALL, *graded[1:])
        jobs = os.cpu_count() or 1
        result, *took = _graded(_copies(place / "100", place / "large", students), jobs)
        large = _row(table, f"grader grade --jobs {jobs}", students, *took)
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        ordinary = [name for name, e in expected.items() if e.kind in _ORDINARY]
        some = ordinary[: BESIDE_NBGRADER + 1]
        one = _nbgrader(place, place / "100", some[:1])
        all_of_them = _nbgrader(place, place / "100", some)
        took = [after - before for before, after in zip(one, all_of_them, strict=True)]
        nbgrader = _row(table, "nbgrader autograde", BESIDE_NBGRADER, *took)
    table.caption = (
        f"The large class: {large / nbgrader:.0f} times as many a second as nbgrader. --jobs 2: "
        f"{rates['2'] / rates['1']:.1f} times as many as --jobs 1, which grades "
        f"{rates['1'] / rates['bare']:.2f} times as many as bare execution. "
        f"Protection level {result.level}; largest process {memory:.0f} MB. "
        "Each grading includes its start, nbgrader does not."
    )
    return table


def _row(table: Table, way: str, count: int, seconds: float, cpu: float) -> float:
    each = 1e3 * seconds / count
    rate = count / seconds
    table.add_row(
        way,
        f"{count:,}",
        f"{seconds:.1f}",
        f"{each:.1f}",
        f"{rate:.1f}",
        f"{1e3 * cpu / count:.1f}",
    )
    return rate


@contextlib.contextmanager
def _clocks() -> Iterator[list[float]]:
    """Wall and CPU seconds of a block, with the processes that it started and that have ended."""
    took: list[float] = []
    start, cpu = time.perf_counter(), _cpu()
    yield took
    took += [time.perf_counter() - start, _cpu() - cpu]


def _cpu() -> float:
    all_of_us = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(who)[:2]) for who in all_of_us)


# --- classes -------------------------------------------------------------------------------------


def _submissions(root: Path, count: int) -> dict[str, Expected]:
    """A demo class without endless loops."""
    made = make_class(root, CHAPTER, students=count + count // 10)
    kept = [name for name, e in made.items() if e.kind not in _ENDLESS][:count]
    for name in set(made) - set(kept):
        shutil.rmtree(root / "submitted" / name)
    return {name: made[name] for name in kept}


def _copies(source: Path, root: Path, count: int) -> Path:
    """A class of any size, with the same submissions over and over."""
    names = sorted(path.name for path in (source / "submitted").iterdir())
    for number in range(count):
        name = names[number % len(names)]
        target = root / "submitted" / f"{number // len(names):03}_{name}"
        shutil.copytree(source / "submitted" / name, target)
    return root


def _graded(root: Path, jobs: int) -> tuple[ClassResult, float, float]:
    with _clocks() as took:
        result = grade(root / "submitted", seed="public", jobs=jobs, require_level=0)
    shutil.rmtree(root)
    return result, took[0], took[1]


def _bare(root: Path, expected: dict[str, Expected]) -> tuple[int, float, float]:
    """Cells and checks in this very process: no isolation, no limits, no pages, no gradebook."""
    assignment = open_course(root / "submitted").assignment(CHAPTER)
    names = [name for name, e in expected.items() if e.kind in _ORDINARY]
    paths = [root / "submitted" / name / CHAPTER / f"{assignment.notebook}.ipynb" for name in names]
    _run_bare(paths[0], assignment)  # expected values are made once
    with _clocks() as took:
        for path in paths:
            _run_bare(path, assignment)
    return len(paths), took[0], took[1]


def _run_bare(path: Path, assignment: Assignment) -> None:
    namespace: dict[str, Any] = {"np": np}
    for cell in read_notebook(path, path.parent)[0]:
        if cell.kind == "code" and not cell.source.startswith(("check(", "progress(")):
            with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
                exec(compile(cell.source, "<cell>", "exec"), namespace)
    for exercise in assignment.exercises:
        check_exercise(exercise, LocalAttempt(namespace))


def _nbgrader(place: Path, source: Path, names: list[str]) -> tuple[float, float]:
    """`nbgrader autograde` of some submissions, in a gradebook that knows the assignment."""
    root = Path(tempfile.mkdtemp(dir=place))
    for name in names:
        shutil.copytree(source / "submitted" / name, root / "submitted" / name)
    course = open_course(root / "submitted")
    course.provide_source(CHAPTER)
    with Book(course) as book:
        book.prepare(course.assignment(CHAPTER))
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(root), "IPYTHONDIR": str(root)}
    program = Path(sys.executable).parent / "nbgrader"
    with _clocks() as took:
        done = subprocess.run(
            [str(program), "autograde", CHAPTER], cwd=root, env=environment, capture_output=True
        )
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-500:])
    return took[0], took[1]
