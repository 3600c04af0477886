"""Scores and comments into nbgrader's gradebook, through nbgrader's own models.

nbgrader's API makes one transaction per row and student. A class is written in batches here:
one read of what is there, then inserts and updates of many rows at once.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.bulk import GradeError
from grader.bulk.batch import Batch
from grader.bulk.course import Assignment, Course
from grader.bulk.result import SubmissionResult


@dataclass
class _Shelf:
    """Ids of one assignment's rows, read once."""

    assignment: Assignment
    assignment_id: str
    notebook_id: str
    duedate: Any
    graded: dict[str, str]  # name of a cell with a grade -> its id
    commented: dict[str, str]
    # by student: id, extension, time of handing in
    submissions: dict[str, tuple[str, Any, Any]] = field(default_factory=dict)
    notebooks: dict[str, tuple[str, bool]] = field(default_factory=dict)  # -> id, flagged
    grades: dict[tuple[str, str], Any] = field(default_factory=dict)
    comments: dict[tuple[str, str], str] = field(default_factory=dict)


class Book:
    """The gradebook of a course; one writer at a time.

    Parameters
    ----------
    course : Course
        Its `gradebook.db` is made where missing.
    """

    def __init__(self, course: Course):
        from nbgrader.api import Gradebook

        self._course = course
        self._shelves: dict[str, _Shelf] = {}
        self._students: set[str] = set()
        with _told(course):
            _note_version(course.db_url)
            self._book = Gradebook(course.db_url, course.course_id)
        self._db = self._book.db

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *problem: object) -> None:
        self._book.close()

    # --- the assignment ---------------------------------------------------------------------------

    def prepare(self, assignment: Assignment) -> None:
        """Make the rows of assignment, notebook and cells, where they are missing."""
        from nbgrader.api import MissingEntry, Student

        with _told(self._course):
            try:
                row = self._book.find_assignment(assignment.name)
            except MissingEntry:
                row = self._book.add_assignment(assignment.name)
            notebook = self._notebook(assignment)
            graded = {c.name: c.id for c in [*notebook.grade_cells, *notebook.task_cells]}
            commented = {c.name: c.id for c in [*notebook.solution_cells, *notebook.task_cells]}
            shelf = _Shelf(assignment, row.id, notebook.id, row.duedate, graded, commented)
            self._read(shelf)
            self._students = {name for (name,) in self._db.query(Student.id)}
            self._db.commit()
        self._shelves[assignment.name] = shelf

    def _notebook(self, assignment: Assignment) -> Any:
        from nbgrader.api import MissingEntry

        kernel = json.dumps(assignment.metadata.get("kernelspec", {}))
        name = assignment.notebook
        try:
            notebook = self._book.find_notebook(name, assignment.name)
        except MissingEntry:
            notebook = self._book.add_notebook(name, assignment.name, kernelspec=kernel)
        here = {(cell.type, cell.name) for cell in notebook._base_cells}
        wanted = {(type(cell).__name__, cell.name) for cell in _rows(assignment, notebook.id)}
        if extra := sorted(name for _, name in here - wanted):
            if notebook.submissions:
                raise GradeError(
                    f"{self._course.db_url} has grades for cells that {name}.ipynb no longer "
                    f"holds ({', '.join(extra[:3])}). Use the notebook of that time, or move "
                    "the gradebook away and grade anew."
                )
            self._book.remove_notebook(name, assignment.name)
            notebook = self._book.add_notebook(name, assignment.name, kernelspec=kernel)
            here = set()
        new = [c for c in _rows(assignment, notebook.id) if (type(c).__name__, c.name) not in here]
        self._db.add_all(new)
        self._update_sources(assignment, notebook)
        self._db.commit()
        return notebook

    def _update_sources(self, assignment: Assignment, notebook: Any) -> None:
        """What nbgrader's own autograde puts back into locked cells; points of graded ones."""
        from nbgrader.api import SourceCell

        sources = {cell.name: cell for cell in notebook.source_cells}
        graded = {cell.name: cell for cell in notebook.grade_cells}
        for name, cell in assignment.marked.items():
            row = sources.get(name)
            if row is None:
                row = SourceCell(name=name, notebook_id=notebook.id)
                self._db.add(row)
            locked = bool(cell.marks.get("locked"))
            now = (cell.kind, cell.source, locked, cell.marks.get("checksum"))
            if (row.cell_type, row.source, row.locked, row.checksum) != now:
                row.cell_type, row.source, row.locked, row.checksum = now
            if name in graded and graded[name].max_score != float(cell.marks["points"]):
                graded[name].max_score = float(cell.marks["points"])

    def _read(self, shelf: _Shelf) -> None:
        """What earlier gradings have left."""
        from nbgrader.api import Comment, Grade, SubmittedAssignment, SubmittedNotebook

        db = self._db
        sent = SubmittedAssignment
        rows = db.query(sent.student_id, sent.id, sent.extension, sent.timestamp)
        for student, *about in rows.filter(sent.assignment_id == shelf.assignment_id):
            shelf.submissions[student] = tuple(about)
        nb = SubmittedNotebook
        rows = db.query(nb.assignment_id, nb.id, nb.flagged)
        for number, notebook, flagged in rows.filter(nb.notebook_id == shelf.notebook_id):
            shelf.notebooks[number] = notebook, bool(flagged)
        fields = Grade.notebook_id, Grade.cell_id, Grade.id, Grade.auto_score, Grade.manual_score
        mine = Grade.cell_id.in_(list(shelf.graded.values()))
        for notebook, cell, *rest in db.query(*fields, Grade.needs_manual_grade).filter(mine):
            shelf.grades[notebook, cell] = rest
        mine = Comment.cell_id.in_(list(shelf.commented.values()))
        for notebook, cell, number in db.query(
            Comment.notebook_id, Comment.cell_id, Comment.id
        ).filter(mine):
            shelf.comments[notebook, cell] = number

    def has(self, result: SubmissionResult) -> bool:
        """Whether this result is here, handed in at the same time and as late as it says."""
        shelf = self._shelves[result.assignment]
        if result.student not in shelf.submissions:
            return False
        _, extension, handed_in = shelf.submissions[result.student]
        late = _seconds_late(result, shelf.duedate, extension)
        return handed_in == result.timestamp and late == result.seconds_late

    def totals(self) -> list[tuple[str, str, float, float]]:
        """Student, assignment, score (penalties taken off) and best score of every submission."""
        with _told(self._course):
            return [
                (
                    one.student_id,
                    assignment.name,
                    max(0.0, one.score - (one.late_submission_penalty or 0.0)),
                    assignment.max_score,
                )
                for assignment in self._book.assignments
                for one in assignment.submissions
            ]

    # --- results ----------------------------------------------------------------------------------

    def write(self, results: Sequence[SubmissionResult]) -> list[float]:
        """Store a batch in one transaction.

        Returns
        -------
        list of float
            For each result, the seconds it is late after the gradebook's due date.
        """
        batch = Batch()
        late = [self._add(result, batch) for result in results]
        with _told(self._course):
            batch.store(self._db)
        return late

    def _add(self, result: SubmissionResult, batch: Batch) -> float:
        from nbgrader.api import new_uuid

        shelf = self._shelves[result.assignment]
        if result.student not in self._students:
            self._students.add(result.student)
            batch.students.append({"id": result.student})
        if result.student not in shelf.submissions:
            shelf.submissions[result.student] = new_uuid(), None, result.timestamp
            to = batch.submissions
        else:
            to = batch.changed_submissions
        number, extension, handed_in = shelf.submissions[result.student]
        whose = {"assignment_id": shelf.assignment_id, "student_id": result.student}
        to.append({"id": number, "timestamp": result.timestamp, **whose})
        late = _seconds_late(result, shelf.duedate, extension)
        if number not in shelf.notebooks:
            shelf.notebooks[number] = new_uuid(), False
            row = {"id": shelf.notebooks[number][0], "notebook_id": shelf.notebook_id}
            batch.notebooks.append({**row, "assignment_id": number, "flagged": False})
        notebook, flagged = shelf.notebooks[number]
        penalty = self._penalty(result, late)
        marks = {"flagged": flagged or result.review, "late_submission_penalty": penalty}
        batch.changed_notebooks.append({"id": notebook, **marks})
        self._add_grades(result, shelf, notebook, batch, handed_in != result.timestamp)
        return late

    def _add_grades(
        self,
        result: SubmissionResult,
        shelf: _Shelf,
        notebook: str,
        batch: Batch,
        handed_in_anew: bool,
    ) -> None:
        points = {report.exercise: report.points for report in result.reports}
        comments = {f"{r.exercise}-answer": r.comment() for r in result.reports}
        by_hand = set(shelf.assignment.by_hand)
        for name, cell in shelf.graded.items():
            auto: float | None = points.get(name, 0.0)
            if name in by_hand and (name in result.answered or not _is_open(shelf, name)):
                auto = None  # somebody has to read it
            self._add_grade(shelf, (notebook, cell), auto, batch, handed_in_anew)
        for name, cell in shelf.commented.items():
            silent = name in by_hand and name not in result.answered
            text = "No response." if silent else comments.get(name)
            self._add_comment(shelf, (notebook, cell), text, batch)

    def _add_grade(
        self,
        shelf: _Shelf,
        key: tuple[str, str],
        auto: float | None,
        batch: Batch,
        handed_in_anew: bool,
    ) -> None:
        from nbgrader.api import new_uuid

        if key not in shelf.grades:
            shelf.grades[key] = [new_uuid(), auto, None, auto is None]
            row = {"id": shelf.grades[key][0], "notebook_id": key[0], "cell_id": key[1]}
            batch.grades.append({**row, "auto_score": auto, "needs_manual_grade": auto is None})
            return
        number, before, manual, needs = shelf.grades[key]
        if manual is not None:
            # a person's score stands; where the work has changed, the person is asked again
            needs = needs or before != auto or handed_in_anew
        else:
            needs = auto is None
        shelf.grades[key] = [number, auto, manual, needs]
        row = {"id": number, "auto_score": auto, "needs_manual_grade": needs}
        batch.changed_grades.append(row)

    def _add_comment(
        self, shelf: _Shelf, key: tuple[str, str], text: str | None, batch: Batch
    ) -> None:
        from nbgrader.api import new_uuid

        if key in shelf.comments:
            batch.changed_comments.append({"id": shelf.comments[key], "auto_comment": text})
            return
        shelf.comments[key] = new_uuid()
        row = {"id": shelf.comments[key], "notebook_id": key[0], "cell_id": key[1]}
        batch.comments.append({**row, "auto_comment": text})

    def _penalty(self, result: SubmissionResult, late: float) -> float | None:
        """The course's own rule for late submissions; nbgrader's default takes nothing off."""
        if late <= 0:
            return None
        from nbgrader.preprocessors import AssignLatePenalties

        step = AssignLatePenalties(config=self._course.config)
        step.init_plugin()
        points = result.points
        penalty = step.plugin_inst.late_submission_penalty(result.student, points, late)
        return None if penalty is None else min(max(float(penalty), 0.0), points)


