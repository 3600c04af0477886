"""Benchmarks: `make bench`. Medians and ratios within one run; nothing here passes or fails."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from grader.attempt import LocalAttempt
from grader.build import source_of
from grader.checks import check_exercise
from grader.class_bench import classes
from grader.exercise import Exercise
from grader.exercises import all_exercises
from grader.expected import forward_of, prepare
from grader.kernel_bench import kernels
from grader.slider_bench import sliders


def main() -> None:
    """Print every table, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m grader.bench", description=__doc__)
    parser.add_argument(
        "tables", nargs="*", help="checks, files, kernels, sliders, class; default: all"
    )
    parser.add_argument("--students", type=int, default=1000, help="in the large class")
    asked = parser.parse_args()
    tables: dict[str, Callable[[], Table]] = {
        "checks": checks,
        "files": files,
        "kernels": kernels,
        "sliders": sliders,
        "class": lambda: classes(asked.students),
    }
    if unknown := set(asked.tables) - set(tables):
        parser.error(f"no table {', '.join(sorted(unknown))}; there are {', '.join(tables)}")
    for name in asked.tables or tables:
        Console().print(tables[name]())


def milliseconds(work: Callable[[], object], repeats: int = 15) -> tuple[float, float]:
    """Median and 95th percentile of the wall time of `work`, in ms."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times), sorted(times)[int(0.95 * (repeats - 1))]


def checks() -> Table:
    """How long a check takes: the first (expected values made), then passes and failures."""
    table = Table(title="A check, ms (aim: under 200, small ones under 50)")
    for column in ("exercise", "first", "right", "p95", "wrong", "p95"):
        table.add_column(column, justify="left" if column == "exercise" else "right")
    for exercise in all_exercises():
        if exercise.kind == "quiz":
            continue
        prepare.cache_clear()
        first, _ = milliseconds(lambda e=exercise: _check(e, e.answer), 1)  # type: ignore[misc]
        right = milliseconds(lambda e=exercise: _check(e, e.answer))  # type: ignore[misc]
        wrong = milliseconds(
            lambda e=exercise: _check(e, e.mistakes[0].answer)  # type: ignore[misc]
        )
        table.add_row(exercise.name, *(f"{t:.1f}" for t in (first, *right, *wrong)))
    return table


def _check(exercise: Exercise, thing: object) -> None:
    namespace = {exercise.name: thing}
    if exercise.gradient_of:
        forward = forward_of(exercise)
        namespace[forward.name] = forward.answer
    check_exercise(exercise, LocalAttempt(namespace))


def files(count: int = 40) -> Table:
    """How many files a second `grader check` gets through, each in its own process."""
    from grader.files import check_files

    answers = [e.answer for e in all_exercises() if e.kind == "function" and e.stub is None]
    source = "import numpy as np\n\n\n" + "\n\n\n".join(map(source_of, answers))
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{i}.py") for i in range(count)]
        for path in paths:
            Path(path).write_text(source, "utf-8")
        start = time.perf_counter()
        check_files(paths)
        seconds = time.perf_counter() - start
    table = Table(title="grader check, files in processes of their own")
    for column in ("files", "exercises each", "seconds", "files a second"):
        table.add_column(column, justify="right")
    table.add_row(str(count), str(len(answers)), f"{seconds:.2f}", f"{count / seconds:.1f}")
    return table


if __name__ == "__main__":
    main()
