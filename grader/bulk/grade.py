"""Grade a class: every submission under `submitted/`, into gradebook, notebooks and pages."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.bulk import GradeError
from grader.bulk.autograded import write_autograded
from grader.bulk.course import Assignment, Course, open_course
from grader.bulk.feedback import write_feedback
from grader.bulk.gradebook import Book
from grader.bulk.judge import SUBMISSION_SECONDS, Judge, SubmissionResult
from grader.bulk.rootfiles import class_seed, locked
from grader.bulk.submissions import Handed, find_submissions
from grader.findings import Feedback
from grader.sandbox.client import Limits, Sandbox

BATCH = 50  # submissions in one transaction of the gradebook
Progress = Callable[[int, int, SubmissionResult], None]


@dataclass(frozen=True)
class ClassResult:
    """What became of a class.

    Attributes
    ----------
    root : Path
        The course root, with gradebook.db, autograded/ and feedback/.
    results : tuple of SubmissionResult
        Ordered by student and assignment.
    remarks : tuple of str
        Folders that were passed over, and why.
    secret : bool
        Whether the cases were drawn from a secret seed.
    mechanisms : tuple of str
        What protected this machine from the code that was run.
    """

    root: Path
    results: tuple[SubmissionResult, ...]
    remarks: tuple[str, ...] = ()
    secret: bool = True
    mechanisms: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def to_review(self) -> tuple[SubmissionResult, ...]:
        """Submissions that somebody should look at."""
        return tuple(result for result in self.results if result.review)

    def outcomes(self) -> dict[str, Counter[str]]:
        """For each exercise, how often each outcome occurred."""
        table: dict[str, Counter[str]] = {}
        for result in self.results:
            for report in result.reports:
                table.setdefault(report.exercise, Counter())[report.outcome] += 1
        return table

    def causes(self) -> dict[str, Counter[str]]:
        """For each exercise, how often each key was the root cause."""
        table: dict[str, Counter[str]] = {}
        for result in self.results:
            for report in result.reports:
                counter = table.setdefault(report.exercise, Counter())
                if report.cause is not None:
                    counter[report.cause.key] += 1
        return table


def grade(
    submitted: Path,
    assignments: Collection[str] | None = None,
    students: Collection[str] | None = None,
    seed: int | str | None = None,
    jobs: int | None = None,
    feedback: Feedback = "diagnosis",
    progress: Progress | None = None,
    limits: Limits | None = None,
    seconds: float = SUBMISSION_SECONDS,
) -> ClassResult:
    """Grade submissions in nbgrader's layout.

    Parameters
    ----------
    submitted : Path
        Folder with <student>/<assignment>/<notebook>.ipynb. Its parent is the course root, where
        everything is written.
    assignments, students : collection of str, optional
        Which ones; all by default.
    seed : int or "public", optional
        Instead of the course's own secret one, kept in `.grader_seed`.
    jobs : int, optional
        Submissions at the same time; one per processor by default.
    feedback : {"verdict", "diagnosis", "full"}
        How much learners are told.
    progress : callable, optional
        `progress(done, total, result)` after each submission.
    limits : Limits, optional
        Of one worker.
    seconds : float
        Wall time of one submission.

    Returns
    -------
    ClassResult
        The same for the same submissions and seed.

    Raises
    ------
    GradeError
        With a sentence that says what to do.
    """
    start = time.perf_counter()
    if jobs is not None and jobs < 1:
        raise GradeError(f"jobs is 1 or more, not {jobs}.")
    course = open_course(submitted)
    with locked(course.root):
        found, remarks = find_submissions(course.submitted, assignments, students)
        number, secret = class_seed(course.root, seed)
        needed = {name: course.assignment(name) for name in sorted({h.assignment for h in found})}
        for name in needed:
            course.provide_source(name)
        with Sandbox(limits or Limits()) as sandbox, Book(course) as book:
            mechanisms = _protection(sandbox)
            for assignment in needed.values():
                book.prepare(assignment)
            judge = Judge(sandbox, needed, number, secret, feedback, seconds)
            work = _Work(course, needed, judge, secret)
            results = _all_results(work, found, jobs or _processors(), book, progress)
    taken = time.perf_counter() - start
    return ClassResult(course.root, tuple(results), tuple(remarks), secret, mechanisms, taken)


@dataclass(frozen=True)
class _Work:
    """Everything for one submission except the gradebook, which has one writer."""

    course: Course
    assignments: dict[str, Assignment]
    judge: Judge
    secret: bool

    def __call__(self, handed: Handed) -> SubmissionResult:
        submission, result = self.judge.judge(handed)
        assignment = self.assignments[handed.assignment]
        try:
            write_autograded(self.course, assignment, submission, result)
            write_feedback(self.course, assignment, result, self.secret)
        except OSError as problem:
            raise GradeError(
                f"The results of {handed.student} cannot be written ({problem}). What was graded "
                "before is kept; make room and start again."
            ) from None
        return result


def _all_results(
    work: _Work, found: list[Handed], jobs: int, book: Book, progress: Progress | None
) -> list[SubmissionResult]:
    """Results in the order of `found`; whatever stops the run, what was done before is stored."""
    results: list[SubmissionResult] = []
    batch: list[SubmissionResult] = []

    def store() -> None:
        late = book.write(batch)
        results.extend(replace(r, seconds_late=s) for r, s in zip(batch, late, strict=True))
        batch.clear()

    pool = ThreadPoolExecutor(jobs, "grading")
    try:
        for result in _reported(pool.map(work, found), len(found), progress):
            batch.append(result)
            if len(batch) == BATCH:
                store()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if batch:
            store()
    return results


def _reported(
    stream: Iterator[SubmissionResult], total: int, progress: Progress | None
) -> Iterator[SubmissionResult]:
    for done, result in enumerate(stream, start=1):
        if progress is not None:
            progress(done, total, result)
        yield result


def _protection(sandbox: Sandbox) -> tuple[str, ...]:
    try:
        return tuple(sandbox.mechanisms)
    except RuntimeError as problem:
        raise GradeError(f"Nothing can be graded here: {problem}") from None


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
