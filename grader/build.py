"""From text to notebooks: `solutions/NN/*.md` -> solved `*.ipynb` -> learners' `course/NN/*.ipynb`.

The text is what authors edit. An exercise stands in it as one import, tagged `exercise`; here it
becomes the answer's source between nbgrader's markers and a locked check cell. nbgrader's own
`GenerateAssignment` then makes the learner's version. Same text, same bytes, on every machine.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import logging
import re
import tempfile
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from grader.exercise import Exercise
from grader.exercises import get
from grader.parsing import one_at_a_time

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_IMPORT = re.compile(r"from grader\.exercises\.\w+ import (\w+)")
_ROLE = re.compile(r"\{exercise\}`(\w+)`")


class BuildError(ValueError):
    """The text or a definition cannot be built; the message says where and what to change."""


def build_text(path: Path) -> dict[str, NotebookNode]:
    """Build one text notebook.

    Parameters
    ----------
    path : Path
        `solutions/NN_topic/NN_topic_lesson.md` or `..._exercises.md`.

    Returns
    -------
    dict
        "solved" and "course": the two notebooks.
    """
    solved = solve(path)
    is_lesson = not path.stem.endswith("_exercises")
    course = solved if is_lesson else release(solved, path.stem)  # lessons hold no answer cells
    return {"solved": solved, "course": course}


def to_bytes(notebook: NotebookNode) -> bytes:
    """A notebook as its file's bytes: stable key order, one newline at the end."""
    text = nbformat.writes(notebook, indent=1, sort_keys=True, ensure_ascii=False)
    return (text.rstrip("\n") + "\n").encode("utf-8")


# --- text -> solved notebook ---------------------------------------------------------------------


def solve(path: Path) -> NotebookNode:
    """The solved notebook of a text: answers in, nbgrader's metadata set, no outputs."""
    try:
        text = jupytext.reads(path.read_text("utf-8"), fmt="md:myst")
    except Exception as problem:
        raise BuildError(f"{path.name} cannot be read as a MyST text notebook: {problem}") from None
    cells: list[NotebookNode] = []
    numbers = _numbers(path)
    for cell in text.cells:
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            cells += _exercise_cells(_imported(cell, path), numbers)
        elif "given" in tags:
            cells += _given_cells(_imported(cell, path))
        elif "overview" in tags:
            cells.append(new_markdown_cell(_overview(path)))
        elif "open-question" in tags:
            cells.append(_open_cell(cell, path))
        else:
            cell.source = _ROLE.sub(lambda m: _link(m[1], numbers), cell.source)
            cells.append(_bare(cell))
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = NotebookNode(
        kernelspec=KERNEL, language_info={"name": "python"}, title=_title(cells)
    )
    notebook.nbformat_minor = 5
    return _with_ids(notebook)


def _imported(cell: NotebookNode, path: Path) -> Exercise:
    match = _IMPORT.search(cell.source)
    if match is None:
        raise BuildError(
            f"{path.name}: an exercise cell holds one line, "
            f"`from grader.exercises.<chapter> import <name>`; found {cell.source!r}"
        )
    return get(match[1])


def _exercise_cells(exercise: Exercise, numbers: dict[str, str]) -> list[NotebookNode]:
    """Heading, answer cell and check cell of one exercise."""
    answer = new_code_cell(marked(exercise))
    answer.metadata = NotebookNode(nbgrader=_nbgrader(exercise.name + "-answer", solution=True))
    if exercise.stub is not None or exercise.kind == "quiz":
        answer.metadata["stub"] = stub_of(exercise)
    check = new_code_cell(f'check("{exercise.name}").show()')
    if exercise.optional:
        check.metadata = NotebookNode(deletable=False, editable=False)
    else:
        check.metadata = NotebookNode(
            nbgrader=_nbgrader(exercise.name, grade=True, points=exercise.points)
        )
    return [new_markdown_cell(_heading(exercise, numbers)), answer, check]


