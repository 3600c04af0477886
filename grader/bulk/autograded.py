"""The notebook that formgrader and `nbgrader generate_feedback` show: work, and our pages in it.

The cells are the learner's; whatever nbgrader relies on (ids, locks, points) is the course's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from grader import page
from grader.bulk.course import Assignment, Cell, Course
from grader.bulk.result import SubmissionResult
from grader.bulk.submissions import Submission
from grader.report import Report


def write_autograded(
    course: Course,
    assignment: Assignment,
    submission: Submission,
    result: SubmissionResult,
    pages: Mapping[str, str],
) -> None:
    """Write `autograded/<student>/<assignment>/` with notebook and timestamp.

    `pages` holds each exercise's report as HTML.
    """
    folder = course.autograded / result.student / assignment.name
    folder.mkdir(parents=True, exist_ok=True)
    notebook = autograded(assignment, submission, result, pages)
    text = json.dumps(notebook, ensure_ascii=False) + "\n"  # indenting takes ten times as long
    write_whole(folder / f"{assignment.notebook}.ipynb", text)
    write_timestamp(folder, result)


def autograded(
    assignment: Assignment,
    submission: Submission,
    result: SubmissionResult,
    pages: Mapping[str, str],
) -> dict[str, Any]:
    """The notebook as data of nbformat 4.5."""
    reports = {report.exercise: report for report in result.reports}
    marked = assignment.marked
    cells = [_reasons(result.reasons)] if result.reasons else []
    for cell in _merged(submission.cells, assignment):
        marks = marked[cell.grade_id].marks if cell.grade_id in marked else {}
        report = reports.get(cell.grade_id) if marks.get("grade") else None
        output = [] if report is None else [_output(report, pages[report.exercise])]
        cells.append(_cell(cell, marks, output))
    for number, data in enumerate(cells):
        data["id"] = f"cell-{number}"
    return {"cells": cells, "metadata": assignment.metadata, "nbformat": 4, "nbformat_minor": 5}


def _merged(cells: Iterable[Cell], assignment: Assignment) -> list[Cell]:
    """The learner's cells with each id once, locked cells as released, missing ones put back."""
    marked = assignment.marked
    kept: list[Cell] = []
    seen: set[str] = set()
    for cell in reversed(list(cells)):  # of two with the same id the last one counts
        if cell.grade_id not in marked or cell.grade_id in seen:
            kept.append(Cell(cell.kind, cell.source, attachments=cell.attachments))
            continue
        seen.add(cell.grade_id)
        released = marked[cell.grade_id]
        own = cell.source if not released.marks.get("locked") else released.source
        kept.append(Cell(released.kind, own, cell.grade_id, attachments=cell.attachments))
    kept.reverse()
    if not kept:
        return list(assignment.cells)
    place = 0
    for released in (cell for cell in assignment.cells if cell.grade_id):
        at = next((i for i, c in enumerate(kept) if c.grade_id == released.grade_id), None)
        if at is None:
            kept.insert(place, released)
            at = place
        place = at + 1
    return kept


def _cell(cell: Cell, marks: dict[str, Any], outputs: list[dict[str, Any]]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"nbgrader": marks} if marks else {}
    if marks.get("locked"):
        metadata |= {"deletable": False, "editable": False}
    data: dict[str, Any] = {"cell_type": cell.kind, "metadata": metadata, "source": cell.source}
    if cell.kind == "code":
        data |= {"execution_count": None, "outputs": outputs}
    elif cell.attachments:
        data["attachments"] = cell.attachments
    return data


def _output(report: Report, html: str) -> dict[str, Any]:
    shown = {"text/plain": page.text(report), "text/html": html}
    return {"output_type": "display_data", "data": shown, "metadata": {}}


def _reasons(reasons: Iterable[str]) -> dict[str, Any]:
    """The reasons as a first cell; as code, so that nothing in them is markup."""
    lines = [" ".join(reason.split()).replace("```", "'''") for reason in reasons]
    text = "**Noted while grading**\n\n```\n" + "\n".join(lines) + "\n```"
    return {"cell_type": "markdown", "metadata": {}, "source": text}


# --- files ---------------------------------------------------------------------------------------


def write_timestamp(folder: Path, result: SubmissionResult) -> None:
    """The time that the gradebook holds, in nbgrader's file; no file where there is no time."""
    path = folder / "timestamp.txt"
    if result.timestamp is None:
        path.unlink(missing_ok=True)
    else:
        write_whole(path, f"{result.timestamp.isoformat(sep=' ')} UTC\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that nobody ever sees half of it."""
    place = path.with_name(f".{path.name}.{os.getpid()}")
    place.write_text(text, "utf-8", "replace")
    os.replace(place, path)
