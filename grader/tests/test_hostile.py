"""Hostile and broken submissions: none gains a point, learns a secret or leaves anything behind."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "hostile"))
import corpus
from test_bulk_grade import rows, secret_numbers, written_for_learners

from grader.bulk import judge
from grader.bulk.demo import filled
from grader.bulk.demo_maker import Draft
from grader.bulk.demo_sources import answer_source
from grader.bulk.grade import ClassResult, grade
from grader.bulk.result import SubmissionResult
from grader.exercises import get_chapter
from grader.sandbox import bubblewrap
from grader.sandbox.client import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone can refuse it all")

CHAPTER = "02_backprop"
CASES = corpus.read()
HONEST = [f"honest {number}" for number in range(4)]
QUICK = Limits(cell_seconds=1.0, load_seconds=15.0, grace_seconds=0.2)
MARKS = ("/tmp", "/dev/shm", "/var/tmp", "/", ".", os.path.expanduser("~"))


@dataclass
class Graded:
    root: Path
    students: dict[str, corpus.HostileCase]
    before: dict[str, tuple[int, ...]]
    result: ClassResult
    left_running: set[int]

    def of(self, student: str) -> SubmissionResult:
        return next(r for r in self.result.results if r.student == student)


class Hasty(judge.Timed):
    """Endless calls are stopped after a moment: there are many of them."""

    def call(self, name: str, *args: Any, keep: int | None = None, seconds: float = 0.6, **kw: Any):
        return super().call(name, *args, keep=keep, seconds=min(seconds, 0.6), **kw)


@pytest.fixture(scope="module", params=["bubblewrap", "plain"])
def graded(
    request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Graded]:
    """Everything in one class, once inside bubblewrap, where it is installed, and once without."""
    place = tmp_path_factory.mktemp("hostile") / "class"
    place.mkdir()
    (place / ".grader_seed").write_text(os.environ.get("GRADER_SEED", "20250310") + "\n")
    released = json.loads((root / f"course/{CHAPTER}/{CHAPTER}_exercises.ipynb").read_text("utf-8"))
    ids = {cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in released["cells"]}
    right = {e.name: answer_source(e) for e in get_chapter(CHAPTER) if e.name in ids}
    honest = filled(released, Draft(right))
    for name in HONEST:
        folder = place / "submitted" / name / CHAPTER
        folder.mkdir(parents=True)
        (folder / f"{CHAPTER}_exercises.ipynb").write_text(json.dumps(honest), "utf-8")
    students = {case.save(place, honest, CHAPTER): case for case in CASES}
    before = seen(place / "submitted")
    with pytest.MonkeyPatch.context() as patch, orphans_stay():
        patch.setattr(judge, "Timed", Hasty)
        if request.param == "plain":
            patch.setattr(bubblewrap, "prefix", tuple)
        elif not bubblewrap.prefix():
            pytest.skip("bubblewrap is not installed, or may not be used here")
        mine = children()
        result = grade(place / "submitted", limits=QUICK, jobs=2, require_level=0)
        until = time.monotonic() + 3
        while children() - mine and time.monotonic() < until:
            time.sleep(0.02)
        left = children() - mine
    if result.level < 2:
        pytest.skip("this machine cannot refuse what is tried here")
    yield Graded(place, students, before, result, left)


@contextlib.contextmanager
def orphans_stay() -> Iterator[None]:
    """Processes whose parent has ended become children of this one, so that they are found."""
    libc = ctypes.CDLL(None)
    libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    try:
        yield
    finally:
        libc.prctl(36, 0, 0, 0, 0)


def seen(folder: Path) -> dict[str, tuple[int, ...]]:
    """Kind, size and time of everything below; some of it is too large, or no file, to read."""
    found = {str(path): path.lstat() for path in folder.rglob("*")}
    return {
        path: (about.st_mode, about.st_size, about.st_mtime_ns) for path, about in found.items()
    }


def children() -> set[int]:
    """Processes below this one that are not mere entries in a table."""
    parents = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = Path(path).read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(path.split("/")[2])] = int(parent)
    found, more = set(), {os.getpid()}
    while more:
        more = {pid for pid, parent in parents.items() if parent in more} - found
        found |= more
    return found


def test_the_corpus_is_large_and_titles_are_unique() -> None:
    assert len(CASES) >= 60
    assert len({case.title for case in CASES}) == len(CASES)


def test_each_gets_exactly_what_it_should(graded: Graded) -> None:
    wrong = []
    for student, case in graded.students.items():
        result = graded.of(student)
        fine = result.points == case.points or (case.at_most and result.points < case.points)
        if not fine:
            costs = [str(r) for r in result.reports if r.points != r.max_points]
            wrong.append((case.title, result.points, result.reasons, costs))
    assert wrong == []


def test_nobody_gains_a_point(graded: Graded) -> None:
    for result in graded.result.results:
        assert all(0 <= r.points <= r.max_points for r in result.reports), result.student
        assert sum(r.max_points for r in result.reports) == 26
    scores = rows(
        graded.root,
        "select max(auto_score - c.max_score) from grade g join grade_cells c on g.cell_id = c.id",
    )
    assert scores == [(0.0,)]


def test_the_right_ones_are_flagged_with_a_reason(graded: Graded) -> None:
    wrong = []
    for student, case in graded.students.items():
        result = graded.of(student)
        said = " ".join([*result.reasons, *map(str, result.reports)])
        missing = [words for words in case.says if words not in said]
        if missing or (result.review != ("review" in case.flags) and not case.at_most):
            wrong.append((case.title, result.review, missing, said[:1500]))
    assert wrong == []


def test_no_attack_is_blamed_on_the_grader(graded: Graded) -> None:
    for result in graded.result.results:
        assert all(r.outcome != "grader_fault" for r in result.reports), result.student
        assert "Traceback" not in " ".join(result.reasons)


def test_the_honest_ones_beside_them_are_graded_as_always(graded: Graded) -> None:
    for name in HONEST:
        result = graded.of(name)
        assert (result.points, result.review, result.reasons) == (26, False, ())


def test_no_secret_and_no_path_is_in_any_page(graded: Graded) -> None:
    secrets = secret_numbers(graded.root)
    assert len(secrets) > 300
    text = written_for_learners(graded.root)
    assert secrets & set(re.findall(r"(?=(\d\.\d{4}))", text)) == set()
    (case,) = (c for c in CASES if c.title == "inputs in the shape of the result")
    page = graded.root / "feedback" / case.title / CHAPTER / f"{CHAPTER}_exercises.html"
    assert not re.search(r"\d{5}", re.sub(r"<style>.*?</style>", "", page.read_text("utf-8")))
    for word in (
        str(graded.root),
        "site-packages",
        str(Path(corpus.__file__).parents[2]),
    ):
        assert word not in text
    assert (graded.root / ".grader_seed").read_text().strip() not in text
    assert "root:x:0" not in text


def test_no_answer_is_in_any_page(graded: Graded) -> None:
    text = written_for_learners(graded.root)
    for exercise in get_chapter(CHAPTER):
        if exercise.kind == "function":
            for line in answer_source(exercise).splitlines()[-3:]:
                assert len(line.strip()) < 25 or line.strip() not in text, line


def test_nothing_that_learners_wrote_is_markup(graded: Graded) -> None:
    for page in (graded.root / "feedback").rglob("*.html"):
        html = page.read_text("utf-8")
        assert "<script" not in html and "<img" not in html and "\x1b" not in html


def test_no_process_is_left(graded: Graded) -> None:
    assert graded.left_running == set()


def test_no_file_is_left_and_submissions_are_as_they_were(graded: Graded) -> None:
    for place in MARKS:
        assert glob.glob(os.path.join(place, "*hostile_breach*")) == [], place
    assert seen(graded.root / "submitted") == graded.before
    here = graded.root.parent
    assert [path.name for path in here.iterdir()] == ["class"]
    stray = [p for p in graded.root.rglob(".*") if p.name.count(".") > 2 and p.is_file()]
    assert stray == [], "half-written files"
