"""What was handed in: nbgrader's folders `submitted/<student>/<assignment>/<notebook>.ipynb`.

Nothing here raises for anything a learner can hand in: a submission has cells, or a `problem`.
"""

from __future__ import annotations

import datetime
import difflib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from grader.bulk import GradeError
from grader.bulk.course import Assignment, Cell
from grader.bulk.notebooks import Unreadable, read_notebook
from grader.exercises import UnknownName, chapters, get_chapter

_BINDING = re.compile(r"^(?:def|class|async def)\s+(\w+)|^(\w+)\s*=(?!=)", re.MULTILINE)
_MAX_TRIED = 20  # notebooks looked at when none has the right name


@dataclass(frozen=True, order=True)
class Handed:
    """A folder `submitted/<student>/<assignment>`."""

    student: str
    assignment: str
    folder: Path = field(compare=False)


@dataclass(frozen=True)
class Submission:
    """One notebook that was handed in, or why there is none.

    Attributes
    ----------
    cells : tuple of Cell
        Empty if there is a problem.
    problem : str
        Why nothing can be graded.
    reasons : tuple of str
        What else was found.
    review : bool
        Whether somebody should look at it.
    timestamp : datetime, optional
        In UTC without a time zone, as nbgrader stores it.
    """

    student: str
    assignment: str
    cells: tuple[Cell, ...] = ()
    problem: str = ""
    reasons: tuple[str, ...] = ()
    review: bool = False
    timestamp: datetime.datetime | None = None

    @property
    def code(self) -> tuple[str, ...]:
        """Sources of the code cells, in order."""
        return tuple(cell.source for cell in self.cells if cell.kind == "code")


def find_submissions(
    submitted: Path,
    assignments: Collection[str] | None = None,
    students: Collection[str] | None = None,
) -> tuple[list[Handed], list[str]]:
    """Folders to grade, ordered by student and assignment, and remarks on what was passed over.

    Parameters
    ----------
    assignments : collection of str, optional
        Chapters by name, number or topic; all by default.
    students : collection of str, optional

    Raises
    ------
    GradeError
        If an assignment or student asked for is not there.
    """
    wanted = {_chapter(name) for name in assignments} if assignments else None
    known = [chapter.name for chapter in chapters()]
    found: list[Handed] = []
    remarks: list[str] = []
    seen: set[str] = set()
    for folder in _folders(submitted, remarks):
        seen.add(folder.name)
        if students and folder.name not in students:
            continue
        for part in _folders(folder, remarks):
            if part.name not in known:
                near = difflib.get_close_matches(part.name, known, 1)
                more = f" Is it {near[0]}?" if near else ""
                remarks.append(
                    f"{folder.name}/{part.name} was passed over: no chapter has this name.{more}"
                )
            elif wanted is None or part.name in wanted:
                found.append(Handed(folder.name, part.name, part))
    missing = sorted(set(students or ()) - seen)
    if missing:
        raise GradeError(f"{submitted} has no folder for {', '.join(missing)}.")
    if not found:
        which = f" for {', '.join(sorted(wanted))}" if wanted else ""
        raise GradeError(
            f"{submitted} holds no submissions{which}. They are expected as "
            "<student>/<assignment>/<notebook>.ipynb, with assignments such as 02_backprop."
        )
    return sorted(found), remarks


def _chapter(name: str) -> str:
    try:
        return get_chapter(name).name
    except UnknownName as problem:
        raise GradeError(str(problem)) from None


def _folders(place: Path, remarks: list[str]) -> list[Path]:
    """Subfolders that are no links and not hidden, by name."""
    found = []
    try:
        entries = sorted(os.scandir(place), key=lambda entry: entry.name)
    except OSError as problem:
        remarks.append(f"{place.name} was passed over: {problem.strerror}.")
        return []
    for entry in entries:
        shown = f"{place.name}/{entry.name}".encode("utf-8", "replace").decode()
        if entry.name.startswith("."):
            continue
        if entry.is_symlink():
            remarks.append(f"{shown} was passed over: it is a link.")
        elif entry.is_dir():
            try:
                entry.name.encode("utf-8")
            except UnicodeEncodeError:
                remarks.append(f"{shown} was passed over: its name is not valid text.")
                continue
            found.append(Path(entry.path))
    return found


# --- one submission ------------------------------------------------------------------------------


def read_submission(handed: Handed, assignment: Assignment) -> Submission:
    """Read what lies in a folder. Never raises."""
    timestamp, remark = read_timestamp(handed.folder)
    reasons = [remark] if remark else []

    def submission(
        problem: str = "", cells: Iterable[Cell] = (), review: bool = True
    ) -> Submission:
        return Submission(
            handed.student,
            handed.assignment,
            tuple(cells),
            problem,
            tuple(reasons),
            review,
            timestamp,
        )

    try:
        cells = _read(handed.folder, assignment, reasons)
    except Unreadable as problem:
        return submission(str(problem))
    except Exception as problem:  # whatever it is, one folder must not stop a class
        return submission(f"The submission cannot be read ({type(problem).__name__}).")
    odd = bool(reasons)
    if foreign := _not_this_chapter(cells, assignment):
        return submission(foreign)
    found, serious = _compared(cells, assignment)
    reasons += found
    return submission("", cells, odd or serious)


