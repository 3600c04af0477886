"""Grade a class: every submission under `submitted/`, into gradebook, notebooks and pages."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader import page
from grader.bulk import GradeError
from grader.bulk.autograded import write_autograded
from grader.bulk.course import Assignment, Course, open_course
from grader.bulk.feedback import write_feedback
from grader.bulk.gradebook import Book
from grader.bulk.journal import JOURNAL_FILE, Journal, fingerprint, package_digest
from grader.bulk.judge import SUBMISSION_SECONDS, Judge
from grader.bulk.processes import results as done_in_parallel
from grader.bulk.result import SubmissionResult
from grader.bulk.rootfiles import class_seed, locked
from grader.bulk.shards import Shard, take_over
from grader.bulk.submissions import Handed, find_submissions
from grader.expected import prepare
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
    level : int
        How well, see `grader.sandbox.protection`.
    kept : int
        How many results are from an earlier run.
    """

    root: Path
    results: tuple[SubmissionResult, ...]
    remarks: tuple[str, ...] = ()
    secret: bool = True
    mechanisms: tuple[str, ...] = ()
    level: int = 0
    kept: int = field(default=0, compare=False)
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
    feedback: Feedback | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
    seconds: float = SUBMISSION_SECONDS,
    require_level: int | None = None,
    force: bool = False,
    shard: Shard | None = None,
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
    feedback : {"verdict", "diagnosis", "full"}, optional
        How much learners are told, instead of what `c.Grader.feedback` in the course's
        nbgrader_config.py says ("diagnosis" where it says nothing).
    progress : callable, optional
        `progress(done, total, result)` after each submission.
    limits : Limits, optional
        Of one worker.
    seconds : float
        Wall time of one submission.
    require_level : int, optional
        Least protection to go on with, 0 to 3; 2 on Linux by default, 1 elsewhere.
    force : bool
        Grade anew what the journal has already.
    shard : Shard, optional
        Grade one part of the class and leave the gradebook to the next whole run.

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
    with locked(course.root, shard.lock) if shard else locked(course.root):
        found, remarks = find_submissions(course.submitted, assignments, students)
        found = shard.of(found) if shard else found
        number, secret = class_seed(course.root, seed)
        needed = {name: course.assignment(name) for name in sorted({h.assignment for h in found})}
        for name in needed:
            course.provide_source(name)
        limits = limits or Limits()
        with (
            Sandbox(limits) as sandbox,
            contextlib.nullcontext() if shard else Book(course) as book,
            Journal(course.root / (shard.journal if shard else JOURNAL_FILE)) as journal,
        ):
            mechanisms = _protection(sandbox, require_level)
            if book is not None:
                take_over(course.root, journal)
                for assignment in needed.values():
                    book.prepare(assignment)
            levels = {name: feedback or course.level(name) for name in needed}
            judge = Judge(sandbox, needed, number, secret, levels, seconds)
            work = _Work(course, needed, judge, secret)
            level = sandbox.protection.level
            rules = f"{package_digest()} {number} {secret} {limits} {seconds} {level}"
            rules_of = _rules_of(needed, levels, rules)
            run = _Run(work, book, journal, rules_of, progress, len(found))
            waiting = found if force else run.kept(found)
            if waiting:
                _compute_once(needed, number)
            run.grade(waiting, jobs or _processors())
    taken = time.perf_counter() - start
    return ClassResult(
        course.root,
        run.ordered(),
        tuple(remarks),
        secret,
        mechanisms,
        level,
        len(found) - len(waiting),
        taken,
    )


def _rules_of(
    needed: dict[str, Assignment], levels: dict[str, Feedback], rules: str
) -> dict[str, str]:
    """What a result depends on besides the work: the class's settings and the released notebook."""
    return {name: f"{rules} {levels[name]} {each.cells}" for name, each in needed.items()}


def _compute_once(needed: dict[str, Assignment], seed: int) -> None:
    """Expected values of all exercises, before processes are forked that need them."""
    for assignment in needed.values():
        for exercise in assignment.exercises:
            if exercise.kind != "quiz":
                prepare(exercise, seed)


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
            pages = {report.exercise: page.html(report) for report in result.reports}
            write_autograded(self.course, assignment, submission, result, pages)
            write_feedback(self.course, assignment, result, self.secret, pages)
        except OSError as problem:
            raise GradeError(
                f"The results of {handed.student} cannot be written ({problem}). What was graded "
                "before is kept; make room and start again."
            ) from None
        return result.without_evidence()

    def is_written(self, handed: Handed) -> bool:
        """Whether notebook and page of an earlier grading are still there."""
        part = Path(handed.student) / handed.assignment
        name = self.assignments[handed.assignment].notebook
        return (self.course.autograded / part / f"{name}.ipynb").is_file() and (
            self.course.feedback / part / f"{name}.html"
        ).is_file()


class _Run:
    """One grading: results go to the journal at once and to the gradebook in batches."""

    def __init__(
        self,
        work: _Work,
        book: Book | None,
        journal: Journal,
        rules: dict[str, str],
        progress: Progress | None,
        total: int,
    ):
        self._work = work
        self._book = book
        self._journal = journal
        self._rules = rules
        self._progress = progress
        self._total = total
        self._results: dict[tuple[str, str], SubmissionResult] = {}
        self._batch: list[SubmissionResult] = []

    def ordered(self) -> tuple[SubmissionResult, ...]:
        """All results by student and assignment."""
        return tuple(self._results[key] for key in sorted(self._results))

    def kept(self, found: list[Handed]) -> list[Handed]:
        """Take what the journal has and its files are there for; return the others."""
        others = []
        for handed in found:
            entry = self._journal.find(handed, self._digest(handed))
            if entry is None or not self._work.is_written(handed):
                others.append(handed)
            elif self._book is None or (entry.booked and self._book.has(entry.result)):
                self._note(entry.result)
            else:
                self._add(entry.result)
        self._store()
        return others

    def grade(self, waiting: list[Handed], jobs: int) -> None:
        """Grade the others; whatever stops the run, what was done before is stored."""
        try:
            for handed, result in done_in_parallel(self._work, waiting, jobs):
                self._journal.add(result, self._digest(handed))
                self._add(result)
        finally:
            self._store()

    def _digest(self, handed: Handed) -> str:
        return fingerprint(handed, self._rules[handed.assignment])

    def _add(self, result: SubmissionResult) -> None:
        self._batch.append(result)
        self._note(result)
        if len(self._batch) >= BATCH:
            self._store()

    def _note(self, result: SubmissionResult) -> None:
        self._results[result.student, result.assignment] = result
        if self._progress is not None:
            self._progress(len(self._results), self._total, result)

    def _store(self) -> None:
        batch, self._batch = self._batch, []
        if not batch or self._book is None:
            return
        late = self._book.write(batch)
        dated = [replace(r, seconds_late=s) for r, s in zip(batch, late, strict=True)]
        self._journal.mark_booked(dated)
        self._results |= {(r.student, r.assignment): r for r in dated}


def _protection(sandbox: Sandbox, require_level: int | None) -> tuple[str, ...]:
    """What is in force; refuses to go on with less than is required."""
    wanted = require_level
    if wanted is None:
        wanted = 2 if sys.platform == "linux" else 1
    try:
        mechanisms = tuple(sandbox.mechanisms)
    except RuntimeError as problem:
        raise GradeError(f"Nothing can be graded here: {problem}") from None
    if shortfall := sandbox.protection.shortfall(wanted):
        raise GradeError(shortfall)
    return mechanisms


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
