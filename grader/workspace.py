"""A learner's working copy of the course: made once, never overwritten, restored on request."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.exercises import UnknownName, get
from grader.store import FOLDER, Store


class WorkspaceError(ValueError):
    """The working copy cannot do what was asked; the message says what to do."""


def released() -> Path:
    """The folder of learners' notebooks: in a checkout, or inside the installed package."""
    package = Path(__file__).resolve().parent
    for place in (package.parent / "course", package / "_data" / "course"):
        if place.is_dir():
            return place
    raise WorkspaceError("The course's notebooks are missing; install the package again.")


@dataclass(frozen=True)
class Workspace:
    """A working copy in `folder`."""

    folder: Path

    def fill(self) -> list[Path]:
        """Copy every notebook that is not there yet; what is there stays as it is."""
        try:
            return self._fill()
        except OSError as problem:
            raise WorkspaceError(
                f"The working copy {self.folder} cannot be written: {problem.strerror}."
            ) from None

    def _fill(self) -> list[Path]:
        made = []
        for source in sorted(released().rglob("*.ipynb")):
            target = self.folder / source.relative_to(released())
            if not target.exists() and ".ipynb_checkpoints" not in source.parts:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                made.append(target)
        (self.folder / FOLDER).mkdir(parents=True, exist_ok=True)
        return made

    def reset(self, name: str) -> tuple[Path, Path]:
        """Restore one exercise or one notebook; the old notebook is kept.

        Parameters
        ----------
        name : str
            An exercise, or a notebook's name with or without `.ipynb`.

        Returns
        -------
        notebook, backup : Path

        Raises
        ------
        WorkspaceError, UnknownName
        """
        if not (self.folder / FOLDER).is_dir():
            raise WorkspaceError(
                f"{self.folder} is no working copy of the course; `grader lab` makes one."
            )
        stem = name.removesuffix(".ipynb")
        for source in released().rglob("*.ipynb"):
            if source.stem == stem:
                target = self.folder / source.relative_to(released())
                backup = self._keep(target)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                return target, backup
        return self._reset_exercise(name)

    def _reset_exercise(self, name: str) -> tuple[Path, Path]:
        exercise = get(name)
        relative = Path(exercise.chapter) / f"{exercise.chapter}_exercises.ipynb"
        target = self.folder / relative
        fresh = _cell(_read(released() / relative), name)
        if not target.exists():
            raise WorkspaceError(f"{target} is missing; `grader reset {target.stem}` brings it.")
        notebook = _read(target)
        try:
            cell = _cell(notebook, name)
        except UnknownName:
            raise WorkspaceError(
                f"The cell of {name} is gone from {target.name}; "
                f"`grader reset {target.stem}` restores the whole notebook."
            ) from None
        backup = self._keep(target)
        cell["source"], cell["outputs"], cell["execution_count"] = fresh["source"], [], None
        target.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")
        Store(self.folder).forget(name)
        return target, backup

    def _keep(self, path: Path) -> Path:
        """Copy a notebook aside before it is changed."""
        folder = self.folder / FOLDER / "before_reset"
        folder.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%d-%H%M%S")
        backup = folder / f"{path.stem}.{stamp}.ipynb"
        while backup.exists():
            backup = backup.with_name(f"{backup.stem}+.ipynb")
        if path.exists():
            shutil.copyfile(path, backup)
        return backup


def find_workspace(start: Path | None = None) -> Workspace:
    """The working copy that `start` lies in, or the one beside it called `my_course`."""
    here = (start or Path.cwd()).resolve()
    places: Iterator[Path] = iter((here, *here.parents))
    for place in places:
        for folder in (place, place / "my_course"):
            if (folder / FOLDER).is_dir():
                return Workspace(folder)
    return Workspace(default_folder())


def default_folder() -> Path:
    """`my_course` in the checkout, or in the current folder where the package is installed."""
    root = Path(__file__).resolve().parent.parent
    return (root if (root / "course").is_dir() else Path.cwd()) / "my_course"


def _read(path: Path) -> dict:
    try:
        notebook = json.loads(path.read_text("utf-8"))
        if not all(isinstance(cell, dict) for cell in notebook["cells"]):
            raise ValueError
        return notebook
    except (OSError, ValueError, TypeError, KeyError):
        raise WorkspaceError(
            f"{path.name} cannot be read; `grader reset {path.stem}` restores it."
        ) from None


def _cell(notebook: dict, name: str) -> dict:
    for cell in notebook.get("cells", []):
        if cell.get("metadata", {}).get("nbgrader", {}).get("grade_id") == f"{name}-answer":
            return cell
    raise UnknownName(f"There is no cell for {name!r}.")
