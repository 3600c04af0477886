"""Grading a class: submissions in, gradebook and feedback out.

`grade.grade` is the one entry. `course` knows the folders, `submissions` and `notebooks` read what
was handed in, `judge` runs and checks one submission, `gradebook` and `feedback` write.
"""

from __future__ import annotations


class GradeError(Exception):
    """Grading cannot begin or go on; the message says what to do."""