def _read(folder: Path, assignment: Assignment, reasons: list[str]) -> list[Cell]:
    """Cells of the notebook with the right name; failing that, of the one that looks like it."""
    right = folder / f"{assignment.notebook}.ipynb"
    if os.path.lexists(right) and not right.is_dir():
        cells, remarks = read_notebook(right, folder)
        reasons += remarks
        return cells
    others = _other_notebooks(folder)
    if not others:
        what = "a folder has its name" if right.is_dir() else "the folder holds none"
        raise Unreadable(f"There is no notebook {assignment.notebook}.ipynb: {what}.")
    candidates = []
    for path in others[:_MAX_TRIED]:
        try:
            cells, remarks = read_notebook(path, folder)
        except Unreadable:
            continue
        alike = len({cell.grade_id for cell in cells} & set(assignment.marked))
        if alike:
            candidates.append((alike, path.name, cells, remarks))
    if not candidates:
        raise Unreadable(
            f"There is no notebook {assignment.notebook}.ipynb, and {others[0].name!r} holds no "
            "exercises of this chapter."
        )
    most = max(alike for alike, *_ in candidates)
    best = [candidate for candidate in candidates if candidate[0] == most]
    if len(best) > 1:
        names = " and ".join(repr(name) for _, name, *_ in best[:3])
        raise Unreadable(
            f"There is no notebook {assignment.notebook}.ipynb, and {names} could both be meant."
        )
    _, name, cells, remarks = best[0]
    reasons.append(f"The notebook was handed in as {name!r}; it is graded all the same.")
    reasons += remarks
    return cells


def _other_notebooks(folder: Path) -> list[Path]:
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    return [
        Path(entry.path)
        for entry in entries
        if entry.name.lower().endswith(".ipynb")
        and not entry.name.startswith(".")
        and not entry.is_dir()
    ]


def _not_this_chapter(cells: list[Cell], assignment: Assignment) -> str:
    if any(cell.grade_id in assignment.marked for cell in cells):
        return ""
    names = set().union(*(_defined(cell.source) for cell in cells if cell.kind == "code"))
    if any(exercise.name in names for exercise in assignment.exercises):
        return ""
    return (
        f"The notebook holds none of the exercises of {assignment.name}. "
        "It may belong to another chapter or course."
    )


def _defined(source: str) -> set[str]:
    """Names that a cell seems to bind at its top level; good enough for cells that do not parse."""
    return {name for pair in _BINDING.findall(source) for name in pair if name}


def defining_cell(cells: Iterable[str], name: str) -> int | None:
    """Number of the last code cell, from 1, that seems to define `name`."""
    numbers = [i for i, source in enumerate(cells, start=1) if name in _defined(source)]
    return numbers[-1] if numbers else None


def _compared(cells: list[Cell], assignment: Assignment) -> tuple[list[str], bool]:
    """What differs from the released notebook, and whether somebody should look at it."""
    count = Counter(cell.grade_id for cell in cells if cell.grade_id in assignment.marked)
    if not count:
        return ["No cell carries its mark any more; functions were found by their names."], True
    found = []
    twice = [name for name, n in count.items() if n > 1]
    if twice:
        found.append(f"Cells exist more than once ({_names(twice)}); the last one counts.")
    checks = {exercise.name for exercise in assignment.exercises}
    bound = Counter(name for c in cells if c.kind == "code" for name in _defined(c.source))
    again = [exercise.name for exercise in assignment.exercises if bound[exercise.name] > 1]
    remarks = []
    if again and not twice:
        remarks.append(f"{_names(again)}: defined in more than one cell; the last one counts.")
    changed = [
        cell.grade_id
        for cell in cells
        if cell.grade_id in checks
        and cell.source.strip() != assignment.marked[cell.grade_id].source.strip()
    ]
    if changed:
        found.append(
            f"The check cell of {_names(dict.fromkeys(changed))} was changed; what it says now "
            "does not count."
        )
    gone = [exercise.name for exercise in assignment.exercises if exercise.name not in count]
    if gone:
        found.append(f"The check cell of {_names(gone)} is missing; the check was made without it.")
    return found + remarks, bool(found)


def _names(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return ", ".join(f"`{name}`" for name in shown[:5]) + more


def read_timestamp(folder: Path) -> tuple[datetime.datetime | None, str]:
    """The time in `timestamp.txt` as nbgrader reads it, and a remark if it cannot be read."""
    from nbgrader.utils import parse_utc

    path = folder / "timestamp.txt"
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > 1000:
            return None, "timestamp.txt is not usable." if os.path.lexists(path) else ""
        text = path.read_text("utf-8").strip()
        return (parse_utc(text), "") if text else (None, "")
    except Exception:  # dateutil raises many things
        return None, "timestamp.txt does not hold a time; the submission counts as undated."
