"""The course's folders: build what lies in `solutions/`, and prove that nothing has drifted."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.build import BEGIN, END, build_text, source_of, to_bytes
from grader.exercise import Exercise
from grader.exercises import all_exercises, chapters, match_chapter
from grader.proof import prove


class CourseError(ValueError):
    """Something about the folders is not as it must be; the message says what to do."""


@dataclass(frozen=True)
class Course:
    """A checkout of the course.

    Attributes
    ----------
    root : Path
        The folder that holds `solutions/` and `course/`.
    """

    root: Path

    @property
    def solutions(self) -> Path:
        return self.root / "solutions"

    @property
    def learners(self) -> Path:
        return self.root / "course"

    def texts(self, names: Iterable[str] = ()) -> list[Path]:
        """Text notebooks of the chapters named (all, if none is), in order.

        Raises
        ------
        UnknownName
            For a name that is no chapter; with the nearest one.
        """
        folders = [self._folder(name) for name in names]
        if not folders:
            folders = sorted(p for p in self.solutions.iterdir() if p.is_dir())
        return [text for folder in folders for text in sorted(folder.glob("*.md"))]

    def _folder(self, name: str) -> Path:
        known = sorted(p.name for p in self.solutions.iterdir() if p.is_dir())
        return self.solutions / match_chapter(name, known)

    def built(self, names: Iterable[str] = ()) -> Iterator[tuple[Path, bytes]]:
        """Every generated file with its bytes, made from the text."""
        for text in self.texts(names):
            made = build_text(text)
            folder = text.parent.name
            yield text.with_suffix(".ipynb"), to_bytes(made["solved"])
            yield self.learners / folder / f"{text.stem}.ipynb", to_bytes(made["course"])

    def build(self, names: Iterable[str] = ()) -> list[Path]:
        """Write what has changed; returns the files written.

        Everything is made before anything is written, so a failed build leaves no half of it.
        """
        files = list(self.built(names))
        changed = []
        for path, content in files:
            if not path.exists() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                changed.append(path)
        return changed

    def problems(self, names: Iterable[str] = ()) -> list[str]:
        """Everything `grader build --check` fails on, as sentences."""
        names = list(names)
        found: list[str] = []
        wanted = set()
        for path, content in self.built(names):
            wanted.add(path)
            shown = path.relative_to(self.root)
            if not path.exists():
                found.append(f"{shown} is missing; run `grader build`")
            elif path.read_bytes() != content:
                found.append(f"{shown} differs from its text; run `grader build`")
        if not names:
            found += self._strays(wanted)
        for path in wanted:
            if self.learners in path.parents and path.exists():
                found += leaks(path)
        found += self._proofs(names)
        return found

    def _strays(self, wanted: set[Path]) -> list[str]:
        places = [*self.learners.rglob("*.ipynb"), *self.solutions.rglob("*.ipynb")]
        return [
            f"{path.relative_to(self.root)} has no text in solutions/; delete it"
            for path in sorted(places)
            if path not in wanted and ".ipynb_checkpoints" not in path.parts
        ]

    def _proofs(self, names: list[str]) -> list[str]:
        folders = {text.parent.name for text in self.texts(names)}
        problems: list[str] = []
        for chapter in chapters():
            if not names or chapter.name in folders:
                for exercise in chapter:
                    problems += prove(exercise)
        return problems


def find_course(start: Path | None = None) -> Course:
    """The checkout that `start` lies in, or the one this package was installed from.

    Raises
    ------
    CourseError
        If there is none.
    """
    here = (start or Path.cwd()).resolve()
    for place in (here, *here.parents, Path(__file__).resolve().parents[1]):
        if (place / "solutions").is_dir() and (place / "course").is_dir():
            return Course(place)
    raise CourseError(
        "No course was found here. Run this in a checkout: a folder with solutions/ and course/."
    )


def leaks(path: Path) -> list[str]:
    """What a learner's notebook must not hold: answers, markers, outputs."""
    notebook = json.loads(path.read_text("utf-8"))
    asked = _asked(notebook)
    shown = f"{path.parent.name}/{path.name}"
    found = []
    for number, cell in enumerate(notebook["cells"], 1):
        source = "".join(cell["source"])
        if BEGIN in source or END in source:
            found.append(f"{shown}: cell {number} holds a solution marker")
        if cell["cell_type"] == "code":
            if cell["outputs"] or cell["execution_count"] is not None:
                found.append(f"{shown}: cell {number} holds an output")
            if path.stem.endswith("_exercises"):
                found += [f"{shown}: cell {number} {what}" for what in _answers_in(source, asked)]
    return found


def _asked(notebook: dict) -> list[Exercise]:
    """The exercises that the notebook asks for."""
    marks = [cell["metadata"].get("nbgrader", {}) for cell in notebook["cells"]]
    names = {mark.get("grade_id", "").removesuffix("-answer") for mark in marks}
    return [exercise for exercise in all_exercises() if exercise.name in names]


def _answers_in(source: str, asked: list[Exercise]) -> list[str]:
    """Answers whose statements all stand in a cell, whatever they are called there."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    written = set(_body(tree))
    found = []
    for exercise in asked:
        if exercise.kind == "quiz":
            given = f"{exercise.name} = {exercise.answer!r}"
            held = any(line.strip() == given for line in source.splitlines())
        else:
            answer = _body(ast.parse(source_of(exercise.answer)))
            held = bool(answer) and all(line in written for line in answer)
        if held:
            found.append(f"holds the answer of {exercise.name}")
    return found


def _body(tree: ast.AST) -> list[str]:
    """Statements of every function without docstrings, to compare meaning and not layout."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            skip = 1 if ast.get_docstring(node) else 0
            found += [ast.dump(statement) for statement in node.body[skip:]]
    return found
