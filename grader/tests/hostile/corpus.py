"""Reads the cases: what an attacker, an accident or a broken disk may hand in, in text files.

A case begins with a line `# === title | where | points | flags` and holds code. Around it all
answers of the chapter are right (26 points), so `points` tells what the case cost: 26 if nothing
was gained and nothing lost, 24 if it stands in place of `sgd_step` (2 points). `at most 24` is for
what may ruin more of its own work. Where the code goes:

    NAME        the answer cell of an exercise
    act         a function that `sgd_step` tries before it answers: if the act is not refused,
                the answer is wrong
    cell        a cell of its own, in front of the quiz
    check       the check cell of `sgd_step`, whose answer is wrong
    notebook    not for the sandbox: a recipe of the test's, that changes `notebook` (a dict; None
                for no file) or writes to `path` or `folder`, or gives the `student` another name

Flags: `review` (must be flagged, otherwise it must not), `first` (the cell comes before all
others), `says WORDS` (must stand in a reason or a report).
"""

from __future__ import annotations

import copy
import json
import os
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.bulk.demo_maker import cell_of, code_cell
from grader.exercises import get
from grader.expected import prepare

HERE = Path(__file__).parent
_HEAD = re.compile(r"^# === (.+)\n", re.MULTILINE)
_QUIZ = "backprop_q1-answer"
_ACT = """def sgd_step(params, grads, lr):
    try:
        _act()
    except BaseException:
        return {name: params[name] - lr * grads[name] for name in params}
    return "not refused"


def _act():
"""


@dataclass(frozen=True)
class HostileCase:
    """One submission, and what it must get."""

    title: str
    where: str
    points: float
    at_most: bool
    flags: tuple[str, ...]
    code: str

    @property
    def says(self) -> tuple[str, ...]:
        return tuple(flag[5:] for flag in self.flags if flag.startswith("says "))

    def save(self, root: Path, released: dict[str, Any], name: str) -> str:
        """Hand it in under `root/submitted`; the name of the student who did."""
        folder = root / "submitted" / self.title / name
        folder.mkdir(parents=True)
        path = folder / f"{name}_exercises.ipynb"
        notebook: dict[str, Any] | None = copy.deepcopy(released)
        student = self.title
        if self.where == "notebook":
            names: dict[str, Any] = {"json": json, "os": os, "root": root, "folder": folder}
            names |= {"path": path, "notebook": notebook, "get": get, "prepare": prepare}
            names["cell"] = lambda grade_id: cell_of(names["notebook"], grade_id)
            exec(self.code, names)
            student, notebook = names.get("student", student), names["notebook"]
            if any(p.name != "timestamp.txt" for p in folder.iterdir()):
                notebook = None  # the recipe wrote it
        else:
            assert notebook is not None
            self._put_into(notebook)
        if notebook is not None:
            path.write_text(json.dumps(notebook), "utf-8")
        folder.parent.rename(root / "submitted" / student)
        return str(student)

    def _put_into(self, notebook: dict[str, Any]) -> None:
        cells = notebook["cells"]
        if self.where == "act":
            cell_of(notebook, "sgd_step-answer")["source"] = _ACT + textwrap.indent(
                self.code, "    "
            )
        elif self.where == "check":
            cell_of(notebook, "sgd_step-answer")["source"] = "def sgd_step(*args):\n    return 0.0"
            cell_of(notebook, "sgd_step")["source"] = self.code
        elif self.where == "cell":
            at = 0 if "first" in self.flags else cells.index(cell_of(notebook, _QUIZ))
            cells.insert(at, code_cell(self.code))
        else:
            cell_of(notebook, f"{self.where}-answer")["source"] = self.code


def read() -> list[HostileCase]:
    """All cases of this folder."""
    cases = []
    for path in sorted(HERE.glob("*.txt")):
        pieces = _HEAD.split(path.read_text("utf-8"))[1:]
        for head, code in zip(pieces[::2], pieces[1::2], strict=True):
            title, where, points, *flags = (word.strip() for word in head.split("|"))
            number = float(points.removeprefix("at most "))
            most = points.startswith("at most ")
            cases.append(
                HostileCase(title, where, number, most, (*flags,), code.strip("\n") + "\n")
            )
    return cases
