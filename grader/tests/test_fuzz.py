"""Damaged notebooks: whatever a disk, a mail program or a learner does to a file, a sentence."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.bulk.course import Assignment, open_course
from grader.bulk.demo import filled
from grader.bulk.demo_maker import Draft
from grader.bulk.demo_sources import answer_source
from grader.bulk.grade import grade
from grader.bulk.submissions import Handed, read_submission
from grader.exercises import get_chapter
from grader.sandbox.client import Limits

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")

CHAPTER = "02_backprop"
NAME = f"{CHAPTER}_exercises"
COUNT = 150
DEEP = 10_000
QUICK = Limits(cell_seconds=2.0, load_seconds=10.0)
# fmt: off
ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**400, float("nan"), float("-inf"), "", "x", "\0", "\ud800",
    "\u202e\u2028\U0001f600", "é" * 3000, "../../../etc/passwd", "<script>", "%s%n{0}", [], {},
    [[]], [None], [1, "a", {}], {"": None}, {"a": {"b": {"c": []}}}, ["x = 1\n", 2], ["a", ["b"]],
]
# fmt: on
FIELDS = [
    "cells",
    "metadata",
    "nbformat",
    "nbformat_minor",
    "cell_type",
    "source",
    "outputs",
    "id",
    "execution_count",
    "attachments",
    "nbgrader",
    "grade_id",
    "points",
    "grade",
    "solution",
    "locked",
    "schema_version",
    "kernelspec",
    "language_info",
    "name",
    "worksheets",
    "input",
]  # fmt: skip
Json = Any


@pytest.fixture(scope="module")
def original(root: Path) -> Json:
    """A notebook with all answers right, and traces of a kernel."""
    released = json.loads((root / f"course/{CHAPTER}/{NAME}.ipynb").read_text("utf-8"))
    ids = {cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in released["cells"]}
    right = {e.name: answer_source(e) for e in get_chapter(CHAPTER) if e.name in ids}
    notebook = filled(released, Draft(right))
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            text = {"output_type": "stream", "name": "stdout", "text": ["0.5\n"]}
            cell |= {"execution_count": number, "outputs": [text]}
    picture = {"a.png": {"image/png": "iVBORw0KGgo="}}
    notebook["cells"][0]["attachments"] = picture
    return notebook


# --- damage --------------------------------------------------------------------------------------


def places(data: Json) -> list[tuple[Json, Any]]:
    """Every item of every list and dict: where it lies, and under which key."""
    found: list[tuple[Json, Any]] = []
    waiting = [data]
    while waiting:
        thing = waiting.pop()
        keys = list(thing) if isinstance(thing, dict) else range(len(thing))
        for key in keys:
            found.append((thing, key))
            if isinstance(thing[key], (dict, list)):
                waiting.append(thing[key])
    return found


def retyped(data: Json, rng: random.Random) -> Json:
    """Other values in up to five places."""
    for _ in range(rng.randint(1, 5)):
        thing, key = rng.choice(places(data))
        thing[key] = copy.deepcopy(rng.choice(ODD))
        if not places(data):
            break
    return data


def deleted(data: Json, rng: random.Random) -> Json:
    for _ in range(rng.randint(1, 8)):
        if not (found := places(data)):
            break
        thing, key = rng.choice(found)
        del thing[key]
    return data


def doubled(data: Json, rng: random.Random) -> Json:
    """Items of lists twice, or put somewhere else."""
    for _ in range(rng.randint(1, 5)):
        thing, key = rng.choice(places(data))
        other, name = rng.choice(places(data))
        if isinstance(thing, list):
            thing.insert(rng.randint(0, len(thing)), copy.deepcopy(thing[key]))
        elif rng.random() < 0.5:
            other[name] = copy.deepcopy(thing[key])
        else:
            thing[rng.choice(FIELDS)] = copy.deepcopy(thing[key])
    return data


def every_field(data: Json, rng: random.Random) -> Json:
    """One field of the format gets the same odd value wherever it occurs."""
    field, value = rng.choice(FIELDS), rng.choice(ODD)
    for thing, key in places(data):
        if key == field and rng.random() < 0.8:
            thing[key] = value
    data.setdefault(field, value)
    return data


def mixed_up(data: Json, rng: random.Random) -> Json:
    rng.shuffle(data["cells"])
    del data["cells"][rng.randint(0, len(data["cells"])) :]
    return data


def nested(data: Json, rng: random.Random) -> Json:
    """A value so deep that careless readers fall over."""
    thing, key = rng.choice(places(data))
    thing[key] = "DEEP"
    return data


def text_of(data: Json, rng: random.Random) -> bytes:
    """JSON, with lone halves of characters as they are legal there."""
    text = json.dumps(data, ensure_ascii=rng.random() < 0.5)
    depth = rng.choice([10, 500, 900, 100_000])
    text = text.replace('"DEEP"', "[" * depth + "]" * depth)
    if rng.random() < 0.1:  # the same key twice: the last one counts
        text = text[:-1] + f', "{rng.choice(FIELDS)}": {json.dumps(rng.choice(ODD))}}}'
    return text.encode("utf-8", "surrogatepass")


def flipped(raw: bytes, rng: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(rng.choice([1, 3, 30, 1000])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def cut(raw: bytes, rng: random.Random) -> bytes:
    a, b = sorted(rng.randrange(len(raw)) for _ in range(2))
    return rng.choice([raw[:a], raw[a:], raw[:a] + raw[b:], raw[:b] + raw[a:]])


def noise(raw: bytes, rng: random.Random) -> bytes:
    at, some = rng.randrange(len(raw)), rng.randbytes(rng.choice([1, 100, 5000]))
    return rng.choice([raw[:at] + some + raw[at:], some + raw, some])


def recoded(raw: bytes, rng: random.Random) -> bytes:
    coding = rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-7", "cp1252", "utf-8-sig", "cp037"])
    return raw.decode("utf-8", "replace").encode(coding, "replace")


TREES = [retyped, deleted, doubled, every_field, mixed_up, nested]
BYTES = [flipped, cut, noise, recoded]


def damaged(original: Json, rng: random.Random) -> bytes:
    data = copy.deepcopy(original)
    if rng.random() < 0.7:
        data = rng.choice(TREES)(data, rng)
        if rng.random() < 0.3 and isinstance(data.get("cells"), list):
            data = retyped(data, rng)
        return text_of(data, rng)
    damage: Callable[[bytes, random.Random], bytes] = rng.choice(BYTES)
    return damage(text_of(data, rng), rng)


# --- what must hold ------------------------------------------------------------------------------


def test_a_class_of_damaged_notebooks_is_graded(original: Json, seed: int, tmp_path: Path) -> None:
    """Each has 15 reports within its points, and a reason for whatever it lost."""
    root = tmp_path / "class"
    for number in range(COUNT):
        folder = root / "submitted" / f"student {number}" / CHAPTER
        folder.mkdir(parents=True)
        raw = damaged(original, random.Random(f"{seed} {number}"))
        (folder / f"{NAME}.ipynb").write_bytes(raw)
    result = grade(root / "submitted", limits=QUICK, jobs=2, require_level=0)
    assert len(result.results) == COUNT
    complaints = []
    for one in result.results:
        said = " ".join([*one.reasons, *(report.comment() for report in one.reports)])
        fine = 0 <= one.points <= 26 and len(one.reports) == 15
        fine = fine and all(r.points == r.max_points or r.comment() for r in one.reports)
        fine = fine and all(r.outcome != "grader_fault" for r in one.reports)
        fine = fine and "cannot be read (" not in said and "Traceback" not in said
        part = Path(one.student) / CHAPTER
        page = (root / "feedback" / part / f"{NAME}.html").read_text("utf-8")
        autograded = json.loads((root / "autograded" / part / f"{NAME}.ipynb").read_text("utf-8"))
        fine = fine and "<script" not in page and len(autograded["cells"]) > 1
        if not fine:
            complaints.append((one.student, said[:500]))
    assert complaints == []


@pytest.mark.parametrize("count", [2 * COUNT, pytest.param(DEEP, marks=pytest.mark.deep)])
def test_every_damaged_notebook_is_read_or_refused_in_words(
    count: int, original: Json, seed: int, tmp_path: Path
) -> None:
    """The reading alone, of many more."""
    assignment = opened(tmp_path)
    folder = tmp_path / "submitted" / "eve" / CHAPTER
    folder.mkdir(parents=True)
    handed = Handed("eve", CHAPTER, folder)
    for number in range(count):
        raw = damaged(original, random.Random(f"{seed} {number}"))
        (folder / f"{NAME}.ipynb").write_bytes(raw)
        submission = read_submission(handed, assignment)
        said = f"number {number}: {submission.problem}"
        assert bool(submission.cells) != bool(submission.problem), said
        assert "cannot be read (" not in submission.problem, said
        for cell in submission.cells:
            assert type(cell.source) is str and cell.source.encode("utf-8") is not None, said


def opened(root: Path) -> Assignment:
    (root / "submitted").mkdir()
    return open_course(root / "submitted").assignment(CHAPTER)