def _rows(assignment: Assignment, notebook_id: str) -> Iterator[Any]:
    """Cells of the gradebook, as nbgrader's own `SaveCells` would make them."""
    from nbgrader.api import GradeCell, SolutionCell, TaskCell

    for name, cell in assignment.marked.items():
        about = {"name": name, "notebook_id": notebook_id}
        worth = {"max_score": float(cell.marks.get("points", 0)), "cell_type": cell.kind}
        if cell.marks.get("grade"):
            yield GradeCell(**about, **worth)
        if cell.marks.get("solution"):
            yield SolutionCell(**about)
        if cell.marks.get("task"):
            yield TaskCell(**about, **worth)


def _is_open(shelf: _Shelf, name: str) -> bool:
    return bool(shelf.assignment.marked[name].marks.get("solution"))


def _seconds_late(result: SubmissionResult, duedate: Any, extension: Any) -> float:
    if result.timestamp is None or duedate is None:
        return 0.0
    end = duedate + extension if extension is not None else duedate
    return max(0.0, float((result.timestamp - end).total_seconds()))


def _note_version(db_url: str) -> None:
    """Write the version into an empty database; nbgrader makes the other tables.

    nbgrader would start a process to ask for it, which takes two seconds.
    """
    import nbgrader
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine, inspect, text

    engine = create_engine(db_url)
    try:
        if inspect(engine).get_table_names():
            return
        head = ScriptDirectory(str(Path(nbgrader.__file__).parent / "alembic")).get_current_head()
        with engine.begin() as db:
            db.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
            db.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": head})
    finally:
        engine.dispose()


@contextlib.contextmanager
def _told(course: Course) -> Iterator[None]:
    """Turn a database's error into a sentence."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SQLAlchemy's remarks on nbgrader's models
            yield
    except (SQLAlchemyError, OSError) as problem:
        reason = str(problem).splitlines()[0][:200]
        raise GradeError(
            f"The gradebook {course.db_url} cannot be used: {reason}. If formgrader is busy with "
            "it, try again; if nbgrader was updated, run `nbgrader db upgrade` (make a copy first)."
        ) from None
