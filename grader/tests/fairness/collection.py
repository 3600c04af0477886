"""Reads the cases: what people write for the exercises, right and wrong, in text files.

A case begins with a line `# === title | exercise | expected | flags` and holds what would stand
in a learner's file; `import numpy as np` is put in front where it is missing. Expected is one of

    right           passes
    wrong           does not pass, and is judged
    wrong KEY       the same, and is named so
    stub            counts as not attempted
    waits           is not judged: something before it is missing

Flags: `alone` (a backward function without the usual forward in front), `notebook` (cells are
divided by `# %%`, the case becomes an .ipynb), `file` (about the file, not the function), `body`
and `value` (put behind the frame of that name). A block with `given` in place of the expectation
holds the usual forward, or a frame.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_HEAD = re.compile(r"^# === (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class FairCase:
    """One piece of code, and what the checker must say about it."""

    title: str
    exercise: str
    expected: str
    code: str
    flags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.exercise}: {self.title}"

    def save(self, folder: Path, number: int) -> Path:
        """Write the case as the file that somebody would hand in."""
        if "notebook" not in self.flags:
            path = folder / f"case_{number}.py"
            path.write_text(self.code)
            return path
        path = folder / f"case_{number}.ipynb"
        cells = [
            {"cell_type": "code", "source": source.strip("\n"), "metadata": {}, "outputs": []}
            for source in re.split(r"^# %%\n", self.code, flags=re.MULTILINE)
        ]
        path.write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}))
        return path

    def complaint(self, outcome: str, key: str) -> str:
        """What is unfair about this outcome; "" if nothing."""
        word, _, wanted = self.expected.partition(" ")
        fine = {
            "right": outcome == "passed",
            "wrong": outcome in ("wrong", "crashed", "timed_out"),
            "stub": outcome == "not_attempted",
            "waits": outcome == "skipped",
        }[word]
        if not fine:
            return f"{self.name}: expected {self.expected}, found {outcome} ({key})"
        if wanted and key != f"{self.exercise}.{wanted}":
            return f"{self.name}: expected the name {wanted}, found {key}"
        return ""


def read() -> list[FairCase]:
    """All cases of this folder."""
    cases, given = [], {}
    for path in sorted(HERE.glob("*.txt")):
        pieces = _HEAD.split(path.read_text())[1:]
        for head, code in zip(pieces[::2], pieces[1::2], strict=True):
            title, exercise, expected, *flags = (word.strip() for word in head.split("|"))
            code = code.strip("\n") + "\n"
            if expected == "given":
                given[exercise] = code
            else:
                cases.append(FairCase(title, exercise, expected, code, (*flags,)))
    return [_complete(case, given) for case in cases]


def _complete(case: FairCase, given: dict[str, str]) -> FairCase:
    code = case.code
    for frame in ("body", "value"):
        if frame in case.flags:
            code = given[frame].replace("NAME", case.exercise) + code
    forward = case.exercise.replace("_backward", "_forward")
    own = re.search(rf"^(def {forward}\b|{forward} *=)", code, re.MULTILINE)
    if "alone" not in case.flags and case.exercise in given and not own:
        code = given[case.exercise] + code
    if "notebook" not in case.flags and "import numpy" not in code:
        first = "from __future__ import annotations\n" if "from __future__" in code else ""
        code = first + "import numpy as np\n" + code.removeprefix(first)
    return FairCase(case.title, case.exercise, case.expected, code, case.flags)
