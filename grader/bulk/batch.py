"""Rows of nbgrader's gradebook, collected and stored in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Batch:
    """Rows to insert and to change, table by table."""

    students: list[dict[str, Any]] = field(default_factory=list)
    submissions: list[dict[str, Any]] = field(default_factory=list)
    changed_submissions: list[dict[str, Any]] = field(default_factory=list)
    notebooks: list[dict[str, Any]] = field(default_factory=list)
    changed_notebooks: list[dict[str, Any]] = field(default_factory=list)
    grades: list[dict[str, Any]] = field(default_factory=list)
    changed_grades: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    changed_comments: list[dict[str, Any]] = field(default_factory=list)

    def store(self, db: Any) -> None:
        from nbgrader import api
        from sqlalchemy import insert, update

        try:
            for model, rows in (
                (api.Student, self.students),
                (api.SubmittedAssignment, self.submissions),
                (api.SubmittedNotebook, self.notebooks),
                (api.Grade, self.grades),
                (api.Comment, self.comments),
            ):
                if rows:
                    db.execute(insert(model), rows)
            for model, rows in (
                (api.SubmittedAssignment, self.changed_submissions),
                (api.SubmittedNotebook, self.changed_notebooks),
                (api.Grade, self.changed_grades),
                (api.Comment, self.changed_comments),
            ):
                if rows:
                    db.execute(update(model), rows)
            db.commit()
        except BaseException:
            db.rollback()
            raise
