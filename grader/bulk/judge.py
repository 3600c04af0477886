"""One submission: its cells in a sandboxed worker, each exercise checked, a result.

A `Judge` holds what is the same for a whole class. It never raises for anything a submission does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from grader.attempt import Attempt, Call, Error
from grader.bulk.course import Assignment
from grader.bulk.likeness import digests
from grader.bulk.notebooks import writable
from grader.bulk.redact import redact
from grader.bulk.result import SubmissionResult
from grader.bulk.submissions import Handed, Submission, defining_cell, read_submission
from grader.checks import check_exercise
from grader.exercise import Exercise
from grader.findings import Feedback, Finding, Outcome
from grader.report import Report
from grader.sandbox.client import CellReport, LoadReport, Sandbox, WorkerAttempt

SUBMISSION_SECONDS = 120.0  # for one whole submission
MAX_TOLD = 5  # cells that failed, in the reasons
MAX_DEADLY = 3  # cells that end Python and are left out, one after the other
_PATH = re.compile(r"(?:/[\w.+@~-]+)+/([\w.+@~-]+)")  # learners are told the file, not its place
_LOST = "this says nothing about your code"  # the sandbox's words when its own process has gone


class _Lost(Exception):
    """A worker was lost for a reason that is not the submission's."""


class Judge:
    """Grades submissions, one call each; several threads may share it.

    Parameters
    ----------
    sandbox : Sandbox
        Where the cells run; its limits are used.
    assignments : mapping of str to Assignment
    seed : int
        Draws the cases.
    secret : bool
        Whether reports must not tell the cases.
    feedback : mapping of str to {"verdict", "diagnosis", "full"}
        By assignment; "diagnosis" where nothing is said.
    seconds : float
        Wall time for one whole submission.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        assignments: Mapping[str, Assignment],
        seed: int,
        secret: bool,
        feedback: Mapping[str, Feedback] | None = None,
        seconds: float = SUBMISSION_SECONDS,
    ):
        self._sandbox = sandbox
        self._assignments = assignments
        self._seed = seed
        self._secret = secret
        self._feedback = feedback or {}
        self._seconds = seconds

    def judge(self, handed: Handed) -> tuple[Submission, SubmissionResult]:
        """Read, run and check one submission."""
        start = time.perf_counter()
        assignment = self._assignments[handed.assignment]
        submission = read_submission(handed, assignment)
        if submission.problem:
            reports, found = _all(assignment, "unusable", submission.problem), [submission.problem]
        else:
            reports, found = self._checked(submission, assignment)
        fault = any(report.outcome == "grader_fault" for report in reports)
        result = SubmissionResult(
            handed.student,
            handed.assignment,
            tuple(map(_final, reports)),
            tuple(map(writable, (*submission.reasons, *found))),
            submission.review or fault or any("left out" in reason for reason in found),
            _answered(submission, assignment),
            submission.timestamp,
            level=self._sandbox.protection.level,
            sources=digests(submission.code, (e.name for e in assignment.exercises)),
            seconds=time.perf_counter() - start,
        )
        return submission, result

    def _checked(
        self, submission: Submission, assignment: Assignment
    ) -> tuple[list[Report], list[str]]:
        try:
            try:
                return self._run(submission, assignment)
            except (_Lost, RuntimeError):  # not the submission's doing: once more
                return self._run(submission, assignment)
        except Exception as fault:  # ours: a class must not stop for it
            sentence = (
                f"The grader failed on this submission ({type(fault).__name__}). "
                "The points are to be given by hand."
            )
            return _all(assignment, "grader_fault", sentence, "grader_fault"), [sentence]

    def _run(
        self, submission: Submission, assignment: Assignment
    ) -> tuple[list[Report], list[str]]:
        end = time.monotonic() + self._seconds
        attempt, reasons = self._open(list(submission.code), assignment)
        source = "\n".join(submission.code)
        with attempt:
            timed = Timed(attempt, end)
            loaded = attempt.load_report  # a worker that is started anew writes a new one
            reasons += _failed_cells(loaded, submission)
            reports = []
            for exercise in assignment.exercises:
                if time.monotonic() >= end:
                    report = _out_of_time(exercise, self._seconds)
                else:
                    level = self._feedback.get(assignment.name, "diagnosis")
                    report = check_exercise(exercise, timed, self._seed, level)
                    report = _with_cell(report, submission.code, loaded)
                if report.cause is not None and _LOST in report.cause.why:
                    raise _Lost
                report = _sane(report, exercise)
                reports.append(redact(report, source) if self._secret else report)
        return reports, reasons

    def _open(self, cells: list[str], assignment: Assignment) -> tuple[WorkerAttempt, list[str]]:
        """Load the cells; one that ends Python is emptied, and the others are loaded again."""
        reasons: list[str] = []
        while True:
            attempt = self._sandbox.open(cells, given=assignment.given)
            died = attempt.load_report.died
            ran = [cell.number for cell in attempt.load_report.cells if cell.status != "not_run"]
            if died is None or not ran or len(reasons) == MAX_DEADLY:
                return attempt, reasons
            attempt.close()
            if died.error is not None and _LOST in died.error.message:
                raise _Lost
            what = "did not come to an end" if died.status == "timed_out" else "ended Python itself"
            reasons.append(f"Code cell {ran[-1]} {what}; it was left out.")
            cells[ran[-1] - 1] = ""


class Timed:
    """An attempt whose calls end when the submission's time is used up."""

    def __init__(self, attempt: Attempt, end: float):
        self._attempt = attempt
        self._end = end

    def call(
        self, name: str, *args: Any, keep: int | None = None, seconds: float = 2.0, **kwargs: Any
    ) -> Call:
        if (left := self._left()) <= 0:
            return _over()
        return self._attempt.call(name, *args, keep=keep, seconds=min(seconds, left), **kwargs)

    def run(self, driver: Callable, name: str, *args: Any, seconds: float = 2.0) -> Call:
        if (left := self._left()) <= 0:
            return _over()
        return self._attempt.run(driver, name, *args, seconds=min(seconds, left))

    def get(self, name: str) -> Call:
        return self._attempt.get(name)

    def has(self, name: str) -> bool:
        return self._attempt.has(name)

    def _left(self) -> float:
        return self._end - time.monotonic()


