"""A solved exercise notebook for reading: tasks in sight, model answers behind a click."""

from __future__ import annotations

import html

from nbformat import NotebookNode

from grader.build import BEGIN, END
from grader.exercise import Exercise
from grader.exercises import get
from grader.site import cells


def exercises(solved: NotebookNode, course: NotebookNode) -> str:
    """The body of a chapter's exercise page.

    Parameters
    ----------
    solved, course : NotebookNode
        The two notebooks of a chapter: with the answers, and as learners get it.
    """
    stubs = {_grade_id(this): this.source for this in course.cells}
    parts: list[str] = []
    for this in solved.cells:
        name = _grade_id(this).removesuffix("-answer")
        if this.cell_type == "markdown" and name:
            parts.append(_hidden("Model answer and rubric", cells.text(this.source)))
        elif name and this.metadata.nbgrader.solution:
            heading = parts.pop()
            parts.append(_exercise(get(name), heading, this.source, stubs[_grade_id(this)]))
        elif not _needs_kernel(this):
            parts.append(cells.text(this.source) if _is_text(this) else cells.code(this.source))
    return "\n".join(parts)


def _exercise(exercise: Exercise, heading: str, answer: str, stub: str) -> str:
    if exercise.kind == "quiz":
        task, shown = "", cells.text(_quiz_answer(exercise))
    else:
        task, shown = cells.code(stub), cells.code(_without_markers(answer))
    if exercise.afterthought:
        shown += cells.text(f"**To think about.** {exercise.afterthought}")
    label = "Answer" if exercise.kind == "quiz" else "Model answer"
    return (
        f'<section class="exercise" id="{exercise.name}">{heading}{task}'
        f"{_hidden(label, shown, of=exercise.name)}</section>"
    )


def _quiz_answer(exercise: Exercise) -> str:
    answer = exercise.answer
    choice = dict(exercise.choices).get(answer, "") if exercise.choices else ""
    return f"**{answer}** {choice}\n\n{exercise.explanation}"


def _hidden(label: str, shown: str, of: str = "") -> str:
    more = f'<span class="unseen"> of {html.escape(of)}</span>' if of else ""
    return f'<details class="answer"><summary>{label}{more}</summary>{shown}</details>'


def _without_markers(source: str) -> str:
    lines = source.splitlines()
    return "\n".join(line for line in lines if line.strip() not in (BEGIN, END))


def _grade_id(this: NotebookNode) -> str:
    return str(this.metadata.get("nbgrader", {}).get("grade_id", ""))


def _is_text(this: NotebookNode) -> bool:
    return bool(this.cell_type == "markdown")


def _needs_kernel(this: NotebookNode) -> bool:
    """Checks, and the list of what is done: they say something in a notebook only."""
    return this.source == "## Done?" or this.source.startswith(("check(", "progress("))
