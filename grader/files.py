"""Check functions in files, `.py` or notebooks, many at once, never imported here."""

from __future__ import annotations

import ast
import json
import os
import re
import tokenize
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from grader.checks import check_exercise
from grader.exercise import Exercise
from grader.exercises import all_exercises
from grader.expected import PUBLIC_SEED
from grader.findings import Feedback, Finding
from grader.given import sources_before
from grader.parsing import parse
from grader.report import Report
from grader.sandbox.cells import without_magics
from grader.sandbox.client import Limits, Sandbox, WorkerAttempt

MAX_BYTES = 20 * 2**20
NOTHING = "No exercise of the course is defined here."
_DEFINED = re.compile(r"^[ \t]*(?:def|class)\s+(\w+)|^(\w+)\s*(?::[^=\n]+)?=[^=]", re.MULTILINE)


class FileProblem(ValueError):
    """A file cannot be read as code; the message says why."""


@dataclass(frozen=True)
class FileResult:
    """What a file holds.

    Attributes
    ----------
    path : str
        As given.
    reports : tuple of Report
        One for each exercise found.
    problem : str
        Why the file, or a part of it, could not be read; "" if it could.
    """

    path: str
    reports: tuple[Report, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        return bool(self.reports) and all(report.passed for report in self.reports)

    def to_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {"path": self.path}
        if self.problem:
            data["outcome"] = "not_attempted" if self.problem == NOTHING else "crashed"
            data["message"] = self.problem
        data["exercises"] = [report.to_dict() for report in self.reports]
        return data


def check_files(
    paths: Iterable[str],
    exercise: Exercise | None = None,
    seed: int = PUBLIC_SEED,
    feedback: Feedback = "diagnosis",
    jobs: int | None = None,
) -> list[FileResult]:
    """Check every exercise found in the files, each file in a process of its own.

    Parameters
    ----------
    paths : iterable of str
        `.py` files and notebooks.
    exercise : Exercise, optional
        Check only this one, and say so where it is missing.
    seed, feedback
        As for `check_exercise`.
    jobs : int, optional
        Files at a time; default one for each core.

    Returns
    -------
    list of FileResult
        In the order of `paths`.
    """
    with Sandbox() as sandbox, ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        return list(pool.map(lambda path: _check(sandbox, path, exercise, seed, feedback), paths))


def read_cells(path: Path) -> list[str]:
    """The code of a file: one cell for a `.py`, the code cells of a notebook.

    Raises
    ------
    FileProblem
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileProblem(f"The file is larger than {MAX_BYTES // 2**20} MB.")
        data = path.read_bytes()
        coding = tokenize.detect_encoding(BytesIO(data).readline)[0]  # `# -*- coding: ... -*-`
        text = data.decode(coding if path.suffix == ".py" else "utf-8-sig")
    except OSError as problem:
        raise FileProblem(f"The file cannot be read: {problem.strerror}.") from None
    except (UnicodeDecodeError, SyntaxError):
        raise FileProblem("The file is not text in UTF-8; save it with that encoding.") from None
    if "\0" in text:
        raise FileProblem("The file holds null bytes, so it is not a text file.")
    return _notebook_cells(text) if path.suffix == ".ipynb" else [text]


def _notebook_cells(text: str) -> list[str]:
    if not text.strip():
        raise FileProblem("The notebook is empty: the file has no content.")
    try:
        cells = json.loads(text)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        return ["".join(source) for source in sources]
    except (ValueError, RecursionError):
        raise FileProblem("The notebook is not valid JSON; save it again in JupyterLab.") from None
    except (KeyError, TypeError):
        raise FileProblem(
            "This is not a notebook of format 4; open and save it in JupyterLab."
        ) from None


def _check(
    sandbox: Sandbox, path: str, only: Exercise | None, seed: int, feedback: Feedback
) -> FileResult:
    try:
        cells = read_cells(Path(path))
    except FileProblem as unreadable:
        lost = [_unread(only, str(unreadable))] if only else []
        return FileResult(path, tuple(lost), str(unreadable))
    is_script = not path.endswith(".ipynb")
    wanted = [only] if only else found_in(cells)
    if not wanted:
        return FileResult(path, (), _syntax_error(cells) or NOTHING)
    given = {"grader.nn": sources_before(min(item.chapter for item in wanted))}
    limits = Limits(cpu_seconds=60, load_seconds=10)
    with sandbox.open(
        cells, given=given, main=not is_script, keep_going=True, limits=limits
    ) as attempt:
        reports = tuple(_report(attempt, item, seed, feedback) for item in wanted)
        problem = _loading(attempt)
    return FileResult(path, reports, problem)


def found_in(cells: Iterable[str]) -> list[Exercise]:
    """Exercises whose names are defined in the code, in the course's order.

    Read from the text, so that one whose definition does not parse is found too.
    """
    defined: set[str] = set()
    for cell in cells:
        defined |= _bound_in(cell)
    return [exercise for exercise in all_exercises() if exercise.name in defined]


def _bound_in(cell: str) -> set[str]:
    """Names that a cell binds at its top level; methods and texts are none."""
    try:
        todo: list[ast.AST] = list(parse(without_magics(cell)[0]).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {match[1] or match[2] for match in _DEFINED.finditer(cell)}
    found: set[str] = set()
    while todo:
        item = todo.pop()
        if isinstance(item, (ast.FunctionDef, ast.ClassDef)):
            found.add(item.name)
        elif isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            found.add(item.id)
        elif not isinstance(item, ast.Lambda):
            todo += ast.iter_child_nodes(item)
    return found


def _report(attempt: WorkerAttempt, exercise: Exercise, seed: int, feedback: Feedback) -> Report:
    report = check_exercise(exercise, attempt, seed, feedback)
    if report.cause is None or not report.cause.key.endswith(".not_attempted"):
        return report
    if attempt.has(exercise.name):
        return report
    return _lost(attempt, exercise, report)


def _lost(attempt: WorkerAttempt, exercise: Exercise, report: Report) -> Report:
    """Named in the text but not defined after loading: say which error took it away."""
    problem = _loading(attempt)
    if not problem:
        return report
    return _unread(exercise, problem)


def _unread(exercise: Exercise, problem: str) -> Report:
    finding = Finding(f"{exercise.name}.not_loaded", "crashed", problem)
    return Report(
        exercise.name, exercise.chapter, "crashed", 0.0, float(exercise.points), (finding,)
    )


def _loading(attempt: WorkerAttempt) -> str:
    """What went wrong while the file was loaded, in a sentence; "" if nothing that matters."""
    load = attempt.load_report
    if load.died is not None:
        return f"The code ended its process while it was loaded. {_said(load.died.error)}".strip()
    for cell in load.cells:
        if cell.status == "syntax_error" and cell.error is not None:
            return f"Line {cell.error.line} is not valid Python: {cell.error.message}."
        if cell.status == "timed_out":
            return "Loading the code took too long; it was stopped."
    return ""


def _syntax_error(cells: Iterable[str]) -> str:
    for cell in cells:
        try:
            parse(cell)
        except (SyntaxError, ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None)
            return f"Line {line} is not valid Python: {getattr(error, 'msg', error)}."
    return ""


def _said(error: Any) -> str:
    return error.message if error is not None else ""
