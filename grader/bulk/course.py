"""The course root: where things lie, and which notebook belongs to an assignment.

Whatever is missing beside `submitted/` is made.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from grader.bulk import GradeError
from grader.bulk.rootfiles import writing
from grader.exercise import Exercise
from grader.exercises import UnknownName, chapters, match_chapter
from grader.findings import Feedback
from grader.given import sources_before

CONFIG_FILE = "nbgrader_config.py"
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Cell:
    """A cell, reduced to what grading needs.

    `marks` is nbgrader's metadata; filled in only where it comes from the course's own notebook.
    """

    kind: str
    source: str
    grade_id: str = ""
    marks: dict[str, Any] = field(default_factory=dict)
    attachments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Assignment:
    """A chapter's exercise notebook as it was released.

    Attributes
    ----------
    name, notebook : str
        "02_backprop" and "02_backprop_exercises".
    cells : tuple of Cell
        Of the released notebook, with nbgrader's marks.
    exercises : tuple of Exercise
        Those with a graded check cell, in the notebook's order.
    by_hand : tuple of str
        Ids of graded cells that no check decides: open questions, cells that an instructor added.
    given : dict
        Sources of what a submission may import, by module name.
    """

    name: str
    notebook: str
    cells: tuple[Cell, ...]
    metadata: dict[str, Any]
    exercises: tuple[Exercise, ...]
    by_hand: tuple[str, ...]
    given: dict[str, str]

    @cached_property
    def marked(self) -> dict[str, Cell]:
        """Cells with an id, by id."""
        return {cell.grade_id: cell for cell in self.cells if cell.grade_id}

    @property
    def max_points(self) -> float:
        """Points that checks decide; open questions come on top."""
        return float(sum(exercise.points for exercise in self.exercises))


@dataclass(frozen=True)
class Course:
    """Folders and configuration of one course root; made by `open_course`."""

    root: Path
    submitted: Path
    source: Path
    release: Path
    autograded: Path
    feedback: Path
    db_url: str
    course_id: str
    levels: dict[str, Feedback]
    config: Any = field(repr=False)

    def level(self, assignment: str) -> Feedback:
        """How much learners are told: `c.Grader.feedback`, for all assignments or by name."""
        return self.levels.get(assignment, self.levels.get("", "diagnosis"))

    def assignment(self, name: str) -> Assignment:
        """Read the released notebook of an assignment.

        Raises
        ------
        GradeError
            If there is none.
        """
        notebook = f"{name}_exercises"
        places = [self.release / name, *_course_places("course", name)]
        found = next((p / f"{notebook}.ipynb" for p in places if _is_there(p, notebook)), None)
        if found is None:
            raise GradeError(
                f"There is no released notebook {name}/{notebook}.ipynb in {self.release} or in "
                "the package. Make it with `grader build`."
            )
        return _read_released(found, name, notebook)

    def provide_source(self, name: str) -> None:
        """Copy the assignment's notebook to `source/`, where formgrader looks for it."""
        folder = self.source / name
        if folder.is_dir():
            return
        notebook = f"{name}_exercises"
        places = [*_course_places("solutions", name), self.release / name]
        places += _course_places("course", name)
        found = next((place for place in places if _is_there(place, notebook)), None)
        if found is not None:
            folder.mkdir(parents=True)
            shutil.copyfile(found / f"{notebook}.ipynb", folder / f"{notebook}.ipynb")


def open_course(submitted: Path) -> Course:
    """Find the course root around `submitted`; write a configuration where there is none.

    Raises
    ------
    GradeError
        If the folder is not there, or the configuration cannot be used.
    """
    submitted = Path(os.path.abspath(submitted))
    if not submitted.is_dir():
        raise GradeError(
            f"{submitted} is not a folder. Give the folder that holds "
            "<student>/<assignment>/<notebook>.ipynb."
        )
    if (submitted / "submitted").is_dir():
        raise GradeError(f"{submitted} is the course's root; give {submitted / 'submitted'}.")
    root = submitted.parent
    config_file = root / CONFIG_FILE
    if not config_file.exists():
        with writing(config_file):
            config_file.write_text(_config_text(root, submitted.name), "utf-8")
    return _configured(root, submitted)