def _heading(exercise: Exercise, numbers: dict[str, str]) -> str:
    number = numbers.get(exercise.name, "")
    points = f"{exercise.points:g} point{'s' * (exercise.points != 1)}"
    if exercise.kind == "quiz":
        lines = [f"**Question {number}.** {exercise.question} *({points})*", ""]
        lines += [f"- **{key}**: {text}" for key, text in exercise.choices]
        return "\n".join(lines).strip()
    optional = " · more, for bonus" if exercise.optional else ""
    facts = f"{dots(exercise)} · {exercise.minutes} minutes · {points}{optional}"
    title = exercise.title or f"`{exercise.name}`"
    return f"### Exercise {number} · {title}\n\n{facts}"


def dots(exercise: Exercise) -> str:
    """Difficulty as one to five dots."""
    return "●" * exercise.difficulty + "○" * (5 - exercise.difficulty)


def _given_cells(exercise: Exercise) -> list[NotebookNode]:
    """An answer of another chapter, shown as code that is there to be used."""
    cell = new_code_cell(source_of(exercise.answer))
    cell.metadata = NotebookNode(deletable=False, editable=False)
    return [cell]


def _open_cell(cell: NotebookNode, path: Path) -> NotebookNode:
    """The model answer of an open question; nbgrader empties it for learners."""
    chapter = path.stem.rsplit("_", 1)[0]
    name = f"{chapter.partition('_')[2]}_open"
    answer = new_markdown_cell(cell.source)
    points = cell.metadata.get("points", 2)
    answer.metadata = NotebookNode(
        nbgrader=_nbgrader(name, grade=True, solution=True, points=points)
    )
    return answer


