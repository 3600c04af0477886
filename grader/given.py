"""What a submission may use of the course: the answers of earlier chapters, as source text."""

from __future__ import annotations

from functools import cache

from grader.build import source_of
from grader.exercises import chapters


@cache
def sources_before(chapter: str) -> str:
    """Source of the `grader.nn` that a submission for `chapter` may import.

    Parameters
    ----------
    chapter : str
        Full name of a chapter: "02_backprop". Only what comes before it is taught already.
    """
    parts = ["import numpy as np"]
    for earlier in chapters():
        if earlier.name < chapter:
            parts += [source_of(e.answer) for e in earlier if e.kind != "quiz"]
    return "\n\n\n".join(parts) + "\n"