def _configured(root: Path, submitted: Path) -> Course:
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config.loader import PyFileConfigLoader

    try:
        config = PyFileConfigLoader(CONFIG_FILE, path=str(root)).load_config()
        config.CourseDirectory.root = str(root)
        directory = CourseDirectory(config=config)
        db_url, structure = str(directory.db_url), str(directory.directory_structure)
    except Exception as problem:  # it is a program: anything may go wrong in it
        raise GradeError(
            f"{root / CONFIG_FILE} cannot be used: {type(problem).__name__}: {problem}"
        ) from None
    wanted = os.path.join("{nbgrader_step}", "{student_id}", "{assignment_id}")
    if structure != wanted:
        raise GradeError(
            f"{root / CONFIG_FILE} sets directory_structure to {structure!r}; "
            f"grading works with {wanted!r} only."
        )
    return Course(
        root=root,
        submitted=submitted,
        source=root / directory.source_directory,
        release=root / directory.release_directory,
        autograded=root / directory.autograded_directory,
        feedback=root / directory.feedback_directory,
        db_url=db_url,
        course_id=str(directory.course_id),
        levels=_feedback_levels(config, root / CONFIG_FILE),
        config=config,
    )


def _feedback_levels(config: Any, file: Path) -> dict[str, Feedback]:
    """`c.Grader.feedback` as levels by assignment; "" is all the others."""
    setting = config.Grader.get("feedback", {})
    levels = setting if isinstance(setting, dict) else {"": setting}
    table: dict[str, Feedback] = {}
    for name, level in levels.items():
        if level not in get_args(Feedback):
            raise GradeError(
                f"{file} sets c.Grader.feedback to {setting!r}; it is 'verdict', 'diagnosis' or "
                "'full', or a dict such as {'02_backprop': 'verdict'}."
            )
        try:
            full = match_chapter(name, [c.name for c in chapters()]) if name else ""
        except (UnknownName, AttributeError, TypeError) as problem:
            raise GradeError(f"{file} sets c.Grader.feedback for {name!r}. {problem}") from None
        table[full] = level
    return table


def _config_text(root: Path, submitted: str) -> str:
    ours = (root / "solutions").is_dir()
    lines = [
        '"""Made by `grader grade`: how nbgrader\'s commands find this course."""',
        "",
        "c = get_config()  # noqa: F821",
        'c.CourseDirectory.notebook_id = "*_exercises"',
    ]
    if ours:
        lines.append('c.CourseDirectory.source_directory = "solutions"')
        lines.append('c.CourseDirectory.release_directory = "course"')
    if submitted != "submitted":
        lines.append(f"c.CourseDirectory.submitted_directory = {submitted!r}")
    return "\n".join(lines) + "\n"


# --- the released notebook -----------------------------------------------------------------------


def _course_places(kind: str, name: str) -> list[Path]:
    """Where the package keeps its notebooks: inside a wheel, or beside it in a checkout."""
    places = [_PACKAGE / "_data" / kind / name]
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        places.append(_PACKAGE.parent / kind / name)
    return places


def package_notebook(kind: str, name: str) -> Path | None:
    """The package's own exercise notebook of a chapter; `kind` is "course" or "solutions"."""
    for place in _course_places(kind, name):
        if _is_there(place, f"{name}_exercises"):
            return place / f"{name}_exercises.ipynb"
    return None


def _is_there(folder: Path, notebook: str) -> bool:
    return (folder / f"{notebook}.ipynb").is_file()


def _read_released(path: Path, name: str, notebook: str) -> Assignment:
    try:
        data = json.loads(path.read_text("utf-8"))
        cells = tuple(_released_cell(cell) for cell in data["cells"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        raise GradeError(
            f"{path} is damaged ({problem}). Make it again with `grader build`."
        ) from None
    graded = [cell for cell in cells if cell.marks.get("grade")]
    known = {e.name: e for chapter in chapters() for e in chapter if chapter.name == name}
    checked = [c for c in graded if c.grade_id in known and not c.marks.get("solution")]
    exercises = tuple(known[cell.grade_id] for cell in checked)
    if not exercises:
        raise GradeError(f"{path} has no graded check cell of chapter {name}.")
    by_hand = tuple(c.grade_id for c in graded if c not in checked)
    by_hand += tuple(c.grade_id for c in cells if c.marks.get("task"))
    metadata = data.get("metadata", {})
    given = {"grader.nn": sources_before(name)}
    return Assignment(name, notebook, cells, metadata, exercises, by_hand, given)


def _released_cell(data: dict[str, Any]) -> Cell:
    source = data["source"]
    text = source if isinstance(source, str) else "".join(source)
    marks = data["metadata"].get("nbgrader", {})
    return Cell(data["cell_type"], text, marks.get("grade_id", ""), marks)