def _nbgrader(
    grade_id: str, grade: bool = False, solution: bool = False, points: float | None = None
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": grade and not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    return data if points is None else {**data, "points": points}


def source_of(thing: Any) -> str:
    """Source of an answer without its decorators."""
    with one_at_a_time:  # `inspect` parses too, for classes
        source = textwrap.dedent(inspect.getsource(thing))
        node = ast.parse(source).body[0]
    return "\n".join(source.splitlines()[node.lineno - 1 :]).rstrip()


def marked(exercise: Exercise) -> str:
    """The answer's cell: its body between nbgrader's markers, unless it places its own."""
    if exercise.kind == "quiz":
        return f"{BEGIN}\n{exercise.name} = {exercise.answer!r}\n{END}"
    source = source_of(exercise.answer)
    if exercise.stub is not None:
        return f"{BEGIN}\n{source}\n{END}"
    if BEGIN in source:
        return source
    lines = source.splitlines()
    function = ast.parse(source).body[0]
    if not isinstance(function, ast.FunctionDef):
        raise BuildError(f"{exercise.name} is a class: place {BEGIN!r} and {END!r} in its methods")
    body = function.body[1:] if ast.get_docstring(function) else function.body
    first = body[0].lineno - 1
    while lines[first - 1].lstrip().startswith("#"):
        first -= 1  # a comment above the first statement belongs to the answer
    indent = " " * body[0].col_offset
    return "\n".join([*lines[:first], indent + BEGIN, *lines[first:], indent + END])


def stub_of(exercise: Exercise) -> str:
    """What stands in the answer cell before the learner writes."""
    if exercise.kind != "quiz":
        return (exercise.stub or STUB).rstrip()
    if exercise.choices:
        keys = [f'"{key}"' for key, _ in exercise.choices]
        return f"{exercise.name} = None  # {', '.join(keys[:-1])} or {keys[-1]}"
    kind = "a shape, such as (2, 3)" if isinstance(exercise.answer, tuple) else "a number"
    return f"{exercise.name} = None  # {kind}"


# --- numbers, links, overview --------------------------------------------------------------------


def _numbers(path: Path) -> dict[str, str]:
    """Exercise numbers by name, from the order in the chapter's exercise text: 2.1, 2.2, ..."""
    text = path.with_name(path.stem.rsplit("_", 1)[0] + "_exercises.md")
    names = _IMPORT.findall(text.read_text("utf-8")) if text.exists() else []
    chapter = int(path.stem[:2])
    numbers, tasks, items = {}, 0, 0
    for exercise in map(get, names):
        if exercise.kind == "quiz":
            items += 1
            numbers[exercise.name] = f"{items}"
        else:
            given = exercise.chapter != path.stem.rsplit("_", 1)[0]
            tasks += not given
            numbers[exercise.name] = f"{chapter}.{tasks}"
    return numbers


def _link(name: str, numbers: dict[str, str]) -> str:
    """A pointer from the lesson to an exercise."""
    exercise = get(name)
    target = f"{exercise.chapter}_exercises.ipynb"
    facts = f"{dots(exercise)}, {exercise.minutes} minutes"
    return f"→ **[Exercise {numbers.get(name, '')}]({target})** `{name}` ({facts})"


def _overview(path: Path) -> str:
    """Table of the notebook's exercises with minutes and points, and their totals."""
    numbers = _numbers(path)
    chapter = path.stem.rsplit("_", 1)[0]
    mine = [get(name) for name in numbers if get(name).chapter == chapter]
    rows = ["| | exercise | difficulty | minutes | points |", "|---|---|---|---|---|"]
    for exercise in mine:
        if exercise.kind != "quiz":
            name = exercise.title or f"`{exercise.name}`"
            bonus = " (bonus)" if exercise.optional else ""
            rows.append(
                f"| {numbers[exercise.name]} | {name} | {dots(exercise)} "
                f"| {exercise.minutes} | {exercise.points:g}{bonus} |"
            )
    quiz = [exercise for exercise in mine if exercise.kind == "quiz"]
    minutes, points = sum(e.minutes for e in quiz), sum(e.points for e in quiz)
    rows.append(f"| | quiz, {len(quiz)} questions | | {minutes} | {points:g} |")
    core = [exercise for exercise in mine if not exercise.optional]
    rows.append(
        f"| | **together** | | **{sum(e.minutes for e in core)}** "
        f"| **{sum(e.points for e in core):g}** |"
    )
    return "\n".join(rows)


def _title(cells: Iterable[NotebookNode]) -> str:
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return cell.source.splitlines()[0][2:].strip()
    return ""


# --- solved -> learner's -------------------------------------------------------------------------


def release(solved: NotebookNode, stem: str) -> NotebookNode:
    """The learner's exercise notebook, made by nbgrader's own steps."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import ClearSolutions
    from traitlets.config import Config

    class ClearWithStubs(ClearSolutions):
        """Lets a cell carry its own stub: buggy code to debug, `q1 = None`."""

        def preprocess_cell(self, cell, resources, cell_index):  # type: ignore[no-untyped-def]
            default: dict[str, str] = dict(self.code_stub)  # type: ignore[has-type]
            stub = cell.metadata.pop("stub", None)
            if stub is not None:
                self.code_stub = {**default, "python": stub}
            try:
                return super().preprocess_cell(cell, resources, cell_index)
            finally:
                self.code_stub = default

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "source" / "a").mkdir(parents=True)
        (root / "source" / "a" / f"{stem}.ipynb").write_bytes(to_bytes(solved))
        config = Config()
        config.CourseDirectory.root = str(root)
        config.CourseDirectory.assignment_id = "a"
        config.SaveCells.enabled = False
        config.ClearSolutions.code_stub = {"python": STUB}
        directory = CourseDirectory(config=config)
        step = GenerateAssignment(coursedir=directory, config=config, no_database=True)
        step.log.setLevel(logging.ERROR)
        step.preprocessors = [
            ClearWithStubs if kind.__name__ == "ClearSolutions" else kind
            for kind in step.preprocessors
        ]
        step.start()
        made = root / "release" / "a" / f"{stem}.ipynb"
        notebook = nbformat.read(made, as_version=4)
    notebook.metadata.pop("nbgrader", None)
    notebook.metadata = NotebookNode(solved.metadata)
    return _with_ids(notebook)


def _bare(cell: NotebookNode) -> NotebookNode:
    """A cell without outputs and without the text format's own metadata."""
    metadata = {k: v for k, v in cell.metadata.items() if k in ("tags", "jupyter", "editable")}
    make = new_code_cell if cell.cell_type == "code" else new_markdown_cell
    fresh = make(cell.source)
    fresh.metadata = NotebookNode(metadata)
    return fresh


def _with_ids(notebook: NotebookNode) -> NotebookNode:
    """Cell ids from type and content, so that a rebuild changes nothing else."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\0{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return notebook
