"""No right answer fails, no wrong one passes, and a wrong one is called by its name."""

from __future__ import annotations

import ast
import contextlib
import io
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import collection

from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercises import get
from grader.expected import PUBLIC_SEED
from grader.files import check_files
from grader.report import Report

CASES = collection.read()
EXERCISES = sorted({case.exercise for case in CASES})


def complaint(case: collection.FairCase, report: Report) -> str:
    said = case.complaint(report.outcome, report.cause.key if report.cause else "")
    return f"{said}: {report.comment()}" if said else ""


def test_titles_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_in_files(exercise: str, tmp_path: Path) -> None:
    """Each case handed in as a file, as for `grader check --exercise NAME`."""
    cases = [case for case in CASES if case.exercise == exercise]
    paths = [str(case.save(tmp_path, number)) for number, case in enumerate(cases)]
    results = check_files(paths, get(exercise), PUBLIC_SEED, jobs=2)
    pairs = zip(cases, results, strict=True)
    unfair = [complaint(case, result.reports[0]) for case, result in pairs]
    assert not list(filter(None, unfair))


@pytest.mark.parametrize("seed", [1, 99])
@pytest.mark.parametrize("exercise", EXERCISES)
def test_in_this_process(exercise: str, seed: int) -> None:
    """The same verdicts in a notebook's kernel, with other numbers."""
    unfair = []
    for case in CASES:
        about_the_file = "file" in case.flags or "notebook" in case.flags
        if case.exercise != exercise or about_the_file or case.expected == "wrong timed_out":
            continue
        start = time.process_time()
        report = check_exercise(get(exercise), LocalAttempt(names_of(case.code)), seed)
        unfair.append(complaint(case, report))
        if (taken := time.process_time() - start) > 1:
            unfair.append(f"{case.name}: computed for {taken:.1f} s")
    assert not list(filter(None, unfair))


def names_of(code: str) -> dict:
    """Run the statements one by one, past those that fail, as a kernel goes on after a cell."""
    module = ModuleType("handed_in")
    sys.modules["handed_in"] = module  # dataclasses look their module up
    for statement in ast.parse(code).body:
        compiled = compile(ast.Module([statement], []), "<handed in>", "exec")
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            exec(compiled, module.__dict__)
    return module.__dict__