def _over() -> Call:
    return Call("timed_out", error=Error("TimeUp", "the submission's time is used up"))


# --- reports that no check makes -----------------------------------------------------------------


def _report(exercise: Exercise, key: str, message: str, outcome: Outcome) -> Report:
    finding = Finding(f"{exercise.name}.{key}", outcome, message)
    points = float(exercise.points)
    return Report(exercise.name, exercise.chapter, outcome, 0.0, points, (finding,))


def _all(
    assignment: Assignment, key: str, message: str, outcome: Outcome = "skipped"
) -> list[Report]:
    return [_report(exercise, key, message, outcome) for exercise in assignment.exercises]


def _out_of_time(exercise: Exercise, seconds: float) -> Report:
    message = f"`{exercise.name}` was not checked: the submission used up its {seconds:.0f} s."
    return _report(exercise, "no_time_left", message, "timed_out")


def _sane(report: Report, exercise: Exercise) -> Report:
    """Points are a number from 0 to the maximum, or the result is nobody's but ours to explain."""
    points = report.points
    if type(points) in (int, float) and 0 <= points <= exercise.points:
        return report
    message = "The check gave an odd number of points. The points are to be given by hand."
    return _report(exercise, "grader_fault", message, "grader_fault")


def _final(report: Report) -> Report:
    """The same every time, and fit for every file."""
    findings = tuple(
        replace(f, message=writable(f.message), why=writable(f.why)) for f in report.findings
    )
    remarks = tuple(map(writable, report.remarks))
    return replace(report, findings=findings, remarks=remarks, milliseconds=0.0)


def _with_cell(report: Report, code: tuple[str, ...], loaded: LoadReport) -> Report:
    """Say that a cell failed where a check can only say that a name is missing."""
    cause = report.cause
    if cause is None or report.outcome != "not_attempted" or "not defined" not in cause.message:
        return report
    number = defining_cell(code, report.exercise)
    if number is None or number > len(loaded.cells):
        return report
    cell = loaded.cells[number - 1]
    if cell.status in ("ok", "died"):
        return report
    outcome: Outcome = "timed_out" if cell.status in ("timed_out", "not_run") else "crashed"
    message = f"The cell of `{report.exercise}` does not run: {_what_happened(cell)}"
    finding = Finding(f"{report.exercise}.cell_failed", outcome, message)
    return replace(report, outcome=outcome, findings=(finding, *report.findings[1:]))


def _failed_cells(loaded: LoadReport, submission: Submission) -> list[str]:
    """A sentence for each cell that failed. Cells run before any check: nothing secret is there."""
    names = [
        cell.grade_id.removesuffix("-answer") for cell in submission.cells if cell.kind == "code"
    ]
    failed = [cell for cell in loaded.cells if cell.status not in ("ok", "died")]
    told = []
    for cell in failed[:MAX_TOLD]:
        name = f" (`{names[cell.number - 1]}`)" if names[cell.number - 1] else ""
        told.append(f"Code cell {cell.number}{name}: {_what_happened(cell)}")
    if len(failed) > MAX_TOLD:
        told.append(f"{len(failed) - MAX_TOLD} more code cells did not run.")
    return told


def _what_happened(cell: CellReport) -> str:
    if cell.status == "not_run":
        return "not run, for the time was used up before it."
    if cell.status == "timed_out":
        return "stopped, for it did not come to an end in time."
    error = cell.error
    if error is None:
        return "failed."
    message = _PATH.sub(r"\1", " ".join(error.message.split())[:200])
    where = f" (line {error.line})" if error.line else ""
    return f"{error.type}{where}: {message}".rstrip(": .") + "."


def _answered(submission: Submission, assignment: Assignment) -> tuple[str, ...]:
    """Cells for hand grading whose text is not the one that was released."""
    texts = {cell.grade_id: cell.source.strip() for cell in submission.cells if cell.grade_id}
    return tuple(
        name
        for name in assignment.by_hand
        if texts.get(name) and texts[name] != assignment.marked[name].source.strip()
    )
